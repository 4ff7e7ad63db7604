/* fuzz/logline.c - lines of the log as rookery trace reads them. */
#include "ctl/logline.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena *a = arena_new(64 << 20);
	struct logline line;
	struct span key, value;
	size_t before;

	if (logline_parse(span_of(p, n), &line)) {
		do
			before = line.pairs.n;
		while (logline_pair(&line.pairs, &key, &value, a) && line.pairs.n < before);
		need(line.pairs.n <= before);
	}
	arena_free(a);
	return 0;
}
