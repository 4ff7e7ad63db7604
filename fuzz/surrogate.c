/* Any header: its surrogate is ASCII when the header is UTF-8, and a surrogate needs none itself. */
#include "mail/header.h"
#include "mail/surrogate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = span_of((const char *)data, size), header = span_head(all, header_size(all));
	struct buf out;

	if (!surrogate_needed(header))
		return 0;
	buf_init(&out, 64 << 20);
	need(surrogate_header(header, &out, NULL) == 0);
	for (size_t i = 0; i < out.n; i++)
		need((unsigned char)out.p[i] < 128);
	buf_free(&out);
	return 0;
}
