/*
 * fts.h - an index of the text of an owner's messages, for SEARCH BODY and TEXT.
 *
 * It only makes searching faster: what is not in it is looked for in the messages themselves, so every answer is right
 * while it is incomplete, missing, or out of space. It lies in a database of its own, OWNER/fts.db, which nothing waits
 * for, is never synced for a client, and may be removed at any time; it is then made anew.
 *
 * What is indexed is what lib/mail/text.h says the text of a message is, so the index answers as the scan would: each
 * three characters in a row (FTS5, tokenizer trigram; case is folded before, as in the scan) that occur in the text. A
 * key's trigrams all occur where the key does; whether they stand in a row the index does not know (detail=none, a
 * sixth of the size with positions: docs/performance.md), so what it finds is a candidate that the caller has to look
 * into; but for a key of one to three characters it knows.
 *
 * Sources, in reading order: fts.c (the file), fts_find.c, fts_index.c (fts_text.c, fts_merge.c), fts_sweep.c; fts_inside.h has the tables.
 */
#ifndef STORE_FTS_H
#define STORE_FTS_H

#include "store/store.h"

struct fts;

enum { FTS_VERSION = 1 };

/*
 * Open the index of a store that is open itself; path as for store_open. With `create` for indexing: it is made if it is
 * missing, or made anew if it is damaged or of other rules. NULL without an error: there is none; with one (ERR_TEMP):
 * it can't be had now. The store is borrowed.
 */
struct fts *fts_open(struct store *st, const char *path, bool create, struct err *e);

/* NULL is allowed. One that was found to be damaged is removed, if no other process has it open. */
void fts_close(struct fts *f);

/* Remove it. 1; 0 if another process has it open; -1. */
int fts_remove(struct store *st, const char *path, struct err *e);

/* ---- searching: what is read between begin and end is of one moment */

int fts_begin(struct fts *f, struct err *e);
void fts_end(struct fts *f);

/* The mailbox that fts_says speaks of from now on. */
int fts_mailbox(struct fts *f, uint64_t mailbox, uint32_t uidvalidity, struct err *e);

/* The messages in which a key may stand: a bit for each text of the index. */
struct fts_hits {
	uint64_t texts;
	const uint8_t *bits;
	bool exact; /* ... and in which it does */
};

/*
 * Look a key up: UTF-8, folded as by search_key(), not empty. With `headers` for TEXT, else for BODY. 1; 0 if the index
 * can't help with this key (every answer is then FTS_UNKNOWN); -1. Memory: a bit a text, in the arena.
 */
int fts_find(
    struct fts *f, struct span key, bool headers, struct fts_hits *out, struct arena *a, struct err *e);

/* How many messages of the mailbox are indexed; those that were expunged since count too. */
uint64_t fts_covered(const struct fts *f);

enum fts_says {
	FTS_UNKNOWN, /* not indexed: look into the message */
	FTS_NO,
	FTS_MAYBE, /* look into the message */
	FTS_YES
};

/* Of a message of the mailbox. Costs next to nothing for ascending uids. */
enum fts_says fts_says(struct fts *f, const struct fts_hits *hits, uint32_t uid);

/*
 * The same for all messages of a view of the mailbox: the uids (ascending, in the arena) of those that are not FTS_NO, and for
 * each whether it is FTS_YES. Only records of messages that are not indexed are loaded.
 */
struct fts_candidates {
	uint32_t *uid;
	bool *sure;
	size_t n;
};
int fts_candidates(struct fts *f, const struct fts_hits *hits, struct store_view *v,
    struct fts_candidates *out, struct arena *a, struct err *e);

/* ---- indexing */

struct fts_limits {
	uint64_t text_max;     /* octets; a message with more text is not indexed, but always looked into */
	uint64_t messages_min; /* a store with fewer messages has no index: looking into them takes no time */
	uint64_t step_ms;      /* how long one call may go on, at most the time of one batch longer */
	uint64_t space_min;    /* nothing is indexed when the disk has less than this free */
};

struct fts_progress {
	uint64_t indexed; /* messages, by this call */
	uint64_t octets;  /* of their text */
	uint64_t skipped; /* with too much text, or that can't be read */
	bool full;        /* too little space: nothing was done */
};

/*
 * Index what has come, a step of it. 1: there is more; 0: all is done, or nothing may be done (limits); -1. Each batch
 * is a transaction.
 */
int fts_index(struct fts *f, const struct fts_limits *limits, struct fts_progress *out, struct err *e);

/*
 * Let go what nothing refers to any more: messages expunged, mailboxes deleted. Texts are kept in shards of some ten
 * thousand; one that has become more than half garbage is dropped whole, and what of it is still there is indexed anew
 * by fts_index. garbage_min: with fewer texts of garbage than that it is left as it is. Gives the number of shards
 * dropped, or -1.
 */
int fts_sweep(struct fts *f, uint64_t garbage_min, struct err *e);

/* Forget everything; other processes may have it open. */
int fts_clear(struct fts *f, struct err *e);

struct fts_status {
	uint64_t messages; /* of the store, not expunged */
	uint64_t covered;  /* indexed; those that were expunged since count too, until a sweep */
	uint64_t texts;    /* kept, garbage too */
	uint64_t shards;
	uint64_t octets; /* of the file */
};
int fts_status(struct fts *f, struct fts_status *out, struct arena *a, struct err *e);

#endif
