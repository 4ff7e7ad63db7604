/* load.c - the parts of a view: reading their records, finding them by index and by uid. */
#include <stdlib.h>

#include "store/view.h"

/* ---- parts */

void
view_part_add(struct store_view *v, uint32_t lo, uint32_t n)
{
	struct view *in = v->in;

	if (in->parts == in->cap) {
		in->cap = in->cap != 0 ? in->cap * 2 : 8;
		in->part = mem_resize(in->part, in->cap * sizeof *in->part);
	}
	in->part[in->parts++] = (struct part){ .lo = lo, .first = v->n, .n = n };
	v->n += n;
}

void
view_number(struct store_view *v)
{
	struct view *in = v->in;
	uint32_t to = 0;

	v->n = 0;
	v->window->n = 0;
	for (uint32_t k = 0; k < in->parts; k++) {
		struct part *p = &in->part[k];

		if (p->n == 0) {
			view_unload(v, p);
			continue;
		}
		p->first = v->n;
		v->n += p->n;
		in->part[to++] = *p;
	}
	in->parts = to;
}

void
view_unload(struct store_view *v, struct part *p)
{
	if (p->rec == NULL)
		return;
	free(p->rec);
	p->rec = NULL;
	v->in->loaded -= p->n;
	v->window->n = 0;
}

void
store_view_trim(struct store_view *v)
{
	struct view *in = v->in;

	if (in->loaded <= VIEW_LOADED_MAX)
		return;
	for (uint32_t k = 0; k < in->parts; k++)
		view_unload(v, &in->part[k]);
}

/* The last part whose first index, or lowest uid, is not above. There is one for any index; for a uid below all, the first. */
struct part *
view_part_at(const struct store_view *v, uint32_t index)
{
	struct view *in = v->in;
	uint32_t lo = 0, hi = in->parts;

	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (in->part[mid].first <= index)
			lo = mid;
		else
			hi = mid;
	}
	return &in->part[lo];
}

struct part *
view_part_of(const struct store_view *v, uint32_t uid)
{
	struct view *in = v->in;
	uint32_t lo = 0, hi = in->parts;

	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (in->part[mid].lo <= uid)
			lo = mid;
		else
			hi = mid;
	}
	return &in->part[lo];
}

uint32_t
view_part_end(const struct store_view *v, const struct part *p)
{
	const struct view *in = v->in;

	return p + 1 < in->part + in->parts ? p[1].lo : v->uidnext;
}

/* How many of n records lie below a uid. */
static uint32_t
below(const struct store_rec *r, uint32_t n, uint32_t uid)
{
	uint32_t lo = 0, hi = n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (r[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct store_rec *
view_peek(const struct store_view *v, uint32_t uid)
{
	struct part *p;
	uint32_t at;

	if (v->n == 0 || (p = view_part_of(v, uid))->rec == NULL)
		return NULL;
	at = below(p->rec, p->n, uid);
	return at < p->n && p->rec[at].uid == uid ? &p->rec[at] : NULL;
}

/* ---- loading */

struct loading {
	struct store_view *v;
	struct part *at, *to;
	uint32_t have; /* records of `at` */
	uint32_t more; /* highest number of a combination of keywords that is not known */
};

/* What was expunged comes between what is still there; p->rec has room for p->n. */
static int
merge_past(struct loading *l, struct part *p, struct err *e)
{
	const struct view *in = l->v->in;
	uint32_t from = past_from(in, p->lo), n = past_from(in, view_part_end(l->v, p)) - from;
	uint32_t i = l->have, to = l->have + n;

	if (to != p->n)
		return store_damaged(l->v->store, e, "%u records from uid %u on, not %u", to, p->lo, p->n);
	while (n > 0)
		if (i > 0 && p->rec[i - 1].uid > in->past[from + n - 1].uid)
			p->rec[--to] = p->rec[--i];
		else
			p->rec[--to] = in->past[from + --n];
	return 0;
}

static int
finish_part(struct loading *l, struct err *e)
{
	struct part *p = l->at;
	struct view *in = l->v->in;

	if (p->rec == NULL)
		p->rec = mem_resize(NULL, p->n * sizeof *p->rec);
	if (merge_past(l, p, e) < 0) {
		free(p->rec);
		p->rec = NULL;
		return -1;
	}
	for (uint32_t i = 0; i < p->n; i++)
		if (p->rec[i].more > in->sets)
			l->more = p->rec[i].more > l->more ? p->rec[i].more : l->more;
	if (in->recents > 0 && p->rec[p->n - 1].uid >= in->recent[0].first)
		for (uint32_t i = 0; i < p->n; i++)
			if (recent_is(in, p->rec[i].uid))
				p->rec[i].flags |= STORE_RECENT;
	for (uint32_t i = 0; in->seen != NULL && i < p->n; i++)
		seen_overlay(in->seen, &p->rec[i]);
	in->loaded += p->n;
	l->at++;
	l->have = 0;
	return 0;
}

/* Records of a chunk, none below the first part. */
static int
take(struct loading *l, const struct store_rec *r, uint32_t n, struct err *e)
{
	while (n > 0 && l->at < l->to) {
		struct part *p = l->at;
		uint32_t end = view_part_end(l->v, p), k = r[n - 1].uid < end ? n : below(r, n, end);

		if (k > p->n - l->have)
			return store_damaged(
			    l->v->store, e, "more than %u records from uid %u on", p->n, p->lo);
		if (k > 0) {
			if (p->rec == NULL)
				p->rec = mem_resize(NULL, p->n * sizeof *p->rec);
			memcpy(p->rec + l->have, r, k * sizeof *r);
			l->have += k;
			r += k;
			n -= k;
		}
		if (n > 0 && finish_part(l, e) < 0)
			return -1;
	}
	return 0;
}

static int
read_chunks(struct loading *l, uint32_t lo, uint32_t end, struct err *e)
{
	struct store *st = l->v->store;
	uint64_t mailbox = l->v->mailbox;
	struct store_rec rec[CHUNK_RECORDS];
	sqlite3_stmt *q;
	uint32_t n = 0, skip;
	int rc;

	q = db_open_query(st, Q_CHUNK_RANGE, e, B_NUM(key_of(mailbox, 0)), B_NUM(key_of(mailbox, lo)),
	    B_NUM(key_of(mailbox, end - 1)));
	while ((rc = db_row(st, q, e)) == 1) {
		st->chunks_read++;
		if ((rc = recs_decode(st, db_blob(q, 2), rec, CHUNK_RECORDS, &n, e)) < 0)
			break;
		skip = rec[0].uid < lo ? below(rec, n, lo) : 0;
		if (rec[n - 1].uid >= end)
			n = below(rec, n, end);
		if ((rc = skip < n ? take(l, rec + skip, n - skip, e) : 0) < 0)
			break;
	}
	db_done(q);
	return rc;
}

int
view_load_parts(struct store_view *v, uint32_t from, uint32_t to, struct err *e)
{
	struct part *first = &v->in->part[from];
	struct loading l = { .v = v, .at = first, .to = &v->in->part[to] };
	int rc = read_chunks(&l, first->lo, view_part_end(v, l.to - 1), e);

	while (rc == 0 && l.at < l.to)
		rc = finish_part(&l, e);
	if (rc < 0 && l.at < l.to) {
		free(l.at->rec);
		l.at->rec = NULL;
	}
	return rc < 0 ? -1 : view_sets(v, l.more, e);
}

int
view_past(struct store_view *v, struct err *e)
{
	struct store *st = v->store;
	sqlite3_stmt *q = db_open_query(st, Q_MAILBOX_HISTORY, e, B_NUM(v->mailbox), B_NUM(v->uidvalidity));
	uint64_t high = 0, purged = 0;
	int rc = db_row(st, q, e);

	if (rc == 1) {
		high = db_num(q, 0);
		purged = db_num(q, 1);
	}
	db_done(q);
	if (rc == 0 || (rc == 1 && purged > v->in->known))
		return store_fail(st, STORE_EXPUNGED, e, ERR_PERM, "the past of the mailbox is purged");
	return rc == 1 && high != v->in->known ? past_learn(v, high, e) : rc < 0 ? -1 : 0;
}

int
view_load_late(struct store_view *v, struct part *p, struct err *e)
{
	uint32_t k = (uint32_t)(p - v->in->part);

	return view_past(v, e) < 0 ? -1 : view_load_parts(v, k, k + 1, e);
}

/* The parts of records [from, to) that are not loaded, a run of them at a time. */
static int
load_runs(struct store_view *v, uint32_t from, uint32_t to, struct err *e)
{
	struct view *in = v->in;
	uint32_t k = (uint32_t)(view_part_at(v, from) - in->part), end;

	for (; k < in->parts && in->part[k].first < to; k = end) {
		for (end = k; end < in->parts && in->part[end].first < to && in->part[end].rec == NULL;)
			end++;
		if (end > k && view_load_parts(v, k, end, e) < 0)
			return -1;
		if (end == k)
			end++;
	}
	return 0;
}

static bool
all_loaded(const struct store_view *v, uint32_t from, uint32_t to)
{
	const struct view *in = v->in;

	for (const struct part *p = view_part_at(v, from); p < in->part + in->parts && p->first < to; p++)
		if (p->rec == NULL)
			return false;
	return true;
}

int
store_view_load(struct store_view *v, uint32_t from, uint32_t n, struct err *e)
{
	const struct store_window *w = v->window;
	int rc;

	need(from <= v->n && n <= v->n - from);
	if (n == 0 || (from - w->first < w->n && n <= w->n - (from - w->first)) ||
	    all_loaded(v, from, from + n))
		return 0;
	if (tx_begin(v->store, TX_READ, e) < 0)
		return -1;
	rc = view_past(v, e);
	if (rc == 0)
		rc = load_runs(v, from, from + n, e);
	return tx_end(v->store, rc, e);
}

const struct store_rec *
store_rec_at(const struct store_view *v, uint32_t index)
{
	struct part *p;

	need(index < v->n);
	p = view_part_at(v, index);
	need(p->rec != NULL);
	*v->window = (struct store_window){ p->first, p->n, p->rec };
	return &p->rec[index - p->first];
}

/* ---- finding */

int
store_view_from(struct store_view *v, uint32_t uid, uint32_t *index, struct err *e)
{
	struct part *p;

	*index = v->n;
	if (v->n == 0 || uid >= v->uidnext)
		return 0;
	p = view_part_of(v, uid);
	*index = p->first;
	if (uid <= p->lo)
		return 0;
	if (store_view_load(v, p->first, 1, e) < 0)
		return -1;
	*index += below(p->rec, p->n, uid);
	return 0;
}

int
store_view_find(struct store_view *v, uint32_t uid, uint32_t *index, struct err *e)
{
	if (store_view_from(v, uid, index, e) < 0)
		return -1;
	if (*index == v->n)
		return 0;
	if (store_view_load(v, *index, 1, e) < 0)
		return -1;
	return store_rec(v, *index)->uid == uid;
}

int
store_view_last(struct store_view *v, uint32_t *uid, struct err *e)
{
	*uid = 0;
	if (v->n == 0)
		return 0;
	if (store_view_load(v, v->n - 1, 1, e) < 0)
		return -1;
	*uid = store_rec(v, v->n - 1)->uid;
	return 0;
}

int
store_view_unseen(struct store_view *v, uint32_t *seq, struct err *e)
{
	uint32_t from = v->in->unseen_from;

	*seq = 0;
	if (v->in->seen != NULL && store_view_from(v, seen_gap(v->in->seen), &from, e) < 0)
		return -1;
	for (uint32_t i = from; i < v->n; i++) {
		if (store_view_load(v, i, 1, e) < 0)
			return -1;
		if ((store_rec(v, i)->flags & STORE_SEEN) == 0) {
			*seq = i + 1;
			return 0;
		}
	}
	return 0;
}
