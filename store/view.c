/*
 * view.c - what a session knows of the mailbox it selected, and how it learns more.
 *
 * A view is what the mailbox was at view->modseq (view.h). What has happened since is found by that: rows of the
 * directory and entries in them with a greater modseq name the chunks in which something was added or changed, rows of
 * `gone` with a greater one hold what was expunged. Since modseqs are given out under the write lock, one read
 * transaction sees all of them up to the mailbox's highestmodseq. So opening, bringing up to date and restoring cost
 * the directory, and what changed.
 */
#include <stdlib.h>

#include "store/dir.h"
#include "store/view.h"

enum {
	RANGES = sizeof((struct store_view_state *)0)->recent_uid / sizeof(uint32_t) / 2,
	RUN = 64, /* parts that are loaded at a time */
};

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

static struct store_view *
view_new(struct store *st, uint64_t mailbox, bool read_only)
{
	struct store_view *v = mem_zero(1, sizeof *v);

	v->store = st;
	v->mailbox = mailbox;
	v->read_only = read_only;
	v->window = mem_zero(1, sizeof *v->window);
	v->in = mem_zero(1, sizeof *v->in);
	if (seen_private(st))
		v->in->seen = mem_zero(1, sizeof *v->in->seen);
	return v;
}

void
store_view_close(struct store_view *v)
{
	if (v == NULL)
		return;
	for (uint32_t k = 0; k < v->in->parts; k++)
		free(v->in->part[k].rec);
	free(v->in->part);
	free(v->in->past);
	free(v->in->own);
	free(v->in->recent);
	view_keywords_done(v);
	if (v->in->seen != NULL)
		seen_free(v->in->seen);
	free(v->in->seen);
	free(v->in);
	free(v->window);
	free(v);
}

/* A part for each chunk that began below uidnext. In a transaction. */
static int
read_directory(struct store_view *v, uint32_t uidnext, struct err *e)
{
	struct view *in = v->in;
	struct dir d = { 0 };
	bool all_seen = true;
	int rc;

	while ((rc = dir_next(v->store, v->mailbox, 0, &d, e)) == 1)
		for (uint32_t i = 0; i < d.n && d.entry[i].uid < uidnext; i++) {
			all_seen = all_seen && d.entry[i].unseen == 0;
			view_part_add(v, d.entry[i].uid, d.entry[i].n);
			if (all_seen)
				in->unseen_from = v->n;
		}
	return rc;
}

/* What the reader has seen by now. In a transaction. */
static int
read_seen(struct store_view *v, struct err *e)
{
	return v->in->seen != NULL ? seen_load(v->store, v->mailbox, v->in->seen, e) : 0;
}

static int
take_row(struct store_view *v, const struct mbox *m, struct err *e)
{
	v->uidvalidity = m->uidvalidity;
	v->uidnext = m->uidnext;
	v->modseq = v->in->known = m->highestmodseq;
	return view_keywords(v, m, e) < 0 ? -1 : 0;
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
		if (m.noselect)
			rc = store_fail(st, STORE_CANNOT, e, ERR_PERM, "this name has no mailbox");
		else if ((rc = take_row(v, &m, e)) == 0)
			rc = read_directory(v, m.uidnext, e);
		if (rc == 0)
			rc = read_seen(v, e);
		rc = finish(st, rc, e);
	} else if (rc == 0) {
		if (st->tx != TX_NONE)
			tx_rollback(st);
		rc = store_fail(st, STORE_NONEXISTENT, e, ERR_PERM, "no such mailbox");
	}
	if (rc == 0) {
		recent_add(v->in, m.recent_uid, m.uidnext - 1);
		v->recent = m.recent < v->n ? m.recent : v->n;
	}
	mbox_done(&m);
	if (rc == 0)
		return v;
	store_view_close(v);
	return NULL;
}

/* ---- changes by this view */

void
view_own(struct store_view *v, uint64_t modseq)
{
	struct view *in = v->in;

	if (modseq == 0)
		return;
	if (in->owns == in->owns_cap) {
		in->owns_cap = in->owns_cap != 0 ? in->owns_cap * 2 : 4;
		in->own = mem_resize(in->own, in->owns_cap * sizeof *in->own);
	}
	in->own[in->owns++] = modseq;
}

bool
view_foreign(const struct store_view *v, uint64_t modseq)
{
	if (modseq <= v->modseq)
		return false;
	for (size_t i = v->in->owns; i > 0; i--)
		if (v->in->own[i - 1] == modseq)
			return false;
	return true;
}

/* ---- news */

/* What a sync finds, before it is taken into the view. */
struct news {
	uint32_t *changed; /* uids, ascending */
	size_t nchanged, cap;
	uint32_t more;     /* messages added to the view's last part */
	struct part *part; /* new parts */
	uint32_t parts, parts_cap, added;
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

/* All of a chunk is new: what is in it needs not be read. */
static void
note_part(struct news *n, const struct dir_entry *x)
{
	if (n->parts == n->parts_cap) {
		n->parts_cap = n->parts_cap != 0 ? n->parts_cap * 2 : 8;
		n->part = mem_resize(n->part, n->parts_cap * sizeof *n->part);
	}
	n->part[n->parts++] = (struct part){ .lo = x->uid, .n = x->n };
	n->added += x->n;
}

static void
learn(struct store_view *v, const struct store_rec *r, struct news *news)
{
	struct store_rec *known;
	uint32_t ours = (uint32_t)STORE_RECENT | STORE_GONE;

	if (r->uid >= v->uidnext) {
		news->more++;
		news->added++;
	} else if (view_foreign(v, r->modseq)) {
		note_changed(news, r->uid);
		if ((known = view_peek(v, r->uid)) != NULL) {
			ours &= known->flags;
			*known = *r;
			known->flags |= ours;
			seen_overlay(v->in->seen, known);
		}
	}
}

static int
learn_chunk(struct store_view *v, uint64_t key, struct news *news, struct err *e)
{
	struct store *st = v->store;
	struct store_rec rec[CHUNK_RECORDS];
	sqlite3_stmt *q = db_open_query(st, Q_CHUNK_KEY, e, B_NUM(key));
	uint32_t n = 0;
	int rc = db_row(st, q, e);

	if (rc == 0)
		store_damaged(st, e, "chunk %u of the directory is missing", (uint32_t)key);
	if (rc == 1)
		rc = recs_decode(st, db_blob(q, 2), rec, CHUNK_RECORDS, &n, e) < 0 ? -1 : 1;
	db_done(q);
	st->chunks_read++;
	for (uint32_t i = 0; i < n; i++)
		if (rec[i].modseq > v->modseq)
			learn(v, &rec[i], news);
	return rc == 1 ? 0 : -1;
}

static int
learn_changes(struct store_view *v, struct news *news, struct err *e)
{
	struct dir d = { 0 };
	int rc;

	while ((rc = dir_next(v->store, v->mailbox, v->modseq, &d, e)) == 1)
		for (uint32_t i = 0; i < d.n; i++) {
			if (d.entry[i].modseq <= v->modseq)
				continue;
			if (d.entry[i].uid >= v->uidnext)
				note_part(news, &d.entry[i]);
			else if (learn_chunk(v, key_of(v->mailbox, d.entry[i].uid), news, e) < 0)
				return -1;
		}
	return rc;
}

/* New messages come at the end: into the last part, which is then to be loaded anew, and into new ones. */
static void
take_added(struct store_view *v, const struct news *news)
{
	struct view *in = v->in;

	if (news->more > 0 && in->parts == 0)
		view_part_add(v, v->uidnext, news->more);
	else if (news->more > 0) {
		view_unload(v, &in->part[in->parts - 1]);
		in->part[in->parts - 1].n += news->more;
		v->n += news->more;
	}
	for (uint32_t k = 0; k < news->parts; k++)
		view_part_add(v, news->part[k].lo, news->part[k].n);
}

/* Of those added, who is the first to be told? The row is the one before this session claimed them. */
static void
take_recent(struct store_view *v, const struct mbox *m, uint32_t added)
{
	uint32_t first = m->recent_uid > v->uidnext ? m->recent_uid : v->uidnext;

	recent_add(v->in, first, m->uidnext - 1);
	v->recent += first == v->uidnext || m->recent > added ? added : m->recent;
}

/* All of the past is known to be gone now. */
static void
mark_gone(struct store_view *v)
{
	struct view *in = v->in;
	struct part *p = NULL;
	uint32_t at = 0;

	for (uint32_t i = 0; i < in->pasts; i++) {
		uint32_t uid = in->past[i].uid;

		if ((in->past[i].flags & STORE_GONE) != 0)
			continue;
		in->past[i].flags |= STORE_GONE;
		if (p == NULL || uid >= view_part_end(v, p)) {
			p = view_part_of(v, uid);
			at = 0;
		}
		while (p->rec != NULL && at < p->n && p->rec[at].uid < uid)
			at++;
		if (p->rec != NULL && at < p->n && p->rec[at].uid == uid)
			p->rec[at].flags |= STORE_GONE;
	}
	v->gone = in->pasts;
}

/* 1; 0: what is gone can't be said any more; -1. */
static int
learn_all(struct store_view *v, struct mbox *m, struct news *news, struct store_changes *out, struct err *e)
{
	int rc = 1;

	if (m->purged_modseq > v->in->known)
		rc = past_compare(v, m->highestmodseq, e);
	else if (past_learn(v, m->highestmodseq, e) < 0)
		rc = -1;
	if (rc != 1)
		return rc;
	if (read_seen(v, e) < 0 || learn_changes(v, news, e) < 0)
		return -1;
	if ((rc = view_keywords(v, m, e)) < 0 || (v->in->sets > 0 && view_sets(v, m->word_sets, e) < 0))
		return -1;
	out->keywords = rc > 0;
	out->exists = out->recent = news->added > 0;
	take_added(v, news);
	take_recent(v, m, news->added);
	v->uidnext = m->uidnext;
	v->modseq = m->highestmodseq;
	v->in->owns = 0;
	mark_gone(v);
	return 1;
}

/* ---- announcing */

/* Take what is gone out of a part, and list it from the end of the lists. */
static void
sweep(struct store_view *v, struct part *p, uint32_t *seq, uint32_t *uid, uint32_t *left)
{
	uint32_t to = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		const struct store_rec *r = &p->rec[i];

		if ((r->flags & STORE_GONE) == 0) {
			p->rec[to++] = *r;
			continue;
		}
		need(*left > 0);
		--*left;
		seq[*left] = p->first + i + 1;
		uid[*left] = r->uid;
		if ((r->flags & STORE_RECENT) != 0 && v->recent > 0)
			v->recent--;
	}
	v->in->loaded -= p->n - to;
	p->n = to;
}

/* The parts that have some of the past, a run of them at a time. */
static int
load_past(struct store_view *v, struct err *e)
{
	struct view *in = v->in;
	uint32_t k, end, next;

	for (uint32_t i = 0; i < in->pasts; i = next) {
		k = (uint32_t)(view_part_of(v, in->past[i].uid) - in->part);
		next = past_from(in, view_part_end(v, &in->part[k]));
		if (in->part[k].rec != NULL)
			continue;
		for (end = k + 1; end < in->parts && end - k < RUN && in->part[end].rec == NULL &&
				  next < in->pasts && in->past[next].uid < view_part_end(v, &in->part[end]);
		     end++)
			next = past_from(in, view_part_end(v, &in->part[end]));
		if (view_load_parts(v, k, end, e) < 0)
			return -1;
	}
	return 0;
}

/*
 * Take what is STORE_GONE out of the view, and list it from the end, so that each number is valid in its turn. Only
 * parts that have some are looked at.
 */
static int
announce_expunged(struct store_view *v, struct store_changes *out, struct arena *a, struct err *e)
{
	struct view *in = v->in;
	uint32_t *seq = arena_array(a, v->gone, sizeof *seq), *uid = arena_array(a, v->gone, sizeof *uid);
	uint32_t left = v->gone;

	if (load_past(v, e) < 0)
		return -1;
	for (uint32_t k = 0; k < in->parts; k++)
		if (in->part[k].rec != NULL)
			sweep(v, &in->part[k], seq, uid, &left);
	need(left == 0);
	view_number(v);
	out->expunged = seq;
	out->expunged_uid = uid;
	out->nexpunged = v->gone;
	in->pasts = 0;
	v->gone = 0;
	return 0;
}

static int
announce_changed(
    struct store_view *v, const struct news *news, struct store_changes *out, struct arena *a, struct err *e)
{
	uint32_t *seq = arena_array(a, news->nchanged, sizeof *seq);
	size_t n = 0;

	for (size_t i = 0; i < news->nchanged; i++) {
		struct part *p = v->n > 0 ? view_part_of(v, news->changed[i]) : NULL;
		struct store_rec *r;

		if (p == NULL)
			break;
		if (p->rec == NULL) {
			store_view_trim(v);
			if (view_load_parts(
				v, (uint32_t)(p - v->in->part), (uint32_t)(p - v->in->part) + 1, e) < 0)
				return -1;
		}
		if ((r = view_peek(v, news->changed[i])) != NULL && (r->flags & STORE_GONE) == 0)
			seq[n++] = p->first + (uint32_t)(r - p->rec) + 1;
	}
	out->changed = seq;
	out->nchanged = n;
	return 0;
}

/* A transaction is open, and m is the row in it. 1, 0, -1 as learn_all. */
static int
follow(struct store_view *v, struct mbox *m, bool expunges, struct store_changes *out, struct arena *a,
    struct err *e)
{
	struct news news = { 0 };
	int rc = m->highestmodseq != v->modseq ? learn_all(v, m, &news, out, e) : 1;

	if (rc == 1 && expunges && v->gone > 0 && announce_expunged(v, out, a, e) < 0)
		rc = -1;
	if (rc == 1 && news.nchanged > 0 && announce_changed(v, &news, out, a, e) < 0)
		rc = -1;
	free(news.changed);
	free(news.part);
	return rc;
}

int
store_view_sync(
    struct store_view *v, bool expunges, struct store_changes *out, struct arena *a, struct err *e)
{
	struct store *st = v->store;
	struct mbox m = { 0 };
	int rc = read_row(st, v->mailbox, &m, e);

	*out = (struct store_changes){ 0 };
	if (rc == 1 && m.uidvalidity != v->uidvalidity)
		rc = 0;
	if (rc == 1 && (m.highestmodseq != v->modseq || (expunges && v->gone > 0))) {
		rc = begin(v, !v->read_only && m.recent > 0, &m, e);
		if (rc == 1) {
			rc = follow(v, &m, expunges, out, a, e);
			if (finish(st, rc, e) < 0)
				rc = -1;
		} else if (rc == 0)
			tx_rollback(st);
	}
	out->deleted = rc == 0;
	store_view_trim(v);
	mbox_done(&m);
	return rc < 0 ? -1 : 0;
}

/* ---- views as numbers */

int
store_view_save(const struct store_view *v, struct store_view_state *out, struct err *e)
{
	const struct view *in = v->in;
	size_t from = in->recents > RANGES ? in->recents - RANGES : 0;

	if (v->gone > 0)
		return err_set(e, ERR_PERM, "expunged messages are not announced yet");
	*out = (struct store_view_state){
		.mailbox = v->mailbox,
		.modseq = v->modseq,
		.uidvalidity = v->uidvalidity,
		.uidnext = v->uidnext,
		.read_only = v->read_only,
	};
	for (size_t i = from; i < in->recents; i++) { /* older ones lose \Recent */
		out->recent_uid[2 * (i - from)] = in->recent[i].first;
		out->recent_uid[2 * (i - from) + 1] = in->recent[i].last;
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

/* The last part may have got messages since: it is only as large as what lies below uidnext. */
static int
cut_last(struct store_view *v, struct err *e)
{
	struct store *st = v->store;
	struct part *p = v->in->parts > 0 ? &v->in->part[v->in->parts - 1] : NULL;
	struct chunk c;
	int rc;

	if (p == NULL)
		return 0;
	if ((rc = chunk_at(st, v->mailbox, p->lo, &c, e)) <= 0)
		return rc < 0 ? -1 : store_damaged(st, e, "chunk %u of the directory is missing", p->lo);
	while (c.n > 0 && c.rec[c.n - 1].uid >= v->uidnext)
		c.n--;
	v->n -= p->n - c.n;
	p->n = c.n;
	return 0;
}

/* What was expunged after the view was saved belongs to it still. */
static void
count_past(struct store_view *v)
{
	struct view *in = v->in;

	if (in->pasts > 0 && in->parts == 0)
		view_part_add(v, 1, 0);
	if (in->parts > 0)
		in->part[0].lo = 1;
	for (uint32_t i = 0; i < in->pasts; i++)
		view_part_of(v, in->past[i].uid)->n++;
	view_number(v);
}

static int
rebuild(struct store_view *v, const struct store_view_state *s, const struct mbox *m, struct err *e)
{
	if (m->uidvalidity != s->uidvalidity || m->purged_modseq > s->modseq || m->highestmodseq < s->modseq)
		return store_fail(v->store, STORE_OTHER, e, ERR_PERM, "the view can't be rebuilt");
	if (take_row(v, m, e) < 0)
		return -1;
	v->uidnext = s->uidnext;
	v->modseq = v->in->known = s->modseq;
	if (read_seen(v, e) < 0 || read_directory(v, s->uidnext, e) < 0 ||
	    (m->uidnext > s->uidnext && cut_last(v, e) < 0))
		return -1;
	if (m->highestmodseq > s->modseq && past_learn(v, m->highestmodseq, e) < 0)
		return -1;
	count_past(v);
	v->in->unseen_from = 0;
	return 0;
}

/* How many of the view's messages are in its ranges of \Recent. */
static int
count_recent(struct store_view *v, struct err *e)
{
	const struct view *in = v->in;
	uint32_t from, to;

	for (size_t i = 0; i < in->recents; i++) {
		if (store_view_from(v, in->recent[i].first, &from, e) < 0 ||
		    store_view_from(v, in->recent[i].last + 1, &to, e) < 0)
			return -1;
		v->recent += to - from;
	}
	return 0;
}

struct store_view *
store_view_restore(struct store *st, const struct store_view_state *s, struct err *e)
{
	struct store_view *v = view_new(st, s->mailbox, s->read_only != 0);
	struct mbox m = { 0 };
	int rc;

	for (int i = 0; i < RANGES; i++)
		if (s->recent_uid[2 * i + 1] != 0)
			recent_add(v->in, s->recent_uid[2 * i], s->recent_uid[2 * i + 1]);
	if ((rc = begin(v, false, &m, e)) >= 0) {
		if (rc == 0)
			rc = store_fail(st, STORE_NONEXISTENT, e, ERR_PERM, "the mailbox is deleted");
		else
			rc = rebuild(v, s, &m, e) < 0 ? -1 : count_recent(v, e);
		rc = finish(st, rc, e);
	}
	mbox_done(&m);
	if (rc == 0)
		return v;
	store_view_close(v);
	return NULL;
}
