/* Whatever the pieces are, the same octets come out; what base64_encode() writes, both decoders read back. */
#include <stdlib.h>

#include "mail/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
pieces(struct span in, size_t step, bool base64, struct buf *out)
{
	struct base64_state b = { 0 };
	struct qp_state q = { 0 };
	bool last;

	do {
		struct span piece = span_head(in, step);

		in = span_from(in, piece.n);
		last = in.n == 0;
		if (base64)
			need(base64_decode_mime(&b, piece, last, out, NULL) == 0);
		else
			need(qp_decode(&q, piece, last, out, NULL) == 0);
	} while (!last);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size), text;
	struct buf whole, cut, encoded;
	struct err e = { 0 };
	size_t step;

	if (size < 1)
		return 0;
	step = 1 + data[0] % 70;
	in = span_from(in, 1);
	buf_init(&whole, in.n * 2 + 256);
	buf_init(&cut, in.n * 2 + 256);
	buf_init(&encoded, in.n * 2 + 256);
	for (int base64 = 0; base64 < 2; base64++) {
		buf_clear(&whole);
		buf_clear(&cut);
		pieces(in, in.n + 1, base64, &whole);
		pieces(in, step, base64, &cut);
		need(span_same(buf_span(&whole), buf_span(&cut)));
	}
	need(base64_encode(in, &encoded, NULL) == 0);
	buf_clear(&whole);
	buf_clear(&cut);
	text = buf_span(&encoded);
	need(base64_decode(text, &whole, NULL) == 0 && span_same(buf_span(&whole), in));
	pieces(text, step, true, &cut);
	need(span_same(buf_span(&cut), in));
	buf_clear(&whole);
	base64_decode(in, &whole, &e);
	buf_free(&whole);
	buf_free(&cut);
	buf_free(&encoded);
	return 0;
}
