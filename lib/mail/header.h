/*
 * header.h - the header fields of a message (RFC 5322, 2.2 and 4.5).
 *
 * As tolerant as mail is: lines end in CRLF or LF; a field name may have blanks before its colon; a line
 * without a colon is a field with an empty name that is walked over. A header ends behind its first empty
 * line, or with the text. All spans point into the message. Linear; safe on any input
 * (t/unit-header.c, fuzz/header.c).
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "base/base.h"

enum {
	HEADER_BYTES_MAX = 1 << 20, /* a field that ends past this is not looked at */
	HEADER_FIELDS_MAX = 10000,  /* nor are more fields than these */
};

struct header_field {
	struct span raw;   /* the whole field, folded lines and last line end included */
	struct span name;  /* without blanks before the colon; empty: the line has no name */
	struct span value; /* behind the colon, still folded, without the last line end */
};

/* Where a walk is. Start with header_start(). */
struct header_iter {
	struct span rest; /* what is still to be walked, the empty line included */
	const char *base;
	size_t fields;
	bool cut; /* the walk ended at a limit, not at the end of the header */
};

struct header_iter header_start(struct span message);

/*
 * The next field; false at the end of the header. Afterwards it.rest starts at the empty line (or is
 * empty), unless it.cut.
 */
bool header_next(struct header_iter *it, struct header_field *f);

/*
 * The size of the header: up to and including its empty line, or all of the message when there is none.
 * Not limited: only line ends are looked for.
 */
size_t header_size(struct span message);

/* The first field with this name, any case; false if there is none within the limits. */
bool header_find(struct span message, const char *name, struct header_field *f);

/*
 * The value on one line: line ends that are followed by a blank go (RFC 5322, 2.2.3), others become a
 * space, as do NULs; blanks at both ends are trimmed. Borrows the value when there is nothing to change,
 * else allocates from a.
 */
struct span header_unfold(struct span value, struct arena *a);

/*
 * Walk over a comment, which may nest (RFC 5322, 3.2.2): s->p[0] is its parenthesis. Without an end: over
 * all.
 */
void header_comment(struct span *s);

/*
 * Append those fields of the message whose name is (except = false) or is not (except = true) among
 * names[0..n), raw and in the order of the message, then the empty line that ends the header if the message
 * has one: RFC 3501, 6.4.5, HEADER.FIELDS and HEADER.FIELDS.NOT. Not bounded by the limits above: raw
 * octets that belong to no field asked for are left out, whatever they are; for `except` they are given.
 */
int header_select(
    struct span message, const struct span *names, size_t n, bool except, struct buf *out, struct err *e);

#endif
