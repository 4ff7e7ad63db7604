/* unit-surrogate - RFC 6858: an internationalised header for those who know ASCII only. */
#include "mail/surrogate.h"
#include "t/tap.h"

static const struct {
	const char *what, *in, *out;
} cases[] = {
	{ "what is ASCII stays as it is, folds and all", "Subject: a\r\n b\r\nTo: x@y\r\n\r\n",
	    "Subject: a\r\n b\r\nTo: x@y\r\n\r\n" },
	{ "2.1: a name", "From: Jos\xc3\xa9 <jose@example.org>\r\n\r\n",
	    "From: =?UTF-8?B?Sm9zw6k=?= <jose@example.org>\r\n\r\n" },
	{ "2.1: an address", "To: a@b, Jos\xc3\xa9 <jos\xc3\xa9@example.org>\r\n\r\n",
	    "To: <a@b>,\r\n =?UTF-8?B?Sm9zw6k=?= <invalid@internationalized-address.invalid>\r\n\r\n" },
	{ "2.1: an address without a name tells itself", "Cc: \xc3\xa9@b\r\n\r\n",
	    "Cc: =?UTF-8?B?w6lAYg==?= <invalid@internationalized-address.invalid>\r\n\r\n" },
	{ "2.1: a group", "To: caf\xc3\xa9: \"x y\"@b;\r\n\r\n",
	    "To: =?UTF-8?B?Y2Fmw6k=?=:<\"x y\"@b>;\r\n\r\n" },
	{ "2.2: a parameter", "Content-Type: text/plain; name=\"\xc3\xa9;\"; charset=utf-8\r\n\r\n",
	    "Content-Type: text/plain; charset=utf-8\r\n\r\n" },
	{ "2.3: Subject", "Subject: caf\xc3\xa9\r\n  noir\r\n\r\n",
	    "Subject: =?UTF-8?B?Y2Fmw6kgIG5vaXI=?=\r\n\r\n" },
	{ "2.3: a long one is cut between characters",
	    "Subject: \xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
	    "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
	    "ab\xe2\x82\xac\r\n\r\n",
	    "Subject: =?UTF-8?B?4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKsYWI=?=\r\n =?UTF-8?B?4oKs?=\r\n\r\n" },
	{ "2.4: any other field goes", "X-A: \xc3\xa9\r\nMessage-ID: <\xc3\xa9@b>\r\nDate: d\r\n\r\n",
	    "Date: d\r\n\r\n" },
	{ "a header without an end", "Subject: \xc3\xa9", "Subject: =?UTF-8?B?w6k=?=\r\n" },
};

int
main(void)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		buf_clear(&out);
		tap_ok(surrogate_header(span_str(cases[i].in), &out, NULL) == 0 &&
			   span_eq(buf_span(&out), cases[i].out),
		    "%s", cases[i].what);
		if (!span_eq(buf_span(&out), cases[i].out))
			printf("# %.*s\n", SPAN_ARG(buf_span(&out)));
	}
	buf_free(&out);
	tap_ok(surrogate_needed(SPAN("Subject: \xc3\xa9\r\n\r\n")), "UTF-8 needs a surrogate");
	tap_ok(!surrogate_needed(SPAN("Subject: e\r\n\r\n")), "ASCII needs none");
	tap_ok(!surrogate_needed(SPAN("Subject: \xe9\r\n\r\n")), "octets that are no UTF-8 never had one");
	return tap_done();
}
