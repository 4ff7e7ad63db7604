/* repair.h - records and rows that do not belong together. For store_check; in a transaction that writes, unless told. */
#ifndef STORE_REPAIR_H
#define STORE_REPAIR_H

#include "store/store.h"

/* How a repair tells what it found: a line of text. */
struct repair_tell {
	void (*found)(void *arg, struct span text);
	void *arg;
	int n; /* findings */
	bool mend;
};

/* Packs of records that cannot be read: their rows go, and those of their messages get records anew. */
int repair_packs(struct store *st, struct repair_tell *t, struct err *e);

/* Messages that have a row and no record, neither there nor expunged: they come in anew, in their mailbox or lost+found. */
int repair_rows(struct store *st, struct repair_tell *t, struct err *e);

/* A message whose row or file is lost: it is expunged, and not to be undeleted. Its delivery may be repeated. */
int repair_drop(struct store *st, uint64_t key, struct err *e);

#endif
