/*
 * flags.h - message flags: RFC 3501, 2.3.2 and 9 (flag, flag-list).
 *
 * System flags are bits, keywords are words of the client's. (t/unit-imap-flags.c)
 */
#ifndef IMAP_FLAGS_H
#define IMAP_FLAGS_H

#include "imap/lex.h"

enum imap_flag {
	IMAP_SEEN = 1,
	IMAP_ANSWERED = 2,
	IMAP_FLAGGED = 4,
	IMAP_DELETED = 8,
	IMAP_DRAFT = 16,
	IMAP_RECENT = 32, /* of a session, never stored, and never set by a client */
};
enum { IMAP_SYSTEM_FLAGS = IMAP_SEEN | IMAP_ANSWERED | IMAP_FLAGGED | IMAP_DELETED | IMAP_DRAFT };

enum {
	IMAP_KEYWORD_MAX = 255,   /* octets of a keyword */
	IMAP_KEYWORDS_MAX = 1000, /* keywords in one list */
};

struct imap_flags {
	unsigned system;       /* or of imap_flag */
	struct span *keywords; /* as written; each once, in any case */
	size_t n;
};

/*
 * "(\Seen $Forwarded)". ERR_PEER for \Recent and system flags that do not exist (a client must not invent
 * them: RFC 3501, 9, flag-extension). With bare = true the list may stand without parentheses, as in STORE,
 * and then goes to the end of the text.
 */
int imap_flags_parse(struct imap_lex *l, bool bare, struct arena *a, struct imap_flags *out, struct err *e);

/*
 * One flag of SEARCH or a response: the bit of "\Seen" (with its backslash, any case; \Recent too), 0 for
 * other text.
 */
unsigned imap_flag_bit(struct span name);

/* Append the system flags, "\Seen \Deleted", no parentheses; *n counts the flags put so far in the list. */
int imap_flags_put(unsigned system, size_t *n, struct buf *out, struct err *e);

#endif
