/* Parameters in any form; xtext that was decoded is encoded to what decodes to the same. */
#include "base/utf8.h"
#include "smtp/params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct arena *a = arena_new(16 * size + 65536);
	struct mail_params m;
	struct rcpt_params r;
	struct err e = { 0 };
	struct buf one, two;

	if (mail_params_parse(in, 63, &m, a, &e) == 0)
		need(m.envid.n <= 100);
	err_clear(&e);
	if (rcpt_params_parse(in, 63, &r, a, &e) == 0)
		need(utf8_valid(r.orcpt) && (r.notify == NOTIFY_NEVER || (r.notify & NOTIFY_NEVER) == 0));
	buf_init(&one, 3 * size + 10);
	buf_init(&two, size + 3 * size + 10);
	need(xtext_encode(in, &one, NULL) == 0);
	need(xtext_decode(buf_span(&one), &two, NULL) == 0);
	need(span_same(buf_span(&two), in));
	buf_free(&one);
	buf_free(&two);
	arena_free(a);
	return 0;
}
