/*
 * path.h - the address part of MAIL and RCPT.
 *
 * RFC 5321, 4.1.2 (Path, Mailbox, address literals) as amended for UTF-8 by RFC 6531, 3.3.
 * Pure: reads only the bytes given, allocates nothing, keeps no state; safe on any input
 * (t/unit-path.c, fuzz/path.c).
 */
#ifndef SMTP_PATH_H
#define SMTP_PATH_H

#include "base/base.h"

enum { PATH_LOCAL_MAX = 255, PATH_DOMAIN_MAX = 255 };

/* Spans point into the parsed input and live as long as it does. */
struct path {
	struct span local;  /* octets, quotes and backslashes still in; 0..PATH_LOCAL_MAX */
	struct span domain; /* octets, without the @; empty for <> and <postmaster> */
	bool utf8;          /* some octet is above 127: the client must have said SMTPUTF8 */
};

/*
 * Parse the path that starts at in.p[0], which must be '<'.
 *
 * Returns the number of octets used (at least 2), the closing '>' included; what follows
 * is the caller's (ESMTP parameters). Returns -1 and fills *e (ERR_PEER; e->text can be
 * sent after "501 ") if the input is not a path; *out is then untouched. A source route
 * is accepted and dropped (RFC 5321, F.2). Time is linear in in.n.
 *
 * The null path <> and a local part without a domain are paths here; which command may
 * have which (MAIL the first, RCPT only <postmaster> of the second) is the caller's to say.
 *
 * RFC 5321, 4.5.3.1 asks for local parts of 64 octets at least and for no limit where that
 * can be; longer ones are common in bounce addresses (SRS, VERP), so 255 are taken.
 */
ssize_t path_parse(struct span in, struct path *out, struct err *e);

#endif
