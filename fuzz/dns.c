/* fuzz/dns.c - MX data and resolv.conf, of any content. */
#include "dns/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span text = span_of(p, n), server;
	struct arena *a = arena_new(1 << 20);
	struct err e = { 0 };
	struct dns_mx mx;

	if (dns_mx_data(text, &mx, a, &e) == 0) {
		need(mx.preference < 65536 && mx.host.n <= 253);
		for (size_t i = 0; i < mx.host.n; i++)
			need(ascii_isalnum(mx.host.p[i]) || strchr("-_.", mx.host.p[i]) != NULL);
	} else {
		need(e.kind == ERR_PEER);
	}
	while (dns_resolv_next(&text, &server))
		need(server.n > 0 && span_chr(server, '\n') < 0 && span_chr(server, ' ') < 0);
	arena_free(a);
	return 0;
}
