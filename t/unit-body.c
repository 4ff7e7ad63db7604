/* unit-body.c - deliver/smtp/body: what goes over the wire, in whatever pieces it comes. */
#include "deliver/smtp/body.c"

#include "t/tap.h"

static const struct {
	const char *in, *want, *name;
} table[] = {
	{ "", ".\r\n", "an empty message is the dot alone" },
	{ "a\r\nb\r\n", "a\r\nb\r\n.\r\n", "lines with CRLF pass" },
	{ "a", "a\r\n.\r\n", "a last line without end gets one" },
	{ ".\r\n..\r\n.a\r\n", "..\r\n...\r\n..a\r\n.\r\n", "dots at the start of a line are doubled" },
	{ "a.\r\n a.b\r\n", "a.\r\n a.b\r\n.\r\n", "others are not" },
	{ "a\nb\n", "a\r\nb\r\n.\r\n", "a lone LF becomes CRLF" },
	{ "a\rb\r", "a\r\nb\r\n.\r\n", "a lone CR becomes CRLF" },
	{ "a\r\r\nb\r\n", "a\r\n\r\nb\r\n.\r\n", "CR CR LF is two line ends" },
	{ "a\n\rb", "a\r\n\r\nb\r\n.\r\n", "and so is LF CR" },
	{ "a\r\n\n.\r\nb", "a\r\n\r\n..\r\nb\r\n.\r\n", "a dot behind a lone LF is doubled too" },
	{ "x\n.\nMAIL FROM:<a>\n", "x\r\n..\r\nMAIL FROM:<a>\r\n.\r\n", "LF . LF is no end of data" },
	{ "x\r.\rMAIL", "x\r\n..\r\nMAIL\r\n.\r\n", "nor is CR . CR" },
	{ "\r\n\r\n", "\r\n\r\n.\r\n", "empty lines stay" },
};

static void
run(struct span in, size_t piece, struct buf *out)
{
	struct body b = { 0 };
	struct err e = { 0 };

	buf_clear(out);
	while (in.n > 0) {
		body_feed(&b, span_head(in, piece), out, &e);
		in = span_from(in, piece);
	}
	body_end(&b, out, &e);
	need(e.kind == ERR_NONE);
}

/* Every sequence of these octets, to this length: nothing bare, one end, no line that starts with one dot. */
static void
all_sequences(void)
{
	static const char octets[] = "\r\n.x";
	struct buf out;
	bool good = true;

	buf_init(&out, 1000);
	for (unsigned v = 0; v < 4 * 4 * 4 * 4 * 4 * 4 * 4; v++) {
		char in[7];
		const char *p;

		for (unsigned i = 0, k = v; i < sizeof in; i++, k /= 4)
			in[i] = octets[k % 4];
		run(span_of(in, sizeof in), v % 3 + 1, &out);
		for (p = out.p; p < out.p + out.n; p++) {
			good = good && (*p != '\n' || (p > out.p && p[-1] == '\r'));
			good = good && (*p != '\r' || (p + 1 < out.p + out.n && p[1] == '\n'));
		}
		p = memmem(out.p, out.n, "\r\n.\r\n", 5);
		good = good && (p == NULL ? out.n == 3 : p == out.p + out.n - 5) &&
		       (out.n == 3 || memcmp(out.p, ".\r\n", 3) != 0);
	}
	tap_ok(good, "no sequence of CR, LF, dot and text gives a bare CR or LF, or an end before the end");
	buf_free(&out);
}

int
main(void)
{
	struct buf out;

	buf_init(&out, 10000);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		bool same = true;

		run(span_str(table[i].in), 1000, &out);
		tap_span(buf_span(&out), span_str(table[i].want), table[i].name);
		for (size_t piece = 1; piece < 5; piece++) {
			run(span_str(table[i].in), piece, &out);
			same = same && span_eq(buf_span(&out), table[i].want);
		}
		tap_ok(same, "  in pieces too");
	}
	all_sequences();
	buf_free(&out);
	return tap_done();
}
