/*
 * mbox.h - a mailbox within a transaction: its row, its keywords, and its last chunk while messages are
 * added.
 *
 * Opened once in a transaction however often it is asked for; written and forgotten when the transaction
 * ends.
 */
#ifndef STORE_MBOX_H
#define STORE_MBOX_H

#include "store/chunk.h"
#include "store/db.h"

enum { KEYWORD_BITS = 64 };

/* The names of keywords that are bits of records: in the row one after the other, each with a NUL behind it. */
struct keywords {
	char *text; /* owned */
	size_t size;
	uint32_t n;
	struct span name[KEYWORD_BITS];
};
/* Give k, which is empty or filled, these names. -1 if there are too many or the last has no NUL. */
int keywords_set(struct keywords *k, struct span text);
int keywords_find(const struct keywords *k, struct span name); /* its bit, or -1; ASCII case is ignored */
void keywords_add(struct keywords *k, struct span name);       /* there is room */
void keywords_free(struct keywords *k);

struct mbox {
	uint64_t id;
	bool named; /* it has a name: it is not deleted */
	uint32_t uidvalidity;
	uint32_t uidnext, uid_reserved; /* uids below uid_reserved may be given out by TX_UNSYNCED */
	uint32_t recent_uid;            /* uids from here on are \Recent to the next session */
	uint32_t exist, recent, unseen, deleted;
	uint64_t bytes, highestmodseq;
	uint64_t purged_modseq; /* history up to here is incomplete */
	enum store_use use;
	bool noselect;
	uint64_t deleted_ms;
	struct keywords keywords;
	uint32_t words, word_sets; /* keywords beyond these; combinations of such: words.h */
	struct span *word;         /* names of these, as far as they were read */
	uint32_t words_read;

	bool dirty;
	struct chunk *tail; /* the last chunk, while messages are added; else NULL */
	struct mbox *next;  /* in the transaction */
};

/* Fill from a row of MAILBOX columns; m is zeroed before. */
int mbox_read(struct store *st, sqlite3_stmt *row, struct mbox *m, struct err *e);
void mbox_done(struct mbox *m);

/* In a transaction that writes. NULL with STORE_NONEXISTENT if it is not there or deleted. Borrowed. */
struct mbox *mbox_open(struct store *st, uint64_t id, struct err *e);

/* Something changed in it with this transaction's modseq, which is returned. */
uint64_t mbox_touch(struct store *st, struct mbox *m);

/* A record's keywords: those of n names, which are made if they are new (words.h). */
int mbox_keywords(
    struct store *st, struct mbox *m, const struct span *names, size_t n, struct store_rec *r, struct err *e);

/*
 * Add a record at the end, with the next uid and this transaction's modseq, which are filled in; counters and
 * quota follow.
 */
int mbox_add(struct store *st, struct mbox *m, struct store_rec *rec, struct err *e);

/* Write the last chunk and let it go: before chunks are read or changed otherwise. */
int mbox_settle(struct store *st, struct mbox *m, struct err *e);

/* All of the transaction: write what is dirty; forget. */
int mbox_write_all(struct store *st, struct err *e);
void mbox_forget_all(struct store *st);

#endif
