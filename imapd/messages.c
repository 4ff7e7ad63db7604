#include "imapd/messages.h"

int
messages_resolve(struct session *s, struct imap_set *set, bool *by_uid, struct err *e)
{
	const struct store_view *v = s->view;
	uint32_t last = v->n > 0 ? v->n : 1;
	bool uid = *by_uid;

	if (set->saved) { /* RFC 5182, 2.1: an empty one means no message, and is no error */
		*set = s->saved;
		*by_uid = true;
		return 0;
	}

	if (!uid && v->n == 0)
		return err_set(e, ERR_PEER, "The mailbox has no messages");
	if (uid && v->n > 0 && store_view_last(s->view, &last, e) < 0)
		return -1;
	imap_set_resolve(set, last);
	if (!uid && set->r[set->n - 1].last > v->n)
		return err_set(e, ERR_PEER, "There are only %u messages", v->n);
	return 0;
}

/* Indexes of the view that a range means. */
static int
indexes(struct store_view *v, struct imap_range r, bool uid, struct indexes *out, struct err *e)
{
	*out = (struct indexes){ r.first - 1, r.last };
	if (!uid)
		return 0;
	out->to = v->n;
	if (store_view_from(v, r.first, &out->from, e) < 0)
		return -1;
	return r.last == UINT32_MAX ? 0 : store_view_from(v, r.last + 1, &out->to, e);
}

int
messages_of(struct session *s, struct imap_set *set, bool uid, struct messages *out, struct err *e)
{
	if (messages_resolve(s, set, &uid, e) < 0)
		return -1;
	*out = (struct messages){ .range = arena_array(s->a, set->n, sizeof *out->range) };
	for (size_t i = 0; i < set->n; i++) {
		struct indexes *r = &out->range[out->ranges];

		if (indexes(s->view, set->r[i], uid, r, e) < 0)
			return -1;
		if (r->from < r->to) {
			out->n += r->to - r->from;
			out->ranges++;
		}
	}
	return 0;
}

int
messages_parse(struct session *s, struct cmd *cmd, struct messages *out, struct err *e)
{
	struct imap_set set;

	if (imap_sp(&cmd->args, e) < 0 || imap_set_parse(&cmd->args, s->a, &set, e) < 0)
		return -1;
	return messages_of(s, &set, cmd->uid, out, e);
}

void
messages_page(struct messages *m, const struct imap_partial *p)
{
	size_t from, to, at = 0, n = 0;

	if (!p->given)
		return;
	imap_partial_cut(p, m->n, &from, &to);
	for (size_t i = 0; i < m->ranges; i++) {
		struct indexes r = m->range[i];
		size_t size = r.to - r.from;
		size_t lo = from > at ? from - at : 0, hi = to > at ? to - at : 0;

		hi = hi < size ? hi : size;
		if (lo < hi)
			m->range[n++] = (struct indexes){ r.from + (uint32_t)lo, r.from + (uint32_t)hi };
		at += size;
	}
	m->ranges = n;
	m->n = (uint32_t)(to - from);
}

int
piece_next(struct session *s, struct piece *p, struct err *e)
{
	p->n = 0;
	store_view_trim(s->view);
	while (p->n < PIECE && p->range < p->of->ranges) {
		const struct indexes *r = &p->of->range[p->range];
		uint32_t from = r->from + p->done, n = r->to - from;

		if (n > PIECE - p->n)
			n = PIECE - p->n;
		if (store_view_load(s->view, from, n, e) < 0)
			return -1;
		for (uint32_t i = 0; i < n; i++) {
			p->seq[p->n] = from + i + 1;
			p->uid[p->n++] = store_rec(s->view, from + i)->uid;
		}
		p->done += n;
		if (from + n == r->to) {
			p->range++;
			p->done = 0;
		}
	}
	return p->n > 0;
}

int
piece_load(struct session *s, const struct piece *p, struct err *e)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (store_view_load(s->view, p->seq[i] - 1, 1, e) < 0)
			return -1;
	return 0;
}

uint32_t *
messages_seqs(struct session *s, const struct messages *m)
{
	uint32_t *seqs = arena_array(s->a, m->n, sizeof *seqs);
	size_t n = 0;

	for (size_t i = 0; i < m->ranges; i++)
		for (uint32_t k = m->range[i].from; k < m->range[i].to; k++)
			seqs[n++] = k + 1;
	return seqs;
}

int
messages_uids(struct session *s, const struct messages *m, uint32_t **uids, struct err *e)
{
	struct piece *p = arena_alloc(s->a, sizeof *p);
	size_t n = 0;
	int rc;

	*uids = arena_array(s->a, m->n, sizeof **uids);
	p->of = m;
	while ((rc = piece_next(s, p, e)) > 0) {
		memcpy(*uids + n, p->uid, p->n * sizeof **uids);
		n += p->n;
	}
	return rc;
}
