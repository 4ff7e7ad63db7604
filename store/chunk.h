/*
 * chunk.h - the fixed parts of messages, packed: up to 128 records of 64 octets a row.
 *
 * A record, little-endian: uid 4, flags 4, keywords 8, modseq 8, created 8, date 8, saved 8, size 8, zone 2,
 * crlf 2 (0 in version 1), more 4. Records of a chunk ascend by uid, and so do the chunks of a mailbox; the key of a chunk
 * is key_of(mailbox, uid of its first record when it was made) and never changes, so the chunk with the
 * greatest key that is not above key_of(mailbox, uid) is the one that has a uid, if any has. An empty chunk
 * has no row. The modseq of a chunk is at least that of each record in it.
 */
#ifndef STORE_CHUNK_H
#define STORE_CHUNK_H

#include "store/store.h"

enum { CHUNK_RECORDS = 128, CHUNK_RECORD = 64 };

struct chunk {
	uint64_t key;
	uint64_t modseq;
	uint32_t n;
	bool stored; /* it has a row */
	bool dirty;  /* and differs from it */
	struct store_rec rec[CHUNK_RECORDS];
};

static inline uint64_t
key_of(uint64_t mailbox, uint32_t uid)
{
	return mailbox << 32 | uid;
}

void rec_encode(const struct store_rec *r, unsigned char *out);
/* n records of data into out. ERR_PERM if it is not 1 to `max` whole records with ascending uids. */
int recs_decode(
    struct store *st, struct span data, struct store_rec *out, uint32_t max, uint32_t *n, struct err *e);

/*
 * The chunk that would hold uid; its next one (key above *c's). 1; 0 there is none, *c is then untouched; -1.
 */
int chunk_at(struct store *st, uint64_t mailbox, uint32_t uid, struct chunk *c, struct err *e);
int chunk_after(struct store *st, uint64_t mailbox, uint64_t key, struct chunk *c, struct err *e);

/* Write what is dirty, and note it in the directory (dir.h); a chunk without records loses its row. */
int chunk_write(struct store *st, struct chunk *c, struct err *e);

/* Index of uid, or -1; how many records lie below it. */
int chunk_find(const struct chunk *c, uint32_t uid);
uint32_t chunk_below(const struct chunk *c, uint32_t uid);

/*
 * Walk over a mailbox by ascending uids: *c (with n = 0 at first) becomes the chunk that would hold uid; a
 * dirty one that is left is written. 1 with *rec in it; 0 there is no such record; -1. The last is written by
 * the caller. chunk_reach: the same, but for looking whether it is there.
 */
int chunk_reach(struct store *st, uint64_t mailbox, uint32_t uid, struct chunk *c, struct err *e);
int chunk_seek(
    struct store *st, uint64_t mailbox, uint32_t uid, struct chunk *c, struct store_rec **rec, struct err *e);

#endif
