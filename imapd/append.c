/*
 * APPEND (RFC 3501, 6.3.11) with MULTIAPPEND (RFC 3502), CATENATE (4469), literal8 (3516) and UTF8 (6855), and REPLACE
 * (8508); APPENDUID of RFC 4315.
 *
 * What can be refused is refused before a message is asked for. The command's text goes on behind each literal, so it is
 * read here, line by line, as far as the grammar needs it. All messages are in files before the store takes them, all or
 * none, and it has them on disk before OK is said.
 */
#include "base/clock.h"
#include "imap/args.h"
#include "imapd/catenate.h"
#include "imapd/command.h"
#include "imapd/flags.h"
#include "imapd/exclusive.h"
#include "imapd/incoming.h"
#include "imapd/messages.h"
#include "imapd/quota.h"
#include "imapd/reply.h"
#include "imapd/rights.h"
#include "imapd/wait.h"

enum {
	MESSAGES_MAX = 10000, /* of one MULTIAPPEND */
	OPEN_MAX = 16,        /* files of a command with a descriptor each; of more none has */
	URL_MAX = 8192,
	TEXT_MAX = 16 << 20,       /* octets of text behind the messages of a command */
	STRUCTURES_MAX = 64 << 20, /* and of their structure records, which wait for the last */
};

/* One APPEND or REPLACE at work. */
struct appending {
	struct session *s;
	struct cmd *cmd;
	struct store_mailbox box;
	unsigned rights;

	struct imap_lex l;       /* the line at hand, as far as it is not read yet, without ... */
	struct imap_literal lit; /* ... the literal that it ends in, which is to be taken yet */
	bool pending;

	struct incoming *m;
	size_t n, cap;
	uint64_t bytes; /* of all so far */
	size_t text, structures;
	struct catenate urls;

	uint32_t replaced; /* REPLACE: the uid */
	uint64_t freed;    /* and the size of that message */
};

/* ---- reading */

static int
too_much(struct appending *g, struct err *e)
{
	g->cmd->code = "LIMIT";
	return err_set(e, ERR_PERM, "That is too much for one command");
}

/* The next line of the command, behind a literal. */
static int
next_line(struct appending *g, struct err *e)
{
	struct span line;
	int rc = conn_line(g->s->c, &line, e);

	g->pending = false;
	g->l.in = (struct span){ 0 };
	if (rc == 0)
		return err_set(e, ERR_GONE, "closed within a command");
	if (rc < 0) {
		g->pending = imap_line_literal(conn_tail(g->s->c), &g->lit, NULL) > 0;
		return -1;
	}
	line = arena_dup(g->s->a, line);
	g->text += line.n;
	if ((rc = imap_line_literal(line, &g->lit, e)) < 0)
		return -1;
	g->pending = rc > 0;
	g->l.in = rc > 0 ? span_head(line, g->lit.text) : line;
	return g->text > TEXT_MAX ? too_much(g, e) : 0;
}

/* Is the literal what stands next? */
static bool
at_literal(const struct appending *g)
{
	return g->pending && g->l.in.n == 0;
}

/* Room for `size` octets more of a message that has `have`: said before they are sent. */
static int
acceptable(struct appending *g, uint64_t have, uint64_t size, struct err *e)
{
	struct session *s = g->s;
	uint64_t all = g->bytes + have + size;

	if (size > cfg.message_size_max || have + size > cfg.message_size_max) {
		g->cmd->code = "TOOBIG"; /* RFC 7889, 2; 4469, 4 */
		return err_set(
		    e, ERR_PERM, "A message may have %llu octets", (unsigned long long)cfg.message_size_max);
	}
	if (store_room(
		s->st, g->box.id, all > g->freed ? all - g->freed : 0, g->replaced != 0 ? 0 : g->n, e) < 0 ||
	    store_space(s->st, size, cfg.spool_free_min, e) < 0)
		return refused(s, g->cmd, true);
	return 0;
}

/* The literal at hand to the end of the message's file, and the line behind it. */
static int
take_literal(struct appending *g, struct incoming *m, struct err *e)
{
	struct err why = { 0 };

	if (acceptable(g, m->file.size, g->lit.size, e) < 0 || command_continue(g->s, &g->lit, e) < 0)
		return -1;
	g->pending = false;
	if (incoming_octets(g->s, g->lit.size, g->lit.binary, &m->file, &why, e) < 0 || next_line(g, e) < 0)
		return -1;
	if (why.kind == ERR_NONE)
		return 0;
	if (why.kind == ERR_PERM)
		g->cmd->code = "UNKNOWN-CTE"; /* RFC 3516, 4.4 */
	*e = why;
	return -1;
}

/* ---- CATENATE */

/* An astring, which may be a literal. */
static int
url_text(struct appending *g, struct span *url, struct err *e)
{
	struct session *s = g->s;
	char *p;
	int rc;

	if (!at_literal(g))
		return imap_astring(&g->l, s->a, url, e);
	if (g->lit.size > URL_MAX)
		return err_set(e, ERR_PEER, "A URL may have %d octets", URL_MAX);
	if (command_continue(s, &g->lit, e) < 0)
		return -1;
	p = arena_alloc(s->a, (size_t)g->lit.size + 1);
	if ((rc = conn_read(s->c, p, (size_t)g->lit.size, e)) <= 0)
		return rc < 0 ? -1 : err_set(e, ERR_GONE, "closed within a literal");
	*url = span_of(p, (size_t)g->lit.size);
	g->text += url->n;
	return next_line(g, e);
}

/* cat-part of RFC 4469, 5. */
static int
cat_part(struct appending *g, struct incoming *m, struct err *e)
{
	struct span url;

	if (imap_word(&g->l, "TEXT")) {
		if (imap_sp(&g->l, e) < 0)
			return -1;
		return at_literal(g) ? take_literal(g, m, e) : err_set(e, ERR_PEER, "TEXT takes a literal");
	}
	if (!imap_word(&g->l, "URL"))
		return err_set(e, ERR_PEER, "CATENATE is of TEXT and URL");
	if (imap_sp(&g->l, e) < 0 || url_text(g, &url, e) < 0 ||
	    catenate_url(&g->urls, g->s, g->cmd, url, cfg.message_size_max, &m->file, e) < 0)
		return -1;
	return acceptable(g, m->file.size, 0, e);
}

static int
catenate(struct appending *g, struct incoming *m, struct err *e)
{
	if (imap_sp(&g->l, e) < 0)
		return -1;
	if (!imap_take(&g->l, '('))
		return err_set(e, ERR_PEER, "CATENATE takes a list");
	do {
		if (cat_part(g, m, e) < 0)
			return -1;
	} while (imap_take(&g->l, ' '));
	return imap_take(&g->l, ')') ? 0 : err_set(e, ERR_PEER, "The list of CATENATE has no end");
}

/* ---- messages */

/* "UTF8 (~{n} ...)" (RFC 6855, 4): after ENABLE UTF8=ACCEPT, or IMAP4rev2, which has it too. */
static int
utf8_data(struct appending *g, struct incoming *m, struct err *e)
{
	if (!g->s->utf8)
		return err_set(e, ERR_PEER, "UTF8 is for who enabled UTF8=ACCEPT");
	if (imap_sp(&g->l, e) < 0)
		return -1;
	if (!imap_take(&g->l, '(') || !at_literal(g) || !g->lit.binary)
		return err_set(e, ERR_PEER, "UTF8 takes a literal8 in parentheses");
	if (take_literal(g, m, e) < 0)
		return -1;
	return imap_take(&g->l, ')') ? 0 : err_set(e, ERR_PEER, "The list of UTF8 has no end");
}

/* RFC 3502, 3: so a client gives up what it began. */
static int
no_message(struct appending *g, struct err *e)
{
	g->cmd->code = "CANNOT";
	return err_set(e, ERR_PERM, "That is no message");
}

static int
data(struct appending *g, struct incoming *m, struct err *e)
{
	if (at_literal(g) && g->lit.size == 0)
		return no_message(g, e);
	if (at_literal(g))
		return take_literal(g, m, e);
	if (imap_word(&g->l, "CATENATE"))
		return catenate(g, m, e);
	if (imap_word(&g->l, "UTF8"))
		return utf8_data(g, m, e);
	return err_set(e, ERR_PEER, "The message is a literal");
}

static struct incoming *
add_message(struct appending *g)
{
	if (g->n == g->cap) {
		struct incoming *more = arena_array(g->s->a, g->cap > 0 ? 2 * g->cap : 8, sizeof *more);

		if (g->n > 0)
			memcpy(more, g->m, g->n * sizeof *more);
		g->m = more;
		g->cap = g->cap > 0 ? 2 * g->cap : 8;
	}
	return &g->m[g->n++];
}

/* [flags SP] [date-time SP] data: into a file, parsed. */
static int
message(struct appending *g, struct err *e)
{
	struct imap_append args = { 0 };
	struct incoming *m;

	if (g->n == MESSAGES_MAX || g->structures > STRUCTURES_MAX)
		return too_much(g, e);
	m = add_message(g);
	if (imap_append_parse(&g->l, g->s->a, &args, e) < 0)
		return -1;
	m->flags = args.flags;
	m->dated = args.dated;
	m->date = args.date;
	if (store_file_new(g->s->st, &m->file, e) < 0 || data(g, m, e) < 0)
		return -1;
	if (m->file.size == 0)
		return no_message(g, e);
	g->bytes += m->file.size;
	incoming_parse(g->s, m);
	g->structures += m->structure.n;
	if (g->n > OPEN_MAX)
		store_file_rest(&m->file);
	return 0;
}

/* The command to its end. */
static int
messages(struct appending *g, struct err *e)
{
	do {
		if (message(g, e) < 0)
			return -1;
	} while (g->replaced == 0 && imap_take(&g->l, ' '));
	return g->pending ? err_set(e, ERR_PEER, "A message too many") : imap_end(&g->l, e);
}

/* ---- into the store */

static struct store_append *
for_store(struct appending *g)
{
	struct store_append *list = arena_array(g->s->a, g->n, sizeof *list);
	int64_t now = (int64_t)clock_wall_ms();

	for (size_t i = 0; i < g->n; i++) {
		struct incoming *m = &g->m[i];

		list[i] = (struct store_append){
			.file = &m->file,
			.structure = m->structure,
			/* What may not be set is left out, silently (RFC 4314, 4). */
			.flags = flags_to_store(m->flags.system) & rights_flags(g->rights),
			.keywords = m->flags.keywords,
			.nkeywords = (g->rights & STORE_MAY_WRITE) != 0 ? m->flags.n : 0,
			.date_ms = m->dated ? m->date.utc * 1000 : now,
			.zone = m->dated ? (int16_t)m->date.zone : 0,
		};
	}
	return list;
}

/* "APPENDUID 38505 3955", or "3955:3957" (RFC 4315, 3). */
static struct span
appenduid(struct appending *g, const struct store_appended *done)
{
	uint32_t last = done->first_uid + (uint32_t)g->n - 1;

	if (g->n == 1)
		return arena_printf(g->s->a, "APPENDUID %u %u", done->uidvalidity, last);
	return arena_printf(g->s->a, "APPENDUID %u %u:%u", done->uidvalidity, done->first_uid, last);
}

static int
keep(struct appending *g, struct err *e)
{
	struct session *s = g->s;
	struct store_appended done = { 0 };
	uint64_t source = 0;
	int hold, rc;

	if (g->replaced != 0) {
		if (exclusive_begin(s, g->cmd, s->view->mailbox, &hold, e) < 0)
			return -1;
		rc = store_replace(s->view, g->replaced, g->box.id, for_store(g), &done, &source, e);
		exclusive_end(hold);
	} else
		rc = store_append(s->st, g->box.id, for_store(g), g->n, &done, e);
	if (rc < 0)
		return refused(s, g->cmd, true);
	s->usage_changed = true;
	tell_changed(s, g->box.id, done.modseq);
	if (g->replaced == 0) {
		g->cmd->ok = arena_printf(s->a, "[%.*s] Kept", SPAN_ARG(appenduid(g, &done)));
		return 0;
	}
	tell_changed(s, s->view->mailbox, source);
	g->cmd->ok = SPAN("Replaced");
	/* RFC 8508, 4.3: before EXISTS and EXPUNGE, which follow as news of the mailbox. */
	return out_printf(s, e, "* OK [%.*s] Kept\r\n", SPAN_ARG(appenduid(g, &done)));
}

/* ---- the commands */

/* Behind what is on its way although it is not wanted; files go. */
static void
finish(struct appending *g, struct err *e)
{
	struct err gone = { 0 };

	if (e->kind != ERR_NONE && e->kind != ERR_GONE && g->pending &&
	    command_skip_rest(g->s, g->lit, &gone) < 0)
		*e = gone;
	for (size_t i = 0; i < g->n; i++)
		store_file_drop(g->s->st, &g->m[i].file);
	catenate_done(&g->urls);
}

/* mailbox SP: may something be added there? */
static int
target(struct appending *g, struct err *e)
{
	struct session *s = g->s;
	struct span name;

	if (imap_mailbox(&g->l, s->a, &name, e) < 0 || imap_sp(&g->l, e) < 0)
		return -1;
	if (rights_mailbox(s, g->cmd, name, STORE_MAY_INSERT, true, &g->box, e) < 0 ||
	    rights_of(s, g->box.id, &g->rights, e) < 0)
		return -1;
	return quota_learn(s, e);
}

static struct appending
begin(struct session *s, struct cmd *cmd)
{
	struct appending g = { .s = s, .cmd = cmd, .l = cmd->args, .pending = cmd->message != NULL };

	if (g.pending)
		g.lit = *cmd->message;
	return g;
}

int
do_append(struct session *s, struct cmd *cmd, struct err *e)
{
	struct appending g = begin(s, cmd);

	if (imap_sp(&g.l, e) == 0 && target(&g, e) == 0 && messages(&g, e) == 0)
		keep(&g, e);
	finish(&g, e);
	return e->kind == ERR_NONE ? 0 : -1;
}

/* The message to be replaced: a number, of a message that is there (RFC 8508, 3.2 and 3.3). */
static int
source(struct appending *g, struct err *e)
{
	struct session *s = g->s;
	struct imap_set set;
	struct messages m = { 0 };
	struct piece *p = arena_alloc(s->a, sizeof *p);

	if (imap_sp(&g->l, e) < 0 || imap_set_parse(&g->l, s->a, &set, e) < 0 || imap_sp(&g->l, e) < 0)
		return -1;
	if (set.n != 1 || set.r[0].first != set.r[0].last)
		return err_set(e, ERR_PEER, "REPLACE takes one message");
	if (messages_of(s, &set, g->cmd->uid, &m, e) < 0)
		return -1;
	if (s->view->read_only)
		return err_set(e, ERR_PERM, "The mailbox is read-only");
	if (rights_need(s, g->cmd, s->view->mailbox, STORE_MAY_DELETE | STORE_MAY_EXPUNGE, e) < 0)
		return -1;
	p->of = &m;
	if (m.n != 1 || piece_next(s, p, e) <= 0) {
		g->cmd->code = "NONEXISTENT";
		return err_set(e, ERR_PERM, "There is no such message");
	}
	g->replaced = p->uid[0];
	g->freed = store_rec(s->view, p->seq[0] - 1)->size;
	return 0;
}

int
do_replace(struct session *s, struct cmd *cmd, struct err *e)
{
	struct appending g = begin(s, cmd);

	if (source(&g, e) == 0 && target(&g, e) == 0 && messages(&g, e) == 0)
		keep(&g, e);
	finish(&g, e);
	return e->kind == ERR_NONE ? 0 : -1;
}
