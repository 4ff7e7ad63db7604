/* fuzz/compress - any octets as a compressed stream, heard by one inflater and by a row of them: the same is heard. */
#include "io/compress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEARD_MAX = 1 << 20 };

/* Octets in pieces of 7; with `change` by another inflater wherever the stream can be left. */
static void
hear(struct span in, bool change, struct buf *heard)
{
	static char window[COMPRESS_WINDOW];
	struct err e = { 0 };
	struct compress *z = compress_new((struct span){ 0 }, &e);
	char out[64];
	ssize_t n = 0;
	size_t size;

	while (in.n > 0 && n >= 0 && heard->n < HEARD_MAX) {
		struct span piece = span_head(in, 7);

		in = span_from(in, piece.n);
		compress_feed(z, piece);
		while ((n = compress_in(z, out, sizeof out, &e)) > 0 && heard->n < HEARD_MAX)
			buf_add(heard, NULL, span_of(out, (size_t)n));
		if (change && n == 0 && compress_window(z, window, &size) == 1) {
			compress_free(z);
			z = compress_new(span_of(window, size), &e);
		}
	}
	compress_free(z);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf one, row;

	buf_init(&one, 2 * HEARD_MAX);
	buf_init(&row, 2 * HEARD_MAX);
	hear(span_of(data, size), false, &one);
	hear(span_of(data, size), true, &row);
	need(span_same(buf_span(&one), buf_span(&row)));
	buf_free(&one);
	buf_free(&row);
	return 0;
}
