/* sort.h - the order of what a search found: RFC 5256, 3 (SORT), 5957 (DISPLAY), 6203 (RELEVANCY). */
#ifndef IMAPD_SORT_H
#define IMAPD_SORT_H

#include "imapd/search.h"

/*
 * Bring g->found into the order of the keys; what they leave equal stays in the order of the mailbox. Keys come from packed
 * records and structure records: no message is read.
 */
int sort_found(struct search *g, const struct imap_sort_key *keys, size_t n, struct err *e);

#endif
