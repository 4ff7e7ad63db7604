/*
 * set.h - sets of message numbers and UIDs: sequence-set of RFC 3501, 9.
 *
 * A set as the client wrote it may hold *, which means the last message. imap_set_resolve() says what that
 * is, and gives the set its normal form: ranges in order that neither touch nor overlap.
 * (t/unit-imap-set.c).
 */
#ifndef IMAP_SET_H
#define IMAP_SET_H

#include "imap/lex.h"

enum { IMAP_STAR = 0 }; /* no number is 0 */

struct imap_range {
	uint32_t first, last;
};

struct imap_set {
	struct imap_range *r;
	size_t n;
	bool saved; /* it is "$", what the last search with SAVE found (RFC 5182, 2.1); n is 0 */
};

/* "1:3,7,10:*", or "$". A number that does not fit in 32 bits, and 0, are ERR_PEER. The ranges are in a. */
int imap_set_parse(struct imap_lex *l, struct arena *a, struct imap_set *set, struct err *e);

/* Bring it to normal form, * being `last` (at least 1). */
void imap_set_resolve(struct imap_set *set, uint32_t last);

/* Of a set in normal form: does it hold n? Time is logarithmic. */
bool imap_set_has(const struct imap_set *set, uint32_t n);

/* Build a set from numbers that come in rising order; r must have room for one more range. */
void imap_set_append(struct imap_set *set, uint32_t n);

/* Append as text, "1:3,7". The empty set is no text. */
int imap_set_format(const struct imap_set *set, struct buf *out, struct err *e);

#endif
