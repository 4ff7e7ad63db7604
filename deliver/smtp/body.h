/*
 * body.h - a message as the DATA of SMTP: RFC 5321, 2.3.8, 4.5.2.
 *
 * Lines leave with CR LF, whatever ended them in the file: this cannot write a lone CR or LF, so no server
 * can take one for the end of the data (SMTP smuggling). A dot that starts a line is doubled. Fed in pieces
 * of any size; pure and linear (t/unit-body.c, fuzz/body.c).
 */
#ifndef SMTP_BODY_H
#define SMTP_BODY_H

#include "base/base.h"

struct body {
	bool inside; /* a line has begun */
	bool cr;     /* the last octet was a CR: an LF may follow */
};

/* Append what these octets become; `out` needs room for twice as many. Zero *b to start. */
int body_feed(struct body *b, struct span in, struct buf *out, struct err *e);

/* Append the end of the last line, if it has none, and the dot. */
int body_end(struct body *b, struct buf *out, struct err *e);

#endif
