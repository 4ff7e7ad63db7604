#include "store/seen.h"

#include <stdlib.h>

#include "store/acl.h"

/* ---- ranges */

/* Index of the first range that ends at the uid or behind it. */
static size_t
range_at(const struct seen *s, uint32_t uid)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->r[mid].last < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool
seen_has(const struct seen *s, uint32_t uid)
{
	size_t i = range_at(s, uid);

	return i < s->n && s->r[i].first <= uid;
}

static void
insert_range(struct seen *s, size_t at, uint32_t first, uint32_t last)
{
	if (s->n == s->cap) {
		s->cap = s->cap != 0 ? s->cap * 2 : 16;
		s->r = mem_resize(s->r, s->cap * sizeof *s->r);
	}
	memmove(s->r + at + 1, s->r + at, (s->n - at) * sizeof *s->r);
	s->r[at] = (struct store_range){ first, last };
	s->n++;
}

static void
remove_range(struct seen *s, size_t at)
{
	s->n--;
	memmove(s->r + at, s->r + at + 1, (s->n - at) * sizeof *s->r);
}

static void
add(struct seen *s, uint32_t uid)
{
	size_t i = range_at(s, uid);
	bool before = i > 0 && s->r[i - 1].last + 1 == uid, behind = i < s->n && s->r[i].first == uid + 1;

	if (i < s->n && s->r[i].first <= uid)
		return;
	if (before && behind) {
		s->r[i - 1].last = s->r[i].last;
		remove_range(s, i);
	} else if (before) {
		s->r[i - 1].last = uid;
	} else if (behind) {
		s->r[i].first = uid;
	} else {
		insert_range(s, i, uid, uid);
	}
}

static void
take(struct seen *s, uint32_t uid)
{
	size_t i = range_at(s, uid);
	struct store_range r;

	if (i == s->n || s->r[i].first > uid)
		return;
	r = s->r[i];
	if (r.first == uid && r.last == uid) {
		remove_range(s, i);
	} else if (r.first == uid) {
		s->r[i].first++;
	} else if (r.last == uid) {
		s->r[i].last--;
	} else {
		s->r[i].last = uid - 1;
		insert_range(s, i + 1, uid + 1, r.last);
	}
}

void
seen_put(struct seen *s, uint32_t uid, bool seen)
{
	if (seen)
		add(s, uid);
	else
		take(s, uid);
}

uint32_t
seen_gap(const struct seen *s)
{
	return s->n > 0 && s->r[0].first == 1 ? s->r[0].last + 1 : 1;
}

void
seen_free(struct seen *s)
{
	free(s->r);
	*s = (struct seen){ 0 };
}

/* ---- the row */

static int
put_number(struct buf *b, uint32_t v, struct err *e)
{
	for (; v > 127; v >>= 7)
		if (buf_byte(b, e, (char)(v | 0x80)) < 0)
			return -1;
	return buf_byte(b, e, (char)v);
}

/* False at the end, or for what is no number of 32 bits. */
static bool
get_number(struct span *in, uint32_t *v)
{
	uint64_t n = 0;

	for (unsigned i = 0, bits = 0; i < in->n && i < 5; i++, bits += 7) {
		n |= (uint64_t)(in->p[i] & 0x7f) << bits;
		if ((in->p[i] & 0x80) == 0) {
			*in = span_from(*in, i + 1);
			*v = (uint32_t)n;
			return n <= UINT32_MAX;
		}
	}
	return false;
}

static int
decode(struct store *st, struct span in, struct seen *s, struct err *e)
{
	uint64_t at = 1;
	uint32_t gap, n;

	s->n = 0;
	while (in.n > 0) {
		if (!get_number(&in, &gap) || !get_number(&in, &n) || n == 0 || (s->n > 0 && gap == 0) ||
		    at + gap + n - 1 > UINT32_MAX)
			return store_damaged(st, e, "what a reader has seen can't be read");
		at += gap;
		insert_range(s, s->n, (uint32_t)at, (uint32_t)(at + n - 1));
		at += n;
	}
	return 0;
}

int
seen_load(struct store *st, uint64_t mailbox, struct seen *s, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_SEEN, e, B_NUM(mailbox), B_TEXT(st->reader));
	int rc = db_row(st, q, e);

	s->n = 0;
	s->count = 0;
	s->modseq = UINT64_MAX; /* nothing can have been taken off */
	if (rc == 1) {
		s->count = db_num32(q, 1);
		s->modseq = db_num(q, 2);
		rc = decode(st, db_blob(q, 0), s, e);
	}
	db_done(q);
	return rc;
}

int
seen_write(struct store *st, const struct mbox *m, const struct seen *s, struct err *e)
{
	struct buf b;
	uint32_t at = 1;
	int rc = 0;

	buf_init(&b, 10 * s->n + 16);
	for (size_t i = 0; i < s->n && rc == 0; i++) {
		rc = put_number(&b, s->r[i].first - at, e);
		if (rc == 0)
			rc = put_number(&b, s->r[i].last - s->r[i].first + 1, e);
		at = s->r[i].last + 1;
	}
	if (rc == 0)
		rc = db_run(st, Q_SEEN_SET, e, B_NUM(m->id), B_TEXT(st->reader), B_BLOB(buf_span(&b)),
		    B_NUM(s->count), B_NUM(m->highestmodseq));
	buf_free(&b);
	return rc;
}

/* ---- counting */

static int
take_gone(struct store *st, const struct mbox *m, struct seen *s, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_GONE_SINCE, e, B_NUM(m->id), B_NUM(s->modseq));
	struct store_rec rec[CHUNK_RECORDS];
	uint32_t n = 0;
	int rc;

	while ((rc = db_row(st, q, e)) == 1) {
		if ((rc = recs_decode(st, db_blob(q, 2), rec, CHUNK_RECORDS, &n, e)) < 0)
			break;
		for (uint32_t i = 0; i < n; i++)
			if (seen_has(s, rec[i].uid)) {
				take(s, rec[i].uid);
				s->count -= s->count > 0;
			}
	}
	db_done(q);
	return rc < 0 ? -1 : 0;
}

/* The history of what was expunged does not reach back: all that is there is looked at. */
static int
recount(struct store *st, const struct mbox *m, struct seen *s, struct err *e)
{
	struct seen left = { 0 };
	struct chunk c;
	uint64_t key = key_of(m->id, 0);
	int rc;

	while ((rc = chunk_after(st, m->id, key, &c, e)) == 1) {
		for (uint32_t i = 0; i < c.n; i++)
			if (seen_has(s, c.rec[i].uid)) {
				add(&left, c.rec[i].uid);
				left.count++;
			}
		key = c.key;
	}
	if (rc < 0) {
		seen_free(&left);
		return -1;
	}
	seen_free(s);
	*s = left;
	return 0;
}

int
seen_settle(struct store *st, const struct mbox *m, struct seen *s, struct err *e)
{
	if (s->modseq < m->highestmodseq &&
	    (m->purged_modseq > s->modseq ? recount(st, m, s, e) : take_gone(st, m, s, e)) < 0)
		return -1;
	s->modseq = m->highestmodseq;
	return 0;
}

int
seen_unseen(struct store *st, const struct mbox *m, uint32_t *unseen, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_SEEN_COUNT, e, B_NUM(m->id), B_TEXT(st->reader));
	struct seen s = { 0 };
	int rc = db_row(st, q, e);
	bool settled = rc == 1 && db_num(q, 1) >= m->highestmodseq;

	if (rc == 1)
		s.count = db_num32(q, 0);
	db_done(q);
	if (rc == 1 && !settled)
		rc = seen_load(st, m->id, &s, e) < 0 || seen_settle(st, m, &s, e) < 0 ? -1 : 1;
	*unseen = m->exist - (s.count < m->exist ? s.count : m->exist);
	seen_free(&s);
	return rc < 0 ? -1 : 0;
}

int
seen_added(
    struct store *st, const struct mbox *m, const uint32_t *uids, const bool *seen, size_t n, struct err *e)
{
	struct seen s = { 0 };
	size_t some = 0;
	int rc;

	for (size_t i = 0; i < n; i++)
		some += seen[i];
	if (some == 0)
		return 0;
	rc = seen_load(st, m->id, &s, e);
	if (rc == 0)
		rc = seen_settle(st, m, &s, e);
	for (size_t i = 0; rc == 0 && i < n; i++)
		if (seen[i])
			add(&s, uids[i]);
	s.count += (uint32_t)some;
	if (rc == 0)
		rc = seen_write(st, m, &s, e);
	seen_free(&s);
	return rc;
}

/* ---- whose */

void
store_reader_set(struct store *st, struct span login)
{
	char *text = NULL;

	if (login.n > 0) {
		text = mem_zero(1, login.n);
		memcpy(text, login.p, login.n);
	}
	free((void *)(uintptr_t)st->reader.p);
	st->reader = span_of(text, login.n);
}
