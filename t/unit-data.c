/* unit-data.c - the DATA lexer, every text split at every octet; and what is seen of a header. */
#include "smtp/data.h"

#include <stdlib.h>

#include "t/tap.h"

/* Feed text in two pieces, cut at `cut`; the message goes to out. What follows the end is returned in *rest.
 */
static enum data_event
lex(struct span text, size_t cut, bool raw, struct buf *out, struct span *rest)
{
	struct data_lexer d = { .raw = raw };
	struct span parts[2] = { span_head(text, cut), span_from(text, cut) }, piece;
	enum data_event ev = DATA_MORE;

	buf_clear(out);
	for (int i = 0; i < 2 && ev == DATA_MORE; i++)
		while ((ev = data_next(&d, &parts[i], &piece)) == DATA_PIECE)
			buf_add(out, NULL, piece);
	*rest = parts[0].n > 0 ? span_of(parts[0].p, parts[0].n + parts[1].n) : parts[1];
	return ev;
}

static const char *const names[] = { "piece", "more", "end", "bad" };

static void
lexing(void)
{
	static const struct {
		struct span in;
		enum data_event want;
		struct span message, rest;
	} cases[] = {
		/* ends */
		{ SPAN(".\r\n"), DATA_END, SPAN(""), SPAN("") },
		{ SPAN("a\r\n.\r\n"), DATA_END, SPAN("a\r\n"), SPAN("") },
		{ SPAN("a\r\n.\r\nQUIT\r\n"), DATA_END, SPAN("a\r\n"), SPAN("QUIT\r\n") },
		{ SPAN("\r\n\r\n.\r\n"), DATA_END, SPAN("\r\n\r\n"), SPAN("") },
		/* dots */
		{ SPAN("..\r\n.\r\n"), DATA_END, SPAN(".\r\n"), SPAN("") },
		{ SPAN("...a\r\n.b\r\na.\r\n. \r\n.\r\n"), DATA_END, SPAN("..a\r\nb\r\na.\r\n \r\n"),
		    SPAN("") },
		{ SPAN(".x\r\n"), DATA_MORE, SPAN("x\r\n"), SPAN("") },
		{ SPAN("a\r\n."), DATA_MORE, SPAN("a\r\n"), SPAN("") },
		{ SPAN("a\r\n.\r"), DATA_MORE, SPAN("a\r\n"), SPAN("") },
		{ SPAN("a"), DATA_MORE, SPAN("a"), SPAN("") },
		{ SPAN("a\0b\x80\r\n.\r\n"), DATA_END, SPAN("a\0b\x80\r\n"), SPAN("") },
		/* what has been taken for an end by somebody */
		{ SPAN("a\n.\n"), DATA_BAD, SPAN(""), SPAN("") },
		{ SPAN("a\n.\r\n"), DATA_BAD, SPAN(""), SPAN("") },
		{ SPAN("a\r\n.\n"), DATA_BAD, SPAN(""), SPAN("") },
		{ SPAN("a\r\n.\rQ"), DATA_BAD, SPAN(""), SPAN("") },
		{ SPAN("a\r.\r"), DATA_BAD, SPAN(""), SPAN("") },
		{ SPAN("a\r.\r\n"), DATA_BAD, SPAN(""), SPAN("") },
		{ SPAN("a\n.\r"), DATA_BAD, SPAN(""), SPAN("") },
		{ SPAN("a\r\r\n.\r\r\n"), DATA_BAD, SPAN(""), SPAN("") },
		{ SPAN("a\r\n\n.\r\n"), DATA_BAD, SPAN(""), SPAN("") },
		{ SPAN("a\r\n.\r\r\n"), DATA_BAD, SPAN(""), SPAN("") },
		{ SPAN("a\r\0\n.\r\n"), DATA_BAD, SPAN(""), SPAN("") },
		{ SPAN("a\r\n\r.\r\n"), DATA_BAD, SPAN(""), SPAN("") },
		{ SPAN("a\r\n..\n"), DATA_BAD, SPAN(""), SPAN("") },
		{ SPAN("\n"), DATA_BAD, SPAN(""), SPAN("") },
		{ SPAN("\rx"), DATA_BAD, SPAN(""), SPAN("") },
		{ SPAN(".\n"), DATA_BAD, SPAN(""), SPAN("") },
	};
	struct buf out;
	struct span rest;

	buf_init(&out, 1 << 16);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool ok = true;

		for (size_t cut = 0; cut <= cases[i].in.n; cut++) {
			enum data_event ev = lex(cases[i].in, cut, false, &out, &rest);

			ok = ok && ev == cases[i].want;
			if (ev == DATA_END || ev == DATA_MORE)
				ok = ok && span_same(buf_span(&out), cases[i].message) &&
				     span_same(rest, cases[i].rest);
		}
		tap_ok(ok, "DATA case %zu is `%s` wherever it is cut", i, names[cases[i].want]);
	}
	buf_free(&out);
}

static void
raw_lexing(void)
{
	struct buf out;
	struct span rest;
	struct data_lexer d = { .raw = true };
	struct span in = SPAN("a\r\n.\r\n..b"), piece;

	buf_init(&out, 1 << 16);
	tap_ok(lex(in, 4, true, &out, &rest) == DATA_MORE && span_same(buf_span(&out), in),
	    "BDAT keeps dots and has no end");
	tap_ok(
	    lex(SPAN("a\r\n.\n"), 2, true, &out, &rest) == DATA_BAD, "BDAT has the same rule for line ends");
	tap_ok(data_at_line_start(&d) && data_next(&d, &in, &piece) == DATA_PIECE && !data_at_line_start(&d),
	    "it is known whether the last line is whole");
	buf_free(&out);
}

static void
eight_bits(void)
{
	for (size_t at = 0; at < 40; at++) {
		char text[40];
		struct data_lexer d = { 0 }, e = { 0 };
		struct span in = span_of(text, sizeof text), piece;

		memset(text, 'x', sizeof text);
		while (data_next(&e, &in, &piece) == DATA_PIECE)
			;
		text[at] = (char)0xe9;
		in = span_of(text, sizeof text);
		while (data_next(&d, &in, &piece) == DATA_PIECE)
			;
		if (!d.eightbit || e.eightbit)
			tap_ok(false, "an octet above 127 is seen at %zu", at);
	}
	tap_ok(true, "octets above 127 are seen at any place");
}

static void
headers(void)
{
	static const struct {
		struct span in;
		size_t size;
		unsigned received, seen;
		bool ended;
	} cases[] = {
		{ SPAN("\r\nReceived: x\r\n"), 0, 0, 0, true },
		{ SPAN("Received: a\r\nreceived : b\r\n\tReceived: no\r\nX-Received: "
		       "c\r\nRECEIVED:\r\n\r\nReceived: d\r\n"),
		    68, 3, 0, true },
		{ SPAN("Date: x\r\nMessage-Id: y\r\nFrom: z\r\n\r\n"), 33, 0,
		    HEADER_DATE | HEADER_MESSAGE_ID | HEADER_FROM, true },
		{ SPAN("Delivered-To: a\r\n"), 17, 0, HEADER_DELIVERED_TO, false },
		{ SPAN("Delivered-To-Or-Not-So: a\r\ndate\r\nfrom x: y\r\nsubject\r\n : date:\r\n"), 63, 0, 0,
		    false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool ok = true;

		for (size_t cut = 0; cut <= cases[i].in.n; cut++) {
			struct header_scan s = { 0 };
			size_t n = header_scan(&s, span_head(cases[i].in, cut));

			n += header_scan(&s, span_from(cases[i].in, cut));
			ok = ok && n == cases[i].size && s.received == cases[i].received &&
			     s.seen == cases[i].seen && (s.state == SCAN_ENDED) == cases[i].ended;
		}
		tap_ok(ok, "header %zu wherever it is cut", i);
	}
}

int
main(void)
{
	lexing();
	raw_lexing();
	eight_bits();
	headers();
	return tap_done();
}
