/* The one form of an address or domain is its own one form. */
#include "smtp/mailbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
twice(struct span in, int (*canon)(struct span, struct buf *, struct err *))
{
	struct err e = { 0 };
	struct buf one, two;

	buf_init(&one, 4 * in.n + 1000);
	buf_init(&two, 4 * in.n + 1000);
	if (canon(in, &one, &e) == 0) {
		need(canon(buf_span(&one), &two, NULL) == 0);
		need(span_same(buf_span(&one), buf_span(&two)));
	}
	buf_free(&one);
	buf_free(&two);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);

	twice(in, domain_canon);
	twice(in, mailbox_canon);
	return 0;
}
