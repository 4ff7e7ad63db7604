/* Fuzz target: the DATA lexer gives the same message however its input is cut, and one that is well-formed.
 */
#include <stdlib.h>

#include "smtp/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum data_event
lex(struct span text, size_t step, bool raw, struct buf *out, size_t *used)
{
	struct data_lexer d = { .raw = raw };
	struct header_scan scan = { 0 };
	enum data_event ev = DATA_MORE;
	struct span piece;

	*used = 0;
	while (*used < text.n && ev == DATA_MORE) {
		struct span part = span_head(span_from(text, *used), step);
		size_t n = part.n;

		while ((ev = data_next(&d, &part, &piece)) == DATA_PIECE) {
			need(piece.n > 0);
			need(header_scan(&scan, piece) <= piece.n);
			buf_add(out, NULL, piece);
		}
		*used += n - part.n;
	}
	return ev;
}

/* Lines end in CR LF, and neither stands alone. */
static void
check(struct span message)
{
	for (size_t i = 0; i < message.n; i++) {
		if (message.p[i] == '\n')
			need(i > 0 && message.p[i - 1] == '\r');
		if (message.p[i] == '\r' && i + 1 < message.n)
			need(message.p[i + 1] == '\n');
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of(data, size);
	struct buf whole, cut;
	size_t used, used_cut;

	if (size == 0)
		return 0;
	buf_init(&whole, size);
	buf_init(&cut, size);
	for (int raw = 0; raw < 2; raw++) {
		enum data_event ev = lex(text, size, raw, &whole, &used), again;

		again = lex(text, 1 + data[0] % 7, raw, &cut, &used_cut);
		need(ev == again);
		if (ev != DATA_BAD) {
			need(used == used_cut && span_same(buf_span(&whole), buf_span(&cut)));
			check(buf_span(&whole));
		}
		buf_clear(&whole);
		buf_clear(&cut);
	}
	buf_free(&whole);
	buf_free(&cut);
	return 0;
}
