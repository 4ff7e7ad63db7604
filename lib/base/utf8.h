/*
 * utf8.h - UTF-8: checking it, code points, case.
 *
 * Valid means what RFC 3629 says: the shortest form, no surrogates, at most U+10FFFF. Needs no locale.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/span.h"

struct buf;

bool utf8_valid(struct span s);

/* True if every octet is below 128. */
bool ascii_only(struct span s);

/*
 * The code point that starts at s.p[0], its length in *len (1..4). Returns -1, with *len = 1, if no valid
 * sequence does; -2, with *len = s.n, if s ends within a sequence that is valid so far. s.n > 0.
 */
int32_t utf8_get(struct span s, size_t *len);

/* Append one code point: below 0x110000, no surrogate. */
int utf8_put(uint32_t cp, struct buf *out, struct err *e);

/* Append s; each octet that is part of no valid sequence becomes U+FFFD. */
int utf8_repair(struct span s, struct buf *out, struct err *e);

/*
 * Append s as i;unicode-casemap compares it (RFC 5051, 2; RFC 5255, 4.4, for SEARCH, SORT and THREAD): in titlecase,
 * decomposed, so that accents follow their letters. Octets that are not valid UTF-8 are copied. The result has at most
 * UTF8_FOLD_GROWS times the octets of s; it is ordered and searched octet by octet, and folding it again changes nothing.
 */
enum { UTF8_FOLD_GROWS = 11 };
int utf8_fold(struct span s, struct buf *out, struct err *e);

#endif
