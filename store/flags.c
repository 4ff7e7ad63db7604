/* flags.c - STORE (RFC 3501, 6.4.6; 7162, 3.1.3). */
#include <stdlib.h>

#include "store/view.h"
#include "store/words.h"

/* A loaded record of the view after the change: applied when the transaction is committed. */
struct after {
	struct store_rec *rec, now;
};

struct job {
	struct store_view *v;
	const struct store_flags *change;
	struct words keywords; /* change->keywords */
	uint32_t more;         /* what stands for those of them that are no bits */
	struct words_memo memo;
	struct mbox *m;
	struct store_flagged *out;
	struct chunk c;
	struct part *part;           /* of the view, with the message that is at hand */
	const struct store_rec *rec; /* its records, or those of c, which have the same uids */
	bool lent;                   /* it was loaded for this, and goes again */
	struct after *after;
	size_t nafter, after_cap;
	uint32_t *done, *foreign, *modified, *missing;
	struct seen seen; /* of the store's reader */
	bool private, seen_changed;
};

static int
change_rec(struct job *j, struct store_rec *r, struct err *e)
{
	struct store *st = j->v->store;
	uint32_t keep = j->v->keep, f = j->change->flags & STORE_SYSTEM_FLAGS & ~keep;

	switch (j->change->op) {
	case STORE_FLAGS_SET:
		r->flags = f | (r->flags & keep);
		if (!j->v->keep_keywords) {
			r->keywords = j->keywords.bits;
			r->more = j->more;
		}
		break;
	case STORE_FLAGS_ADD:
		r->flags |= f;
		return words_change(st, j->m, r, &j->keywords, true, &j->memo, e);
	case STORE_FLAGS_REMOVE:
		r->flags &= ~f;
		return words_change(st, j->m, r, &j->keywords, false, &j->memo, e);
	}
	return 0;
}

/* \Seen that is the reader's own does not go into the chunk. */
static void
apply_seen(struct job *j, const struct store_rec *old, struct store_rec *next, uint32_t stored)
{
	bool seen = (next->flags & STORE_SEEN) != 0;

	if (((next->flags ^ old->flags) & STORE_SEEN) != 0) {
		seen_put(&j->seen, next->uid, seen);
		j->seen.count = seen ? j->seen.count + 1 : j->seen.count - (j->seen.count > 0);
		j->seen_changed = true;
	}
	next->flags = (next->flags & ~(uint32_t)STORE_SEEN) | (stored & STORE_SEEN);
}

/* In the chunk, if it differs; a STORE that changes nothing gives out no modseq. */
static int
apply(struct job *j, struct store_rec *r, struct err *e)
{
	struct store_rec old = *r, next;

	seen_overlay(j->private ? &j->seen : NULL, &old);
	next = old;
	if (change_rec(j, &next, e) < 0)
		return -1;
	if (next.flags == old.flags && next.keywords == old.keywords && next.more == old.more)
		return 0;
	if (j->private)
		apply_seen(j, &old, &next, r->flags);
	next.modseq = j->c.modseq = j->out->modseq = mbox_touch(j->v->store, j->m);
	j->m->unseen += unseen_of(&next) - unseen_of(r);
	j->m->deleted += deleted_of(&next) - deleted_of(r);
	*r = next;
	j->c.dirty = true;
	return 0;
}

static void
note_after(struct job *j, uint32_t seq, const struct store_rec *r)
{
	struct part *p = j->part;

	if (p->rec == NULL || j->lent)
		return;
	if (j->nafter == j->after_cap) {
		j->after_cap = j->after_cap != 0 ? j->after_cap * 2 : 16;
		j->after = mem_resize(j->after, j->after_cap * sizeof *j->after);
	}
	j->after[j->nafter] = (struct after){ &p->rec[seq - 1 - p->first], *r };
	seen_overlay(j->private ? &j->seen : NULL, &j->after[j->nafter++].now);
}

static int
one(struct job *j, uint32_t seq, struct store_rec *r, struct err *e)
{
	struct store_flagged *out = j->out;

	if (r->modseq > j->change->unchanged_since) {
		j->modified[out->nmodified++] = r->uid;
		return 0;
	}
	if (view_foreign(j->v, r->modseq))
		j->foreign[out->nforeign++] = seq;
	if (apply(j, r, e) < 0)
		return -1;
	note_after(j, seq, r);
	j->done[out->ndone++] = seq;
	return 0;
}

/* ---- all of them, by the parts of the view */

static void
leave_part(struct job *j)
{
	if (j->lent)
		view_unload(j->v, j->part);
	j->lent = false;
	j->part = NULL;
}

/*
 * The uids of a part are those of its records. Where it is not loaded: those of the chunk that is to be changed, if that
 * has as many between the part's ends as the view knows of; then they are the same. Else the part has something of the
 * past, or was spread over chunks.
 */
static int
enter_part(struct job *j, uint32_t index, struct err *e)
{
	struct part *p = view_part_at(j->v, index);
	uint32_t from;
	int rc;

	leave_part(j);
	j->part = p;
	if (p->rec == NULL) {
		if ((rc = chunk_reach(j->v->store, j->m->id, p->lo, &j->c, e)) < 0)
			return -1;
		from = rc == 1 ? chunk_below(&j->c, p->lo) : 0;
		if (rc == 1 && chunk_below(&j->c, view_part_end(j->v, p)) - from == p->n) {
			j->rec = &j->c.rec[from];
			return 0;
		}
		j->lent = view_load_late(j->v, p, e) == 0;
	}
	j->rec = p->rec;
	return p->rec != NULL ? 0 : -1;
}

static int
number(struct job *j, uint32_t seq, struct err *e)
{
	const struct part *p = j->part;
	struct store_rec *r = NULL;
	uint32_t uid;
	int rc;

	if ((p == NULL || seq - 1 - p->first >= p->n) && enter_part(j, seq - 1, e) < 0)
		return -1;
	uid = j->rec[seq - 1 - j->part->first].uid;
	if ((rc = chunk_seek(j->v->store, j->m->id, uid, &j->c, &r, e)) < 0)
		return -1;
	if (rc == 1)
		return one(j, seq, r, e);
	j->missing[j->out->nmissing++] = uid;
	return 0;
}

static int
all(struct job *j, const uint32_t *seqs, size_t n, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = number(j, seqs[i], e);
	leave_part(j);
	return rc == 0 ? chunk_write(j->v->store, &j->c, e) : -1;
}

static int
find_keywords(struct job *j, struct err *e)
{
	const struct store_flags *change = j->change;
	struct store *st = j->v->store;
	uint32_t before = j->m->keywords.n + j->m->words;

	if (j->v->keep_keywords)
		return 0;
	if (words_of(st, j->m, change->keywords, change->nkeywords, change->op != STORE_FLAGS_REMOVE,
		&j->keywords, e) < 0)
		return -1;
	if (j->m->keywords.n + j->m->words > before)
		mbox_touch(st, j->m);
	return change->op == STORE_FLAGS_SET ? words_put(st, j->m, &j->keywords, &j->more, e) : 0;
}

/* What the view must know of those that were made. 1: there are new ones. */
static int
learn_keywords(struct job *j, struct err *e)
{
	return view_sets(j->v, j->m->word_sets, e) < 0 ? -1 : view_keywords(j->v, j->m, e);
}

/* In the transaction, before and after the change. */
static int
begin_seen(struct job *j, struct err *e)
{
	struct store *st = j->v->store;

	if (!j->private)
		return 0;
	return seen_load(st, j->m->id, &j->seen, e) < 0 ? -1 : seen_settle(st, j->m, &j->seen, e);
}

static int
end_seen(struct job *j, struct err *e)
{
	return j->seen_changed ? seen_write(j->v->store, j->m, &j->seen, e) : 0;
}

static void
update_view(struct job *j)
{
	for (size_t i = 0; i < j->nafter; i++) {
		const struct after *a = &j->after[i];
		uint32_t ours = a->rec->flags & ~(uint32_t)STORE_SYSTEM_FLAGS;

		*a->rec = a->now;
		a->rec->flags |= ours;
	}
	if (j->seen_changed && j->v->in->seen != NULL) {
		struct seen before = *j->v->in->seen;

		*j->v->in->seen = j->seen;
		j->seen = before;
	}
	view_own(j->v, j->out->modseq);
}

int
store_flags(struct store_view *v, const uint32_t *seqs, size_t n, const struct store_flags *change,
    struct store_flagged *out, struct arena *a, struct err *e)
{
	struct store *st = v->store;
	struct job j = { .v = v, .change = change, .out = out, .private = v->in->seen != NULL };
	int rc = -1;

	*out = (struct store_flagged){ 0 };
	if (v->read_only)
		return store_fail(st, STORE_CANNOT, e, ERR_PERM, "the mailbox is open for reading only");
	out->done = j.done = arena_array(a, n, sizeof *j.done);
	out->foreign = j.foreign = arena_array(a, n, sizeof *j.foreign);
	out->modified = j.modified = arena_array(a, n, sizeof *j.modified);
	out->missing = j.missing = arena_array(a, n, sizeof *j.missing);
	if (n > VIEW_LOADED_MAX)
		store_view_trim(v); /* what is loaded has to be changed twice */
	if (tx_begin(st, TX_DURABLE, e) < 0)
		return -1;
	if ((j.m = mbox_open(st, v->mailbox, e)) != NULL && find_keywords(&j, e) == 0 &&
	    begin_seen(&j, e) == 0) {
		rc = all(&j, seqs, n, e) < 0 ? -1 : end_seen(&j, e);
		if (rc == 0 && (rc = learn_keywords(&j, e)) > 0)
			out->keywords = true;
	}
	if ((rc = tx_end(st, rc < 0 ? -1 : 0, e)) == 0)
		update_view(&j);
	else
		view_keywords_doubt(v);
	free(j.after);
	seen_free(&j.seen);
	return rc;
}
