/* The answers to SEARCH and SORT: RFC 3501, 7.2.5; ESEARCH of RFC 4731, 3.1, with what later ones added to it. */
#include "imapd/reply.h"
#include "imapd/search.h"

static const uint32_t *
numbers(const struct search *g, bool uid)
{
	return uid ? g->found.uid : g->found.seq;
}

static uint64_t
highest(const uint64_t *modseq, size_t from, size_t to)
{
	uint64_t most = 0;

	for (; from < to; from++)
		most = modseq[from] > most ? modseq[from] : most;
	return most;
}

int
search_tell_plain(struct search *g, const char *name, struct err *e)
{
	struct session *s = g->s;
	const uint32_t *number = numbers(g, g->cmd->uid);

	out_printf(s, e, "* %s", name);
	for (size_t i = 0; i < g->found.n; i++) {
		buf_byte(&s->out, e, ' ');
		if (buf_u64(&s->out, e, number[i]) < 0)
			return -1;
	}
	if (g->args->modseq && g->found.n > 0) /* RFC 7162, 3.1.5 */
		out_printf(
		    s, e, " (MODSEQ %llu)", (unsigned long long)highest(g->found.modseq, 0, g->found.n));
	return out_str(s, "\r\n", e);
}

/* [from, to) of what was found, as a set; in the order in which it stands (RFC 5267, 3). */
static void
put_set(struct search *g, bool uid, size_t from, size_t to, struct err *e)
{
	struct imap_set set = { .r = arena_array(g->a, to - from, sizeof *set.r) };
	const uint32_t *number = numbers(g, uid);

	for (size_t i = from; i < to; i++)
		imap_set_append(&set, number[i]);
	imap_set_format(&set, &g->s->out, e);
}

/* RFC 9394, 3.1: the range as it was asked for, and NIL when it is empty. */
static void
put_partial(struct search *g, bool uid, size_t from, size_t to, struct err *e)
{
	struct session *s = g->s;

	out_str(s, " PARTIAL (", e);
	imap_partial_format(&g->args->partial, &s->out, e);
	buf_byte(&s->out, e, ' ');
	if (from == to)
		out_str(s, "NIL", e);
	else
		put_set(g, uid, from, to, e);
	buf_byte(&s->out, e, ')');
}

/* RFC 6203, 4: a score for each message of ALL or PARTIAL, in their order. */
static void
put_scores(struct search *g, size_t from, size_t to, struct err *e)
{
	struct session *s = g->s;

	out_str(s, " RELEVANCY (", e);
	for (size_t i = from; i < to; i++) {
		if (i > from)
			buf_byte(&s->out, e, ' ');
		buf_u64(&s->out, e, g->found.score[i]);
	}
	buf_byte(&s->out, e, ')');
}

/*
 * RFC 7162, 3.1.10: the highest modification sequence of the messages that are returned: with MIN or MAX alone, or both,
 * that of those; with PARTIAL alone that of the page.
 */
static uint64_t
modseq_of(const struct search *g, size_t from, size_t to)
{
	const struct found *f = &g->found;
	unsigned r = g->args->returns;
	uint64_t most = 0;

	if ((r & (RETURN_ALL | RETURN_COUNT)) != 0 || (r & (RETURN_MIN | RETURN_MAX | RETURN_PARTIAL)) == 0)
		return highest(f->modseq, 0, f->n);
	if ((r & RETURN_PARTIAL) != 0)
		most = highest(f->modseq, from, to);
	if ((r & RETURN_MIN) != 0 && f->modseq[0] > most)
		most = f->modseq[0];
	if ((r & RETURN_MAX) != 0 && f->modseq[f->n - 1] > most)
		most = f->modseq[f->n - 1];
	return most;
}

/* What there is only if something was found. */
static void
put_found(struct search *g, bool uid, size_t from, size_t to, struct err *e)
{
	struct session *s = g->s;
	const uint32_t *number = numbers(g, uid);
	unsigned r = g->args->returns;

	if ((r & RETURN_MIN) != 0)
		out_printf(s, e, " MIN %u", number[0]);
	if ((r & RETURN_MAX) != 0)
		out_printf(s, e, " MAX %u", number[g->found.n - 1]);
	if ((r & RETURN_ALL) != 0) {
		out_str(s, " ALL ", e);
		put_set(g, uid, 0, g->found.n, e);
	}
	if ((r & RETURN_RELEVANCY) != 0 && from < to)
		put_scores(g, from, to, e);
}

int
search_tell_extended(struct search *g, bool uid, struct span correlator, struct err *e)
{
	struct session *s = g->s;
	unsigned r = g->args->returns;
	size_t from = 0, to = g->found.n;

	if (g->args->partial.given)
		imap_partial_cut(&g->args->partial, g->found.n, &from, &to);
	out_printf(s, e, "* ESEARCH (TAG \"%.*s\"%.*s)%s", SPAN_ARG(g->cmd->tag), SPAN_ARG(correlator),
	    uid ? " UID" : "");
	if (g->found.n > 0)
		put_found(g, uid, from, to, e);
	if ((r & RETURN_PARTIAL) != 0)
		put_partial(g, uid, from, to, e);
	if ((r & RETURN_COUNT) != 0)
		out_printf(s, e, " COUNT %zu", g->found.n);
	if (g->args->modseq && g->found.n > 0 && (!g->args->partial.given || modseq_of(g, from, to) > 0))
		out_printf(s, e, " MODSEQ %llu", (unsigned long long)modseq_of(g, from, to));
	return out_str(s, "\r\n", e);
}
