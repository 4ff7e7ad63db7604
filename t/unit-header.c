/* unit-header - header fields. */
#include "mail/header.h"
#include "t/tap.h"

/* Fields as "name|value" joined by ";". */
static void
list(struct span message, struct buf *out)
{
	struct header_iter it = header_start(message);
	struct header_field f;

	while (header_next(&it, &f))
		buf_printf(out, NULL, "%.*s|%.*s;", SPAN_ARG(f.name), SPAN_ARG(f.value));
}

static void
walking(void)
{
	static const struct {
		const char *name, *in, *want;
		size_t size; /* of the header */
	} rows[] = {
		{ "fields and a body", "A: 1\r\nB:2\r\n\r\nC: 3\r\n", "A| 1;B|2;", 13 },
		{ "LF only", "A: 1\nB:2\n\nC: 3\n", "A| 1;B|2;", 10 },
		{ "a folded field", "A: 1\r\n 2\r\n\t3\r\nB: 4\r\n\r\n", "A| 1\r\n 2\r\n\t3;B| 4;", 22 },
		{ "a continuation of blanks only (RFC 5322, 4.2)", "A: 1\r\n \r\n 2\r\n\r\n",
		    "A| 1\r\n \r\n 2;", 15 },
		{ "blanks before the colon (RFC 5322, 4.5)", "Subject \t: x\r\n\r\n", "Subject| x;", 16 },
		{ "a line without a colon has no name", "From me at noon\r\nA: 1\r\n\r\n",
		    "|From me at noon;A| 1;", 25 },
		{ "the first line of an mbox has no name", "From me 10:00\nA: 1\n\n", "|From me 10:00;A| 1;",
		    20 },
		{ "no body, no empty line", "A: 1\r\nB: 2", "A| 1;B| 2;", 10 },
		{ "an empty message", "", "", 0 },
		{ "only an empty line", "\r\nA: 1", "", 2 },
		{ "an empty value", "A:\r\n\r\n", "A|;", 6 },
		{ "a colon alone", ":x\r\n\r\n", "|:x;", 6 },
		{ "a header that starts with a blank", " x: y\r\nA: 1\r\n\r\n", "| x: y;A| 1;", 15 },
		{ "a CR that ends no line", "A: 1\r2\r\n\r\n", "A| 1\r2;", 10 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf out;

		buf_init(&out, 1000);
		list(span_str(rows[i].in), &out);
		tap_span(buf_span(&out), span_str(rows[i].want), rows[i].name);
		tap_ok(header_size(span_str(rows[i].in)) == rows[i].size, "its header is of %zu octets",
		    rows[i].size);
		buf_free(&out);
	}
}

static void
unfolding(void)
{
	struct arena *a = arena_new(4096);
	struct span plain = SPAN("  x y ");

	tap_span(header_unfold(SPAN(" This\r\n is a test \r\n"), a), SPAN("This is a test"),
	    "RFC 5322, 2.2.3: unfolding drops the line end alone");
	tap_span(header_unfold(SPAN("a\n\tb"), a), SPAN("a\tb"), "a tab that folds stays");
	tap_span(header_unfold(SPAN("a\r\nb\rc\0d"), a), SPAN("a b c d"), "stray CR and NUL become spaces");
	tap_ok(header_unfold(plain, a).p == plain.p + 2, "what is on one line is borrowed");
	arena_free(a);
}

static void
selecting(void)
{
	struct span names[2] = { SPAN("TO"), SPAN("subject") };
	struct span message = SPAN("From: a\r\nTo: b\r\nSubject: c\r\n d\r\nto: e\r\nX: y\r\n\r\nbody");
	struct buf out;

	buf_init(&out, 1000);
	header_select(message, names, 2, false, &out, NULL);
	tap_span(buf_span(&out), SPAN("To: b\r\nSubject: c\r\n d\r\nto: e\r\n\r\n"),
	    "HEADER.FIELDS gives them in the message's order, and the empty line");
	buf_clear(&out);
	header_select(message, names, 2, true, &out, NULL);
	tap_span(buf_span(&out), SPAN("From: a\r\nX: y\r\n\r\n"), "HEADER.FIELDS.NOT gives the others");
	buf_clear(&out);
	header_select(SPAN("To: b\r\n"), names, 2, false, &out, NULL);
	tap_span(buf_span(&out), SPAN("To: b\r\n"), "no empty line where the message has none");
	buf_free(&out);
}

static void
limits(void)
{
	struct header_iter it;
	struct header_field f;
	struct buf big;
	size_t count = 0;

	buf_init(&big, 8 << 20);
	for (size_t i = 0; i < HEADER_FIELDS_MAX + 10; i++)
		buf_str(&big, NULL, "A: b\r\n");
	for (it = header_start(buf_span(&big)); header_next(&it, &f);)
		count++;
	tap_ok(count == HEADER_FIELDS_MAX && it.cut, "fields past the limit are not looked at");
	buf_clear(&big);
	buf_str(&big, NULL, "A: b\r\nB: ");
	for (size_t i = 0; i < HEADER_BYTES_MAX; i++)
		buf_byte(&big, NULL, 'x');
	buf_str(&big, NULL, "\r\n\r\nbody");
	for (count = 0, it = header_start(buf_span(&big)); header_next(&it, &f);)
		count++;
	tap_ok(count == 1 && it.cut, "a field that ends past the limit is not looked at");
	tap_ok(header_size(buf_span(&big)) == big.n - 4, "the header's end is found all the same");
	buf_free(&big);
}

int
main(void)
{
	walking();
	unfolding();
	selecting();
	limits();
	return tap_done();
}
