/* fuzz/preview - the first words of any octets. */
#include "base/utf8.h"
#include "mail/preview.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span message = span_of(data, size);
	struct arena *a = arena_new(10 * size + (64U << 20));
	struct err e = { 0 };
	struct buf out;

	buf_init(&out, PREVIEW_MAX);
	need(preview_message(mime_parse(message, a), message, &out, &e) == 0 && utf8_valid(buf_span(&out)));
	for (size_t i = 0; i < out.n; i++)
		need((uint8_t)out.p[i] >= ' ' && out.p[i] != 0x7f);
	buf_free(&out);
	arena_free(a);
	return 0;
}
