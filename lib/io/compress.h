/*
 * compress.h - the two raw deflate streams (RFC 1951) of a connection that is compressed (RFC 4978).
 *
 * Bounded: what comes in is inflated into the room that the caller has, never further; a bomb costs what it is read as.
 * zlib allocates once, in compress_new, and makes no system call but for that memory.
 *
 * A session can be taken over by another process at a moment when both streams stand at the border of an octet and a
 * block: what is sent starts anew without a look back, which any inflater takes; what comes needs the last 32 KiB as the
 * dictionary. (t/unit-compress.c, fuzz/compress.c)
 */
#ifndef IO_COMPRESS_H
#define IO_COMPRESS_H

#include "base/base.h"

enum { COMPRESS_WINDOW = 32768 };

struct compress;

/* `window`: of the stream that comes in, from compress_window(); empty for one that begins. NULL: ERR_TEMP. */
struct compress *compress_new(struct span window, struct err *e);
void compress_free(struct compress *z); /* NULL is allowed */

/* Octets from the peer, at most COMPRESS_WINDOW; only when compress_in() gave 0. */
void compress_feed(struct compress *z, struct span raw);

/*
 * Inflate at most n > 0 octets of what was fed, and not beyond a place where the peer flushed: what stands there may be
 * the last that is compressed. Their number; 0: all that was fed is used, feed more; -1: ERR_GONE.
 */
ssize_t compress_in(struct compress *z, char *to, size_t n, struct err *e);

/*
 * The peer ends compression behind what was given out last. 1, and what was fed behind that place; 0: it is not there yet,
 * feed more; -1: ERR_PEER it compressed something else, ERR_GONE.
 */
int compress_end(struct compress *z, struct span *rest, struct err *e);

/*
 * Deflate `in` and append what can be said of it; with `flush` all that is pending, to the border of an octet: before
 * each wait for the peer.
 */
int compress_out(struct compress *z, struct span in, bool flush, struct buf *out, struct err *e);

/* The end of the stream that goes out: nothing can be said on it after. */
int compress_last(struct compress *z, struct buf *out, struct err *e);

/* Something was deflated since the last flush. */
bool compress_pending(const struct compress *z);

/*
 * The window of the stream that comes in, to go on with elsewhere. 1; 0: it is not at such a border now. `to` has room for
 * COMPRESS_WINDOW octets.
 */
int compress_window(struct compress *z, char *to, size_t *n);

/* `text` as a block of its own, which is not compressed: for who has no stream at hand. At most 64 KiB. */
int compress_stored(struct span text, struct buf *out, struct err *e);

#endif
