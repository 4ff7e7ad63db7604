/* past.c - what a view has and its mailbox has no more. */
#include <stdlib.h>

#include "store/view.h"

static void
push(struct view *in, const struct store_rec *r)
{
	if (in->pasts == in->pasts_cap) {
		in->pasts_cap = in->pasts_cap != 0 ? in->pasts_cap * 2 : CHUNK_RECORDS;
		in->past = mem_resize(in->past, in->pasts_cap * sizeof *in->past);
	}
	in->past[in->pasts++] = *r;
}

static int
by_uid(const void *a, const void *b)
{
	const struct store_rec *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* By uid, each once. */
static void
sort(struct view *in)
{
	uint32_t i, to = 0;

	for (i = 1; i < in->pasts && in->past[i - 1].uid < in->past[i].uid; i++)
		;
	if (i >= in->pasts)
		return;
	qsort(in->past, in->pasts, sizeof *in->past, by_uid);
	for (i = 1; i < in->pasts; i++)
		if (in->past[i].uid != in->past[to].uid)
			in->past[++to] = in->past[i];
	in->pasts = to + 1;
}

uint32_t
past_from(const struct view *in, uint32_t uid)
{
	uint32_t lo = 0, hi = in->pasts;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (in->past[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int
past_learn(struct store_view *v, uint64_t high, struct err *e)
{
	struct store *st = v->store;
	struct view *in = v->in;
	sqlite3_stmt *q = db_open_query(st, Q_GONE_SINCE, e, B_NUM(v->mailbox), B_NUM(in->known));
	struct store_rec rec[CHUNK_RECORDS];
	uint32_t n = 0, before = in->pasts;
	int rc;

	while ((rc = db_row(st, q, e)) == 1) {
		if ((rc = recs_decode(st, db_blob(q, 2), rec, CHUNK_RECORDS, &n, e)) < 0)
			break;
		for (uint32_t i = 0; i < n; i++)
			if (rec[i].uid < v->uidnext) /* else the view never had it */
				push(in, &rec[i]);
	}
	db_done(q);
	if (rc < 0) {
		in->pasts = before;
		return -1;
	}
	sort(in);
	in->known = high;
	return 0;
}

/* ---- without history */

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The uids that the mailbox has of a part's, at most `max`; *n may be one more, then there are too many. */
static int
present(struct store_view *v, const struct part *p, uint32_t *uid, uint32_t max, uint32_t *n, struct err *e)
{
	struct store *st = v->store;
	uint32_t end = view_part_end(v, p), count = 0;
	struct store_rec rec[CHUNK_RECORDS];
	sqlite3_stmt *q;
	int rc;

	*n = 0;
	q = db_open_query(st, Q_CHUNK_RANGE, e, B_NUM(key_of(v->mailbox, 0)),
	    B_NUM(key_of(v->mailbox, p->lo)), B_NUM(key_of(v->mailbox, end - 1)));
	while ((rc = db_row(st, q, e)) == 1) {
		if ((rc = recs_decode(st, db_blob(q, 2), rec, CHUNK_RECORDS, &count, e)) < 0)
			break;
		for (uint32_t i = 0; i < count && *n <= max; i++)
			if (rec[i].uid >= p->lo && rec[i].uid < end)
				uid[(*n)++] = rec[i].uid;
	}
	db_done(q);
	return rc;
}

/* Of a loaded part: what is neither there nor known to be gone, is gone. */
static void
push_lost(struct view *in, const struct part *p, const uint32_t *uid, uint32_t n)
{
	uint32_t from = past_from(in, p->lo), pasts = in->pasts;

	for (uint32_t i = 0; i < p->n; i++) {
		const struct store_rec *r = &p->rec[i];

		while (from < pasts && in->past[from].uid < r->uid)
			from++;
		if ((from == pasts || in->past[from].uid != r->uid) &&
		    bsearch(&r->uid, uid, n, sizeof *uid, by_number) == NULL)
			push(in, r);
	}
	sort(in);
}

/* 1; 0 it has lost messages, and is not loaded; -1. */
static int
compare_part(struct store_view *v, const struct part *p, struct err *e)
{
	struct view *in = v->in;
	uint32_t past = past_from(in, view_part_end(v, p)) - past_from(in, p->lo), n = 0;
	uint32_t *uid = mem_zero(p->n + 1, sizeof *uid);
	int rc = present(v, p, uid, p->n, &n, e) < 0 ? -1 : 1;

	if (rc == 1 && n + past > p->n)
		rc = store_damaged(v->store, e, "%u records from uid %u on, not %u", n + past, p->lo, p->n);
	else if (rc == 1 && n + past < p->n && p->rec == NULL)
		rc = 0;
	else if (rc == 1 && n + past < p->n)
		push_lost(in, p, uid, n);
	free(uid);
	return rc;
}

int
past_compare(struct store_view *v, uint64_t high, struct err *e)
{
	struct view *in = v->in;
	uint64_t known = in->known;
	int rc = past_learn(v, high, e) < 0 ? -1 : 1;

	for (uint32_t k = 0; k < in->parts && rc == 1; k++)
		rc = compare_part(v, &in->part[k], e);
	if (rc != 1)
		in->known = known; /* ask again */
	return rc;
}
