/* since.c - what a client that was away has missed. */
#include "store/since.h"

#include <stdlib.h>

#include "store/dir.h"
#include "store/inside.h"

struct uids {
	uint32_t *p;
	size_t n, cap;
};

static void
add(struct uids *u, uint32_t uid)
{
	if (u->n == u->cap) {
		u->cap = u->cap != 0 ? u->cap * 2 : 256;
		u->p = mem_resize(u->p, u->cap * sizeof *u->p);
	}
	u->p[u->n++] = uid;
}

static bool
has(const struct store_uids *set, uint32_t uid)
{
	size_t lo = 0, hi = set->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (uid < set->r[mid].first)
			hi = mid;
		else if (uid > set->r[mid].last)
			lo = mid + 1;
		else
			return true;
	}
	return false;
}

/* 1; 0: history before `modseq` was purged; -1. */
static int
remembers(struct store_view *v, uint64_t modseq, struct err *e)
{
	struct store *st = v->store;
	int64_t purged;

	if (db_one(st, db_open_query(st, Q_MAILBOX_PURGED, e, B_NUM(v->mailbox)), INT64_MAX, &purged, e) < 0)
		return -1;
	return (uint64_t)purged <= modseq;
}

/* ---- expunged */

static int
read_gone(
    struct store_view *v, uint64_t modseq, const struct store_uids *known, struct uids *found, struct err *e)
{
	struct store *st = v->store;
	sqlite3_stmt *q = db_open_query(st, Q_GONE_SINCE, e, B_NUM(v->mailbox), B_NUM(modseq));
	struct store_rec rec[CHUNK_RECORDS];
	uint32_t n = 0;
	int rc;

	while ((rc = db_row(st, q, e)) == 1) {
		if ((rc = recs_decode(st, db_blob(q, 2), rec, CHUNK_RECORDS, &n, e)) < 0)
			break;
		/* What came and went since the last sync is not of the view's past. */
		for (uint32_t i = 0; i < n; i++)
			if (rec[i].uid < v->uidnext && has(known, rec[i].uid))
				add(found, rec[i].uid);
	}
	db_done(q);
	return rc < 0 ? -1 : 0;
}

static int
by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
add_range(struct store_uids *out, uint32_t first, uint32_t last)
{
	if (out->n > 0 && out->r[out->n - 1].last + 1 == first)
		out->r[out->n - 1].last = last;
	else
		out->r[out->n++] = (struct store_range){ first, last };
}

/* But for those that the view still has, since the expunge was not announced in it yet. */
static int
ranges_of(struct store_view *v, struct uids *found, struct store_uids *out, struct arena *a, struct err *e)
{
	uint32_t index;
	int rc;

	*out = (struct store_uids){ arena_array(a, found->n, sizeof *out->r), 0 };
	if (found->n > 0)
		qsort(found->p, found->n, sizeof *found->p, by_number);
	for (size_t i = 0; i < found->n; i++) {
		if ((rc = store_view_find(v, found->p[i], &index, e)) < 0)
			return -1;
		if (rc == 0)
			add_range(out, found->p[i], found->p[i]);
	}
	return 0;
}

/* ---- all that is not there: the gaps of the view within `known` */

/* One range of `known`: what lies between the records. They are gone through by pieces. */
static int
gaps_of_range(struct store_view *v, struct store_range want, struct store_uids *out, struct err *e)
{
	enum { PIECE = 1024 };
	uint64_t next = want.first;
	uint32_t at, uid = 0;

	if (store_view_from(v, want.first, &at, e) < 0)
		return -1;
	for (uint32_t loaded = at; at < v->n; at++) {
		if (at == loaded) {
			store_view_trim(v);
			loaded = v->n - at > PIECE ? at + PIECE : v->n;
			if (store_view_load(v, at, loaded - at, e) < 0)
				return -1;
		}
		if ((uid = store_rec(v, at)->uid) > want.last)
			break;
		if (uid > next)
			add_range(out, (uint32_t)next, uid - 1);
		next = (uint64_t)uid + 1;
	}
	if (next <= want.last)
		add_range(out, (uint32_t)next, want.last);
	return 0;
}

static int
all_gaps(struct store_view *v, const struct store_uids *known, struct store_uids *out, struct arena *a,
    struct err *e)
{
	/* Each record ends a gap at most, and each range of `known` does. */
	*out = (struct store_uids){ arena_array(a, v->n + known->n, sizeof *out->r), 0 };
	for (size_t i = 0; i < known->n; i++) {
		struct store_range want = known->r[i];

		if (want.first >= v->uidnext)
			break;
		if (want.last >= v->uidnext)
			want.last = v->uidnext - 1;
		if (gaps_of_range(v, want, out, e) < 0)
			return -1;
	}
	return 0;
}

int
store_vanished(struct store_view *v, uint64_t modseq, const struct store_uids *known, struct store_uids *out,
    struct arena *a, struct err *e)
{
	struct uids found = { 0 };
	int rc;

	if (tx_begin(v->store, TX_READ, e) < 0)
		return -1;
	rc = remembers(v, modseq, e);
	if (rc == 1)
		rc = read_gone(v, modseq, known, &found, e) < 0 ? -1 : 1;
	rc = tx_end(v->store, rc, e);
	if (rc == 1)
		rc = ranges_of(v, &found, out, a, e);
	else if (rc == 0)
		rc = all_gaps(v, known, out, a, e);
	free(found.p);
	return rc;
}

/* ---- changed */

static int
read_changed(
    struct store_view *v, uint64_t modseq, const struct store_uids *known, struct uids *found, struct err *e)
{
	struct store *st = v->store;
	struct dir d = { 0 };
	struct chunk c;
	int rc;

	while ((rc = dir_next(st, v->mailbox, modseq, &d, e)) == 1)
		for (uint32_t k = 0; k < d.n; k++) {
			if (d.entry[k].modseq <= modseq)
				continue;
			if (chunk_at(st, v->mailbox, d.entry[k].uid, &c, e) < 0)
				return -1;
			for (uint32_t i = 0; i < c.n; i++)
				if (c.rec[i].modseq > modseq && has(known, c.rec[i].uid))
					add(found, c.rec[i].uid);
		}
	return rc;
}

/* UIDs into indexes, but for those that changed only after the view was synced. */
static int
indexes_of(struct store_view *v, uint64_t modseq, const struct uids *found, uint32_t *index, size_t *n,
    struct err *e)
{
	*n = 0;
	for (size_t i = 0; i < found->n; i++) {
		uint32_t at;
		int rc = store_view_find(v, found->p[i], &at, e);

		if (rc < 0 || (rc > 0 && store_view_load(v, at, 1, e) < 0))
			return -1;
		if (rc > 0 && store_rec(v, at)->modseq > modseq)
			index[(*n)++] = at;
	}
	return 0;
}

int
store_changed(struct store_view *v, uint64_t modseq, const struct store_uids *known, uint32_t **index,
    size_t *n, struct arena *a, struct err *e)
{
	struct uids found = { 0 };
	int rc = -1;

	if (tx_begin(v->store, TX_READ, e) < 0)
		return -1;
	rc = tx_end(v->store, read_changed(v, modseq, known, &found, e), e);
	if (rc == 0) {
		*index = arena_array(a, found.n, sizeof **index);
		rc = indexes_of(v, modseq, &found, *index, n, e);
	}
	free(found.p);
	return rc;
}
