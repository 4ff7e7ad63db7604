#include "io/compress.h"

#include <stdlib.h>
#include <zlib.h>

enum {
	RAW = -15, /* window bits; negative: no header, no checksum */
	LEVEL = 3, /* most of the gain at a third of the time of the default */
	MEMORY = 8,
	OUT_PIECE = 16 * 1024,
	AT_BLOCK = 128, /* z_stream.data_type of inflate: between blocks, ... */
	LAST = 64,      /* ... in the last block, or behind it, ... */
	BITS = 63,      /* ... and bits of the last octet that are not used yet */
};

struct compress {
	z_stream in, out;
	bool border;  /* the stream that comes in stands between two blocks and two octets */
	bool more;    /* the room was full: there may be more to inflate */
	bool pending; /* something was deflated and not flushed */
	bool flushed; /* the last that was inflated is an empty, aligned block: the peer's flush */
	bool ended;   /* the stream that comes in has ended */
	size_t block; /* octets of the present block that were given out */
	unsigned char raw[COMPRESS_WINDOW];
};

struct compress *
compress_new(struct span window, struct err *e)
{
	struct compress *z = mem_zero(1, sizeof *z);

	z->border = true;

	if (inflateInit2(&z->in, RAW) != Z_OK) {
		free(z);
		err_set(e, ERR_TEMP, "no memory for a compressed connection");
		return NULL;
	}
	if (deflateInit2(&z->out, LEVEL, Z_DEFLATED, RAW, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK ||
	    (window.n > 0 &&
		inflateSetDictionary(&z->in, (const unsigned char *)window.p, (unsigned)window.n) != Z_OK)) {
		compress_free(z);
		err_set(e, ERR_TEMP, "no memory for a compressed connection");
		return NULL;
	}
	return z;
}

void
compress_free(struct compress *z)
{
	if (z == NULL)
		return;
	inflateEnd(&z->in);
	deflateEnd(&z->out);
	explicit_bzero(z->raw, sizeof z->raw);
	free(z);
}

void
compress_feed(struct compress *z, struct span raw)
{
	need(z->in.avail_in == 0 && raw.n <= sizeof z->raw);
	memcpy(z->raw, raw.p, raw.n);
	z->in.next_in = z->raw;
	z->in.avail_in = (unsigned)raw.n;
}

/* To the end of a block, of what was fed or of the room. Octets, or -1. */
static ssize_t
inflate_some(struct compress *z, struct err *e)
{
	unsigned had = z->in.avail_in, room = z->in.avail_out, got;
	int rc = inflate(&z->in, Z_BLOCK);
	bool moved = had != z->in.avail_in || room != z->in.avail_out;

	got = room - z->in.avail_out;
	z->more = z->in.avail_out == 0;
	/* It stops behind the last block before it says that there is no more, which would take another call. */
	z->ended = rc == Z_STREAM_END || (z->in.data_type & (AT_BLOCK | LAST)) == (AT_BLOCK | LAST);
	z->block += got;
	/* Called without need, inflate forgets that it stands at the border. */
	if (moved) {
		z->border = (z->in.data_type & (AT_BLOCK | BITS)) == AT_BLOCK;
		z->flushed = z->border && z->block == 0;
		if ((z->in.data_type & AT_BLOCK) != 0)
			z->block = 0;
	}
	if (rc != Z_OK && rc != Z_BUF_ERROR && rc != Z_STREAM_END)
		return err_set(
		    e, ERR_GONE, "not a compressed stream: %s", z->in.msg != NULL ? z->in.msg : "damaged");
	return (ssize_t)got;
}

ssize_t
compress_in(struct compress *z, char *to, size_t n, struct err *e)
{
	unsigned room = n < UINT32_MAX ? (unsigned)n : UINT32_MAX;

	z->in.next_out = (unsigned char *)to;
	z->in.avail_out = room;
	while (!z->ended && z->in.avail_out > 0 && (z->in.avail_in > 0 || z->more)) {
		if (inflate_some(z, e) < 0)
			return -1;
		if (z->flushed && z->in.avail_out < room)
			break;
	}
	if (z->ended && z->in.avail_out == room)
		return err_set(e, ERR_GONE, "the compressed stream ended");
	return (ssize_t)(room - z->in.avail_out);
}

int
compress_end(struct compress *z, struct span *rest, struct err *e)
{
	char more;

	while (!z->ended && !z->flushed) {
		if (z->in.avail_in == 0 && !z->more)
			return 0;
		z->in.next_out = (unsigned char *)&more;
		z->in.avail_out = 1;
		if (inflate_some(z, e) < 0)
			return -1;
		if (z->in.avail_out == 0)
			return err_set(e, ERR_PEER, "more stands in the compressed stream");
	}
	*rest = span_of(z->in.next_in, z->in.avail_in);
	return 1;
}

static int
deflate_all(struct compress *z, struct span in, int how, struct buf *out, struct err *e)
{
	z->out.next_in = (unsigned char *)(uintptr_t)in.p; /* zlib only reads it */
	z->out.avail_in = (unsigned)in.n;
	need(in.n <= UINT32_MAX);
	do {
		char *to = buf_room(out, e, OUT_PIECE);

		if (to == NULL)
			return -1;
		z->out.next_out = (unsigned char *)to;
		z->out.avail_out = OUT_PIECE;
		deflate(&z->out, how);
		out->n += OUT_PIECE - z->out.avail_out;
	} while (z->out.avail_out == 0);
	z->pending = how == Z_NO_FLUSH && (z->pending || in.n > 0);
	return 0;
}

int
compress_out(struct compress *z, struct span in, bool flush, struct buf *out, struct err *e)
{
	return deflate_all(z, in, flush ? Z_SYNC_FLUSH : Z_NO_FLUSH, out, e);
}

int
compress_last(struct compress *z, struct buf *out, struct err *e)
{
	return deflate_all(z, (struct span){ 0 }, Z_FINISH, out, e);
}

bool
compress_pending(const struct compress *z)
{
	return z->pending;
}

int
compress_window(struct compress *z, char *to, size_t *n)
{
	unsigned size = 0;

	if (z->in.avail_in > 0 || z->more || z->pending || !z->border)
		return 0;
	if (inflateGetDictionary(&z->in, (unsigned char *)to, &size) != Z_OK)
		return 0;
	*n = size;
	return 1;
}

int
compress_stored(struct span text, struct buf *out, struct err *e)
{
	unsigned n = (unsigned)text.n;
	const char head[5] = { 0, (char)(n & 255), (char)(n >> 8), (char)(~n & 255), (char)(~n >> 8 & 255) };

	need(text.n <= 65535);
	buf_add(out, e, span_of(head, sizeof head));
	return buf_add(out, e, text);
}
