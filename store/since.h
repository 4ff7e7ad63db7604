/*
 * since.h - what a client that was away has missed of a mailbox (RFC 7162, 3.2.5 and 3.2.6), at the price of what
 * changed: chunks with a newer modification sequence are looked at, and what was expunged since.
 *
 * Both speak of the mailbox as the view shows it: what has happened since the last store_view_sync is left to the next.
 * Ranges of UIDs ascend, and neither touch nor overlap; first <= last.
 */
#ifndef STORE_SINCE_H
#define STORE_SINCE_H

#include "store/store.h"

struct store_uids {
	struct store_range *r;
	size_t n;
};

/*
 * Which of the UIDs in `known` have been expunged after `modseq`. When that is longer ago than the mailbox remembers
 * (store_purge), all of `known` that are not in the view: more than needed, and never less. UIDs that were never given out
 * are left out.
 */
int store_vanished(struct store_view *v, uint64_t modseq, const struct store_uids *known,
    struct store_uids *out, struct arena *a, struct err *e);

/*
 * Indexes, ascending, of the records of the view with a UID in `known` that changed, or came, after `modseq`. They
 * are loaded one range at a time: store_view_load() before they are looked at.
 */
int store_changed(struct store_view *v, uint64_t modseq, const struct store_uids *known, uint32_t **index,
    size_t *n, struct arena *a, struct err *e);

#endif
