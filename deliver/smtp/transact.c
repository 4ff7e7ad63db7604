#include "deliver/smtp/transact.h"

#include <errno.h>
#include <unistd.h>

#include "cfg/cfg.h"
#include "deliver/smtp/body.h"
#include "deliver/smtp/peer.h"
#include "io/conn.h"
#include "mail/charset.h"
#include "smtp/mailbox.h"
#include "spool/spool.h"

enum { CHUNK = 64 << 10, COMMAND_MAX = 4096, HEADER_LOOK = 1 << 20 };

/* ---- outcomes */

static bool
open_outcome(const struct outcome *o)
{
	return o->status.n == 0;
}

static void
settle(struct outcome *o, enum err_kind kind, struct span status, struct span text, bool said)
{
	*o = (struct outcome){ o->index, kind, status, text, said };
}

/* All that have none yet. */
static void
settle_rest(struct transaction *t, enum err_kind kind, struct span status, struct span text, bool said)
{
	for (size_t i = 0; i < t->n; i++)
		if (open_outcome(&t->out[i]))
			settle(&t->out[i], kind, status, text, said);
}

static struct span
reply_text(struct transaction *t, const char *to, const struct reply *r)
{
	return arena_printf(t->a, "%u %s%s%s (in reply to %s)", r->code, r->enhanced ? r->status : "",
	    r->enhanced ? " " : "", r->text, to);
}

/* A reply that is no success. 3yz where it makes no sense is a failure of the server, for now. */
static void
settle_reply(struct transaction *t, struct outcome *o, const char *to, const struct reply *r)
{
	enum err_kind kind = r->code >= 500 ? ERR_PERM : ERR_TEMP;
	struct span status = r->code >= 400 ? span_str(r->status) : SPAN("4.5.0");

	settle(o, kind, arena_dup(t->a, status), reply_text(t, to, r), true);
}

static void
settle_rest_reply(struct transaction *t, const char *to, const struct reply *r)
{
	for (size_t i = 0; i < t->n; i++)
		if (open_outcome(&t->out[i]))
			settle_reply(t, &t->out[i], to, r);
}

/* The connection broke: what a server may have done nobody knows, so it is done again (RFC 1047). */
static int
broken(struct transaction *t, const struct err *e)
{
	struct span text = arena_dup(t->a, span_str(e->text));
	size_t n = status_at(text);

	settle_rest(
	    t, ERR_TEMP, n > 0 ? span_head(text, n) : SPAN("4.4.2"), span_trim(span_from(text, n)), false);
	return -1;
}

/* ---- what the message needs, and the server may not have */

/* RFC 6532: octets above 127 in the header. What is behind the first empty line is none. */
static bool
header_utf8(const struct remote_deliver *m)
{
	char block[4096];
	char last[2] = { 0 };

	for (uint64_t at = 0; at < m->size && at < HEADER_LOOK;) {
		size_t want = m->size - at < sizeof block ? (size_t)(m->size - at) : sizeof block;
		ssize_t got = pread(m->file, block, want, (off_t)at);

		for (ssize_t i = 0; i < got; i++) {
			if ((unsigned char)block[i] > 127)
				return true;
			if (block[i] == '\n' && last[1] == '\n')
				return false;
			if (block[i] != '\r') {
				last[0] = last[1];
				last[1] = block[i];
			}
		}
		if (got <= 0)
			break;
		at += (uint64_t)got;
	}
	return false;
}

/* True if the message as a whole can't go there. */
static bool
impossible(const struct peer *p, struct transaction *t)
{
	const struct remote_deliver *m = t->m;
	uint64_t size = m->size + m->prefix.n;

	if (p->size_max > 0 && size > p->size_max)
		settle_rest(t, ERR_PERM, SPAN("5.3.4"),
		    arena_printf(t->a, "the message has %llu octets, the server takes %llu",
			(unsigned long long)size, (unsigned long long)p->size_max),
		    false);
	else if ((m->flags & SPOOL_8BIT) != 0 && (p->ext & EXT_8BITMIME) == 0)
		settle_rest(t, ERR_PERM, SPAN("5.6.3"),
		    SPAN("the message has 8-bit text, the server takes 7-bit text only"), false);
	else if ((p->ext & EXT_SMTPUTF8) == 0 && !ascii_only(m->sender))
		settle_rest(t, ERR_PERM, SPAN("5.6.7"),
		    SPAN("the sender's address is not ASCII, the server knows no other"), false);
	else if ((p->ext & EXT_SMTPUTF8) == 0 && (m->flags & SPOOL_UTF8) != 0 &&
		 (m->flags & SPOOL_8BIT) != 0 && header_utf8(m))
		settle_rest(t, ERR_PERM, SPAN("5.6.9"),
		    SPAN("the header is not ASCII, the server knows no other"), false);
	else
		return false;
	return true;
}

/* ---- commands */

/* An address as it goes on the wire: domain as A-labels. False: it can't be one. */
static bool
put_path(struct buf *out, struct span addr)
{
	for (size_t i = 0; i < addr.n; i++)
		if ((unsigned char)addr.p[i] < 0x20 || addr.p[i] == 0x7f)
			return false;
	buf_byte(out, NULL, '<');
	if (addr.n > 0 && mailbox_canon(addr, out, NULL) < 0)
		return false;
	buf_byte(out, NULL, '>');
	return true;
}

/* ` NAME=value`, of a value that was a parameter's before: printable, no blanks; else it is left out. */
static void
put_param(struct buf *out, const char *name, struct span value)
{
	for (size_t i = 0; i < value.n; i++)
		if ((unsigned char)value.p[i] <= 0x20 || value.p[i] == 0x7f)
			return;
	if (value.n > 0 && value.n <= 1024)
		buf_printf(out, NULL, " %s=%.*s", name, SPAN_ARG(value));
}

static bool
put_mail(const struct peer *p, const struct transaction *t, struct buf *out)
{
	const struct remote_deliver *m = t->m;
	bool utf8 = (m->flags & SPOOL_UTF8) != 0 || !ascii_only(m->sender);

	for (size_t i = 0; i < t->n; i++)
		utf8 = utf8 || !ascii_only(t->to[i].addr);
	buf_str(out, NULL, "MAIL FROM:");
	if (!put_path(out, m->sender))
		return false;
	if ((p->ext & EXT_SIZE) != 0)
		buf_printf(out, NULL, " SIZE=%llu", (unsigned long long)(m->size + m->prefix.n));
	if ((p->ext & EXT_8BITMIME) != 0 && (m->flags & SPOOL_8BIT) != 0)
		buf_str(out, NULL, " BODY=8BITMIME");
	if ((p->ext & EXT_SMTPUTF8) != 0 && utf8)
		buf_str(out, NULL, " SMTPUTF8");
	if ((p->ext & EXT_DSN) != 0) {
		put_param(out, "RET", m->ret);
		put_param(out, "ENVID", m->envid);
	}
	return true;
}

static bool
put_rcpt(const struct peer *p, const struct remote_target *to, struct buf *out)
{
	buf_str(out, NULL, "RCPT TO:");
	if (!put_path(out, to->addr))
		return false;
	if ((p->ext & EXT_DSN) != 0) {
		put_param(out, "NOTIFY", to->notify);
		put_param(out, "ORCPT", to->orcpt);
	}
	return true;
}

/* The commands of a transaction: MAIL, one RCPT for each recipient that can be asked for, DATA. */
struct script {
	struct buf *line; /* one a command, without CRLF */
	size_t n;         /* MAIL is 0, DATA n - 1 */
	size_t *rcpt;     /* of command i: index into t->to */
};

static bool
askable(const struct peer *p, const struct transaction *t, size_t i)
{
	struct outcome *o = &t->out[i];

	if ((p->ext & EXT_SMTPUTF8) != 0)
		return true;
	if (ascii_only(t->to[i].addr))
		return true;
	/* With a domain alone that is not ASCII, A-labels do (RFC 5890). */
	if (ascii_only(span_head(t->to[i].addr,
		(size_t)(span_rchr(t->to[i].addr, '@') > 0 ? span_rchr(t->to[i].addr, '@') : 0))))
		return true;
	settle(
	    o, ERR_PERM, SPAN("5.6.7"), SPAN("the address is not ASCII, the server knows no other"), false);
	return false;
}

static struct buf *
script_line(struct script *s)
{
	struct buf *b = &s->line[s->n++];

	buf_init(b, COMMAND_MAX);
	return b;
}

static void
script_write(const struct peer *p, struct transaction *t, struct script *s)
{
	s->line = arena_array(t->a, t->n + 2, sizeof *s->line);
	s->rcpt = arena_array(t->a, t->n + 2, sizeof *s->rcpt);
	s->n = 0;
	if (!put_mail(p, t, script_line(s)))
		settle_rest(t, ERR_PERM, SPAN("5.1.7"), SPAN("the sender's address can't be sent"), false);
	for (size_t i = 0; i < t->n; i++) {
		if (!open_outcome(&t->out[i]) || !askable(p, t, i))
			continue;
		s->rcpt[s->n] = i;
		if (put_rcpt(p, &t->to[i], script_line(s)))
			continue;
		settle(&t->out[i], ERR_PERM, SPAN("5.1.3"), SPAN("the address can't be sent"), false);
		buf_free(&s->line[--s->n]);
	}
	buf_str(script_line(s), NULL, "DATA");
}

static void
script_free(struct script *s)
{
	for (size_t i = 0; i < s->n; i++)
		buf_free(&s->line[i]);
}

/* ---- the envelope */

static int
send_line(struct peer *p, const struct buf *line, struct err *e)
{
	if (conn_write(p->c, buf_span(line), e) < 0 || conn_write(p->c, SPAN("\r\n"), e) < 0)
		return err_prefix(e, "4.4.2 %.*s: ", SPAN_ARG(buf_span(&p->label)));
	return 0;
}

static size_t
count_open(const struct transaction *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += open_outcome(&t->out[i]);
	return n;
}

/* The reply to command i. DATA's is told by *go: 354 came. */
static void
take_reply(struct transaction *t, const struct script *s, size_t i, const struct reply *r, bool *go)
{
	if (i == s->n - 1) {
		*go = r->code == 354;
		if (!*go)
			settle_rest_reply(t, "DATA", r);
	} else if (r->code / 100 != 2 && i == 0) {
		settle_rest_reply(t, "MAIL FROM", r);
	} else if (r->code / 100 != 2 && open_outcome(&t->out[s->rcpt[i]])) {
		settle_reply(t, &t->out[s->rcpt[i]], "RCPT TO", r);
	}
}

static int
one_reply(struct peer *p, struct transaction *t, const struct script *s, size_t i, bool *go, struct err *e)
{
	struct reply r;

	if (peer_reply(p, &r, cfg.smtp_command_wait, e) < 0)
		return -1;
	take_reply(t, s, i, &r, go);
	return r.code == 421 ? err_set(e, ERR_GONE, "%s %.*s: %u %s", r.status, SPAN_ARG(buf_span(&p->label)),
				   r.code, r.text)
			     : 0;
}

/* One after the other; DATA only if somebody wants it. */
static int
envelope_in_turn(struct peer *p, struct transaction *t, const struct script *s, bool *go, struct err *e)
{
	for (size_t i = 0; i < s->n && count_open(t) > 0; i++)
		if (send_line(p, &s->line[i], e) < 0 || one_reply(p, t, s, i, go, e) < 0)
			return -1;
	return 0;
}

/* All at once (RFC 2920, 3.1): DATA ends the group, whatever becomes of the recipients. */
static int
envelope_pipelined(struct peer *p, struct transaction *t, const struct script *s, bool *go, struct err *e)
{
	for (size_t i = 0; i < s->n; i++)
		if (send_line(p, &s->line[i], e) < 0)
			return -1;
	for (size_t i = 0; i < s->n; i++)
		if (one_reply(p, t, s, i, go, e) < 0)
			return -1;
	return 0;
}

/* ---- the message */

static int
feed(struct peer *p, struct body *b, struct span s, struct buf *out, struct err *e)
{
	buf_clear(out);
	if (body_feed(b, s, out, e) < 0 || conn_write(p->c, buf_span(out), e) < 0)
		return err_prefix(e, "4.4.2 %.*s: sending the message: ", SPAN_ARG(buf_span(&p->label)));
	return 0;
}

/* Prefix, file, dot. A file that can't be read must not end in a dot: the connection is cut. */
static int
send_body(struct peer *p, const struct transaction *t, struct err *e)
{
	const struct remote_deliver *m = t->m;
	struct body b = { 0 };
	struct buf out, in;
	char *block;
	int rc;

	buf_init(&out, 4 * CHUNK);
	buf_init(&in, CHUNK);
	block = buf_room(&in, NULL, CHUNK);
	conn_timeout(p->c, cfg.smtp_data_wait);
	rc = 0;
	for (struct span rest = m->prefix; rest.n > 0 && rc == 0; rest = span_from(rest, CHUNK))
		rc = feed(p, &b, span_head(rest, CHUNK), &out, e);
	for (uint64_t at = 0; at < m->size && rc == 0;) {
		size_t want = m->size - at < CHUNK ? (size_t)(m->size - at) : CHUNK;
		ssize_t got = pread(m->file, block, want, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			rc = err_set(e, ERR_TEMP, "4.3.0 reading the spool file: %s",
			    got < 0 ? strerror(errno) : "it is cut");
			break;
		}
		rc = feed(p, &b, span_of(block, (size_t)got), &out, e);
		at += (uint64_t)got;
	}
	/*
	 * If the queue has died meanwhile, a new one will send this message: without the dot it is not sent
	 * twice.
	 */
	if (rc == 0 && !t->wanted(t->arg))
		rc = err_set(e, ERR_GONE, "4.3.0 the queue is away");
	buf_clear(&out);
	if (rc == 0 && (body_end(&b, &out, e) < 0 || conn_write(p->c, buf_span(&out), e) < 0))
		rc = err_prefix(e, "4.4.2 %.*s: ", SPAN_ARG(buf_span(&p->label)));
	buf_free(&out);
	buf_free(&in);
	return rc;
}

static void
taken(struct transaction *t, struct outcome *o, const struct reply *r)
{
	if (r->code / 100 == 2)
		settle(
		    o, ERR_NONE, arena_dup(t->a, span_str(r->status)), reply_text(t, "end of data", r), true);
	else
		settle_reply(t, o, "end of data", r);
}

/* SMTP answers once for all, LMTP once for each recipient that it took, in their order (RFC 2033, 4.2). */
static int
end_replies(struct peer *p, struct transaction *t, const struct script *s, struct err *e)
{
	struct reply r;

	for (size_t i = 1; i < s->n - 1; i++) {
		struct outcome *o = &t->out[s->rcpt[i]];

		if (!open_outcome(o))
			continue;
		if (peer_reply(p, &r, cfg.smtp_end_wait, e) < 0)
			return -1;
		if (!p->lmtp) {
			for (size_t k = 0; k < t->n; k++)
				if (open_outcome(&t->out[k]))
					taken(t, &t->out[k], &r);
		} else {
			taken(t, o, &r);
		}
		if (r.code == 421)
			return err_set(e, ERR_GONE, "%s %.*s: %u %s", r.status, SPAN_ARG(buf_span(&p->label)),
			    r.code, r.text);
	}
	return 0;
}

/* 354 came though nobody is left to send to: RFC 2920, 3.1: an empty message ends it. */
static int
nothing_to_send(struct peer *p, struct err *e)
{
	struct reply r;

	return peer_command(p, SPAN("."), &r, cfg.smtp_end_wait, e);
}

static int
reset(struct peer *p, struct err *e)
{
	struct reply r;

	if (!p->dirty)
		return 0;
	if (peer_command(p, SPAN("RSET"), &r, cfg.smtp_command_wait, e) < 0)
		return -1;
	p->dirty = false;
	return r.code / 100 == 2
		   ? 0
		   : err_set(e, ERR_GONE, "4.5.0 %.*s refuses RSET", SPAN_ARG(buf_span(&p->label)));
}

/* ---- all of it */

static int
run(struct peer *p, struct transaction *t, const struct script *s, bool *sent, struct err *e)
{
	bool go = false;
	int rc;

	if (reset(p, e) < 0)
		return -1;
	p->dirty = true;
	rc = (p->ext & EXT_PIPELINING) != 0 ? envelope_pipelined(p, t, s, &go, e)
					    : envelope_in_turn(p, t, s, &go, e);
	if (rc < 0)
		return -1;
	if (!go)
		return 0;
	*sent = true;
	if (count_open(t) == 0)
		return p->lmtp ? err_set(e, ERR_GONE, "4.5.0 DATA without recipients")
			       : nothing_to_send(p, e);
	if (send_body(p, t, e) < 0 || end_replies(p, t, s, e) < 0)
		return -1;
	p->dirty = false;
	return 0;
}

int
transact(struct peer *p, struct transaction *t, bool *again)
{
	bool was_used = p->used, sent = false;
	struct err e = { 0 };
	struct script s;
	int rc = 0;

	*again = false;
	if (impossible(p, t))
		return 0;
	script_write(p, t, &s);
	if (count_open(t) > 0) {
		p->used = true;
		rc = run(p, t, &s, &sent, &e);
	}
	script_free(&s);
	if (rc == 0) {
		p->messages++;
		return 0;
	}
	/* An idle connection that the server had closed: nothing has happened yet. */
	if (was_used && !sent && e.kind == ERR_GONE && count_open(t) == t->n) {
		*again = true;
		return -1;
	}
	return broken(t, &e);
}
