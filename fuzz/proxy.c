/* fuzz/proxy - the PROXY protocol's header: what is used is there, and a longer input changes nothing. */
#include "io/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct err e = { 0 };
	struct proxy p;
	ssize_t n = proxy_parse(in, &p, &e);

	need(n <= (ssize_t)size && (n < 0) == (e.kind != ERR_NONE));
	if (n > 0)
		need(proxy_parse(span_head(in, (size_t)n), &p, &e) == n);
	return 0;
}
