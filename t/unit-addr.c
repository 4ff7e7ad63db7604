/* unit-addr - addresses and networks as text. */
#include "io/addr.h"
#include "t/tap.h"

static const struct {
	const char *in, *text, *ip; /* text NULL: refused */
} addresses[] = {
	{ "127.0.0.1:25", "127.0.0.1:25", "127.0.0.1" },
	{ "[::1]:25", "[::1]:25", "::1" },
	{ "[2001:DB8:0:0::1]:65535", "[2001:db8::1]:65535", "2001:db8::1" },
	{ "*:0", "[::]:0", "::" },
	{ "[::ffff:10.0.0.1]:1", "10.0.0.1:1", "10.0.0.1" },
	{ "::1:25", NULL, NULL },
	{ "127.0.0.1", NULL, NULL },
	{ "127.0.0.1:65536", NULL, NULL },
	{ "127.0.0.1:4294967321", NULL, NULL },
	{ "127.0.0.1:", NULL, NULL },
	{ "127.0.0.1:-1", NULL, NULL },
	{ "127.1:25", NULL, NULL },
	{ "[127.0.0.1]:25", NULL, NULL },
	{ "[*]:25", NULL, NULL },
	{ "[::1:25", NULL, NULL },
	{ "localhost:25", NULL, NULL },
	{ ":25", NULL, NULL },
	{ "", NULL, NULL },
	{ "1111111111111111111111111111111111111111111111111111111111111111111111111:25", NULL, NULL },
};

static const struct {
	const char *addr, *list;
	bool in;
} networks[] = {
	{ "127.0.0.1:1", "127.0.0.0/8 [::1]/128", true },
	{ "126.255.255.255:1", "127.0.0.0/8", false },
	{ "[::1]:1", "127.0.0.0/8,::1/128", true },
	{ "[::1]:1", "[::1]", true },
	{ "[::2]:1", "[::1]/127", false },
	{ "[::3]:1", "[::2]/127", true },
	{ "10.9.8.7:1", "0.0.0.0/0", true },
	{ "[::1]:1", "0.0.0.0/0", false },
	{ "[::ffff:10.1.2.3]:1", "10.0.0.0/8", true },
	{ "10.1.2.3:1", "10.1.2.0/25", true },
	{ "10.1.2.128:1", "10.1.2.0/25", false },
	{ "10.1.2.3:1", "", false },
	{ "10.1.2.3:1", " , 10.1.2.4\t10.1.2.3", true },
};

static const struct {
	const char *list;
	bool ok;
} lists[] = {
	{ "", true },
	{ "127.0.0.0/8 [::1]/128 10.0.0.1", true },
	{ "127.0.0.0/33", false },
	{ "::1/129", false },
	{ "127.0.0.0/", false },
	{ "mail.example", false },
	{ "127.0.0.1;", false },
};

static void
keys(const char *x, const char *y, bool same)
{
	unsigned char a[16], b[16];
	struct addr p, q;

	need(addr_parse(span_str(x), &p, NULL) == 0 && addr_parse(span_str(y), &q, NULL) == 0);
	addr_key(&p, a);
	addr_key(&q, b);
	tap_ok((memcmp(a, b, 16) == 0) == same, "%s and %s are counted %s", x, y, same ? "as one" : "apart");
}

int
main(void)
{
	struct addr unset = { 0 }, local = { .ss.ss_family = AF_UNIX, .len = 2 };
	struct buf b;

	buf_init(&b, 200);
	for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
		struct err e = { 0 };
		struct addr a;
		int rc = addr_parse(span_str(addresses[i].in), &a, &e);

		if (addresses[i].text == NULL) {
			tap_ok(rc < 0 && e.kind == ERR_PERM, "refused: %s (%s)", addresses[i].in, e.text);
			continue;
		}
		if (!tap_ok(rc == 0, "parsed: %s %s", addresses[i].in, e.text))
			continue;
		buf_clear(&b);
		addr_text(&a, &b);
		tap_span(buf_span(&b), span_str(addresses[i].text), "as text");
		buf_clear(&b);
		addr_ip(&a, &b);
		tap_span(buf_span(&b), span_str(addresses[i].ip), "without its port");
	}
	for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
		struct addr a;

		need(addr_parse(span_str(networks[i].addr), &a, NULL) == 0);
		tap_ok(addr_in(&a, span_str(networks[i].list)) == networks[i].in, "%s %s \"%s\"",
		    networks[i].addr, networks[i].in ? "in" : "not in", networks[i].list);
	}
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		struct err e = { 0 };

		tap_ok((addr_list_check(span_str(lists[i].list), &e) == 0) == lists[i].ok, "list \"%s\": %s",
		    lists[i].list, e.text);
	}
	keys("10.0.0.1:1", "10.0.0.1:2", true);
	keys("10.0.0.1:1", "[::ffff:10.0.0.1]:2", true);
	keys("10.0.0.1:1", "10.0.0.2:1", false);
	keys("[2001:db8::1]:1", "[2001:db8::2:3]:1", true);
	keys("[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false);
	buf_clear(&b);
	addr_text(&local, &b);
	tap_span(buf_span(&b), SPAN("local"), "a Unix socket");
	tap_ok(addr_port(&unset) == 0 && !addr_in(&local, SPAN("0.0.0.0/0 ::/0")),
	    "what is no address is nowhere");
	buf_free(&b);
	return tap_done();
}
