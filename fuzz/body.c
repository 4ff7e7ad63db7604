/*
 * fuzz/body.c - whatever a message holds and however it is cut: one end, no bare CR or LF, and the same
 * octets back.
 */
#include "deliver/smtp/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What a server makes of it: lines, with one dot taken off, up to the line that is a dot. */
static void
read_back(struct span wire, struct buf *out)
{
	for (;;) {
		ssize_t end = span_find(wire, SPAN("\r\n"));
		struct span line;

		need(end >= 0);
		line = span_head(wire, (size_t)end);
		need(span_chr(line, '\r') < 0 && span_chr(line, '\n') < 0);
		wire = span_from(wire, (size_t)end + 2);
		if (span_eq(line, "."))
			break;
		buf_add(out, NULL, line.n > 0 && line.p[0] == '.' ? span_from(line, 1) : line);
		buf_byte(out, NULL, '\n');
	}
	need(wire.n == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = span_of(p, n);
	size_t piece = n > 0 ? 1 + p[0] % 7 : 1;
	struct buf wire, back, want;
	struct body b = { 0 };

	buf_init(&wire, 4 * n + 16);
	buf_init(&back, 4 * n + 16);
	buf_init(&want, 2 * n + 16);
	for (struct span rest = in; rest.n > 0; rest = span_from(rest, piece))
		need(body_feed(&b, span_head(rest, piece), &wire, NULL) == 0);
	need(body_end(&b, &wire, NULL) == 0);
	read_back(buf_span(&wire), &back);
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '\r' && i + 1 < in.n && in.p[i + 1] == '\n')
			continue;
		buf_byte(&want, NULL, in.p[i] == '\r' ? '\n' : in.p[i]);
	}
	if (want.n > 0 && want.p[want.n - 1] != '\n')
		buf_byte(&want, NULL, '\n');
	need(span_same(buf_span(&back), buf_span(&want)));
	buf_free(&wire);
	buf_free(&back);
	buf_free(&want);
	return 0;
}
