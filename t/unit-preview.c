/* unit-preview - the first words of a message (RFC 8970). */
#include "base/utf8.h"
#include "mail/preview.h"
#include "t/tap.h"

static const struct {
	const char *in, *want;
} rows[] = {
	{ "Subject: x\r\n\r\nHello,\r\n\r\n  this   is\ttext.\r\n", "Hello, this is text." },
	{ "Subject: x\r\n\r\n", "" },
	{ "", "" },
	{ "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=E9 au=\r\n lait",
	    "caf\xc3\xa9 au lait" },
	{ "Content-Type: text/html\r\n\r\n<html><head><title>No</title><style>p { color: red > blue }</style></head>\r\n"
	  "<body><!-- not -- this > --><p class=\"a>b\">One&nbsp;&amp; <b>t</b>wo</p><script>if (a < b) x()</script>"
	  "<p>&#8364;&#x41;&bogus; 1 < 2 &lt;3",
	    "One & two \xe2\x82\xac"
	    "A 1 < 2 <3" },
	{ "Content-Type: text/html\r\n\r\n<p>never <closed", "never" },
	{ "Content-Type: text/html\r\n\r\nAT&T <3 you", "AT&T <3 you" },
	{ "Content-Type: multipart/mixed; boundary=b\r\n\r\nno\r\n--b\r\nContent-Type: text/plain\r\nContent-Disposition: "
	  "attachment\r\n\r\nnot this\r\n--b\r\nContent-Type: text/calendar\r\n\r\nnor this\r\n--b\r\n\r\n \r\n--b\r\n\r\nbut this\r\n--b--",
	    "but this" },
	{ "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA", "" },
	{ "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVs\r\nbG8=\r\n", "Hello" },
	{ "\r\nzero\xe2\x80\x8bwidth \x01"
	  "controls",
	    "zerowidth controls" },
};

int
main(void)
{
	struct arena *a = arena_new(64 << 20);
	struct err e = { 0 };
	struct buf out, big;
	size_t chars = 0, len;

	buf_init(&out, 1 << 16);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct span m = span_str(rows[i].in);

		buf_clear(&out);
		arena_reset(a);
		preview_message(mime_parse(m, a), m, &out, &e);
		tap_span(buf_span(&out), span_str(rows[i].want), rows[i].in);
	}
	buf_init(&big, 1 << 20);
	buf_str(&big, NULL, "\r\n");
	for (int i = 0; i < 10000; i++)
		buf_str(&big, NULL, i % 7 == 0 ? "\r\n" : "\xc3\xa4");
	buf_clear(&out);
	preview_message(mime_parse(buf_span(&big), a), buf_span(&big), &out, &e);
	for (struct span s = buf_span(&out); s.n > 0; s = span_from(s, len), chars++)
		utf8_get(s, &len);
	tap_ok(
	    chars == PREVIEW_CHARS && utf8_valid(buf_span(&out)), "200 characters and no more: %zu", chars);
	buf_free(&big);
	buf_free(&out);
	arena_free(a);
	return tap_done();
}
