/*
 * APPEND: RFC 3501, 6.3.11, with the APPENDUID of RFC 4315.
 *
 * What can be refused is refused before the message is asked for. Then it goes from the connection into the
 * store's file and never stands in memory as a whole; mimed, which can reach nothing, makes its structure
 * from the file; and the store has it on disk before OK is said.
 */
#include <unistd.h>

#include "base/clock.h"
#include "imap/args.h"
#include "imap/structure.h"
#include "imapd/command.h"
#include "imapd/flags.h"
#include "imapd/quota.h"
#include "imapd/reply.h"
#include "imapd/rights.h"
#include "imapd/wait.h"
#include "ipc/mimed.h"

/* Everything that speaks against the message before it comes. */
static int
acceptable(struct session *s, struct cmd *cmd, struct span name, struct store_mailbox *box, struct err *e)
{
	uint64_t size = cmd->message->size;

	if (size > cfg.message_size_max) {
		cmd->code = "TOOBIG";
		return err_set(
		    e, ERR_PERM, "A message may have %llu octets", (unsigned long long)cfg.message_size_max);
	}
	if (size == 0) {
		cmd->code = "CANNOT";
		return err_set(e, ERR_PERM, "That is no message");
	}
	if (rights_mailbox(s, cmd, name, STORE_MAY_INSERT, true, box, e) < 0)
		return -1;
	if (quota_learn(s, e) < 0)
		return -1;
	if (store_room(s->st, box->id, size, 1, e) < 0 || store_space(s->st, size, cfg.spool_free_min, e) < 0)
		return refused(s, cmd, true);
	return 0;
}

/*
 * The octets of the literal, and the end of the command behind it. A failure that is not the connection's is
 * remembered in *why, and the rest read all the same.
 */
static int
receive(struct session *s, uint64_t n, struct store_file *f, struct err *why, struct err *e)
{
	struct imap_literal more;
	struct span have, line;
	int rc;

	while (n > 0) {
		have = span_head(conn_peek(s->c), n < SIZE_MAX ? (size_t)n : SIZE_MAX);
		if (have.n == 0) {
			if ((rc = conn_fill(s->c, e)) <= 0)
				return rc < 0 ? -1 : err_set(e, ERR_GONE, "closed within a message");
			continue;
		}
		if (span_chr(have, '\0') >= 0) /* CHAR8 of RFC 3501, 9 */
			err_set(why, ERR_PEER, "NUL is not allowed in a message");
		if (why->kind == ERR_NONE)
			store_file_write(f, have, why);
		conn_use(s->c, have.n);
		n -= have.n;
	}
	rc = conn_line(s->c, &line, why);
	if (rc == 0 || why->kind == ERR_GONE)
		return err_set(e, ERR_GONE, "closed within a command");
	if (rc > 0 && line.n > 0)
		err_set(why, ERR_PEER, "Something follows the message");
	if (rc > 0 && imap_line_literal(line, &more, NULL) > 0) /* a message too many (MULTIAPPEND) */
		return command_skip_rest(s, more, e);
	return 0;
}

/* For mimed: the file as something that can only be read. */
static int
readable(struct session *s, const struct store_file *f, struct err *e)
{
	struct store_msg m = { .file = f->id, .length = f->size };

	return store_msg_open(s->st, &m, e);
}

/* Ask mimed. -1: ERR_GONE it died, of this message or for another reason; ERR_TEMP it can't be had. */
static int
ask_mimed(struct session *s, const struct store_file *f, struct span *structure, struct err *e)
{
	struct mimed_parse ask = { .file = -1, .offset = 0, .size = f->size };
	struct mimed_parsed answer = { 0 };

	if (s->mimed == NULL && s->svc != NULL)
		s->mimed = svc_dial(s->svc, "mimed", &mimed_def, e);
	if (s->mimed != NULL && (ask.file = readable(s, f, e)) >= 0) {
		ipc_call(s->mimed, mimed_parse, &ask, mimed_parsed, &answer, e);
		close(ask.file);
	}
	if (e->kind == ERR_NONE) {
		*structure = answer.structure;
		return 0;
	}
	ipc_free(s->mimed);
	s->mimed = NULL;
	return -1;
}

/* A record that says nothing but where the header ends: readers then take its fields from the file. */
static int
opaque(struct session *s, const struct store_file *f, struct buf *out, struct err *e)
{
	enum { HEADER_MAX = 1 << 20 };
	size_t want = f->size < HEADER_MAX ? (size_t)f->size : HEADER_MAX;
	struct buf head;
	ssize_t got = -1, end;
	int fd = readable(s, f, e);

	buf_init(&head, HEADER_MAX);
	if (fd >= 0 && (got = pread(fd, buf_room(&head, NULL, want), want, 0)) >= 0)
		head.n = (size_t)got;
	if (fd >= 0)
		close(fd);
	end = span_find(buf_span(&head), SPAN("\r\n\r\n"));
	buf_free(&head);
	return structure_opaque((uint32_t)f->size, end < 0 ? 0 : (uint32_t)end + 4, 0, out, e);
}

/*
 * The structure of the message, in *out or borrowed from the channel to mimed. A mimed that dies may have
 * been killed: it is asked once more. One that dies twice, died of this message, which is kept as opaque
 * text.
 */
static struct span
structure_of(struct session *s, const struct store_file *f, struct buf *out)
{
	struct err e = { 0 }, again = { 0 };
	struct span structure = { 0 };

	if (ask_mimed(s, f, &structure, &e) == 0 ||
	    (e.kind == ERR_GONE && ask_mimed(s, f, &structure, &again) == 0))
		return structure;
	log_event(LOG_WARN, "imapd.unparsed", KV_S("sid", s->sid), KV_S("owner", s->owner),
	    KV_U("size", f->size), KV_ERR(&e));
	return opaque(s, f, out, &again) == 0 ? buf_span(out) : (struct span){ 0 };
}

static int
keep(struct session *s, struct cmd *cmd, const struct imap_append *args, const struct store_mailbox *box,
    struct store_file *f, struct err *e)
{
	struct store_appended done = { 0 };
	struct buf record;
	struct store_append m = {
		.file = f,
		.flags = flags_to_store(args->flags.system),
		.keywords = args->flags.keywords,
		.nkeywords = args->flags.n,
		.date_ms = args->dated ? args->date.utc * 1000 : (int64_t)clock_wall_ms(),
		.zone = args->dated ? (int16_t)args->date.zone : 0,
	};
	unsigned rights;
	int rc;

	if (rights_of(s, box->id, &rights, e) < 0)
		return refused(s, cmd, true);
	m.flags &= rights_flags(rights); /* what may not be set is left out, silently (RFC 4314, 4) */
	if ((rights & STORE_MAY_WRITE) == 0)
		m.nkeywords = 0;
	buf_init(&record, STRUCTURE_MAX);
	m.structure = structure_of(s, f, &record);
	rc = store_append(s->st, box->id, &m, 1, &done, e);
	buf_free(&record);
	if (rc < 0)
		return refused(s, cmd, true);
	s->usage_changed = true;
	tell_changed(s, box->id, done.modseq);
	cmd->ok = arena_printf(s->a, "[APPENDUID %u %u] Kept", done.uidvalidity, done.first_uid);
	return 0;
}

/* The message is on its way although we do not want it: read past it. */
static int
decline(struct session *s, const struct imap_literal *lit, struct err *e)
{
	struct err gone = { 0 };

	if (command_skip_rest(s, *lit, &gone) < 0)
		*e = gone;
	return -1;
}

int
do_append(struct session *s, struct cmd *cmd, struct err *e)
{
	struct imap_append args;
	struct store_mailbox box = { 0 };
	struct store_file f = { 0 };
	struct err why = { 0 };
	int rc;

	if (imap_sp(&cmd->args, e) < 0 || imap_append_parse(&cmd->args, s->a, &args, e) < 0)
		return -1;
	if (cmd->message == NULL)
		return err_set(e, ERR_PEER, "The message is a literal");
	if (acceptable(s, cmd, args.mailbox, &box, e) < 0 || store_file_new(s->st, &f, e) < 0)
		return decline(s, cmd->message, e);
	rc = command_continue(s, cmd->message, e);
	if (rc == 0)
		rc = receive(s, cmd->message->size, &f, &why, e);
	if (rc == 0 && why.kind != ERR_NONE) {
		*e = why;
		rc = -1;
	}
	if (rc == 0)
		rc = keep(s, cmd, &args, &box, &f, e);
	store_file_drop(s->st, &f);
	return rc;
}
