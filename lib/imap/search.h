/*
 * search.h - what SEARCH asks for: RFC 3501, 6.4.4, with MODSEQ of RFC 7162, 3.1.5 and the RETURN of
 * RFC 4731.
 *
 * The program is a tree of keys. Dates, numbers and flags are ready to compare; texts are as the client
 * wrote them, in the charset that it named. (t/unit-imap-search.c, fuzz/imap.c)
 */
#ifndef IMAP_SEARCH_H
#define IMAP_SEARCH_H

#include "imap/set.h"

enum {
	IMAP_SEARCH_DEPTH_MAX = 50, /* NOT, OR and parentheses within each other */
	IMAP_SEARCH_KEYS_MAX = 10000,
};

enum imap_search_op {
	SEARCH_AND,     /* all of `child` and its siblings; also ALL, without any */
	SEARCH_OR,      /* one of the two children */
	SEARCH_NOT,     /* not `child` */
	SEARCH_SET,     /* message numbers: set */
	SEARCH_UID,     /* UIDs: set */
	SEARCH_FLAG,    /* all of the bits `flags` (\Recent too) are set */
	SEARCH_KEYWORD, /* text */
	SEARCH_LARGER,  /* number: RFC822.SIZE above it */
	SEARCH_SMALLER,
	SEARCH_BEFORE, /* day: the internal date is before it */
	SEARCH_ON,
	SEARCH_SINCE,
	SEARCH_SENTBEFORE, /* the same of the Date field */
	SEARCH_SENTON,
	SEARCH_SENTSINCE,
	SEARCH_HEADER, /* field `name` (in lower case) holds text; FROM, SUBJECT ... too */
	SEARCH_BODY,   /* text */
	SEARCH_TEXT,   /* text */
	SEARCH_MODSEQ, /* modseq: at least this */
};

struct imap_search {
	struct imap_search *next, *child;
	enum imap_search_op op;
	uint32_t number;
	int32_t day;    /* since 1970-01-01 */
	unsigned flags; /* or of imap_flag */
	const char *name;
	struct span text;
	struct imap_set set; /* as written: imap_set_resolve() is the caller's */
	uint64_t modseq;
	void *looked_up; /* the caller's: what it made of text, name or set */
};

/* RETURN of RFC 4731. */
enum imap_search_return { RETURN_MIN = 1, RETURN_MAX = 2, RETURN_ALL = 4, RETURN_COUNT = 8 };

struct imap_search_args {
	bool extended;            /* RETURN was given: the answer is ESEARCH */
	unsigned returns;         /* or of imap_search_return; () means ALL */
	struct span charset;      /* empty: none given */
	struct imap_search *root; /* of SEARCH_AND */
	bool modseq;              /* a MODSEQ key is in it: answers carry the highest */
};

/* Behind "SEARCH ", to the end of the command. */
int imap_search_parse(struct imap_lex *l, struct arena *a, struct imap_search_args *out, struct err *e);

#endif
