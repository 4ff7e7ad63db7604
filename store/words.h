/*
 * words.h - keywords of a mailbox as numbers.
 *
 * The first 64 keywords of a mailbox are bits of its records, and their names stand in its row: so it is in a usual
 * mailbox, at no price. Names of further ones are rows of the table `keyword`; which of these a record has is said by
 * its field `more`: the number of a row of `keyword_set`, where each combination that occurs stands once; 0: none.
 */
#ifndef STORE_WORDS_H
#define STORE_WORDS_H

#include "store/mbox.h"

enum { WORDS_MAX = STORE_KEYWORDS_MAX - KEYWORD_BITS, WORD_SETS_MAX = 65536 };

/* Keywords of one mailbox: those below 64 as bits, the others ascending. Zeroed: none. */
struct words {
	uint64_t bits;
	uint32_t n;
	uint16_t word[WORDS_MAX];
};
void words_add(struct words *w, uint32_t number);

/* In a transaction that writes. */

/* The number of a keyword. `make`: made if it is new, else -2 then. -1: STORE_LIMIT, or (STORE_CANNOT) it can't be one. */
int words_number(struct store *st, struct mbox *m, struct span name, bool make, struct err *e);
/* Those of n names, added to *w. */
int words_of(struct store *st, struct mbox *m, const struct span *names, size_t n, bool make, struct words *w,
    struct err *e);
/* The name of a number; empty if there is none. */
int words_name(struct store *st, struct mbox *m, uint32_t number, struct span *name, struct err *e);

/* The words behind `more`, added to *w; what `more` stands for those of *w. */
int words_read(struct store *st, uint64_t mailbox, uint32_t more, struct words *w, struct err *e);
int words_put(struct store *st, struct mbox *m, const struct words *w, uint32_t *more, struct err *e);

/* A record's keywords with those of *by, or without; what was asked last is remembered in *memo. */
struct words_memo {
	bool known;
	uint32_t before, after;
};
int words_change(struct store *st, struct mbox *m, struct store_rec *r, const struct words *by, bool add,
    struct words_memo *memo, struct err *e);

#endif
