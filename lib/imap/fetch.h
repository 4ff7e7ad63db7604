/*
 * fetch.h - what FETCH asks for: RFC 3501, 6.4.5, with MODSEQ, CHANGEDSINCE and VANISHED of RFC 7162, BINARY of RFC
 * 3516, SAVEDATE of 8514, EMAILID and THREADID of 8474, PREVIEW of 8970.
 *
 * Macros are expanded, so the items are those of the response. (t/unit-imap-fetch.c, fuzz/imap.c)
 */
#ifndef IMAP_FETCH_H
#define IMAP_FETCH_H

#include "imap/partial.h"

/* Items without arguments: or of bits, sent in this order, before the sections. */
enum imap_fetch_item {
	FETCH_UID = 1,
	FETCH_FLAGS = 2,
	FETCH_MODSEQ = 4,
	FETCH_INTERNALDATE = 8,
	FETCH_SIZE = 16, /* RFC822.SIZE */
	FETCH_ENVELOPE = 32,
	FETCH_BODY = 64, /* without extension data */
	FETCH_BODYSTRUCTURE = 128,
	FETCH_SAVEDATE = 256,
	FETCH_EMAILID = 512,
	FETCH_THREADID = 1024,
	FETCH_PREVIEW = 2048,
};

enum imap_section_kind {
	SECTION_WHOLE, /* BODY[] and BODY[1.2] */
	SECTION_HEADER,
	SECTION_FIELDS, /* HEADER.FIELDS (names) */
	SECTION_FIELDS_NOT,
	SECTION_TEXT,
	SECTION_MIME,        /* only with a part */
	SECTION_BINARY,      /* BINARY[1.2]: decoded */
	SECTION_BINARY_SIZE, /* BINARY.SIZE[1.2] */
};

struct imap_section {
	struct imap_section *next;
	struct span label; /* as in the response: "BODY[HEADER.FIELDS (FROM)]<0>", "RFC822.TEXT" */
	struct span part;  /* "1.2", or empty for the message */
	enum imap_section_kind kind;
	struct span *names; /* of fields */
	size_t n;
	bool seen; /* fetching it sets \Seen: not .PEEK, not RFC822.HEADER */
	bool partial;
	uint32_t from, count;  /* of a partial one; count is at least 1 */
	const void *looked_up; /* the caller's: what it made of the names */
};

struct imap_fetch {
	unsigned items;                /* or of imap_fetch_item */
	struct imap_section *sections; /* as written */
	bool seen;                     /* some section sets \Seen */
	bool old;      /* RFC822, RFC822.HEADER or RFC822.TEXT, which IMAP4rev2 does not have */
	bool lazy;     /* PREVIEW (LAZY) */
	bool changed;  /* CHANGEDSINCE was given */
	bool vanished; /* and VANISHED (RFC 7162, 3.2.6) */
	uint64_t since;
	struct imap_partial partial; /* of UID FETCH (RFC 9394, 3.3) */
};

/* The arguments behind the sequence set and its space, to the end of the command. */
int imap_fetch_parse(struct imap_lex *l, struct arena *a, struct imap_fetch *out, struct err *e);

#endif
