/* unit-proxy - the PROXY protocol's header. */
#include "io/proxy.h"
#include "t/tap.h"

static const struct {
	struct span in;
	const char *src, *dst; /* src NULL: refused; "": not known */
} cases[] = {
	{ SPAN("PROXY TCP4 192.0.2.1 198.51.100.2 56324 993\r\n"), "192.0.2.1:56324", "198.51.100.2:993" },
	{ SPAN("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"), "[2001:db8::1]:1", "[2001:db8::2]:65535" },
	{ SPAN("PROXY UNKNOWN\r\n"), "", "" },
	{ SPAN("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), "", "" },
	{ SPAN("PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n"), NULL, NULL },
	{ SPAN("PROXY TCP4 192.0.2.1 198.51.100.2 56324 993 1\r\n"), NULL, NULL },
	{ SPAN("PROXY TCP4 192.0.2.1 198.51.100.2 56324 65536\r\n"), NULL, NULL },
	{ SPAN("PROXY TCP4 192.0.2.1 198.51.100.2 056324 993\r\n"), NULL, NULL },
	{ SPAN("PROXY TCP4 2001:db8::1 198.51.100.2 56324 993\r\n"), NULL, NULL },
	{ SPAN("PROXY TCP6 192.0.2.1 198.51.100.2 56324 993\r\n"), NULL, NULL },
	{ SPAN("PROXY TCP4 * 198.51.100.2 56324 993\r\n"), NULL, NULL },
	{ SPAN("PROXY UDP4 192.0.2.1 198.51.100.2 56324 993\r\n"), NULL, NULL },
	{ SPAN("PROXY TCP4 192.0.2.1 198.51.100.2 56324 993\n"), NULL, NULL },
	{ SPAN("proxy TCP4 192.0.2.1 198.51.100.2 56324 993\r\n"), NULL, NULL },
	{ SPAN("a LOGIN x y\r\n"), NULL, NULL },
	{ SPAN("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\xdc\4\3\xe1"), "192.0.2.1:56324",
	    "198.51.100.2:993" },
	{ SPAN("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\xc0\0\2\1\xc6\x33\x64\2\xdc\4\3\xe1tlv"),
	    "192.0.2.1:56324", "198.51.100.2:993" },
	{ SPAN("\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\1\xd\xb8\0\0\0\0"
	       "\0\0\0\0\0\0\0\2\0\1\0\2"),
	    "[2001:db8::1]:1", "[2001:db8::2]:2" },
	{ SPAN("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"), "", "" },
	{ SPAN("\r\n\r\n\0\r\nQUIT\n\x20\0\0\4abcd"), "", "" },
	{ SPAN("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0b\xc0\0\2\1\xc6\x33\x64\2\xdc\4\3"), NULL, NULL },
	{ SPAN("\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c\xc0\0\2\1\xc6\x33\x64\2\xdc\4\3\xe1"), NULL, NULL },
	{ SPAN("\r\n\r\n\0\r\nQUIT\n\x11\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\xdc\4\3\xe1"), NULL, NULL },
	{ SPAN("\r\n\r\n\0\r\nQUIT\n\x22\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\xdc\4\3\xe1"), NULL, NULL },
	{ SPAN("\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff"), NULL, NULL },
};

int
main(void)
{
	struct buf b;

	buf_init(&b, 200);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct err e = { 0 };
		struct proxy p;
		ssize_t n = proxy_parse(cases[i].in, &p, &e);
		bool partial = true;

		if (cases[i].src == NULL) {
			tap_ok(n < 0 && e.kind == ERR_PEER, "refused (%zu): %s", i, e.text);
			continue;
		}
		tap_ok(n == (ssize_t)cases[i].in.n, "taken whole (%zu) %s", i, e.text);
		for (size_t k = 0; k < cases[i].in.n; k++)
			partial &= proxy_parse(span_head(cases[i].in, k), &p, &e) == 0;
		tap_ok(partial, "and each part of it waits for more");
		proxy_parse(cases[i].in, &p, &e);
		buf_clear(&b);
		if (p.known)
			addr_text(&p.src, &b);
		tap_span(buf_span(&b), span_str(cases[i].src), "from");
		buf_clear(&b);
		if (p.known)
			addr_text(&p.dst, &b);
		tap_span(buf_span(&b), span_str(cases[i].dst), "to");
	}
	buf_free(&b);
	return tap_done();
}
