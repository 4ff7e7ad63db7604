/* Fuzz target: etc/filters.cf. */
#include "cfg/filters.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(1 << 20);
	struct filters f;
	struct err e = { 0 };

	if (filters_parse(span_of(data, size), "filters.cf", a, &f, &e) == 0)
		need(f.n <= FILTERS_MAX);
	else
		need(e.kind == ERR_PERM);
	arena_free(a);
	return 0;
}
