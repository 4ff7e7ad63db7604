/*
 * charset.h - text in any charset to UTF-8.
 *
 * UTF-8, US-ASCII and the charsets of one octet (ISO-8859-*, windows-125*, KOI8-*, some of IBM's) are decoded
 * by tables of our own; the multibyte charsets of East Asia, UTF-16 and UTF-7 by the C library's iconv.
 *
 * iconv reads its modules from files when a charset is first used, which a confined process may not do.
 * So a program calls charset_preload() before it closes its jail; in a process that did not, the charsets
 * of iconv count as unknown. This is the one state that the library keeps: the descriptors, opened once.
 */
#ifndef MAIL_CHARSET_H
#define MAIL_CHARSET_H

#include "base/base.h"

void	charset_preload(void);

/* True if text in this charset can be converted. */
bool	charset_known(struct span name);

/*
 * Append `text`, which is in `charset` (a MIME name in any case, or an alias; empty: US-ASCII that may in
 * truth be UTF-8), as UTF-8. Never refuses: octets that mean nothing in the charset become U+FFFD, and in
 * an unknown charset all octets above 127 do. What is appended is always valid UTF-8, at most three times
 * the input. Returns 0, or -1 with ERR_PEER when `out` is full.
 */
int	charset_to_utf8(struct span charset, struct span text, struct buf *out, struct err *e);

/*
 * The same for a text that comes in pieces: gives in *used how many octets of `text` were converted. What
 * is left (a character cut by the end of the piece, at most 16 octets) is given again in front of the next
 * piece. With last = true all is used. A charset with shift states (ISO-2022-*) starts each piece in its
 * initial state unless the piece is cut at a line end, where such texts are back in it (RFC 1468).
 */
int	charset_feed(struct span charset, struct span text, bool last, struct buf *out, size_t *used,
	    struct err *e);

/* True if s is valid UTF-8 as RFC 3629 has it: shortest form, no surrogates, to U+10FFFF. */
bool	utf8_valid(struct span s);

/* True if every octet is below 128. */
bool	ascii_only(struct span s);

/*
 * The code point that starts at s.p[0], its length in *len (1..4). Returns -1, with *len = 1, if no valid
 * sequence does; -2 if s ends within a sequence that is valid so far. s.n > 0.
 */
int32_t	utf8_get(struct span s, size_t *len);

/* Append one code point (valid: below 0x110000, no surrogate). */
int	utf8_put(uint32_t cp, struct buf *out, struct err *e);

/*
 * Append s (UTF-8; other octets are copied) in lower case by the simple, one-to-one mapping of Unicode, which
 * needs no locale: this is how texts are compared without regard to case.
 */
int	utf8_fold(struct span s, struct buf *out, struct err *e);

#endif
