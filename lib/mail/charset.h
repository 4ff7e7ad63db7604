/*
 * charset.h - text in any charset to UTF-8.
 *
 * UTF-8, US-ASCII and the charsets of one octet (ISO-8859-*, windows-125*, KOI8-*, some of IBM's) are decoded
 * by tables of our own; the multibyte charsets of East Asia, UTF-16 and UTF-7 by the C library's iconv.
 *
 * iconv reads its modules from files when a charset is first used, which a confined process may not do.
 * So a program calls charset_preload() before it closes its jail; in a process that did not, the charsets
 * of iconv count as unknown. The descriptors, opened once, are the one state that the library keeps.
 *
 * Nothing is refused: octets that mean nothing in the charset become U+FFFD, and in an unknown charset all
 * octets above 127 do. What is given is always valid UTF-8.
 */
#ifndef MAIL_CHARSET_H
#define MAIL_CHARSET_H

#include "base/base.h"
#include "base/utf8.h"

void charset_preload(void);

/* A bit for each charset of iconv that can be decoded in this process: what an index of texts depends on. */
unsigned charset_preloaded(void);

/* A charset, found by its name. */
struct charset {
	enum { CHARSET_UNKNOWN, CHARSET_UTF8, CHARSET_TABLE, CHARSET_ICONV } kind;
	const uint16_t *table; /* of CHARSET_TABLE */
	int index;             /* of CHARSET_ICONV */
};

/*
 * By a MIME name in any case or an alias. Empty and US-ASCII give UTF-8, which is what such texts hold in
 * truth when they hold more; ISO-8859-1 gives windows-1252 for the same reason.
 */
struct charset charset_of(struct span name);

/*
 * The charset that a text is in, which for UTF-16 the mark at its start says. charset_to_utf8() looks for it
 * itself.
 */
struct charset charset_marked(struct charset cs, struct span text);

/* Append `text` as UTF-8. 0, or -1 with ERR_PEER when `out` is full. */
int charset_to_utf8(struct charset cs, struct span text, struct buf *out, struct err *e);

/*
 * The same for a text that comes in pieces: gives in *used how many octets of `text` were converted. What
 * is left, a character or line cut by the end of the piece, is given again in front of the next piece; a
 * piece of 4096 octets or more is never left whole. With last = true all is used.
 */
int charset_feed(
    struct charset cs, struct span text, bool last, struct buf *out, size_t *used, struct err *e);

#endif
