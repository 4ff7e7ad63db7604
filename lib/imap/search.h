/*
 * search.h - what SEARCH, SORT, THREAD and ESEARCH ask for.
 *
 * RFC 3501, 6.4.4 and 9051, 6.4.4, with MODSEQ (RFC 7162, 3.1.5), WITHIN (RFC 5032), SAVEDATE (RFC 8514), OBJECTID
 * (RFC 8474), FUZZY (RFC 6203), $ (RFC 5182); RETURN of RFC 4731, 5182, 5267, 6203 and 9394; SORT and THREAD of
 * RFC 5256, 5957 and 5267; ESEARCH of RFC 7377.
 *
 * The program is a tree of keys. Dates, numbers and flags are ready to compare; texts are as the client wrote them, in
 * the charset that it named. (t/unit-imap-args.c, t/unit-imap-search.c, fuzz/imap.c)
 */
#ifndef IMAP_SEARCH_H
#define IMAP_SEARCH_H

#include "imap/partial.h"
#include "imap/set.h"

enum {
	IMAP_SEARCH_DEPTH_MAX = 50, /* NOT, OR and parentheses within each other */
	IMAP_SEARCH_KEYS_MAX = 10000,
	IMAP_SORT_KEYS_MAX = 32,
	IMAP_SOURCES_MAX = 1000, /* of ESEARCH: sources, and mailboxes named in them */
};

enum imap_search_op {
	SEARCH_AND,     /* all of `child` and its siblings; also ALL, without any */
	SEARCH_OR,      /* one of the two children */
	SEARCH_NOT,     /* not `child` */
	SEARCH_SET,     /* message numbers: set */
	SEARCH_UID,     /* UIDs: set */
	SEARCH_SAVED,   /* $: what the last SEARCH with SAVE found */
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
	SEARCH_SAVEDBEFORE, /* the same of the save date */
	SEARCH_SAVEDON,
	SEARCH_SAVEDSINCE,
	SEARCH_SAVEDATESUPPORTED,
	SEARCH_OLDER, /* number: the internal date is so many seconds ago, or more */
	SEARCH_YOUNGER,
	SEARCH_HEADER,   /* field `name` (in lower case) holds text; FROM, SUBJECT ... too */
	SEARCH_BODY,     /* text */
	SEARCH_TEXT,     /* text */
	SEARCH_MODSEQ,   /* modseq: at least this */
	SEARCH_EMAILID,  /* text */
	SEARCH_THREADID, /* text */
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
	bool fuzzy;      /* within FUZZY */
	void *looked_up; /* the caller's: what it made of text, name or set */
};

/* RETURN. */
enum imap_search_return {
	RETURN_MIN = 1, /* RFC 4731 */
	RETURN_MAX = 2,
	RETURN_ALL = 4,
	RETURN_COUNT = 8,
	RETURN_SAVE = 16,       /* RFC 5182 */
	RETURN_CONTEXT = 32,    /* RFC 5267: a hint */
	RETURN_UPDATE = 64,     /* RFC 5267 */
	RETURN_RELEVANCY = 128, /* RFC 6203 */
	RETURN_PARTIAL = 256,   /* RFC 9394 */
};

struct imap_search_args {
	bool extended;    /* RETURN was given, or it is not needed: the answer is ESEARCH */
	unsigned returns; /* or of imap_search_return; () means ALL */
	struct imap_partial partial;
	struct span charset;      /* empty: none given */
	struct imap_search *root; /* of SEARCH_AND */
	bool modseq;              /* a MODSEQ key is in it: answers carry the highest */
	bool numbers;             /* message numbers are in it (RFC 9586 forbids them) */
	bool saved;               /* $ is in it */
	bool fuzzy;               /* FUZZY is in it */
};

/*
 * Behind "SEARCH ", to the end of the command. rev2: IMAP4rev2 is enabled: the answer is always ESEARCH, and NEW, OLD
 * and RECENT are no more (RFC 9051, E).
 */
int imap_search_parse(
    struct imap_lex *l, struct arena *a, bool rev2, struct imap_search_args *out, struct err *e);

enum imap_sort_by {
	SORT_ARRIVAL,
	SORT_CC,
	SORT_DATE,
	SORT_FROM,
	SORT_SIZE,
	SORT_SUBJECT,
	SORT_TO,
	SORT_DISPLAYFROM, /* RFC 5957 */
	SORT_DISPLAYTO,
	SORT_RELEVANCY, /* RFC 6203 */
};

struct imap_sort_key {
	enum imap_sort_by by;
	bool reverse;
};

struct imap_sort {
	struct imap_search_args search;
	struct imap_sort_key key[IMAP_SORT_KEYS_MAX];
	size_t n;
};

/* Behind "SORT ", to the end. */
int imap_sort_parse(struct imap_lex *l, struct arena *a, bool rev2, struct imap_sort *out, struct err *e);

enum imap_thread_how { THREAD_ORDEREDSUBJECT, THREAD_REFERENCES };

struct imap_thread {
	struct imap_search_args search;
	enum imap_thread_how how;
};

/* Behind "THREAD ", to the end. */
int imap_thread_parse(struct imap_lex *l, struct arena *a, bool rev2, struct imap_thread *out, struct err *e);

/* Where ESEARCH looks: filter-mailboxes of RFC 5465, 6, and subtree-one of RFC 7377. */
enum imap_source_kind {
	SOURCE_SELECTED, /* also selected-delayed */
	SOURCE_INBOXES,
	SOURCE_PERSONAL,
	SOURCE_SUBSCRIBED,
	SOURCE_SUBTREE,
	SOURCE_SUBTREE_ONE,
	SOURCE_MAILBOXES,
};

struct imap_source {
	enum imap_source_kind kind;
	struct span *names; /* of the last three: UTF-8 */
	size_t n;
};

struct imap_esearch {
	struct imap_search_args search;
	struct imap_source *sources;
	size_t n;         /* 0: no IN was given: the selected mailbox */
	bool selected;    /* the selected mailbox and no other */
	struct span rest; /* the text behind the sources; borrowed */
};

/* Behind "ESEARCH ", to the end. */
int imap_esearch_parse(
    struct imap_lex *l, struct arena *a, bool rev2, struct imap_esearch *out, struct err *e);

/* What imap_search_parse() and its likes are made of: keys to the end of the command (lib/imap/search.c). */
int imap_search_keys(
    struct imap_lex *l, struct arena *a, bool rev2, struct imap_search_args *args, struct err *e);

#endif
