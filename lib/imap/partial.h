/*
 * partial.h - a page of a list: "1:100" from its start, "-1:-100" from its end (RFC 9394, 3.1, also as the modifier of
 * UID FETCH, 3.3; RFC 5267, 4.4). (t/unit-imap-search.c)
 */
#ifndef IMAP_PARTIAL_H
#define IMAP_PARTIAL_H

#include "imap/lex.h"

/* As written; 1 is the first, or with from_end the last. */
struct imap_partial {
	uint32_t a, b;
	bool given, from_end;
};

/* The range alone. ERR_PEER when it is none: 0, *, a sign on one side only. */
int imap_partial_parse(struct imap_lex *l, struct imap_partial *out, struct err *e);

/* Of a list of n these are [*from, *to), which may be empty. */
void imap_partial_cut(const struct imap_partial *p, size_t n, size_t *from, size_t *to);

/* Append the range as it was written. */
int imap_partial_format(const struct imap_partial *p, struct buf *out, struct err *e);

#endif
