/* fuzz/pw.c - the hash parser: what a database or an import file may hold. Costs are judged, not paid. */
#include "pw/pw.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span hash = span_of(p, n);
	struct err e = { 0 };
	int valid = pw_scheme_valid(hash, &e) == 0;

	need(valid == (e.kind == ERR_NONE));
	if (!pw_cheap(hash))
		return 0;
	need(valid);
	err_clear(&e);
	need(pw_verify(hash, SPAN("password"), &e) >= 0);
	return 0;
}
