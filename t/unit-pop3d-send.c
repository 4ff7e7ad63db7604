/* unit-pop3d-send - messages as POP3 sends them, in pieces of any size. */
#include "pop3d/send.h"
#include "t/tap.h"

static const struct {
	const char *in, *out;
	uint64_t lines; /* UINT64_MAX: all */
	const char *name;
} cases[] = {
	{ "A: b\r\n\r\nc\r\n", "A: b\r\n\r\nc\r\n.\r\n", UINT64_MAX, "as it is" },
	{ "A: b\r\n\r\n.\r\n..\r\n.c\r\n", "A: b\r\n\r\n..\r\n...\r\n..c\r\n.\r\n", UINT64_MAX,
	    "dots are doubled" },
	{ "A: b\n\n.\nc\n", "A: b\r\n\r\n..\r\nc\r\n.\r\n", UINT64_MAX, "a bare LF ends a line" },
	{ "A: b\r\n\r\nc", "A: b\r\n\r\nc\r\n.\r\n", UINT64_MAX, "the last line gets an end" },
	{ "A: b\r\n\r\nc\r", "A: b\r\n\r\nc\r\n.\r\n", UINT64_MAX, "or the half that it lacks" },
	{ "A\rB: b\r\n\r\n\r.\r\n", "A\rB: b\r\n\r\n\r.\r\n.\r\n", UINT64_MAX, "a CR alone is text" },
	{ "", ".\r\n", UINT64_MAX, "nothing at all" },
	{ "\r\n.\r\n", "\r\n..\r\n.\r\n", UINT64_MAX, "no header" },
	{ "A: b\r\n\r\nc\r\nd\r\n", "A: b\r\n\r\n.\r\n", 0, "TOP n 0: the header and the empty line" },
	{ "A: b\r\n\r\nc\r\nd\r\n", "A: b\r\n\r\nc\r\n.\r\n", 1, "TOP n 1" },
	{ "A: b\n\nc\nd\n", "A: b\r\n\r\nc\r\n.\r\n", 1, "with bare LFs" },
	{ "A: b\r\n\r\nc\r\nd", "A: b\r\n\r\nc\r\nd\r\n.\r\n", 9, "more lines than there are" },
	{ "A: b\r\n", "A: b\r\n.\r\n", 3, "a header without end" },
	{ "A: b\r\n.\r\n\r\n.c\r\n.d", "A: b\r\n..\r\n\r\n..c\r\n.\r\n", 1, "TOP and dots" },
	{ "A: b\r\n\r\n\r\n\r\nc\r\n", "A: b\r\n\r\n\r\n\r\n.\r\n", 2, "empty lines of the body count" },
};

static void
one(size_t i, size_t piece)
{
	static const struct conn_opts opts = { .line_max = 100 };
	struct conn *c = conn_memory(SPAN(""), &opts);
	struct span rest = span_str(cases[i].in);
	struct sender s;
	struct err e = { 0 };

	sender_init(&s, c, cases[i].lines);
	while (rest.n > 0) {
		need(sender_add(&s, span_head(rest, piece), &e) == 0);
		rest = span_from(rest, piece);
	}
	need(sender_end(&s, &e) == 0 && conn_flush(c, &e) == 0);
	tap_span(conn_sent(c), span_str(cases[i].out), cases[i].name);
	conn_free(c);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (size_t piece = 1; piece < 9; piece = piece * 2 + 1)
			one(i, piece);
	return tap_done();
}
