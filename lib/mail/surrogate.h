/*
 * surrogate.h - a message with UTF-8 in its header (RFC 6532), as a client may see it who knows nothing of that: the
 * simplified downgrading of RFC 6858, which RFC 6855, 7 and RFC 6856, 2.1 name.
 *
 * For showing, not for answering: an address that cannot be written in ASCII becomes one that leads nowhere, under a name
 * that tells it. Pure, linear, safe on any octets (t/unit-surrogate.c, fuzz/surrogate.c).
 */
#ifndef MAIL_SURROGATE_H
#define MAIL_SURROGATE_H

#include "base/base.h"

/*
 * Does this header need one: is some octet above 127, and all of it UTF-8? One with other octets above 127 belongs to no
 * internationalised message: such mail was always passed on as it is.
 */
bool surrogate_needed(struct span header);

/*
 * Append the header in ASCII, its empty line included if it has one. Fields without other characters are copied as they are.
 * Else: address fields with the names as encoded words (RFC 2047), and in the place of each address outside ASCII
 * <invalid@internationalized-address.invalid> (RFC 6858, 2.1); of MIME fields those parameters are left out (2.2); Subject,
 * Comments and Content-Description as encoded words (2.3); every other field is left out (2.4). -1 if `out` cannot hold
 * it.
 */
int surrogate_header(struct span header, struct buf *out, struct err *e);

/* Append UTF-8 text as encoded words of RFC 2047 (B), a blank between two; at most 75 characters each (2). */
int surrogate_words(struct span text, struct buf *out, struct err *e);

#endif
