/* fuzz/cfg.c - rookery.cf, and the text of an option. */
#include "cfg/cfg.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct err e = { 0 };
	int rc = cfg_check(span_of(p, n), "fuzz", NULL, 0, &e);

	need((rc == 0) == (e.kind == ERR_NONE));
	err_clear(&e);
	rc = cfg_option_check(span_of(p, n), &e);
	need((rc == 0) == (e.kind == ERR_NONE));
	return 0;
}
