/* fuzz/decode - a body decoded as a whole and in pieces, as BINARY does: both give the same. */
#include "mail/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum mime_encoding encodings[] = { MIME_7BIT, MIME_QP, MIME_BASE64, MIME_OTHER };
	struct span body = span_of(data, size);
	struct buf whole, pieces;

	buf_init(&whole, 2 * size + 1024);
	buf_init(&pieces, 2 * size + 1024);
	for (size_t i = 0; i < 4; i++) {
		struct decoder one = { .encoding = encodings[i] }, many = one;
		struct span rest = body;
		struct err e = { 0 };

		buf_clear(&whole);
		buf_clear(&pieces);
		need(decode_piece(&one, body, true, &whole, &e) == 0);
		do {
			struct span piece = span_head(rest, 5);

			rest = span_from(rest, piece.n);
			need(decode_piece(&many, piece, rest.n == 0, &pieces, &e) == 0);
		} while (rest.n > 0);
		need(span_same(buf_span(&whole), buf_span(&pieces)));
	}
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}
