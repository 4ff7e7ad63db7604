/*
 * fts_inside.h - what the sources of the text index share.
 *
 * Tables, version 1 (PRAGMA user_version is FTS_VERSION * 256 + TEXT_VERSION; any other: removed and made anew):
 *   meta     one row. charsets: which charsets could be decoded when it was made, a bit each: others than now, and the
 *            texts would differ. modseq: the store's when something was indexed last; greater than the store's now: the
 *            store is an older copy of itself, whose UIDs are given out again, and nothing here can be trusted.
 *            next: the next text's number; never given out again. shard: how many texts a shard has.
 *   mailbox  uidvalidity: another than the mailbox's, and all its runs are void. done: uids up to here were
 *            tried; where indexing goes on.
 *   run      which text a message has: those of uids first to first + n - 1, first being the lower half of the key
 *            and the mailbox the upper, have the texts doc to doc + n - 1, as far as there are such messages.
 *            Copies of a message have its text: they are known by the file that they share. So what stands in front of
 *            the region (store_msg.prefix) must be the same for all messages of a file; it is, since it is only
 *            written at delivery.
 *   shard    text n is a row of h_K (the headers) and of b_K (the bodies) with K = n / meta.shard. Both are FTS5
 *            without content, column sizes and positions. Runs do not cross the border of shards. merged: 1 when
 *            the shard is full and its segments are one.
 *
 * In the text of a message each run of it (a field, a body) ends in two U+0001, and a NUL is one as well, so that there is
 * a trigram beginning with every character. A key with such an octet is not looked up.
 */
#ifndef STORE_FTS_INSIDE_H
#define STORE_FTS_INSIDE_H

#include <sqlite3.h>

#include "store/fts.h"

/*
 * Of a new index. Larger shards are merged more often (FTS5 keeps segments, each some times as large as the one below),
 * smaller ones cost a lookup each: a key of ten characters in 100,000 texts takes 10 ms.
 */
enum { SHARD_TEXTS = 32768 };

enum { FTS_BORDER = 1 };

struct fts_run {
	uint32_t first, n;
	uint64_t doc;
};

struct fts {
	struct store *st;
	char *path, *name; /* of the owner's directory, of the file */
	sqlite3 *db;
	int lock; /* msg/, locked shared while the file is open: who has it alone may remove the file */
	bool damaged;
	bool reading;

	uint64_t mailbox;    /* whose runs these are; 0: none are loaded */
	struct fts_run *run; /* ascending; for indexing the new ones too */
	size_t runs, run_cap, at;
	uint64_t next; /* meta.next */
	uint64_t shard_texts;
};

/* ---- SQL: like printf with %llu for numbers of tables. */
sqlite3_stmt *fts_query(struct fts *f, struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int fts_row(
    struct fts *f, sqlite3_stmt *q, struct err *e); /* 1, 0 at the end, -1; q NULL: -1. Not finalised */
int fts_exec(struct fts *f, struct err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int fts_number(struct fts *f, uint64_t none, uint64_t *out, struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* *e from SQLite's last error; notes damage; -1. */
int fts_fail(struct fts *f, int rc, struct err *e);

/* Load the runs of a mailbox; none if its uidvalidity is not this one. In a transaction. */
int fts_runs_load(struct fts *f, uint64_t mailbox, uint32_t uidvalidity, struct err *e);
/* The run that has a uid, or NULL. */
const struct fts_run *fts_run_of(struct fts *f, uint32_t uid);
void fts_run_add(struct fts *f, struct fts_run run);

/* ---- fts_text.c: the text of one message, of its headers and of its bodies */
struct fts_text {
	struct buf part[2];
	uint64_t max; /* octets of both */
	bool over;    /* there was more */
};
/* 0, -1. */
int fts_text_read(struct fts_text *x, struct store *st, const struct store_msg *m, struct err *e);
/* Put the borders behind the last runs. */
void fts_text_end(struct fts_text *x);

/* ---- fts_merge.c: 1 there is more, 0, -1 */
int fts_merge(struct fts *f, uint64_t until_ms, struct err *e);

#endif
