/* unit-mime - the structure of messages. */
#include "mail/mime.h"
#include "t/tap.h"

/* The tree in one line: type/subtype, body's size and lines; what is within in parentheses. */
static void
show(const struct mime_part *p, struct buf *out)
{
	buf_printf(out, NULL, "%.*s/%.*s:%zu:%llu", SPAN_ARG(p->type), SPAN_ARG(p->subtype), p->body_size,
	    (unsigned long long)p->lines);
	if (p->child != NULL) {
		buf_byte(out, NULL, '(');
		for (const struct mime_part *c = p->child; c != NULL; c = c->next) {
			show(c, out);
			if (c->next != NULL)
				buf_byte(out, NULL, ' ');
		}
		buf_byte(out, NULL, ')');
	}
}

#define MIXED(b) "Content-Type: multipart/mixed; boundary=" b "\n\n"

static const struct {
	const char *name, *in, *want;
} trees[] = {
	{ "no MIME at all", "Subject: x\r\n\r\nhello\r\nworld", "text/plain:12:1" },
	{ "no body", "Subject: x\r\n", "text/plain:0:0" },
	{ "nothing", "", "text/plain:0:0" },
	{ "RFC 2046, 5.1.1",
	    "From: Nathaniel Borenstein <nsb@bellcore.com>\r\nMIME-Version: 1.0\r\n"
	    "Content-type: multipart/mixed; boundary=\"simple boundary\"\r\n\r\n"
	    "This is the preamble.\r\n\r\n--simple boundary\r\n\r\n"
	    "This is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak.\r\n"
	    "--simple boundary\r\nContent-type: text/plain; charset=us-ascii\r\n\r\n"
	    "This is explicitly typed plain US-ASCII text.\r\nIt DOES end with a linebreak.\r\n\r\n"
	    "--simple boundary--\r\n\r\nThis is the epilogue.\r\n",
	    "multipart/mixed:319:15(text/plain:80:1 text/plain:78:2)" },
	{ "LF only, no closing delimiter", MIXED("b") "--b\n\none\n--b\n\ntwo\n",
	    "multipart/mixed:18:6(text/plain:3:0 text/plain:4:1)" },
	{ "empty parts", MIXED("b") "--b\n--b\n\n--b\n\n\n--b--\n",
	    "multipart/mixed:21:7(text/plain:0:0 text/plain:0:0 text/plain:0:0)" },
	{ "an inner boundary that starts like the outer",
	    MIXED("b") "--b\n" MIXED("b1") "--b1\n\nx\n--b1--\n--b\n\ny\n--b--\n",
	    "multipart/mixed:76:11(multipart/mixed:14:3(text/plain:1:0) text/plain:1:0)" },
	{ "an outer boundary that starts like the inner",
	    MIXED("bb") "--bb\n" MIXED("b") "--b\n\nx\n--bb\n\ny\n--bb--\n",
	    "multipart/mixed:70:10(multipart/mixed:6:2(text/plain:1:0) text/plain:1:0)" },
	{ "an inner multipart without a closing delimiter",
	    MIXED("a") "--a\n" MIXED("b") "--b\n\nx\n--a\n\ny\n--a--\n",
	    "multipart/mixed:67:10(multipart/mixed:6:2(text/plain:1:0) text/plain:1:0)" },
	{ "a delimiter with blanks behind", MIXED("b") "--b  \n\nx\n--b-- \t\n",
	    "multipart/mixed:17:4(text/plain:1:0)" },
	{ "a delimiter of a closed multipart is text of the epilogue",
	    MIXED("b") "--b\n\nx\n--b--\n--b\n\ny\n", "multipart/mixed:20:7(text/plain:1:0)" },
	{ "a multipart without a boundary is text", "Content-Type: multipart/mixed\n\n--b\n\nx\n",
	    "text/plain:7:3" },
	{ "a multipart without a part is text", MIXED("b") "hello\n", "text/plain:6:1" },
	{ "a type that cannot be read is text", "Content-Type: text\n\nx\n", "text/plain:2:1" },
	{ "a message within", "Content-Type: message/rfc822\n\nSubject: y\n\nbody\n",
	    "message/rfc822:17:3(text/plain:5:1)" },
	{ "a message within a message within a multipart",
	    MIXED("b") "--b\nContent-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nA: "
		       "b\n\nx\n--b--\n",
	    "multipart/mixed:78:9(message/rfc822:37:4(message/rfc822:7:2(text/plain:1:0)))" },
	{ "a digest's parts are messages",
	    "Content-Type: multipart/digest; boundary=b\n\n--b\n\nA: b\n\nx\n--b\nContent-Type: "
	    "text/html\n\ny\n--b--\n",
	    "multipart/digest:50:10(message/rfc822:7:2(text/plain:1:0) text/html:1:0)" },
	{ "an encoded message is not looked into",
	    "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nQTogYgoKeA==\n",
	    "application/octet-stream:13:1" },
	{ "a header that a delimiter cuts", MIXED("b") "--b\nContent-Type: text/html\n--b\n\nx\n--b--\n",
	    "multipart/mixed:41:6(text/html:0:0 text/plain:1:0)" },
	{ "a message within that a delimiter cuts", MIXED("b") "--b\nContent-Type: message/rfc822\n\n--b--\n",
	    "multipart/mixed:40:4(message/rfc822:0:0(text/plain:0:0))" },
	{ "a boundary in the form of RFC 2231",
	    "Content-Type: multipart/mixed; boundary*=us-ascii'en'b%62\n\n--bb\n\nx\n--bb--\n",
	    "multipart/mixed:15:4(text/plain:1:0)" },
	{ "comments and quotes in a type",
	    "Content-Type: (a) TEXT (b(c)) / (d) html (e) ; charset = \"x\" (f)\n\ny", "TEXT/html:1:0" },
};

static void
structure(void)
{
	for (size_t i = 0; i < sizeof trees / sizeof trees[0]; i++) {
		struct arena *a = arena_new(1 << 20);
		struct buf out;

		buf_init(&out, 10000);
		show(mime_parse(span_str(trees[i].in), a), &out);
		tap_span(buf_span(&out), span_str(trees[i].want), trees[i].name);
		buf_free(&out);
		arena_free(a);
	}
}

static void
parameters(void)
{
	static const struct {
		const char *name, *in, *want;
	} rows[] = {
		{ "plain and quoted", "; a=b; c=\"d e\"", "a=b;c=d e;" },
		{ "backslashes in quotes", "; a=\"b\\\"c\\\\\"", "a=b\"c\\;" },
		{ "folded", ";\n a=b;\n\tc=d", "a=b;c=d;" },
		{ "no quotes where they must be", "; name=my file (1).pdf ; x=a/b", "name=my file;x=a/b;" },
		{ "nothing between semicolons", ";; a=b;;", "a=b;" },
		{ "a parameter without a value", "; a; b=c", "b=c;" },
		{ "an empty value", "; a=; b=\"\"", "a=;b=;" },
		{ "quotes that do not end", "; a=\"b; c=d", "a=b; c=d;" },
		{ "junk in front", " junk; a=b", "a=b;" },
		/* RFC 2231, 3 and 4 */
		{ "continuations",
		    "; URL*0=\"ftp://\"; URL*1=\"cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar\"",
		    "URL=ftp://cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar;" },
		{ "a charset and language", "; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
		    "title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A;" },
		{ "both",
		    "; title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20;"
		    " title*2=\"isn't it!\"",
		    "title*=us-ascii'en'This%20is%20even%20more%20%2A%2A%2Afun%2A%2A%2A%20isn%27t%20it!;" },
		{ "continuations in any order", "; a*1=y; b=z; a*0=x", "a=xy;b=z;" },
		{ "a missing piece ends it", "; a*0=x; a*2=z", "a=x;a*2=z;" },
		{ "no first piece", "; a*1=x", "a*1=x;" },
		{ "the first piece plain, the second not", "; a*0=\"x y\"; a*1*=%41", "a*=''x%20y%41;" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena *a = arena_new(1 << 20);
		struct mime_part *p;
		struct buf in, out;

		buf_init(&in, 10000);
		buf_init(&out, 10000);
		buf_printf(&in, NULL, "Content-Type: application/x%s\n\n", rows[i].in);
		p = mime_parse(buf_span(&in), a);
		for (const struct mime_param *m = p->params; m != NULL; m = m->next)
			buf_printf(&out, NULL, "%.*s=%.*s;", SPAN_ARG(m->name), SPAN_ARG(m->value));
		tap_span(buf_span(&out), span_str(rows[i].want), rows[i].name);
		buf_free(&in);
		buf_free(&out);
		arena_free(a);
	}
}

static void
fields(void)
{
	struct arena *a = arena_new(1 << 20);
	struct mime_part *p = mime_parse(SPAN("Content-Type: text/plain; charset=\"iso-8859-1\"\r\n"
					      "Content-Transfer-Encoding: Quoted-Printable (yes)\r\n"
					      "Content-ID: <a@b>\r\nContent-Description: some\r\n text\r\n"
					      "Content-Disposition: attachment; filename=x\r\n"
					      "Content-Language: en, de\r\nContent-Location: http://x/\r\n"
					      "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\r\n"
					      "Content-ID: <second@b>\r\n\r\n"),
	    a);

	tap_span(p->charset, SPAN("iso-8859-1"), "the charset");
	tap_ok(p->encoding == MIME_QP, "the encoding, a comment behind it");
	tap_span(p->encoding_name, SPAN("Quoted-Printable"), "and its name as written");
	tap_span(p->id, SPAN("<a@b>"), "the id: the first counts");
	tap_span(p->description, SPAN("some text"), "the description, unfolded");
	tap_span(p->disposition, SPAN("attachment"), "the disposition");
	tap_span(mime_param(p->disposition_params, "FILENAME"), SPAN("x"), "its parameters");
	tap_span(p->language, SPAN("en, de"), "the language");
	tap_span(p->location, SPAN("http://x/"), "the location");
	tap_span(p->md5, SPAN("Q2hlY2sgSW50ZWdyaXR5IQ=="), "the MD5");
	arena_free(a);
}

static void
limits(void)
{
	struct arena *a = arena_new(256 << 20);
	struct mime_part *p, *deepest = NULL;
	size_t parts = 0, params = 0;
	struct buf m;

	buf_init(&m, 16 << 20);
	for (int i = 0; i < 150; i++)
		buf_printf(&m, NULL, "%sContent-Type: multipart/mixed; boundary=b%dx\n\n--b%dx\n", "", i, i);
	buf_str(&m, NULL, "\ntext\n");
	for (p = mime_parse(buf_span(&m), a); p != NULL; p = mime_next(p), parts++)
		deepest = p;
	tap_ok(parts == MIME_DEPTH_MAX + 1 && deepest->depth == MIME_DEPTH_MAX && deepest->opaque &&
		   span_ieq(deepest->subtype, "octet-stream"),
	    "what is nested too deep is opaque");
	buf_clear(&m);
	for (int i = 0; i < 300; i++)
		buf_str(&m, NULL, "Content-Type: message/rfc822\n\n");
	for (parts = 0, p = mime_parse(buf_span(&m), a); p != NULL; p = mime_next(p), parts++)
		deepest = p;
	tap_ok(parts == MIME_DEPTH_MAX + 1 && deepest->opaque, "messages within messages too");
	buf_clear(&m);
	buf_str(&m, NULL, MIXED("b"));
	for (int i = 0; i < MIME_PARTS_MAX + 50; i++)
		buf_str(&m, NULL, "--b\n\nx\n");
	for (parts = 0, p = mime_parse(buf_span(&m), a); p != NULL; p = mime_next(p), parts++)
		deepest = p;
	tap_ok(parts == MIME_PARTS_MAX && deepest->opaque && deepest->body_size > 50 * 7,
	    "the last of too many parts holds the rest and is opaque");
	buf_clear(&m);
	buf_str(&m, NULL, "Content-Type: a/b");
	for (int i = 0; i < MIME_PARAMS_MAX + 50; i++)
		buf_printf(&m, NULL, "; a%d=b", i);
	for (const struct mime_param *q = mime_parse(buf_span(&m), a)->params; q != NULL; q = q->next)
		params++;
	tap_ok(params == MIME_PARAMS_MAX, "parameters past the limit are left out");
	buf_free(&m);
	arena_free(a);
}

int
main(void)
{
	structure();
	parameters();
	fields();
	limits();
	return tap_done();
}
