/* fuzz/import.c - the CSV of `rookery user import`. */
#include <stdlib.h>

#include "ctl/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
complain(void *arg, uint32_t line, const char *why)
{
	size_t *n = arg;

	need(line > 0 && why[0] != '\0');
	++*n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena *a = arena_new(256 * n + (1 << 20));
	struct err e = { 0 };
	struct import in;
	size_t complaints = 0;
	int rc = import_parse(span_of(p, n), a, complain, &complaints, &in, &e);

	need((rc == 0) == (complaints == 0));
	for (size_t i = 0; i < in.n; i++)
		need(in.user[i].m.addr.n > 0);
	free(in.user);
	arena_free(a);
	return 0;
}
