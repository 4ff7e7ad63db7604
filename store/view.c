/*
 * view.c - what a session knows of the mailbox it selected, and how it learns more.
 *
 * A view is a sorted array of records. What has happened since view->modseq is found by it: chunks with a
 * greater modseq hold what was added or changed, rows of `gone` with a greater one what was expunged. Since
 * modseqs are given out under the write lock, one read transaction sees all of them up to the mailbox's
 * highestmodseq.
 */
#include <stdlib.h>

#include "store/inside.h"

enum { RANGES = sizeof((struct store_view *)0)->recent_uid / sizeof(struct store_range) };

/* ---- records */

static void
reserve(struct store_view *v, uint32_t n)
{
	if (n <= v->cap)
		return;
	v->cap = n + n / 8 + 64;
	v->rec = mem_resize(v->rec, (size_t)v->cap * sizeof *v->rec);
}

static uint32_t
index_from(const struct store_view *v, uint32_t uid)
{
	uint32_t lo = 0, hi = v->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (v->rec[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static ssize_t
index_of(const struct store_view *v, uint32_t uid)
{
	uint32_t i = index_from(v, uid);

	return i < v->n && v->rec[i].uid == uid ? (ssize_t)i : -1;
}

int
store_view_load(struct store_view *v, uint32_t from, uint32_t n, struct err *e)
{
	(void)e; /* all are, since store_view_open */
	need(from <= v->n && n <= v->n - from);
	return 0;
}

void
store_view_trim(struct store_view *v)
{
	(void)v;
}

int
store_view_from(struct store_view *v, uint32_t uid, uint32_t *index, struct err *e)
{
	(void)e;
	*index = index_from(v, uid);
	return 0;
}

int
store_view_find(struct store_view *v, uint32_t uid, uint32_t *index, struct err *e)
{
	if (store_view_from(v, uid, index, e) < 0)
		return -1;
	return *index < v->n && store_rec(v, *index)->uid == uid;
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
	*seq = 0;
	for (uint32_t i = 0; i < v->n && *seq == 0; i++) {
		if (store_view_load(v, i, 1, e) < 0)
			return -1;
		if ((store_rec(v, i)->flags & STORE_SEEN) == 0)
			*seq = i + 1;
	}
	return 0;
}

/* ---- \Recent: ranges of uids that this session was the first to be told of */

static bool
is_recent(const struct store_view *v, uint32_t uid)
{
	for (int i = 0; i < RANGES; i++)
		if (uid >= v->recent_uid[i].first && uid <= v->recent_uid[i].last)
			return true;
	return false;
}

/*
 * One more range. When there is no room the oldest is forgotten: those messages keep \Recent in this process,
 * and lose it when the session is restored from its record.
 */
static void
add_recent(struct store_view *v, uint32_t first, uint32_t last)
{
	struct store_range *r = v->recent_uid, *newest = &r[RANGES - 1];

	if (first > last)
		return;
	if (newest->last != 0 && newest->last + 1 == first) {
		newest->last = last;
		return;
	}
	memmove(r, r + 1, (RANGES - 1) * sizeof *r);
	*newest = (struct store_range){ first, last };
}

static void
mark_recent(struct store_view *v, uint32_t from)
{
	for (uint32_t i = from; i < v->n; i++)
		if (is_recent(v, v->rec[i].uid)) {
			v->rec[i].flags |= STORE_RECENT;
			v->recent++;
		}
}

/*
 * Take \Recent from all later sessions (RFC 3501, 2.3.2). In a transaction that writes; if that can't be had,
 * for want of space or time, another session may be told the same, which harms nobody.
 */
static int
claim_recent(struct store *st, struct mbox *m, struct err *e)
{
	struct mbox *own = mbox_open(st, m->id, e);

	if (own == NULL)
		return -1;
	own->recent_uid = own->uidnext;
	own->recent = 0;
	own->dirty = true;
	return 0;
}

/* ---- the mailbox's row */

bool
view_keywords(struct store_view *v, const struct keywords *k)
{
	struct keywords own = { 0 };
	struct span *name;

	if (k->n == v->keywords)
		return false;
	need(keywords_set(&own, span_of(k->text, k->size)) == 0);
	free(v->keyword_text);
	free((void *)(uintptr_t)v->keyword);
	v->keyword_text = own.text;
	v->keywords = own.n;
	v->keyword = name = mem_zero(own.n, sizeof *name);
	memcpy(name, own.name, own.n * sizeof *name);
	return true;
}

bool
store_keyword_next(const struct store_view *v, const struct store_rec *r, uint32_t *index)
{
	uint64_t left = *index < 64 ? r->keywords >> *index : 0;

	(void)v;
	if (left == 0)
		return false;
	*index += (uint32_t)__builtin_ctzll(left);
	return true;
}

int
store_keyword_find(const struct store_view *v, struct span name)
{
	for (uint32_t i = 0; i < v->keywords; i++)
		if (span_isame(v->keyword[i], name))
			return (int)i;
	return -1;
}

bool
store_keyword_has(const struct store_view *v, const struct store_rec *r, uint32_t index)
{
	(void)v;
	return index < 64 && (r->keywords >> index & 1) != 0;
}

/* 1; 0: it is not there any more; -1. m is filled, and done by the caller, in any case. */
static int
read_row(struct store *st, uint64_t id, struct mbox *m, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_MAILBOX_ID, e, B_NUM(id));
	int rc = db_row(st, q, e);

	if (rc == 1 && mbox_read(st, q, m, e) < 0)
		rc = -1;
	db_done(q);
	return rc == 1 ? m->named : rc;
}

/*
 * Begin what is needed to read the mailbox: a transaction that writes if \Recent is to be claimed, else (or
 * if that is not to be had) one that reads. Then the row, and claim. 1, 0, -1 as read_row; -1: no transaction
 * is open.
 */
static int
begin(struct store_view *v, bool claim, struct mbox *m, struct err *e)
{
	struct store *st = v->store;
	struct err ignored = { 0 };
	int rc;

	claim = claim && tx_begin(st, TX_UNSYNCED, &ignored) == 0;
	if (!claim && tx_begin(st, TX_READ, e) < 0)
		return -1;
	rc = read_row(st, v->mailbox, m, e);
	if (rc == 1 && claim && claim_recent(st, m, e) < 0)
		rc = -1;
	if (rc < 0)
		tx_rollback(st);
	return rc;
}

/* A claim that can't be committed is given up; what was read is true all the same. */
static int
finish(struct store *st, int rc, struct err *e)
{
	struct err ignored = { 0 };

	if (rc < 0)
		tx_rollback(st);
	else if (st->tx == TX_READ)
		rc = tx_commit(st, e);
	else
		tx_commit(st, &ignored);
	return rc;
}

/* ---- opening */

static int
load_all(struct store_view *v, const struct mbox *m, struct err *e)
{
	struct store *st = v->store;
	sqlite3_stmt *q;
	uint32_t n = 0, last = 0;
	int rc;

	reserve(v, m->exist + CHUNK_RECORDS);
	q = db_open_query(st, Q_CHUNK_ALL, e, B_NUM(key_of(m->id, 0)), B_NUM(key_of(m->id, UINT32_MAX)));
	while ((rc = db_row(st, q, e)) == 1) {
		reserve(v, v->n + CHUNK_RECORDS);
		rc = recs_decode(st, db_blob(q, 2), v->rec + v->n, CHUNK_RECORDS, &n, e);
		if (rc == 0 && v->rec[v->n].uid <= last)
			rc = store_damaged(st, e, "chunks out of order at uid %u", v->rec[v->n].uid);
		if (rc < 0)
			break;
		v->n += n;
		last = v->rec[v->n - 1].uid;
	}
	db_done(q);
	return rc < 0 ? -1 : 0;
}

static struct store_view *
view_new(struct store *st, uint64_t mailbox, bool read_only)
{
	struct store_view *v = mem_zero(1, sizeof *v);

	v->store = st;
	v->mailbox = mailbox;
	v->read_only = read_only;
	return v;
}

static void
take_row(struct store_view *v, const struct mbox *m)
{
	v->uidvalidity = m->uidvalidity;
	v->uidnext = m->uidnext;
	v->modseq = m->highestmodseq;
	view_keywords(v, &m->keywords);
}

struct store_view *
store_view_open(struct store *st, uint64_t mailbox, bool read_only, struct err *e)
{
	struct store_view *v = view_new(st, mailbox, read_only);
	struct mbox m = { 0 };
	int rc = read_row(st, mailbox, &m, e);

	if (rc == 1)
		rc = begin(v, !read_only && m.recent > 0, &m, e);
	if (rc == 1) {
		rc = m.noselect ? store_fail(st, STORE_CANNOT, e, ERR_PERM, "this name has no mailbox")
				: load_all(v, &m, e);
		rc = finish(st, rc, e);
	} else if (rc == 0) {
		if (st->tx != TX_NONE)
			tx_rollback(st);
		rc = store_fail(st, STORE_NONEXISTENT, e, ERR_PERM, "no such mailbox");
	}
	if (rc == 0) {
		take_row(v, &m);
		add_recent(v, m.recent_uid, m.uidnext - 1);
		mark_recent(v, 0);
	}
	mbox_done(&m);
	if (rc == 0)
		return v;
	store_view_close(v);
	return NULL;
}

void
store_view_close(struct store_view *v)
{
	if (v == NULL)
		return;
	free(v->rec);
	free(v->keyword_text);
	free((void *)(uintptr_t)v->keyword);
	free(v);
}

/* ---- news */

/* What became of a sync, before sequence numbers are settled. */
struct news {
	uint32_t *changed; /* uids */
	size_t nchanged, cap;
	uint32_t added;
};

static void
note_changed(struct news *n, uint32_t uid)
{
	if (n->nchanged == n->cap) {
		n->cap = n->cap != 0 ? n->cap * 2 : 64;
		n->changed = mem_resize(n->changed, n->cap * sizeof *n->changed);
	}
	n->changed[n->nchanged++] = uid;
}

static void
learn(struct store_view *v, struct store_rec *r, struct news *news)
{
	const uint32_t ours = (uint32_t)STORE_RECENT | STORE_GONE;
	ssize_t i;

	if (r->uid >= v->uidnext) {
		reserve(v, v->n + 1);
		v->rec[v->n++] = *r;
		news->added++;
	} else if ((i = index_of(v, r->uid)) >= 0 && v->rec[i].modseq != r->modseq) {
		r->flags |= v->rec[i].flags & ours;
		v->rec[i] = *r;
		note_changed(news, r->uid);
	}
}

static int
learn_changes(struct store_view *v, struct news *news, struct err *e)
{
	struct store *st = v->store;
	struct store_rec rec[CHUNK_RECORDS];
	sqlite3_stmt *q;
	uint32_t n = 0;
	int rc;

	q = db_open_query(st, Q_CHUNK_CHANGED, e, B_NUM(key_of(v->mailbox, 0)),
	    B_NUM(key_of(v->mailbox, UINT32_MAX)), B_NUM(v->modseq));
	while ((rc = db_row(st, q, e)) == 1) {
		if ((rc = recs_decode(st, db_blob(q, 2), rec, CHUNK_RECORDS, &n, e)) < 0)
			break;
		for (uint32_t i = 0; i < n; i++)
			if (rec[i].modseq > v->modseq)
				learn(v, &rec[i], news);
	}
	db_done(q);
	return rc < 0 ? -1 : 0;
}

static void
mark_gone(struct store_view *v, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		if ((v->rec[i].flags & STORE_GONE) == 0) {
			v->rec[i].flags |= STORE_GONE;
			v->gone++;
		}
}

/* The history of expunged messages does not reach back so far: what is in no chunk is gone. */
static int
learn_missing(struct store_view *v, struct err *e)
{
	struct store *st = v->store;
	struct chunk c;
	uint64_t key = key_of(v->mailbox, 0);
	uint32_t at = 0, old = v->n;
	int rc;

	while (at < old && (rc = chunk_after(st, v->mailbox, key, &c, e)) == 1) {
		for (uint32_t i = 0; i < c.n && at < old; i++) {
			uint32_t next = index_from(v, c.rec[i].uid);

			mark_gone(v, at, next);
			at = next < old && v->rec[next].uid == c.rec[i].uid ? next + 1 : next;
		}
		key = c.key;
	}
	if (at < old && rc < 0)
		return -1;
	mark_gone(v, at, old);
	return 0;
}

static int
learn_expunged(struct store_view *v, struct err *e)
{
	struct store *st = v->store;
	sqlite3_stmt *q = db_open_query(st, Q_GONE_SINCE, e, B_NUM(v->mailbox), B_NUM(v->modseq));
	struct store_rec rec[CHUNK_RECORDS];
	uint32_t n = 0;
	ssize_t at;
	int rc;

	while ((rc = db_row(st, q, e)) == 1) {
		if ((rc = recs_decode(st, db_blob(q, 2), rec, CHUNK_RECORDS, &n, e)) < 0)
			break;
		for (uint32_t i = 0; i < n; i++)
			if ((at = index_of(v, rec[i].uid)) >= 0)
				mark_gone(v, (uint32_t)at, (uint32_t)at + 1);
	}
	db_done(q);
	return rc < 0 ? -1 : 0;
}

/* Take what is STORE_GONE out of the view, and list it from the end, so that each number is valid in its
 * turn. */
static void
announce_expunged(struct store_view *v, struct store_changes *out, struct arena *a)
{
	uint32_t *seq = arena_array(a, v->gone, sizeof *seq), *uid = arena_array(a, v->gone, sizeof *uid);
	uint32_t left = v->gone, to = 0;

	out->nexpunged = v->gone;
	for (uint32_t i = 0; i < v->n; i++) {
		if ((v->rec[i].flags & STORE_GONE) != 0) {
			left--;
			seq[left] = i + 1;
			uid[left] = v->rec[i].uid;
			if ((v->rec[i].flags & STORE_RECENT) != 0)
				v->recent--;
		} else
			v->rec[to++] = v->rec[i];
	}
	need(left == 0);
	v->n = to;
	v->gone = 0;
	out->expunged = seq;
	out->expunged_uid = uid;
}

static void
announce_changed(
    const struct store_view *v, const struct news *news, struct store_changes *out, struct arena *a)
{
	uint32_t *seq = arena_array(a, news->nchanged, sizeof *seq);
	size_t n = 0;
	ssize_t at;

	for (size_t i = 0; i < news->nchanged; i++)
		if ((at = index_of(v, news->changed[i])) >= 0 && (v->rec[at].flags & STORE_GONE) == 0)
			seq[n++] = (uint32_t)at + 1;
	out->changed = seq;
	out->nchanged = n;
}

/* A transaction is open, and m is the row in it. */
static int
learn_all(struct store_view *v, struct mbox *m, struct news *news, struct store_changes *out, struct err *e)
{
	uint32_t old = v->n;

	if ((m->purged_modseq > v->modseq ? learn_missing(v, e) : learn_expunged(v, e)) < 0 ||
	    learn_changes(v, news, e) < 0)
		return -1;
	out->keywords = view_keywords(v, &m->keywords);
	add_recent(v, m->recent_uid > v->uidnext ? m->recent_uid : v->uidnext, m->uidnext - 1);
	v->uidnext = m->uidnext;
	v->modseq = m->highestmodseq;
	mark_recent(v, old);
	out->exists = news->added > 0;
	out->recent = out->exists;
	return 0;
}

int
store_view_sync(
    struct store_view *v, bool expunges, struct store_changes *out, struct arena *a, struct err *e)
{
	struct store *st = v->store;
	struct mbox m = { 0 };
	struct news news = { 0 };
	int rc = read_row(st, v->mailbox, &m, e);

	*out = (struct store_changes){ 0 };
	if (rc == 1 && m.uidvalidity != v->uidvalidity)
		rc = 0;
	if (rc == 1 && m.highestmodseq != v->modseq) {
		rc = begin(v, !v->read_only && m.recent > 0, &m, e);
		if (rc == 1)
			rc = finish(st, learn_all(v, &m, &news, out, e), e) < 0 ? -1 : 1;
		else if (rc == 0)
			tx_rollback(st);
	}
	out->deleted = rc == 0;
	if (rc == 1 && expunges && v->gone > 0)
		announce_expunged(v, out, a);
	if (rc == 1 && news.nchanged > 0)
		announce_changed(v, &news, out, a);
	free(news.changed);
	mbox_done(&m);
	return rc < 0 ? -1 : 0;
}

/* ---- views as numbers */

int
store_view_save(const struct store_view *v, struct store_view_state *out, struct err *e)
{
	if (v->gone > 0)
		return err_set(e, ERR_PERM, "expunged messages are not announced yet");
	*out = (struct store_view_state){
		.mailbox = v->mailbox,
		.modseq = v->modseq,
		.uidvalidity = v->uidvalidity,
		.uidnext = v->uidnext,
		.read_only = v->read_only,
	};
	for (int i = 0; i < RANGES; i++) {
		out->recent_uid[2 * i] = v->recent_uid[i].first;
		out->recent_uid[2 * i + 1] = v->recent_uid[i].last;
	}
	return 0;
}

int
store_view_stale(struct store *st, const struct store_view_state *s, struct err *e)
{
	struct mbox m = { 0 };
	int rc = read_row(st, s->mailbox, &m, e);

	if (rc >= 0)
		rc = rc == 0 || m.uidvalidity != s->uidvalidity || m.highestmodseq != s->modseq;
	mbox_done(&m);
	return rc;
}

static int
by_uid(const void *a, const void *b)
{
	const struct store_rec *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* Only what had arrived when the view was saved. What changed since is known again after the next sync. */
static void
keep_old(struct store_view *v, uint64_t modseq)
{
	uint32_t to = 0;

	for (uint32_t i = 0; i < v->n; i++) {
		if (v->rec[i].created > modseq)
			continue;
		v->rec[to] = v->rec[i];
		if (v->rec[to].modseq > modseq)
			v->rec[to].modseq = 0;
		to++;
	}
	v->n = to;
}

/* What was expunged after the view was saved belongs to it still. */
static int
add_gone(struct store_view *v, uint64_t modseq, struct err *e)
{
	struct store *st = v->store;
	sqlite3_stmt *q = db_open_query(st, Q_GONE_SINCE, e, B_NUM(v->mailbox), B_NUM(modseq));
	uint32_t n = 0;
	int rc;

	while ((rc = db_row(st, q, e)) == 1) {
		reserve(v, v->n + CHUNK_RECORDS);
		if ((rc = recs_decode(st, db_blob(q, 2), v->rec + v->n, CHUNK_RECORDS, &n, e)) < 0)
			break;
		v->n += n;
	}
	db_done(q);
	return rc < 0 ? -1 : 0;
}

static int
rebuild(struct store_view *v, const struct store_view_state *s, const struct mbox *m, struct err *e)
{
	if (m->uidvalidity != s->uidvalidity || m->purged_modseq > s->modseq || m->highestmodseq < s->modseq)
		return store_fail(v->store, STORE_OTHER, e, ERR_PERM, "the view can't be rebuilt");
	if (load_all(v, m, e) < 0 || add_gone(v, s->modseq, e) < 0)
		return -1;
	keep_old(v, s->modseq);
	qsort(v->rec, v->n, sizeof *v->rec, by_uid);
	return 0;
}

struct store_view *
store_view_restore(struct store *st, const struct store_view_state *s, struct err *e)
{
	struct store_view *v = view_new(st, s->mailbox, s->read_only != 0);
	struct mbox m = { 0 };
	int rc = begin(v, false, &m, e);

	if (rc >= 0) {
		if (rc == 0)
			rc = store_fail(st, STORE_NONEXISTENT, e, ERR_PERM, "the mailbox is deleted");
		else
			rc = rebuild(v, s, &m, e);
		rc = finish(st, rc, e);
	}
	if (rc == 0) {
		take_row(v, &m);
		v->uidnext = s->uidnext;
		v->modseq = s->modseq;
		for (int i = 0; i < RANGES; i++)
			v->recent_uid[i] = (struct store_range){ s->recent_uid[2 * i],
				s->recent_uid[2 * i + 1] };
		mark_recent(v, 0);
	}
	mbox_done(&m);
	if (rc == 0)
		return v;
	store_view_close(v);
	return NULL;
}
