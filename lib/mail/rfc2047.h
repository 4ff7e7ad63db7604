/*
 * rfc2047.h - non-ASCII text in headers: the encoded words of RFC 2047 (and the language of RFC 2231, 5).
 */
#ifndef MAIL_RFC2047_H
#define MAIL_RFC2047_H

#include "base/base.h"

/*
 * Append an unfolded header value as UTF-8: encoded words are decoded, blanks between two adjacent ones
 * dropped (RFC 2047, 6.2), a character cut between two of the same charset joined. What is no encoded word,
 * is broken, or is in an unknown charset stays as it is, but for octets that are not UTF-8, which become
 * U+FFFD. An encoded word is recognised within a word and in quotes too, as strangers write them. CR, LF
 * and NUL that come out of an encoded word become spaces. The result is valid UTF-8, on one line when the
 * value is.
 */
int rfc2047_decode(struct span value, struct buf *out, struct err *e);

#endif
