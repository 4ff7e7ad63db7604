/* unit-text - the text of messages, as searches and the index see it. */
#include <stdlib.h>

#include "imap/text.h"
#include "mail/charset.h"
#include "t/tap.h"

struct seen {
	struct buf all[2];    /* of fields, of bodies: each run begins with a '|' */
	size_t longest, stop; /* of a piece; after so many pieces no more is wanted (0: all is) */
	size_t pieces;
	bool valid;
};

static bool
take(void *arg, struct span piece, enum text_kind kind, bool begins)
{
	struct seen *s = arg;
	struct buf *b = &s->all[kind == TEXT_BODY];

	if (begins)
		buf_byte(b, NULL, '|');
	buf_add(b, NULL, piece);
	s->longest = piece.n > s->longest ? piece.n : s->longest;
	s->valid &= utf8_valid(piece);
	return ++s->pieces != s->stop;
}

static struct seen
seen_new(void)
{
	struct seen s = { .valid = true };

	buf_init(&s.all[0], 256 << 20);
	buf_init(&s.all[1], 256 << 20);
	return s;
}

static void
seen_free(struct seen *s)
{
	buf_free(&s->all[0]);
	buf_free(&s->all[1]);
}

static void
see(struct seen *s, struct span message, struct span prefix, bool headers)
{
	struct imap_octets o = { prefix, message };
	struct structure st;
	struct buf record;
	struct err e = { 0 };

	buf_init(&record, STRUCTURE_MAX);
	need(structure_build(message, &record, &e) == 0 && structure_open(buf_span(&record), &st, &e) == 0);
	need(imap_text(&st, &o, headers, &(struct text_sink){ take, s }, &e) == 0);
	buf_free(&record);
}

static bool
has(const struct buf *b, const char *text)
{
	struct arena *a = arena_new(1 << 20);
	struct search_key k;
	bool found;

	need(search_key(SPAN("utf-8"), span_str(text), a, &k, NULL) == 0);
	found = span_find(buf_span(b), k.text) >= 0;
	arena_free(a);
	return found;
}

/* ---- charsets: the body in octets, and what a reader searches for */

static void
charsets(void)
{
	static const struct {
		const char *charset, *encoding;
		struct span body;
		const char *text;
	} rows[] = {
		{ "utf-8", "8bit", SPAN("na\303\257ve \360\237\230\200"), "NA\303\217VE \360\237\230\200" },
		{ "us-ascii", "8bit", SPAN("in truth \303\251t\303\251"), "\303\211T\303\211" },
		{ "iso-8859-1", "8bit", SPAN("caf\351"), "CAF\303\211" },
		{ "iso-8859-2", "quoted-printable", SPAN("=B9koda"), "\305\240koda" },
		{ "iso-8859-5", "8bit", SPAN("\277\340\330\322\325\342"),
		    "\320\277\321\200\320\270\320\262\320\265\321\202" },
		{ "iso-8859-7", "8bit", SPAN("\316\335\355\357\362"),
		    "\316\276\316\255\316\275\316\277\317\202" },
		{ "iso-8859-9", "8bit", SPAN("\335stanbul"), "\304\260stanbul" },
		{ "iso-8859-15", "8bit", SPAN("5 \244"), "5 \342\202\254" },
		{ "windows-1251", "8bit", SPAN("\317\360\350\342\345\362"),
		    "\320\237\320\240\320\230\320\222\320\225\320\242" },
		{ "koi8-r", "base64", SPAN("8NLJ18XU"), "\320\277\321\200\320\270\320\262\320\265\321\202" },
		{ "shift_jis", "8bit", SPAN("\223\372\226{\214\352"),
		    "\346\227\245\346\234\254\350\252\236" },
		{ "euc-jp", "8bit", SPAN("\306\374\313\334\270\354"),
		    "\346\227\245\346\234\254\350\252\236" },
		{ "iso-2022-jp", "7bit", SPAN("x\033$BF|K\\8l\033(By"),
		    "\346\227\245\346\234\254\350\252\236" },
		{ "gb18030", "8bit", SPAN("\326\320\316\304"), "\344\270\255\346\226\207" },
		{ "gb2312", "base64", SPAN("1tDOxA=="), "\344\270\255\346\226\207" },
		{ "big5", "8bit", SPAN("\244\244\244\345"), "\344\270\255\346\226\207" },
		{ "euc-kr", "8bit", SPAN("\307\321\261\333"), "\355\225\234\352\270\200" },
		{ "utf-16", "base64", SPAN("//5hAGIA6QA="), "ab\303\251" },
		{ "utf-7", "7bit", SPAN("Hi Mom +Jjo-!"), "mom \342\230\272" },
		{ "utf-8", "8bit", SPAN("half \303"), "half \357\277\275" },
		{ "utf-8", "8bit", SPAN("long \300\200form"), "long \357\277\275\357\277\275form" },
		{ "gb18030", "8bit", SPAN("cut \326"), "cut \357\277\275" },
		{ "x-unknown", "8bit", SPAN("caf\351 noir"), "caf\357\277\275 noir" },
		{ "utf-8", "x-uuencode", SPAN("not decoded"), "NOT decoded" },
		{ "utf-8", "base64", SPAN("aGVs=bG8g*d29y bGQ"), "hello world" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct seen s = seen_new();
		struct buf m;

		buf_init(&m, 4096);
		buf_printf(&m, NULL,
		    "Content-Type: text/plain; charset=%s\r\nContent-Transfer-Encoding: %s\r\n\r\n",
		    rows[i].charset, rows[i].encoding);
		buf_add(&m, NULL, rows[i].body);
		see(&s, buf_span(&m), SPAN(""), false);
		tap_ok(has(&s.all[1], rows[i].text) && s.valid && s.all[0].n == 0, "%s in %s: %s",
		    rows[i].charset, rows[i].encoding, rows[i].text);
		buf_free(&m);
		seen_free(&s);
	}
}

/* ---- which parts */

static void
parts(void)
{
	static const struct span message = SPAN(
	    "Subject: =?utf-8?q?=C3=9Cber?=\r\n uns\r\nX-\303\251: odd\r\n"
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n"
	    "--b\r\nContent-Type: text/html\r\n\r\n<p title=\"tip\">A&amp;B</p>\r\n"
	    "--b\r\nContent-Type: image/png; name=cat.png\r\n\r\npixels\r\n"
	    "--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=notes.txt\r\n\r\nnotes\r\n"
	    "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nletter\r\n"
	    "--b\r\nContent-Type: application/pdf\r\n\r\nletter head\r\n"
	    "--b--\r\nepilogue\r\n");
	struct seen s = seen_new(), t = seen_new();

	see(&s, message, SPAN("Return-Path: <bounce@example.org>\r\n"), true);
	see(&t, message, SPAN("Return-Path: <bounce@example.org>\r\n"), false);
	tap_ok(has(&s.all[0], "subject: \303\274BER uns"), "a field is unfolded, decoded, and has its name");
	tap_ok(has(&s.all[0], "|return-path: <bounce@"), "lines in front of the message are its header too");
	tap_ok(
	    has(&s.all[0], "name=cat.png") && has(&s.all[0], "filename=notes"), "headers of parts are text");
	tap_ok(has(&s.all[0], "|subject: inner"), "so is that of a message within");
	tap_ok(s.valid && has(&s.all[0], "|x-\303\251: odd"), "a name that is no ASCII is made valid UTF-8");
	tap_ok(has(&s.all[1], "<p title=\"tip\">A&amp;B</p>"), "HTML is searched as it is written");
	tap_ok(has(&s.all[1], "|notes") && has(&s.all[1], "|letter"), "every text part has a run of its own");
	tap_ok(!has(&s.all[1], "pixels") && !has(&s.all[1], "head") && !has(&s.all[1], "amble") &&
		   !has(&s.all[1], "epi"),
	    "what is no text part is no text");
	tap_ok(t.all[0].n == 0 && span_same(buf_span(&t.all[1]), buf_span(&s.all[1])),
	    "BODY has the bodies alone");
	seen_free(&s);
	seen_free(&t);
}

/* ---- bounds */

static void
bounds(void)
{
	struct seen s = seen_new(), t = seen_new();
	struct buf m;

	buf_init(&m, 64 << 20);
	buf_str(&m, NULL, "Subject: long\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
	for (size_t i = 0; i < 1000000; i++)
		buf_str(&m, NULL, "\357\267\272 "); /* one character that folds to eighteen */
	see(&s, buf_span(&m), SPAN(""), false);
	tap_ok(s.valid && s.all[1].n > 20000000, "a text of 4 MB becomes %zu octets", s.all[1].n);
	tap_ok(s.longest <= 32 * 1024 * 18, "in pieces of %zu at most", s.longest);
	t.stop = 3;
	see(&t, buf_span(&m), SPAN(""), false);
	tap_ok(t.pieces == 3, "a sink that has enough gets no more");
	buf_free(&m);
	seen_free(&s);
	seen_free(&t);
}

int
main(void)
{
	charset_preload();
	charsets();
	parts();
	bounds();
	return tap_done();
}
