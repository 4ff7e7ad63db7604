/*
 * reply.h - what a server answers: RFC 5321, 4.2, with the enhanced codes of RFC 2034 and 3463.
 *
 * Fed line by line, so that the reader of the socket decides how long a line may be. Strict in what matters
 * for the meaning (three digits, one code in all lines, the first digit), lenient in what does not: text may
 * hold any octet, an empty text is fine, "250" alone ends a reply. Pure (t/unit-reply.c, fuzz/reply.c).
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include "base/base.h"

enum {
	REPLY_LINES_MAX = 128, /* of one reply; an EHLO answer has some 20 */
	REPLY_TEXT_MAX = 1024, /* octets kept for people; what comes after is read and dropped */
	REPLY_STATUS_MAX = 11  /* "5.123.456" and its NUL fit */
};

struct reply {
	unsigned code; /* 200..599; 0 before the first line */
	unsigned lines;
	char status[REPLY_STATUS_MAX]; /* the server's enhanced code, or one made from the reply code */
	bool enhanced;                 /* the server gave it */
	char text
	    [REPLY_TEXT_MAX]; /* lines joined by one blank, codes left out; printable ASCII, NUL-terminated */
	size_t text_n;
};

void reply_init(struct reply *r);

/*
 * The next line, without its line end. Returns 1 when it ended the reply, 0 when more must come, -1 with
 * ERR_PEER if it is not a line of a reply or not of this one: the connection is then of no more use.
 */
int reply_line(struct reply *r, struct span line, struct err *e);

/* The text of one line behind code and separator: an EHLO keyword. Only after reply_line took the line. */
struct span reply_line_text(struct span line);

/* ERR_NONE for 2yz and 3yz, ERR_TEMP for 4yz, ERR_PERM for 5yz. */
enum err_kind reply_kind(const struct reply *r);

/*
 * Is it an enhanced status code, class "." subject "." detail, numbers of at most three digits without
 * leading zeros, class 2, 4 or 5 (RFC 3463, 2)? Gives its length at the start of s, 0 if there is none.
 */
size_t status_at(struct span s);

#endif
