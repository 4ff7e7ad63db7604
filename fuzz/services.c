/* fuzz/services.c - master.cf. */
#include "cfg/services.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena *a = arena_new(16 << 20);
	struct err e = { 0 };
	struct services s;
	int rc = services_parse(span_of(p, n), "fuzz", a, &s, &e);

	need((rc == 0) == (e.kind == ERR_NONE));
	for (size_t i = 0; i < s.n; i++)
		need(services_find(&s, s.v[i].name) == &s.v[i]);
	arena_free(a);
	return 0;
}
