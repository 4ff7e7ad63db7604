/*
 * COPY and MOVE between two owners. The messages go from one link to the other, each as FETCH gives it and APPEND takes
 * it, a buffer at a time; the target's worker has them in files until it takes all in one transaction (MULTIAPPEND, RFC
 * 3502). So a COPY is whole or nothing, whoever dies in the middle, and a MOVE expunges only what is durable there. When
 * one side is the session's own store, it is a link, too: to a second worker of that store.
 *
 * What cannot cross: the unique ids of RFC 8474, and parts of a second of the internal date.
 */
#include "imap/reply.h"
#include "imap/set.h"
#include "imapd/exclusive.h"
#include "imapd/messages.h"
#include "imapd/relay-inside.h"
#include "imapd/reply.h"
#include "imapd/rights.h"
#include "imapd/wait.h"

enum {
	BATCH = 32, /* messages that are asked for at a time */
	TEXT_MAX = 16 << 20,
};

struct copying {
	struct session *s;
	struct cmd *cmd;
	struct link *from, *to;
	struct span name; /* of the target, on the wire */
	bool move;
	bool open; /* the target waits for more of APPEND */

	uint32_t *uid; /* of the messages, rising */
	size_t n, cap;
	uint32_t *done; /* of those that were sent */
	size_t ndone;

	struct span answer; /* a NO or BAD of either side, for the client */
};

static void
add_uid(struct copying *c, uint32_t uid)
{
	if (c->n == c->cap) {
		size_t cap = c->cap == 0 ? 64 : 2 * c->cap;
		uint32_t *more = arena_array(c->s->a, cap, sizeof *more);

		if (c->n > 0)
			memcpy(more, c->uid, c->n * sizeof *more);
		c->uid = more;
		c->cap = cap;
	}
	c->uid[c->n++] = uid;
}

/* "1:3,7" of the UIDs [from, to) of a list. */
static int
put_set(struct copying *c, const uint32_t *uid, size_t n, struct buf *out, struct err *e)
{
	struct imap_set set = { .r = arena_array(c->s->a, n, sizeof *set.r) };

	for (size_t i = 0; i < n; i++)
		imap_set_append(&set, uid[i]);
	return imap_set_format(&set, out, e);
}

/* What the source says beside: news of the selected mailbox go on to the client. */
static int
beside(struct copying *c, const struct link_response *r, struct err *e)
{
	return c->from == c->s->relay->far ? relay_untagged(c->s, c->from, r, e) : link_drop(c->from, e);
}

/* ---- which messages */

static int
own_uids(struct copying *c, struct err *e)
{
	struct messages m;

	if (messages_parse(c->s, c->cmd, &m, e) < 0 || messages_uids(c->s, &m, &c->uid, e) < 0)
		return -1;
	c->n = m.n;
	return 0;
}

/* The set as the client wrote it means what it means there. 1; 0 if it is refused; -1. */
static int
far_uids(struct copying *c, struct err *e)
{
	struct imap_response_message m;
	struct imap_lex l = c->cmd->args;
	struct link_response r;
	ssize_t sp;

	imap_take(&l, ' ');
	sp = span_chr(l.in, ' ');
	need(sp > 0);
	if (link_say(c->from,
		arena_printf(c->s->a, "X %sFETCH %.*s (UID)", c->cmd->uid ? "UID " : "",
		    SPAN_ARG(span_head(l.in, (size_t)sp))),
		e) < 0)
		return -1;
	for (;;) {
		int rc = 0;

		if (link_hear(c->from, SPAN("X"), &r, e) < 0)
			return -1;
		if (r.kind == LINK_TAGGED) {
			c->answer = relay_ok(r.text) ? (struct span){ 0 } : arena_dup(c->s->a, r.text);
			return link_drop(c->from, e) < 0 ? -1 : c->answer.n == 0;
		}
		if (imap_response_message(r.head, c->s->a, &m) > 0 && m.uid != 0 && m.flags.p == NULL) {
			add_uid(c, m.uid);
			rc = link_drop(c->from, e);
		} else {
			rc = beside(c, &r, e);
		}
		if (rc < 0)
			return -1;
	}
}

/* ---- there */

/* All flags but \Recent, which no client can set. */
static int
put_flags(struct span flags, struct buf *out, struct err *e)
{
	const char *sep = "";

	buf_str(out, e, "(");
	while (flags.n > 0) {
		struct span one = span_word(&flags);

		if (span_ieq(one, "\\Recent"))
			continue;
		buf_str(out, e, sep);
		buf_add(out, e, one);
		sep = " ";
	}
	return buf_str(out, e, ")");
}

/*
 * What stands before a message: the command as well before the first, whose literal is asked for, so that a target that
 * takes nothing says so before anything is sent. 1; 0 it has refused; -1.
 */
static int
announce_message(struct copying *c, const struct imap_response_message *m, struct err *e)
{
	bool first = c->ndone == 0;
	struct buf text;
	int rc;

	buf_init(&text, TEXT_MAX);
	if (first) {
		buf_str(&text, e, "X APPEND ");
		imap_put_argument(c->name, &text, e);
	}
	buf_str(&text, e, " ");
	put_flags(m->flags, &text, e);
	buf_str(&text, e, " ");
	buf_add(&text, e, m->date);
	rc = buf_printf(&text, e, " {%llu%s}\r\n", (unsigned long long)m->size, first ? "" : "+");
	if (rc == 0)
		rc = link_write(c->to, buf_span(&text), e);
	buf_free(&text);
	if (rc == 0 && first)
		rc = relay_responses(c->s, c->to, SPAN("X"), &c->answer, e);
	c->open |= rc > 0;
	return first ? rc : rc < 0 ? -1 : 1;
}

/* One message, of which the beginning was heard; when the target has refused or is gone, c->answer is set. */
static int
message(struct copying *c, const struct imap_response_message *m, struct err *e)
{
	struct err why = { 0 };

	if (c->answer.n == 0 && announce_message(c, m, &why) > 0) {
		if (link_carry(c->from, m->at, m->size, c->to, e) < 0)
			return -1;
		c->done[c->ndone++] = m->uid;
	}
	if (c->to->lost && c->answer.n == 0)
		c->answer = SPAN("NO [UNAVAILABLE] The mailbox cannot be had now");
	return link_drop(c->from, e);
}

/* Messages [i, i + n) of the list. 1, 0 refused by either side, -1. */
static int
batch(struct copying *c, size_t i, size_t n, struct err *e)
{
	struct imap_response_message m;
	struct link_response r;
	struct buf text;
	int rc;

	buf_init(&text, TEXT_MAX);
	buf_str(&text, e, "X UID FETCH ");
	put_set(c, c->uid + i, n, &text, e);
	rc = buf_str(&text, e, " (UID FLAGS INTERNALDATE BODY.PEEK[])");
	if (rc == 0)
		rc = link_say(c->from, buf_span(&text), e);
	buf_free(&text);
	while (rc == 0) {
		if (link_hear(c->from, SPAN("X"), &r, e) < 0)
			return -1;
		if (r.kind == LINK_TAGGED) {
			if (!relay_ok(r.text) && c->answer.n == 0)
				c->answer = arena_dup(c->s->a, r.text);
			return link_drop(c->from, e) < 0 ? -1 : c->answer.n == 0;
		}
		if (imap_response_message(r.head, c->s->a, &m) > 0 && m.has_body)
			rc = message(c, &m, e);
		else
			rc = beside(c, &r, e);
	}
	return -1;
}

/* Everything that was sent, in one transaction; 1, 0, -1. */
static int
commit(struct copying *c, struct span *uids, uint32_t *uidvalidity, struct err *e)
{
	struct imap_lex l;
	ssize_t end;

	if (link_write(c->to, SPAN("\r\n"), e) < 0 ||
	    relay_answered(c->s, c->to, SPAN("X"), &c->answer, e) < 0)
		return -1;
	c->open = false;
	if (!relay_ok(c->answer))
		return 0;
	*uids = (struct span){ 0 };
	l.in = span_from(c->answer, SPAN("OK [APPENDUID ").n);
	if (!span_istarts(c->answer, "OK [APPENDUID ") || imap_number(&l, uidvalidity, NULL) < 0 ||
	    !imap_take(&l, ' ') || (end = span_chr(l.in, ']')) < 0)
		return 1; /* no r there: nothing is told (RFC 4315, 3) */
	*uids = span_head(l.in, (size_t)end);
	return 1;
}

/* "COPYUID 38505 304,319:320 3956:3958"; empty when the target told nothing. */
static int
copyuid(struct copying *c, struct span uids, uint32_t uidvalidity, struct span *out, struct err *e)
{
	struct buf text;
	int rc;

	*out = (struct span){ 0 };
	if (uids.n == 0)
		return 0;
	buf_init(&text, TEXT_MAX);
	buf_printf(&text, e, "[COPYUID %u ", uidvalidity);
	put_set(c, c->done, c->ndone, &text, e);
	rc = buf_printf(&text, e, " %.*s] ", SPAN_ARG(uids));
	*out = arena_dup(c->s->a, buf_span(&text));
	buf_free(&text);
	return rc;
}

/* ---- the end of a MOVE */

static int
expunge_own(struct copying *c, struct err *e)
{
	struct session *s = c->s;
	struct store_expunged gone = { 0 };
	int hold, rc;

	if (exclusive_begin(s, c->cmd, s->view->mailbox, &hold, e) < 0)
		return -1;
	rc = store_expunge(s->view, STORE_EXPUNGE_UIDS, c->done, c->ndone, &gone, e);
	exclusive_end(hold);
	if (rc < 0)
		return refused(s, c->cmd, false);
	s->usage_changed |= gone.n > 0;
	tell_changed(s, s->view->mailbox, gone.modseq);
	return 0;
}

static int
expunge_far(struct copying *c, struct err *e)
{
	struct buf text;
	int rc;

	buf_init(&text, TEXT_MAX);
	buf_str(&text, e, "XEXPUNGE ");
	rc = put_set(c, c->done, c->ndone, &text, e);
	if (rc == 0)
		rc = relay_ask(c->s, c->from, buf_span(&text), true, &c->answer, e);
	buf_free(&text);
	return rc;
}

/* May they be expunged, before anything is copied? 1, 0, -1. */
static int
may_move(struct copying *c, struct err *e)
{
	int hold;
	struct session *s = c->s;
	struct span answer;

	if (s->view != NULL) {
		if (s->view->read_only)
			return err_set(e, ERR_PERM, "The mailbox is read-only");
		if (rights_need(s, c->cmd, s->view->mailbox, STORE_MAY_DELETE | STORE_MAY_EXPUNGE, e) < 0 ||
		    exclusive_begin(s, c->cmd, s->view->mailbox, &hold, e) < 0)
			return -1;
		exclusive_end(hold);
		return 1;
	}
	if (relay_ask(s, c->from, SPAN("XEXPUNGE"), true, &answer, e) < 0)
		return -1;
	if (relay_ok(answer))
		return 1;
	c->answer = answer;
	return 0;
}

/* ---- all of it */

static int
finish(struct copying *c, struct err *e)
{
	struct span uids, code;
	uint32_t uidvalidity = 0;
	int rc = commit(c, &uids, &uidvalidity, e);

	if (rc <= 0 || copyuid(c, uids, uidvalidity, &code, e) < 0)
		return rc <= 0 ? rc : -1;
	c->answer = (struct span){ 0 };
	if (!c->move) {
		c->cmd->ok = arena_printf(c->s->a, "%.*sCopied", SPAN_ARG(code));
		return 1;
	}
	if (code.n > 0 && (out_str(c->s, "* OK ", e) < 0 || buf_add(&c->s->out, e, code) < 0 ||
			      out_str(c->s, "Moved\r\n", e) < 0)) /* before EXPUNGE (RFC 6851, 4.3) */
		return -1;
	if ((c->s->view != NULL ? expunge_own(c, e) : expunge_far(c, e)) < 0)
		return -1;
	return c->answer.n == 0 || relay_ok(c->answer);
}

/* 1; 0: c->answer tells why not; -1. */
static int
copy_all(struct copying *c, struct err *e)
{
	int rc = 1;

	c->done = arena_array(c->s->a, c->n, sizeof *c->done);
	for (size_t i = 0; i < c->n && rc > 0; i += BATCH)
		rc = batch(c, i, c->n - i < BATCH ? c->n - i : BATCH, e);
	if (rc > 0 && c->ndone < c->n && !c->cmd->uid) { /* RFC 2180, 4.4 */
		c->answer = SPAN("NO [EXPUNGEISSUED] Some of the messages are no more");
		rc = 0;
	}
	return rc > 0 && c->ndone > 0 ? finish(c, e) : rc;
}

/* A link to the session's own store. */
static struct link *
own_link(struct session *s, struct err *e)
{
	struct names_sharer self = { .name = s->login, .owner = s->owner, .addr = s->owner_login };

	return relay_link(s, &self, e);
}

/* The name of the session's own selected mailbox, for the second worker to look at. 1, 0 it refuses, -1. */
static int
examine(struct copying *c, struct err *e)
{
	struct session *s = c->s;
	struct store_mailbox *box;
	struct buf text;
	size_t n, i;
	int rc;

	if (store_list(s->st, &box, &n, s->a, e) < 0)
		return refused(s, c->cmd, false);
	for (i = 0; i < n && box[i].id != s->view->mailbox; i++)
		;
	if (i == n)
		return relay_none(c->cmd, false, e);
	buf_init(&text, TEXT_MAX);
	buf_str(&text, e, "EXAMINE ");
	rc = s->utf8 ? imap_put_mailbox_utf8(box[i].name, &text, e) : imap_put_mailbox(box[i].name, &text, e);
	if (rc == 0)
		rc = relay_ask(s, c->from, buf_span(&text), false, &c->answer, e);
	buf_free(&text);
	if (rc < 0)
		return -1;
	rc = relay_ok(c->answer);
	if (rc > 0)
		c->answer = (struct span){ 0 };
	return rc;
}

/* From the session's own selected mailbox. */
static int
copy_own(struct copying *c, struct err *e)
{
	struct err ignored = { 0 };
	struct span answer;
	int rc;

	if (own_uids(c, e) < 0)
		return -1;
	rc = c->move ? may_move(c, e) : 1;
	if (rc > 0)
		rc = examine(c, e);
	if (rc <= 0)
		return rc;
	rc = copy_all(c, e);
	relay_ask(c->s, c->from, SPAN("UNSELECT"), false, &answer, &ignored);
	return rc;
}

/* From another owner's: numbers become UIDs before anything else is said there, of which news could be a consequence. */
static int
copy_far(struct copying *c, struct err *e)
{
	int rc;

	c->s->relay->viewed = false;
	rc = far_uids(c, e);
	if (rc > 0 && c->move)
		rc = may_move(c, e);
	return rc > 0 ? copy_all(c, e) : rc;
}

int
relay_copy(struct session *s, struct cmd *cmd, struct link *to, struct span name, bool move, struct err *e)
{
	struct copying c = { .s = s, .cmd = cmd, .to = to, .name = name, .move = move };
	struct link *far = s->relay->far;
	int rc;

	c.from = far != NULL ? far : own_link(s, e);
	if (c.from != NULL && to == NULL)
		c.to = own_link(s, e);
	if (c.from == NULL || c.to == NULL)
		return -1;
	rc = s->view != NULL ? copy_own(&c, e) : copy_far(&c, e);
	if (rc == 0)
		cmd->answer = c.answer;
	if (c.to->lost || c.open) /* what was sent there is forgotten there, with the link */
		relay_drop(s, c.to);
	if (c.from->lost && c.from == far)
		return relay_failed(s, c.from, e);
	if (c.from->lost)
		relay_drop(s, c.from);
	return rc < 0 ? -1 : 1;
}
