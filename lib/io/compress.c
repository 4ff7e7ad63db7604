#include "io/compress.h"

#include <stdlib.h>
#include <zlib.h>

enum {
	RAW = -15, /* window bits; negative: no header, no checksum */
	LEVEL = 3, /* most of the gain at a third of the time of the default */
	MEMORY = 8,
	OUT_PIECE = 16 * 1024,
	AT_BLOCK = 128, /* z_stream.data_type of inflate: between blocks, ... */
	BITS = 63,      /* ... and bits of the last octet that are not used yet */
};

struct compress {
	z_stream in, out;
	bool border;  /* the stream that comes in stands between two blocks and two octets */
	bool more;    /* the room was full: there may be more to inflate */
	bool pending; /* something was deflated and not flushed */
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

ssize_t
compress_in(struct compress *z, char *to, size_t n, struct err *e)
{
	unsigned room = n < UINT32_MAX ? (unsigned)n : UINT32_MAX;
	unsigned had;
	int rc;

	z->in.next_out = (unsigned char *)to;
	z->in.avail_out = room;
	if (z->in.avail_in == 0 && !z->more)
		return 0;
	had = z->in.avail_in;
	rc = inflate(&z->in, Z_SYNC_FLUSH);
	z->more = z->in.avail_out == 0;
	/* Called without need, inflate forgets that it stands at the border. */
	z->border = (z->in.data_type & (AT_BLOCK | BITS)) == AT_BLOCK ||
		    (z->border && had == z->in.avail_in && z->in.avail_out == room);
	if (rc == Z_STREAM_END)
		return err_set(e, ERR_GONE, "the compressed stream ended");
	if (rc != Z_OK && rc != Z_BUF_ERROR)
		return err_set(
		    e, ERR_GONE, "not a compressed stream: %s", z->in.msg != NULL ? z->in.msg : "damaged");
	return (ssize_t)(room - z->in.avail_out);
}

int
compress_out(struct compress *z, struct span in, bool flush, struct buf *out, struct err *e)
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
		deflate(&z->out, flush ? Z_SYNC_FLUSH : Z_NO_FLUSH);
		out->n += OUT_PIECE - z->out.avail_out;
	} while (z->out.avail_out == 0);
	z->pending = !flush && (z->pending || in.n > 0);
	return 0;
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
