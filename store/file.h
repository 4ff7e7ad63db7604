/* file.h - message files in msg/, by id. */
#ifndef STORE_FILE_H
#define STORE_FILE_H

#include "base/base.h"
#include "base/id.h"

/*
 * Open below `dir` without following anything (openat2: RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS). -1 with errno.
 */
int file_open(int dir, const char *name, int how, unsigned mode);

/* All n octets at the current place. -1 with errno. */
int file_put(int fd, const void *p, size_t n);

/* A new file in `dir`, for reading and writing. It is called *id, or *id gets a new name if it is empty. */
int file_create(int dir, struct id *id, struct err *e);

/*
 * Make `name` of directory `from` a file of `dir`, by a link, or where that can't be (another file system,
 * too many links, not permitted) by a synced copy of its first `size` octets. It is called *id, or *id gets a
 * new name if it is empty. 1; 0 if there is no such file; -1.
 */
int file_take(int dir, int from, const char *name, uint64_t size, struct id *id, struct err *e);

/* The digest of `length` octets from `at` on. */
int file_digest(int fd, uint64_t at, uint64_t length, unsigned char *out, struct err *e);

#endif
