/*
 * dir.h - the directory of a mailbox: what its chunks hold, without reading them.
 *
 * An entry for each chunk, up to 64 of them a row: so of a mailbox of a million messages all that SELECT reads are
 * some 120 KiB, and what changed since a modification sequence is found by it. A row's key is key_of(mailbox, uid) of
 * its first entry when it was made, and never changes: as with chunks, the row with the greatest key that is not
 * above a chunk's is the one that has its entry.
 *
 * An entry, little-endian: uid 4, messages 1, unseen 1, deleted 1, zero 1, modseq 8. A row's modseq is at least that
 * of each entry in it. chunk_write() keeps the directory; dir_flush() puts it into the index before the transaction
 * reads it or ends.
 */
#ifndef STORE_DIR_H
#define STORE_DIR_H

#include "store/chunk.h"

enum { DIR_ENTRIES = 64, DIR_ENTRY = 16 };

struct dir_entry {
	uint32_t uid; /* lower half of the chunk's key */
	uint8_t n, unseen, deleted;
	uint64_t modseq;
};

struct dir {
	uint64_t key, modseq;
	uint32_t n;
	bool stored, dirty;
	struct dir_entry entry[DIR_ENTRIES];
};

/* A chunk was written, or its row dropped (n is 0). In a transaction that writes. */
int dir_note(struct store *st, const struct chunk *c, struct err *e);
int dir_flush(struct store *st, struct err *e);
void dir_forget(struct store *st); /* the transaction is over */

/*
 * Walk: the next row of the mailbox whose modseq is above `since`; *d is zeroed before the first. 1, 0, -1. The
 * caller looks at the modseq of each entry.
 */
int dir_next(struct store *st, uint64_t mailbox, uint64_t since, struct dir *d, struct err *e);

/* Does it say what the chunks say? 1, 0, -1. Make it anew. */
int dir_true(struct store *st, uint64_t mailbox, struct err *e);
int dir_build(struct store *st, uint64_t mailbox, struct err *e);
/* Of all mailboxes: an index of version 1 has none. */
int dir_build_all(struct store *st, struct err *e);

#endif
