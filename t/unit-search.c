/* unit-search - text found as a reader sees it. */
#include "mail/charset.h"
#include "mail/search.h"
#include "t/tap.h"

static struct search_key
key(const char *text, struct arena *a)
{
	struct search_key k;

	need(search_key(SPAN("utf-8"), span_str(text), a, &k, NULL) == 0);
	return k;
}

static void
headers(struct arena *a)
{
	static const struct span header = {
		"Subject: =?iso-8859-1?q?Caf=E9?= =?iso-8859-1?q?_Noir?=\r\n"
		"From: \"Doe, John\" <john@example.com>\r\nX-Empty:\r\nTo: a\r\n b\r\n\r\n",
		116
	};
	static const struct {
		const char *field, *text; /* NULL: any field */
		bool found;
	} rows[] = {
		{ "Subject", "caf\303\251 noir", true },
		{ "subject", "CAF\303\211", true },
		{ "From", "caf\303\251", false },
		{ "From", "JOHN@EXAMPLE", true },
		{ "To", "a b", true },
		{ "X-Empty", "", true },
		{ "X-Absent", "", false },
		{ NULL, "x-empty", true },
		{ NULL, "from: \"doe", true },
		{ NULL, "=e9", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct search_key k = key(rows[i].text, a);

		tap_ok(search_header(header, rows[i].field, &k, 1) == rows[i].found, "\"%s\" is %sin %s",
		    rows[i].text, rows[i].found ? "" : "not ",
		    rows[i].field != NULL ? rows[i].field : "the header");
	}
}

static bool
in_body(enum mime_encoding encoding, const char *charset, struct span body, const char *text, struct arena *a)
{
	struct text_part p = {
		.kind = MIME_TEXT, .encoding = encoding, .charset = span_str(charset), .body = body
	};
	struct search_key k = key(text, a);

	return search_part(&p, &k, 1);
}

static void
bodies(struct arena *a)
{
	struct text_part image = { .kind = MIME_LEAF,
		.header = SPAN("Content-Type: image/png; name=Cat.png\r\n\r\n"),
		.body = SPAN("dog") };
	struct search_key two[2] = { key("cat", a), key("dog", a) };

	tap_ok(in_body(MIME_QP, "utf-8", SPAN("der gro=C3=9Fe H=\r\nund"), "GRO\303\237E HUND", a),
	    "quoted-printable");
	tap_ok(in_body(MIME_BASE64, "iso-8859-1", SPAN("aOlo\r\n6Q=="), "H\303\211H\303\251", a), "base64");
	tap_ok(in_body(MIME_7BIT, "iso-2022-jp", SPAN("abc\n\033$B%F%9%H\033(B\n"),
		   "\343\203\206\343\202\271", a),
	    "ISO-2022-JP");
	tap_ok(
	    in_body(MIME_8BIT, "none-such", SPAN("caf\351 noir"), "noir", a), "ASCII in an unknown charset");
	tap_ok(!in_body(MIME_7BIT, "us-ascii", SPAN("abc"), "abd", a), "what is not there is not found");
	tap_ok(!search_part(&image, two, 2) && two[0].found && !two[1].found,
	    "of a part that is no text only the header is searched");
}

/* The word at every place around the border of two pieces. */
static void
borders(struct arena *a)
{
	bool plain = true, qp = true, multi = true;
	struct buf b;

	buf_init(&b, 200000);
	for (size_t at = 32768 - 20; at < 32768 + 20; at++) {
		buf_clear(&b);
		for (size_t i = 0; i < at; i++)
			buf_byte(&b, NULL, i % 70 == 69 ? '\n' : 'x');
		buf_str(&b, NULL, "=4Eeedle");
		for (size_t i = 0; i < 40000; i++)
			buf_byte(&b, NULL, 'y');
		plain &= in_body(MIME_7BIT, "us-ascii", buf_span(&b), "=4eeedle", a);
		qp &= in_body(MIME_QP, "us-ascii", buf_span(&b), "needle", a);
		multi &= !in_body(MIME_QP, "us-ascii", buf_span(&b), "needles", a);
		memcpy(b.p + at, "\342\202\254\342\202\254zz", 8);
		multi &= in_body(MIME_8BIT, "utf-8", buf_span(&b), "\342\202\254\342\202\254Z", a);
	}
	tap_ok(plain, "a word across the border of two pieces is found");
	tap_ok(qp, "so is one whose escape is cut");
	tap_ok(multi, "and one whose characters are cut");
	buf_free(&b);
}

int
main(void)
{
	struct arena *a = arena_new(8 << 20);
	struct search_key k;
	struct err e = { 0 };

	charset_preload();
	headers(a);
	bodies(a);
	borders(a);
	tap_ok(search_key(SPAN("x-none"), SPAN("a"), a, &k, &e) < 0 && e.kind == ERR_PEER,
	    "an unknown charset of the client is refused");
	arena_free(a);
	return tap_done();
}
