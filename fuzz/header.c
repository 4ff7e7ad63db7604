/* The fields and the empty line together are the header, and selecting all but none gives it back. */
#include "mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size), names[2] = { SPAN("subject"), SPAN("x") };
	struct header_iter it = header_start(in);
	struct arena *a = arena_new(8 * size + 4096);
	struct header_field f;
	struct buf out;
	size_t total = 0;

	buf_init(&out, size + 2);
	while (header_next(&it, &f)) {
		struct span one = header_unfold(f.value, a);

		total += f.raw.n;
		need(span_chr(one, '\n') < 0 && span_chr(one, '\0') < 0);
	}
	if (!it.cut)
		need(total <= header_size(in) && header_size(in) - total <= 2);
	need(header_select(in, NULL, 0, true, &out, NULL) == 0);
	need(span_same(buf_span(&out), span_head(in, header_size(in))));
	buf_clear(&out);
	need(header_select(in, names, 2, false, &out, NULL) == 0);
	need(header_select(in, names, 2, true, &out, NULL) == 0);
	need(out.n <= header_size(in) + 2);
	buf_free(&out);
	arena_free(a);
	return 0;
}
