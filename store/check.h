/* check.h - a row of msg against its file: for the check and the scrub. */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include "store/store.h"

struct check_row {
	uint64_t key; /* of the message */
	struct id file;
	uint64_t at, length;
	unsigned char digest[STORE_DIGEST];
	bool packed;
};

/* The row after `key`. 1, 0, -1. */
int check_next_row(struct store *st, uint64_t key, struct check_row *row, struct err *e);

/*
 * Is its file there, and of the right size; with STORE_CHECK_DIGEST, is its content what it was? 1 it is not,
 * and `found` was told, or CHECK_MISSING if it is not there; 0; -1 it can't be looked at.
 */
enum { CHECK_MISSING = 2 };
int check_row_file(struct store *st, const struct check_row *row, unsigned what,
    void (*found)(void *arg, struct span text), void *arg, struct err *e);

#endif
