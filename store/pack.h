/*
 * pack.h - message files compressed by zstd: one frame a file, with its size and a checksum.
 *
 * Memory is bounded whatever the file says: a window of 8 MiB at most, blocks of 128 KiB.
 */
#ifndef STORE_PACK_H
#define STORE_PACK_H

#include "base/base.h"

/*
 * Compress octets [at, at + length) of `in` into `out`, an empty file. *size: octets of that. -1: ERR_TEMP.
 */
int pack_write(int in, uint64_t at, uint64_t length, int out, uint64_t *size, struct err *e);

/*
 * Decompress a file: give its octets to `take` piece by piece (which returns -1 with *e to stop). They must
 * be `length`. -1: ERR_TEMP it cannot be read, ERR_PERM it is damaged.
 */
int pack_read(int in, uint64_t length, int (*take)(void *arg, struct span piece, struct err *e), void *arg,
    struct err *e);

/* How many octets it is said to have; -1 with ERR_PERM if that is no such file. */
int pack_length(int in, uint64_t *length, struct err *e);

/* The digest of its octets, which must be `length`. */
int pack_digest(int in, uint64_t length, unsigned char *out, struct err *e);

/* A file in memory that has its octets, which must be `length`, from `at` on. -1 with *e. */
int pack_open(int in, uint64_t at, uint64_t length, struct err *e);

#endif
