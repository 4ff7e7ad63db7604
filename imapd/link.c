/* The asker's end of a link: what goes over, what comes back, without ever holding a whole response in memory. */
#include "imapd/link.h"

#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "imapd/names.h"
#include "imapd/reply.h"
#include "imapd/wait.h"

enum {
	HEAD_MAX = 64 << 10,
	TAGGED_MAX = 16 << 20, /* COPYUID and MODIFIED of sets with a million holes */
	TAIL = 32,             /* "{18446744073709551615+}" CR LF */
};

/* ---- opening, closing */

static struct span
copy(struct span s)
{
	char *p = mem_zero(1, s.n + 1);

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return span_of(p, s.n);
}

struct link *
link_open(struct session *s, const struct names_sharer *who, struct err *e)
{
	struct conn_opts o = { .line_max = TAGGED_MAX, .timeout_ms = cfg.imap_write_wait };
	int stream = ask_link(s, who->owner, who->addr, e);
	struct link *l;

	if (stream < 0)
		return NULL;
	l = mem_zero(1, sizeof *l);
	l->owner = copy(who->owner);
	l->name = copy(who->name);
	l->prefix = copy(who->prefix);
	l->c = conn_new(stream, &o);
	l->used_ms = clock_mono_ms();
	return l;
}

void
link_free(struct link *l)
{
	if (l == NULL)
		return;
	conn_free(l->c);
	free((void *)(uintptr_t)l->owner.p);
	free((void *)(uintptr_t)l->name.p);
	free((void *)(uintptr_t)l->prefix.p);
	free(l);
}

/* Nothing is to come between commands: what there is to read is the end. */
bool
link_alive(struct link *l)
{
	struct pollfd p = { conn_fd(l->c), POLLIN, 0 };

	return !l->lost && conn_peek(l->c).n == 0 && poll(&p, 1, 0) == 0;
}

/* ---- there */

/* Whatever went wrong with it, no answer will come. */
static int
lost(struct link *l, const struct err *why, struct err *e)
{
	l->lost = true;
	return err_set(e, ERR_TEMP, "link to %.*s: %s", SPAN_ARG(l->owner), why->text);
}

int
link_write(struct link *l, struct span octets, struct err *e)
{
	struct err why = { 0 };

	return conn_write(l->c, octets, &why) < 0 ? lost(l, &why, e) : 0;
}

int
link_go(struct link *l, struct err *e)
{
	struct err why = { 0 };

	return conn_flush(l->c, &why) < 0 ? lost(l, &why, e) : 0;
}

/* A line of a command without its end; 1 if a literal follows it, of *size octets. */
static int
say_line(struct link *l, struct span line, uint64_t *size, struct err *e)
{
	struct imap_literal lit;

	if (imap_line_literal(line, &lit, NULL) <= 0)
		return link_write(l, line, e) < 0 || link_write(l, SPAN("\r\n"), e) < 0 ? -1 : 0;
	*size = lit.size;
	if (link_write(l, span_head(line, lit.text), e) < 0)
		return -1;
	if (conn_printf(l->c, e, "%s{%llu+}\r\n", lit.binary ? "~" : "", (unsigned long long)lit.size) < 0)
		return lost(l, &(struct err){ .text = "cannot be written to" }, e);
	return 1;
}

int
link_say(struct link *l, struct span text, struct err *e)
{
	uint64_t size = 0;
	int rc = 1;

	while (rc > 0) {
		ssize_t eol = span_find(text, SPAN("\r\n"));
		size_t n = eol < 0 ? text.n : (size_t)eol;

		if ((rc = say_line(l, span_head(text, n), &size, e)) <= 0)
			break;
		text = span_from(text, n + 2);
		if (link_write(l, span_head(text, (size_t)size), e) < 0)
			return -1;
		text = span_from(text, (size_t)size);
	}
	return rc < 0 ? -1 : link_go(l, e);
}

/* ---- back */

/* Where in a response we are. */
struct place {
	uint64_t literal; /* octets of it still to come */
	char tail[TAIL];  /* the last ones of the present line, whose end has not come */
	size_t n;
};

/* So many octets of s, which follow what was seen before, are the response's; *end: there it ends. */
static size_t
walk(struct place *p, struct span s, bool *end)
{
	struct imap_literal lit;
	size_t at = 0;

	*end = false;
	while (at < s.n) {
		struct span rest = span_from(s, at), line;
		ssize_t lf;
		size_t n, keep;

		if (p->literal > 0) {
			n = p->literal < rest.n ? (size_t)p->literal : rest.n;
			p->literal -= n;
			at += n;
			continue;
		}
		lf = span_chr(rest, '\n');
		n = lf < 0 ? rest.n : (size_t)lf + 1;
		at += n;
		rest = n > TAIL ? span_of(rest.p + n - TAIL, TAIL) : span_head(rest, n);
		keep = p->n + rest.n > TAIL ? TAIL - rest.n : p->n;
		memmove(p->tail, p->tail + p->n - keep, keep);
		memcpy(p->tail + keep, rest.p, rest.n);
		p->n = keep + rest.n;
		if (lf < 0)
			break;
		line = span_head(span_of(p->tail, p->n), p->n >= 2 ? p->n - 2 : 0);
		p->n = 0;
		if (imap_line_literal(line, &lit, NULL) <= 0) {
			*end = true;
			break;
		}
		p->literal = lit.size;
	}
	return at;
}

static int
more(struct link *l, struct err *e)
{
	struct err why = { 0 };
	int rc = conn_fill(l->c, &why);

	if (rc > 0)
		return 0;
	if (rc == 0)
		err_set(&why, ERR_GONE, "closed");
	return lost(l, &why, e);
}

static void
classify(struct span tag, struct link_response *r)
{
	struct imap_lex l = { .in = span_from(r->head, 2) };

	if (span_starts(r->head, "+ ")) {
		r->kind = LINK_GO_ON;
	} else if (!span_starts(r->head, "* ")) {
		r->kind = LINK_TAGGED;
		r->text = span_from(r->head, tag.n + 1);
	} else {
		r->kind = LINK_UNTAGGED;
		if (ascii_isdigit(imap_peek(&l)) && span_chr(l.in, ' ') >= 0)
			l.in = span_from(l.in, (size_t)span_chr(l.in, ' ') + 1);
		imap_atom(&l, &r->word, NULL);
	}
}

int
link_hear(struct link *l, struct span tag, struct link_response *r, struct err *e)
{
	struct place p = { 0 };
	size_t seen = 0, limit = HEAD_MAX;
	bool end = false;

	*r = (struct link_response){ 0 };
	l->used_ms = clock_mono_ms();
	if (link_go(l, e) < 0)
		return -1;
	while (!end) {
		seen += walk(&p, span_from(conn_peek(l->c), seen), &end);
		if (seen > 2 && conn_peek(l->c).p[0] != '*' && conn_peek(l->c).p[0] != '+')
			limit = TAGGED_MAX;
		if (!end && seen >= limit)
			break;
		if (!end && more(l, e) < 0)
			return -1;
	}
	r->whole = end;
	r->head = span_head(conn_peek(l->c), end ? seen - 1 : seen);
	if (end && span_ends(r->head, "\r"))
		r->head.n--;
	classify(tag, r);
	if (r->kind == LINK_TAGGED && (!end || !span_same(span_head(r->head, tag.n), tag)))
		return lost(l, &(struct err){ .text = "another answer than was asked for" }, e);
	return 0;
}

/* The response that begins in what was read: `to` NULL, or the session whose client gets it but for `from` octets. */
static int
each_piece(struct link *l, struct session *to, size_t from, struct err *e)
{
	struct place p = { 0 };
	bool end = false;

	while (!end) {
		struct span have = conn_peek(l->c), piece;
		size_t n = walk(&p, have, &end);

		piece = span_from(span_head(have, n), from);
		from = from > n ? from - n : 0;
		if (to != NULL && (buf_add(&to->out, e, piece) < 0 || out_flush_some(to, e) < 0))
			return -1;
		conn_use(l->c, n);
		if (!end && more(l, e) < 0) {
			if (to != NULL) /* what has been said cannot be taken back */
				e->kind = ERR_GONE;
			return -1;
		}
	}
	return 0;
}

int
link_pass(struct session *s, struct link *l, size_t from, struct err *e)
{
	return each_piece(l, s, from, e);
}

int
link_drop(struct link *l, struct err *e)
{
	return each_piece(l, NULL, 0, e);
}

int
link_carry(struct link *l, size_t from, uint64_t n, struct link *to, struct err *e)
{
	struct err ignored = { 0 };

	conn_use(l->c, from);
	while (n > 0) {
		struct span have = span_head(conn_peek(l->c), n < SIZE_MAX ? (size_t)n : SIZE_MAX);

		if (have.n == 0) {
			if (more(l, e) < 0)
				return -1;
			continue;
		}
		if (!to->lost)
			link_write(to, have, &ignored);
		conn_use(l->c, have.n);
		n -= have.n;
	}
	return 0;
}
