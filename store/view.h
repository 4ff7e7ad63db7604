/*
 * view.h - the inside of a view: which uids stand where, and the records that were looked at.
 *
 * A view is a row of parts. A part has the records of the view with uids from its `lo` up to the next part's (the
 * last: up to the view's uidnext); how many these are is known from the directory (dir.h), the records themselves only
 * while it is loaded. Parts begin as the chunks of the mailbox, and stay when those are merged or shrink.
 *
 * A part is loaded as of the view's modseq, whatever happened since: what its chunks hold below the view's uidnext, and
 * what was expunged since (`past`), which comes from the table of what is gone (invariant 4 of schema.c). Only flags
 * are those of now.
 */
#ifndef STORE_VIEW_H
#define STORE_VIEW_H

#include "store/seen.h"

enum { VIEW_LOADED_MAX = 4096 }; /* more records are not kept from one step to the next */

struct part {
	uint32_t lo;    /* no uid in it is below */
	uint32_t first; /* index of its first record */
	uint32_t n;
	struct store_rec *rec; /* NULL: not loaded */
};

struct view {
	struct part *part;
	uint32_t parts, cap;
	uint32_t loaded; /* records in memory */

	struct store_rec *past; /* in the view, and expunged; by uid. STORE_GONE: a sync has seen it */
	uint32_t pasts, pasts_cap;
	uint64_t known; /* what was expunged up to this modseq is in `past` */

	uint64_t *own; /* modseqs above the view's that are changes by this view */
	size_t owns, owns_cap;

	struct store_range *recent; /* uids that this session was the first to be told of, rising */
	size_t recents;
	uint32_t unseen_from; /* the records before this index were \Seen when the view was opened */

	struct word_set {
		uint16_t *word; /* ascending */
		uint32_t n;
	} *set; /* what store_rec.more stands for, as far as it was met */
	uint32_t sets;
	bool names_stale; /* the names are to be read anew */

	struct seen *seen; /* of the store's reader; NULL: \Seen is as it is stored */
};

/* ---- load.c */

/* Append a part; the records follow those of the last. */
void view_part_add(struct store_view *v, uint32_t lo, uint32_t n);
/* Number the records of all parts anew, leave out empty ones; v->n. */
void view_number(struct store_view *v);
/* Load parts [from, to), of which none is loaded. In a transaction, and all that is expunged is in `past`. */
int view_load_parts(struct store_view *v, uint32_t from, uint32_t to, struct err *e);
void view_unload(struct store_view *v, struct part *p);
/* What was expunged since the view was brought up to date. In a transaction. */
int view_past(struct store_view *v, struct err *e);
/* Load one part, learning first what was expunged since. In a transaction that has expunged nothing itself. */
int view_load_late(struct store_view *v, struct part *p, struct err *e);
/* The part that has an index below v->n. */
struct part *view_part_at(const struct store_view *v, uint32_t index);
/* The part that has a uid, if any has. v->n is not 0. */
struct part *view_part_of(const struct store_view *v, uint32_t uid);
uint32_t view_part_end(const struct store_view *v, const struct part *p); /* its uids are below */
/* The record of a uid, or NULL if it is not there or not loaded. */
struct store_rec *view_peek(const struct store_view *v, uint32_t uid);

/* ---- past.c */

/* Learn what was expunged since. In a transaction; `high`: the mailbox's highestmodseq. */
int past_learn(struct store_view *v, uint64_t high, struct err *e);
/*
 * The same where the history does not reach back so far (it was purged): loaded parts are compared with the mailbox.
 * 1; 0 a part that is not loaded has lost messages, nobody knows which; -1.
 */
int past_compare(struct store_view *v, uint64_t high, struct err *e);
/* First of `past` with a uid >= uid. */
uint32_t past_from(const struct view *in, uint32_t uid);

/* ---- recent.c: \Recent (RFC 3501, 2.3.2) */
bool recent_is(const struct view *in, uint32_t uid);
void recent_add(struct view *in, uint32_t first, uint32_t last);

/* ---- keywords.c. In a transaction. */
/* Learn the mailbox's keywords. 1 if there are new ones, 0, -1. */
int view_keywords(struct store_view *v, const struct mbox *m, struct err *e);
/* And the combinations up to this number. */
int view_sets(struct store_view *v, uint32_t upto, struct err *e);
/* What was learnt was of a transaction that failed: to be read anew. */
void view_keywords_doubt(struct store_view *v);
void view_keywords_done(struct store_view *v);

/* ---- view.c: this view made a change. */
void view_own(struct store_view *v, uint64_t modseq);
/* Did someone else make the last change of a record, and the view was not told of it? */
bool view_foreign(const struct store_view *v, uint64_t modseq);

#endif
