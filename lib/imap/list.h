/*
 * list.h - LIST in all forms of RFC 5258, with SPECIAL-USE of RFC 6154, and what can be asked for with it: STATUS (RFC
 * 5819), MYRIGHTS (RFC 8440), METADATA (RFC 9590). (t/unit-imap-args.c, fuzz/list.c)
 */
#ifndef IMAP_LIST_H
#define IMAP_LIST_H

#include "imap/args.h"

enum imap_list_option {
	LIST_SUBSCRIBED = 1, /* selection: only these */
	LIST_REMOTE = 2,
	LIST_RECURSIVEMATCH = 4,
	LIST_SPECIAL_USE = 8,
	LIST_RETURN_SUBSCRIBED = 16,
	LIST_RETURN_CHILDREN = 32,
	LIST_RETURN_SPECIAL_USE = 64,
	LIST_RETURN_STATUS = 128,
	LIST_RETURN_MYRIGHTS = 256,
	LIST_RETURN_METADATA = 512,
};

struct imap_list {
	bool extended;        /* some part of the syntax was not that of RFC 3501 */
	unsigned options;     /* or of imap_list_option */
	unsigned status;      /* items of RETURN (STATUS (...)) */
	struct span *entries; /* of RETURN (METADATA (...)) */
	size_t nentries;
	struct span reference; /* UTF-8 */
	struct span *patterns; /* UTF-8, without the reference */
	size_t n;
};

/* The arguments, behind their space, to the end. */
int imap_list_parse(struct imap_lex *l, struct arena *a, struct imap_list *out, struct err *e);

#endif
