/*
 * The command table, and how a command is read: a line, and as long as it ends in a literal, that and the
 * next line, all kept in s->text, so that parsers see one text. The message of APPEND is the one literal that
 * is not collected: append.c takes it from the connection.
 */
#include "imapd/command.h"

#include "imap/args.h"
#include "imapd/link.h"
#include "imapd/quota.h"
#include "imapd/relay.h"
#include "imapd/notify.h"
#include "imapd/reply.h"
#include "imapd/rights.h"
#include "imapd/unauthenticate.h"
#include "imapd/worker.h"
#include "imapd/workaround.h"

enum { TAG_MAX = 1000 };

static const struct command table[] = {
	{ "CAPABILITY", false, LOGGED_IN | SELECTED | STORELESS, do_capability, "RFC 3501, 6.1.1" },
	{ "NOOP", false, LOGGED_IN | SELECTED | STORELESS, do_noop, "RFC 3501, 6.1.2" },
	{ "LOGOUT", false, LOGGED_IN | SELECTED | STORELESS, do_logout, "RFC 3501, 6.1.3" },
	{ "UNAUTHENTICATE", false, LOGGED_IN | SELECTED | STORELESS | QUIET, do_unauthenticate,
	    "RFC 8437, 3" },
	{ "SELECT", false, LOGGED_IN | SELECTED, do_select, "RFC 3501, 6.3.1; 7162, 3.1.8" },
	{ "EXAMINE", false, LOGGED_IN | SELECTED, do_examine, "RFC 3501, 6.3.2" },
	{ "CREATE", false, LOGGED_IN | SELECTED, do_create, "RFC 3501, 6.3.3; 6154, 3" },
	{ "DELETE", false, LOGGED_IN | SELECTED, do_delete, "RFC 3501, 6.3.4" },
	{ "RENAME", false, LOGGED_IN | SELECTED, do_rename, "RFC 3501, 6.3.5" },
	{ "SUBSCRIBE", false, LOGGED_IN | SELECTED, do_subscribe, "RFC 3501, 6.3.6" },
	{ "UNSUBSCRIBE", false, LOGGED_IN | SELECTED, do_unsubscribe, "RFC 3501, 6.3.7" },
	{ "LIST", false, LOGGED_IN | SELECTED, do_list, "RFC 3501, 6.3.8; 5258; 6154; 5819; 8440; 9590" },
	{ "XLIST", false, LOGGED_IN | SELECTED, do_xlist, "Gmail's, from before RFC 6154" },
	{ "LSUB", false, LOGGED_IN | SELECTED, do_lsub, "RFC 3501, 6.3.9" },
	{ "SETACL", false, LOGGED_IN | SELECTED, do_setacl, "RFC 4314, 3.1" },
	{ "DELETEACL", false, LOGGED_IN | SELECTED, do_deleteacl, "RFC 4314, 3.2" },
	{ "GETACL", false, LOGGED_IN | SELECTED, do_getacl, "RFC 4314, 3.3" },
	{ "LISTRIGHTS", false, LOGGED_IN | SELECTED, do_listrights, "RFC 4314, 3.4" },
	{ "MYRIGHTS", false, LOGGED_IN | SELECTED, do_myrights, "RFC 4314, 3.5" },
	{ "GETMETADATA", false, LOGGED_IN | SELECTED, do_getmetadata, "RFC 5464, 4.2" },
	{ "SETMETADATA", false, LOGGED_IN | SELECTED, do_setmetadata, "RFC 5464, 4.3" },
	{ "NOTIFY", false, LOGGED_IN | SELECTED, do_notify, "RFC 5465" },
	{ "STATUS", false, LOGGED_IN | SELECTED, do_status, "RFC 3501, 6.3.10; 7162, 3.1.7" },
	{ "APPEND", false, LOGGED_IN | SELECTED, do_append, "RFC 3501, 6.3.11; 4315; 3502; 4469; 6855" },
	{ "REPLACE", true, SELECTED, do_replace, "RFC 8508" },
	{ "CHECK", false, SELECTED, do_noop, "RFC 3501, 6.4.1: all that is answered is on disk already" },
	{ "CLOSE", false, SELECTED, do_close, "RFC 3501, 6.4.2" },
	{ "UNSELECT", false, SELECTED, do_unselect, "RFC 3691" },
	{ "EXPUNGE", true, SELECTED, do_expunge, "RFC 3501, 6.4.3; 4315" },
	{ "SEARCH", true, SELECTED | NUMBERS, do_search, "RFC 3501, 6.4.4; 4731; 7162, 3.1.5" },
	{ "SORT", true, SELECTED | NUMBERS, do_sort, "RFC 5256, 3; 5267, 3; 5957" },
	{ "THREAD", true, SELECTED | NUMBERS, do_thread, "RFC 5256, 3" },
	{ "ESEARCH", false, LOGGED_IN | SELECTED, do_esearch, "RFC 7377" },
	{ "CANCELUPDATE", false, SELECTED, do_cancelupdate, "RFC 5267, 4.3.5" },
	{ "FETCH", true, SELECTED | NUMBERS, do_fetch, "RFC 3501, 6.4.5; 7162, 3.1.4" },
	{ "STORE", true, SELECTED | NUMBERS, do_store, "RFC 3501, 6.4.6; 7162, 3.1.3" },
	{ "COPY", true, SELECTED, do_copy, "RFC 3501, 6.4.7; 4315" },
	{ "MOVE", true, SELECTED, do_move, "RFC 6851" },
	{ "IDLE", false, LOGGED_IN | SELECTED | STORELESS, do_idle, "RFC 2177" },
	{ "GETQUOTA", false, LOGGED_IN | SELECTED, do_getquota, "RFC 9208, 4.1.1" },
	{ "GETQUOTAROOT", false, LOGGED_IN | SELECTED, do_getquotaroot, "RFC 9208, 4.1.2" },
	{ "SETQUOTA", false, LOGGED_IN | SELECTED, do_setquota, "RFC 9208, 4.1.3" },
	{ "NAMESPACE", false, LOGGED_IN | SELECTED | STORELESS, do_namespace, "RFC 2342" },
	{ "ENABLE", false, LOGGED_IN | SELECTED | STORELESS, do_enable, "RFC 5161" },
	{ "COMPRESS", false, LOGGED_IN | SELECTED | STORELESS, do_compress, "RFC 4978" },
	{ "ID", false, LOGGED_IN | SELECTED | STORELESS, do_id, "RFC 2971" },
	{ "XVIEW", false, SELECTED | LINKED | QUIET, do_xview, "linked.c" },
	{ "XRESTORE", false, LOGGED_IN | LINKED | QUIET, do_xrestore, "linked.c" },
	{ "XEXPUNGE", false, SELECTED | LINKED, do_xexpunge, "linked.c" },
};

const struct command *
command_find(struct span name, bool uid)
{
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (span_ieq(name, table[i].name) && (!uid || table[i].uid))
			return &table[i];
	return NULL;
}

static int
skip_octets(struct session *s, uint64_t n, struct err *e)
{
	while (n > 0) {
		struct span have = conn_peek(s->c);
		int rc;

		if (have.n == 0) {
			if ((rc = conn_fill(s->c, e)) <= 0)
				return rc < 0 ? -1 : err_set(e, ERR_GONE, "closed within a literal");
			continue;
		}
		have = span_head(have, n < SIZE_MAX ? (size_t)n : SIZE_MAX);
		conn_use(s->c, have.n);
		n -= have.n;
	}
	return 0;
}

int
command_continue(struct session *s, const struct imap_literal *lit, struct err *e)
{
	if (lit->nonsync)
		return 0;
	return out_str(s, "+ Go on\r\n", e) < 0 ? -1 : out_flush(s, e);
}

int
command_skip_rest(struct session *s, struct imap_literal lit, struct err *e)
{
	struct err bad = { 0 };
	struct span line;
	int rc = 1;

	while (rc > 0 && lit.nonsync) {
		if (lit.size > 2 * cfg.message_size_max) {
			out_bye(s, "[TOOBIG] That literal is too large to be read to its end");
			return err_set(e, ERR_GONE, "literal of %llu octets", (unsigned long long)lit.size);
		}
		if (skip_octets(s, lit.size, e) < 0)
			return -1;
		rc = conn_line(s->c, &line, &bad);
		if (rc == 0 || (rc < 0 && bad.kind == ERR_GONE))
			return err_set(e, ERR_GONE, "closed within a command");
		if (rc > 0)
			rc = imap_line_literal(line, &lit, &bad);
		err_clear(&bad);
	}
	return 0;
}

/*
 * Is this APPEND or REPLACE, and the literal behind the name of the mailbox? That, and what follows, is append.c's to
 * read.
 */
static bool
append_begun(struct session *s, const struct imap_literal *lit)
{
	struct imap_lex l = { .in = span_head(buf_span(&s->text), lit->text), .utf8 = s->utf8 };
	struct span tag, name, mailbox;
	struct imap_set set;
	bool uid;

	if (imap_command(&l, &tag, &name, &uid, NULL) < 0 || imap_sp(&l, NULL) < 0)
		return false;
	if (span_ieq(name, "REPLACE")) {
		if (imap_set_parse(&l, s->a, &set, NULL) < 0 || imap_sp(&l, NULL) < 0)
			return false;
	} else if (uid || !span_ieq(name, "APPEND")) {
		return false;
	}
	return imap_mailbox(&l, s->a, &mailbox, NULL) == 0 && imap_sp(&l, NULL) == 0;
}

/* One literal that belongs into s->text, behind the CR LF of its line. */
static int
collect_literal(struct session *s, const struct imap_literal *lit, struct err *e)
{
	char *to;
	int rc;

	if (lit->size >= cfg.imap_command_max || s->text.n + lit->size >= cfg.imap_command_max) {
		if (command_skip_rest(s, *lit, e) < 0)
			return -1;
		return err_set(e, ERR_PEER, "[TOOBIG] The command is too long");
	}
	if (command_continue(s, lit, e) < 0 || buf_add(&s->text, e, SPAN("\r\n")) < 0 ||
	    (to = buf_room(&s->text, e, (size_t)lit->size)) == NULL)
		return -1;
	if ((rc = conn_read(s->c, to, (size_t)lit->size, e)) <= 0)
		return rc < 0 ? -1 : err_set(e, ERR_GONE, "closed within a literal");
	s->text.n += (size_t)lit->size;
	return 0;
}

/* Such a line may end in a literal that comes without being asked for: it is no command. */
static int
line_too_long(struct session *s, struct err *e)
{
	struct imap_literal lit;
	struct err gone = { 0 };

	if (imap_line_literal(conn_tail(s->c), &lit, NULL) > 0 && command_skip_rest(s, lit, &gone) < 0)
		*e = gone;
	return -1;
}

/*
 * The whole text of a command. 1 and cmd->message NULL, or the literal of APPEND that is to be read yet; 0 at
 * the end of the connection; -1: ERR_PEER is to be answered, what can be known of the tag is in s->text.
 */
static int
read_text(struct session *s, struct cmd *cmd, struct imap_literal *lit, struct err *e)
{
	struct span line;
	int rc;

	buf_clear(&s->text);
	for (;;) {
		size_t start = s->text.n;

		if ((rc = conn_line(s->c, &line, e)) <= 0)
			return rc < 0 && e->kind == ERR_PEER ? line_too_long(s, e) : rc;
		conn_timeout(s->c, cfg.imap_write_wait); /* the client has begun: no more half hours */
		if (buf_add(&s->text, e, line) < 0)
			return -1;
		rc = imap_line_literal(line, lit, e);
		if (rc < 0 && lit->nonsync) { /* it is on its way, and cannot be told from commands */
			out_bye(s, "[TOOBIG] That literal cannot be read to its end");
			err_clear(e);
			return err_set(e, ERR_GONE, "literal beyond 64 bits");
		}
		if (rc <= 0)
			return rc < 0 ? -1 : 1;
		lit->text += start;
		if (append_begun(s, lit)) {
			cmd->message = lit;
			return 1;
		}
		if (collect_literal(s, lit, e) < 0)
			return -1;
	}
}

/* Say what others changed, unless a number of a message might still be on the client's lips (7.4.1). */
static int
announce_after(struct session *s, struct cmd *cmd, struct err *e)
{
	if (workaround(DELAY_NEWMAIL) && !s->expunged && !span_ieq(cmd->name, "NOOP") &&
	    !span_ieq(cmd->name, "CHECK"))
		return 0;
	if (announce(s, !cmd->numbers, e) == 0 && notify_news(s, e) == 0)
		return 0;
	if (span_starts(cmd->ok, "[HIGHESTMODSEQ ")) /* what was not told must not be thought known */
		cmd->ok = SPAN("Done");
	if (e->kind == ERR_GONE)
		return -1;
	log_event(LOG_WARN, "imapd.sync", KV_S("sid", s->sid), KV_S("owner", s->owner), KV_ERR(e));
	err_clear(e); /* what was asked is done: the news come another time */
	return 0;
}

/* Which command it is, if it can be run now; else NULL. */
static const struct command *
find(struct session *s, struct cmd *cmd, struct err *e)
{
	const struct command *c;

	cmd->args.utf8 = s->utf8;
	cmd->args.slash = workaround(TB_EXTRA_MAILBOX_SEP);
	cmd->args.in = cmd->message != NULL ? span_head(buf_span(&s->text), cmd->message->text)
					    : buf_span(&s->text);
	if (imap_command(&cmd->args, &cmd->tag, &cmd->name, &cmd->uid, e) < 0)
		return NULL;
	c = command_find(cmd->name, cmd->uid);
	if (cmd->tag.n > TAG_MAX)
		err_set(e, ERR_PEER, "A tag of at most %d characters, please", TAG_MAX);
	else if (c == NULL || ((c->states & LINKED) != 0 && !s->link))
		err_set(e, ERR_PEER, "There is no such command");
	else if ((c->states & (s->view != NULL || relay_selected(s) ? SELECTED : LOGGED_IN)) == 0)
		err_set(e, ERR_PEER, "No mailbox is selected");
	else if (s->uidonly && c->uid && !cmd->uid && c->run != do_expunge)
		err_set(e, ERR_PEER, "[UIDREQUIRED] Message numbers are not in use here"); /* RFC 9586, 3 */
	else if ((c->states & STORELESS) != 0 || worker_open(s, cmd, e) == 0)
		return c;
	return NULL;
}

/* It is not run; a message that comes without being asked for is read past. */
static int
turn_down(struct session *s, const struct cmd *cmd, struct err *e)
{
	struct err gone = { 0 };

	if (cmd->message != NULL && command_skip_rest(s, *cmd->message, &gone) < 0)
		*e = gone;
	return -1;
}

/*
 * ACLs may have changed. Who lost r is refused what looks at the selected mailbox, and may leave it (RFC 4314, 5.1.1);
 * a mailbox that cannot even be looked up any more is as if it were deleted.
 */
static int
still_allowed(struct session *s, struct cmd *cmd, const struct command *c, struct err *e)
{
	unsigned has;

	if (rights_again(s, e) < 0)
		return -1;
	has = rights_here(s);
	if (s->view == NULL || (c->states & LOGGED_IN) != 0 || (has & STORE_MAY_READ) != 0 ||
	    c->run == do_close || c->run == do_unselect || c->run == do_noop)
		return 0;
	cmd->code = (has & STORE_MAY_LOOKUP) != 0 ? "NOPERM" : "NONEXISTENT";
	return err_set(e, ERR_PERM, "The mailbox may not be read any more");
}

static int
run(struct session *s, struct cmd *cmd, struct err *e)
{
	const struct command *c = find(s, cmd, e);
	bool condstore = s->condstore;
	int rc;

	if (c == NULL)
		return turn_down(s, cmd, e);
	s->commands++;
	s->expunged = false;
	cmd->ok = SPAN("Done");
	cmd->numbers = (c->states & NUMBERS) != 0 && !cmd->uid;
	rc = relay_command(s, c, cmd, e);
	if (rc < 0)
		return cmd->message != NULL ? turn_down(s, cmd, e) : -1;
	if (rc == 0 && (c->states & STORELESS) == 0 && still_allowed(s, cmd, c, e) < 0)
		return turn_down(s, cmd, e);
	if (rc == 0 && c->run(s, cmd, e) < 0)
		return -1;
	if (!s->quota_told && s->st != NULL && quota_alert(s, e) < 0)
		return -1;
	if (s->link && s->condstore && !condstore) /* the other end is to know it for its other mailboxes */
		out_str(s, "* ENABLED CONDSTORE\r\n", e);
	return s->leave || (c->states & QUIET) != 0 ? 0 : announce_after(s, cmd, e);
}

/* The tag of a command that could not be read to its end. */
static void
find_tag(struct session *s, struct cmd *cmd)
{
	struct imap_lex l = { .in = buf_span(&s->text) };

	if (cmd->tag.n == 0 && (imap_tag(&l, &cmd->tag, NULL) < 0 || imap_peek(&l) != ' '))
		cmd->tag = (struct span){ 0 };
}

int
command_serve(struct session *s, struct err *e)
{
	struct imap_literal lit;
	struct cmd cmd = { 0 };
	int rc;

	arena_reset(s->a);
	rc = read_text(s, &cmd, &lit, e);
	if (rc == 0)
		return err_set(e, ERR_GONE, "closed by the client");
	if (rc > 0)
		rc = run(s, &cmd, e);
	if (e->kind == ERR_GONE)
		return -1;
	if (s->leave)
		return 0;
	if (rc < 0)
		find_tag(s, &cmd);
	if (out_result(s, &cmd, e) < 0)
		return -1;
	if (s->text.cap > (64 << 10))
		buf_free(&s->text);
	if (s->bad_row > cfg.imap_bad_max)
		return out_bye(s, "Too many bad commands");
	/* Answers to pipelined commands leave together: conn flushes before it waits. */
	if (conn_write(s->c, buf_span(&s->out), e) < 0)
		return -1;
	buf_clear(&s->out);
	if (s->compress && conn_compress(s->c, (struct span){ 0 }, e) < 0) /* RFC 4978, 3: behind its OK */
		return -1;
	s->compress = false;
	return s->unauthenticated ? unauthenticate(s, e) : 0;
}
