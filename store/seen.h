/*
 * seen.h - \Seen of readers who are not the owner: each has his own, and the flags that are stored are the owner's.
 *
 * A row of the table `seen` has the uids that a reader saw in a mailbox, as ranges. A change of it is a change of the
 * message, too: it gets the transaction's modseq, so that other sessions of the reader hear of it (RFC 7162). How many of
 * the uids are still there is kept with the modseq for which that is true: what was expunged since is taken off when the
 * number is needed, so that STATUS costs what was expunged.
 */
#ifndef STORE_SEEN_H
#define STORE_SEEN_H

#include "store/inside.h"

struct seen {
	struct store_range *r; /* rising, neither touching nor overlapping */
	size_t n, cap;
	uint32_t count;  /* uids in it whose messages were there ... */
	uint64_t modseq; /* ... at this HIGHESTMODSEQ */
};

/* Does the store's reader have a \Seen of his own? */
static inline bool
seen_private(const struct store *st)
{
	return st->reader.n > 0;
}

/* What the store's reader saw of a mailbox. s is empty, or filled, and is the caller's to free. */
int seen_load(struct store *st, uint64_t mailbox, struct seen *s, struct err *e);
void seen_free(struct seen *s);

bool seen_has(const struct seen *s, uint32_t uid);
void seen_put(struct seen *s, uint32_t uid, bool seen);
uint32_t seen_gap(const struct seen *s); /* the lowest uid, from 1 on, that is not in it */

/* Make `count` true for the mailbox as it is, and forget what is expunged. */
int seen_settle(struct store *st, const struct mbox *m, struct seen *s, struct err *e);
/* In a transaction that writes, after the changes: the row. s was settled, and `count` kept. */
int seen_write(struct store *st, const struct mbox *m, const struct seen *s, struct err *e);

/* How many messages of the mailbox the store's reader has not seen. */
int seen_unseen(struct store *st, const struct mbox *m, uint32_t *unseen, struct err *e);

/* Messages that are new in the mailbox, as the reader put them there: he has seen those with seen[i]. In a transaction. */
int seen_added(
    struct store *st, const struct mbox *m, const uint32_t *uids, const bool *seen, size_t n, struct err *e);

/* \Seen as the reader has it; s NULL: as it is stored. */
static inline void
seen_overlay(const struct seen *s, struct store_rec *r)
{
	if (s != NULL)
		r->flags = (r->flags & ~(uint32_t)STORE_SEEN) | (seen_has(s, r->uid) ? STORE_SEEN : 0U);
}

#endif
