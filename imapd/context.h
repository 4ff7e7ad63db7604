/*
 * context.h - search results that stay up to date: UPDATE of RFC 5267, 4.3.
 *
 * A session keeps a few of them for its selected mailbox. Whenever it is told what is new, it is also told what came to the
 * results and what left them. A worker with a context stays with its client while it idles: no record says what is in one.
 */
#ifndef IMAPD_CONTEXT_H
#define IMAPD_CONTEXT_H

#include "imapd/search.h"

/*
 * After the answer to a SEARCH or SORT with UPDATE (sort NULL: not sorted). `text`: the arguments of the command, parsed anew
 * for the context's own life. Where it can't be done the client is told NOUPDATE (4.3.1), and that is no failure.
 */
int context_start(struct search *g, const struct imap_sort *sort, struct span text, struct err *e);

/* Before EXPUNGE is told: message numbers still hold. */
int contexts_expunged(struct session *s, const struct store_changes *ch, struct err *e);

/* After all news is told. */
int contexts_update(struct session *s, struct err *e);

#endif
