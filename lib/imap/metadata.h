/*
 * metadata.h - arguments of GETMETADATA and SETMETADATA, RFC 5464, 4 and 5. (t/unit-imap-args.c, fuzz/metadata.c)
 *
 * An entry is a path like /shared/comment: it starts with /shared/ or /private/, has no empty component, no %, * or
 * control character, only ASCII, and at least four components below vendor (3.2). It is given in lower case, for entries
 * are the same in any case.
 */
#ifndef IMAP_METADATA_H
#define IMAP_METADATA_H

#include "imap/lex.h"

enum {
	IMAP_ENTRY_MAX = 1000,   /* octets of an entry's name */
	IMAP_ENTRIES_MAX = 1000, /* entries of a command */
};

/* One entry, or several in parentheses. */
int imap_entries_parse(struct imap_lex *l, struct arena *a, struct span **entries, size_t *n, struct err *e);

enum imap_depth { DEPTH_0, DEPTH_1, DEPTH_INFINITY };

struct imap_getmetadata {
	struct span mailbox; /* empty: the server */
	bool limited;
	uint32_t maxsize;
	enum imap_depth depth;
	struct span *entries;
	size_t n;
};
/*
 * Behind the command's space, to the end. Options may stand before the mailbox (5) or behind it (4.2.1 and erratum 1691
 * show both).
 */
int imap_getmetadata_parse(struct imap_lex *l, struct arena *a, struct imap_getmetadata *out, struct err *e);

struct imap_setmetadata {
	struct span mailbox;  /* empty: the server */
	struct span *entries; /* each once */
	struct span *values;  /* beside them; p NULL: NIL */
	size_t n;
};
int imap_setmetadata_parse(struct imap_lex *l, struct arena *a, struct imap_setmetadata *out, struct err *e);

#endif
