/* unit-dns.c - lib/dns without a network: MX records, their order, our place among them, resolv.conf. */
#include "dns/dns.h"
#include "t/tap.h"

static void
records(struct arena *a)
{
	struct dns_mx mx;
	struct err e = { 0 };

	tap_ok(dns_mx_data(SPAN("\0\12\2mx\4PEER\4test\0"), &mx, a, &e) == 0 && mx.preference == 10,
	    "an MX record");
	tap_span(mx.host, SPAN("mx.peer.test"), "its host is in lower case, without the final dot");
	tap_ok(dns_mx_data(SPAN("\0\0\0"), &mx, a, &e) == 0 && mx.host.n == 0,
	    "the root is an empty host: null MX");
	tap_ok(dns_mx_data(SPAN("\0\12"), &mx, a, NULL) < 0, "a record without a name is refused");
	tap_ok(dns_mx_data(SPAN("\0\12\2mx\11short\0"), &mx, a, NULL) < 0, "so is a label past the end");
	tap_ok(dns_mx_data(SPAN("\0\12\2mx"), &mx, a, NULL) < 0, "and a name that does not end");
	tap_ok(dns_mx_data(SPAN("\0\12\2mx\0junk"), &mx, a, NULL) < 0, "and one with something behind it");
	tap_ok(dns_mx_data(SPAN("\0\12\300\14"), &mx, a, NULL) < 0, "and a compression pointer");
	tap_ok(dns_mx_data(SPAN("\0\12\4a\nb \0"), &mx, a, NULL) < 0, "and octets that no host name has");
}

static void
order(void)
{
	struct dns_mx mx[] = { { 20, SPAN("c") }, { 10, SPAN("b") }, { 10, SPAN("a") }, { 5, SPAN("d") } };
	struct dns_mx again[] = { { 20, SPAN("c") }, { 10, SPAN("b") }, { 10, SPAN("a") }, { 5, SPAN("d") } };
	bool loop;

	tap_ok(
	    dns_mx_order(mx, (uint32_t[]){ 1, 9, 3, 7 }, 4, SPAN("us"), &loop) == 4 && !loop, "all are kept");
	tap_ok(mx[0].host.p[0] == 'd' && mx[3].host.p[0] == 'c', "the lowest preference is first");
	tap_ok(mx[1].host.p[0] == 'a' && mx[2].host.p[0] == 'b', "equals are ordered by the random numbers");
	tap_ok(dns_mx_order(again, (uint32_t[]){ 1, 2, 3, 4 }, 4, SPAN("B"), &loop) == 1 && loop,
	    "our own name drops itself, its equals and all behind");
	tap_ok(dns_mx_order(again, (uint32_t[]){ 1, 2, 3, 4 }, 4, SPAN("d"), &loop) == 0 && loop,
	    "if we are the best, nothing is left");
}

static void
resolv(void)
{
	struct span text = SPAN("# x\nnameserver 192.0.2.1\nsearch example.org\nnameserver\t::1 # local\n"
				"nameservers 1.2.3.4\nnameserver\nnameserver 192.0.2.2");
	struct span s;

	tap_ok(dns_resolv_next(&text, &s) && span_eq(s, "192.0.2.1"), "the first name server");
	tap_ok(dns_resolv_next(&text, &s) && span_eq(s, "::1"), "a tab and a comment");
	tap_ok(dns_resolv_next(&text, &s) && span_eq(s, "192.0.2.2"), "other lines are skipped");
	tap_ok(!dns_resolv_next(&text, &s), "and then none");
}

int
main(void)
{
	struct arena *a = arena_new(1 << 20);

	records(a);
	order();
	resolv();
	arena_free(a);
	return tap_done();
}
