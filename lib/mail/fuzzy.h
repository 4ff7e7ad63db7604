/*
 * fuzzy.h - a search that forgives and ranks (RFC 6203): which texts match a query, and how well.
 *
 * The query and the text are cut into words (mail/words.h). A word of the query is found in a word of the text that
 *	SAME	equals it
 *	PREFIX	begins with it (query words of two characters and more)
 *	INSIDE	has it inside (of three and more)
 *	EDIT	is one edit away (of five and more)
 *	EDITS	is two edits away (of nine and more)
 * An edit is one character inserted, left out, replaced, or swapped with its neighbour. A word that is some edits away must
 * moreover contain one of the *stems* of the query word: its first half, its second half, or all of it with the two
 * characters at the middle swapped. So any one edit is forgiven, and two if they are in the same half. Of a word of five the
 * stems are the first three characters, the last three, and it with a swap in the middle or without its third: only
 * another third character is not forgiven. These stems have three characters or more, and the
 * stem of a shorter word is the word: an index of trigrams finds all that may match.
 *
 * A text matches if the words found weigh enough: all of one or two words, two thirds of more. A word weighs as many
 * characters as it has, at most 8.
 *
 * The score, 1 to 100, is made of how well each word was found at its best, and where (60 of 100), how near the words of the
 * query stand to their neighbours in it (25), and how often they stand in how long a text (15, saturating). Of a
 * query of one word the first counts for 85. In a whole message, Subject counts most, then addresses, then the body, then
 * other fields; names of fields never match. 100 is a subject that is the query. No statistics of other messages are in it: the same
 * message and query have the same score everywhere and at any time.
 *
 * Pure. Time: at most FUZZY_WORK steps for a text, what is behind that is not looked at; memory is of constant size.
 * (t/unit-fuzzy.c, fuzz/fuzzy.c)
 */
#ifndef MAIL_FUZZY_H
#define MAIL_FUZZY_H

#include "mail/text.h"
#include "mail/words.h"

enum {
	FUZZY_WORDS_MAX = 32, /* different words of a query; those behind them are ignored */
	FUZZY_STEMS_MAX = 5,
	/* A word costs 1, and 8 more for each word of the query with which it must be compared closely. */
	FUZZY_WORK = 16 << 20,
};

enum fuzzy_grade { FUZZY_NONE, FUZZY_EDITS, FUZZY_EDIT, FUZZY_INSIDE, FUZZY_PREFIX, FUZZY_SAME };

struct fuzzy_word {
	struct word word;
	unsigned edits; /* forgiven */
	unsigned weight;
	struct word stem[FUZZY_STEMS_MAX]; /* every word that matches contains one; of a short word itself */
	size_t stems;
};

struct fuzzy {
	struct fuzzy_word *word;
	size_t n; /* 0: the query has no words, and matches nothing */
	unsigned weight, enough;
};

/* Cut a query, folded as by search_key(). In the arena. */
void fuzzy_query(struct span text, struct arena *a, struct fuzzy *out);

enum fuzzy_grade fuzzy_grade(const struct fuzzy_word *q, const struct word *text);

/* ---- the text of one message */

enum fuzzy_scope {
	FUZZY_FIELD,   /* values of a field */
	FUZZY_BODY,    /* bodies */
	FUZZY_MESSAGE, /* fields as "Name: value", and bodies */
};

/* Where a word stands. */
enum fuzzy_zone { FUZZY_SUBJECT, FUZZY_ADDRESS, FUZZY_TEXT, FUZZY_OTHER, FUZZY_ZONES };

struct fuzzy_match {
	const struct fuzzy *query;
	enum fuzzy_scope scope;
	enum fuzzy_zone zone; /* of the run */
	struct words cutter;
	uint64_t at;   /* number of the next word; runs stand apart */
	uint64_t work; /* left */
	uint64_t words[FUZZY_ZONES], hits[FUZZY_ZONES];
	struct fuzzy_found {
		uint8_t best[FUZZY_ZONES]; /* percent */
		uint64_t sum[FUZZY_ZONES];
		uint64_t last;  /* where it stood last, + 1; 0: nowhere */
		unsigned grade; /* and how well */
		unsigned near;  /* to the next word of the query: percent, at its best */
	} found[FUZZY_WORDS_MAX];
};

/* The query is borrowed. The sink takes what text_header(), text_part() or imap_text() gives, and points to m. */
struct text_sink fuzzy_start(struct fuzzy_match *m, const struct fuzzy *query, enum fuzzy_scope scope);

/* After the last piece: 1 to 100, or 0: it does not match. */
unsigned fuzzy_score(struct fuzzy_match *m);

#endif
