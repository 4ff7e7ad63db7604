/* unit-codec - base64 and quoted-printable. */
#include "mail/codec.h"
#include "t/tap.h"

/* A text on one line, for the name of a check; good up to the next call. */
static const char *
one_line(const char *s)
{
	static char line[60];
	size_t i = 0;

	for (; i + 1 < sizeof line && s[i] != '\0'; i++)
		line[i] = s[i] == '\r' || s[i] == '\n' ? ' ' : s[i];
	line[i] = '\0';
	return line;
}

static void
strict(void)
{
	static const struct {
		const char *in, *want; /* NULL: refused */
	} rows[] = {
		{ "", "" },
		{ "Zg==", "f" }, /* RFC 4648, 10 */
		{ "Zm8=", "fo" },
		{ "Zm9v", "foo" },
		{ "Zm9vYg==", "foob" },
		{ "Zm9vYmE=", "fooba" },
		{ "Zm9vYmFy", "foobar" },
		{ "Zg=", NULL },
		{ "Zg", NULL },
		{ "Zh==", NULL }, /* unused bits are set */
		{ "Zm9=", NULL },
		{ "Z===", NULL },
		{ "====", NULL },
		{ "Zm=v", NULL },
		{ "Zm9v\r\n", NULL },
		{ " Zm9v", NULL },
		{ "Zm9-", NULL },
		{ "Zg==Zg==", NULL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err e = { 0 };
		struct buf out, back;
		int rc;

		buf_init(&out, 100);
		buf_init(&back, 100);
		rc = base64_decode(span_str(rows[i].in), &out, &e);
		if (rows[i].want == NULL)
			tap_ok(rc < 0 && e.kind == ERR_PEER && out.n == 0, "base64 \"%s\" is refused",
			    one_line(rows[i].in));
		else {
			base64_encode(buf_span(&out), &back, &e);
			tap_ok(rc == 0 && span_eq(buf_span(&out), rows[i].want) &&
				   span_eq(buf_span(&back), rows[i].in),
			    "base64 \"%s\" is \"%s\" and back", rows[i].in, rows[i].want);
		}
		buf_free(&out);
		buf_free(&back);
	}
}

/* Decode in pieces of one size. */
static void
feed(struct span in, size_t step, bool base64, bool word, struct buf *out)
{
	struct base64_state b = { 0 };
	struct qp_state q = { .word = word };
	bool last;

	do {
		struct span piece = span_head(in, step);

		in = span_from(in, piece.n);
		last = in.n == 0;
		if (base64)
			base64_decode_mime(&b, piece, last, out, NULL);
		else
			qp_decode(&q, piece, last, out, NULL);
	} while (!last);
}

static void
lenient(void)
{
	static const struct {
		const char *name, *in, *want;
		bool base64, word;
	} rows[] = {
		{ "line ends in base64 are skipped", "Zm9v\r\nYmFy\r\n", "foobar", true, false },
		{ "what is not of the alphabet is skipped", "Z!m@9#v Y-mF_y", "foobar", true, false },
		{ "joined base64 texts are both decoded", "Zg==Zm8=Zm9v", "ffofoo", true, false },
		{ "a cut quantum gives its whole octets", "Zm9vYm", "foob", true, false },
		{ "a single last digit gives nothing", "Zm9vY", "foo", true, false },
		{ "RFC 2045, 6.7: a soft line break",
		    "Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.",
		    "Now's the time for all folk to come to the aid of their country.", false, false },
		{ "octets, in lower case too", "=3D=3d=C3=a9", "==\303\251", false, false },
		{ "blanks at the end of a line go", "a \t \r\nb \nc ", "a\r\nb\nc", false, false },
		{ "blanks within a line stay", "a \t b", "a \t b", false, false },
		{ "a soft break may have blanks behind the =", "a= \t\r\nb=  \nc", "abc", false, false },
		{ "a broken escape stays", "a=ZZ=4 =", "a=ZZ=4 ", false, false },
		{ "== and an escape", "==41", "=A", false, false },
		{ "an escaped blank at the end of a line stays", "a=20\r\n", "a \r\n", false, false },
		{ "a CR alone is text", "a \rb=\rc", "a \rb=\rc", false, false },
		{ "the Q encoding: _ is a space, blanks stay", "a_b c =5F", "a b c _", false, true },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bool same = true;

		for (size_t step = 1; step <= 20; step++) {
			struct buf out;

			buf_init(&out, 1000);
			feed(span_str(rows[i].in), step, rows[i].base64, rows[i].word, &out);
			same &= span_eq(buf_span(&out), rows[i].want);
			if (step == 20 && !same)
				printf("# got '%.*s'\n", SPAN_ARG(buf_span(&out)));
			buf_free(&out);
		}
		tap_ok(same, "%s, in pieces of any size", rows[i].name);
	}
}

static void
full(void)
{
	struct err e = { 0 };
	struct buf out;

	buf_init(&out, 3);
	tap_ok(base64_encode(SPAN("abc"), &out, &e) < 0 && e.kind == ERR_PEER && out.n == 0,
	    "what does not fit is refused whole");
	buf_free(&out);
}

int
main(void)
{
	strict();
	lenient();
	full();
	return tap_done();
}
