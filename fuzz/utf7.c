/* Names that decode encode to what they were, and the other way round. */
#include "base/utf8.h"
#include "imap/match.h"
#include "imap/utf7.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct err e = { 0 };
	struct buf one, two;

	buf_init(&one, 10 * size + 100);
	buf_init(&two, 10 * size + 100);
	if (utf7_decode(in, &one, &e) == 0) {
		need(utf8_valid(buf_span(&one)));
		need(utf7_encode(buf_span(&one), &two, NULL) == 0);
		need(span_same(buf_span(&two), in));
	}
	buf_clear(&one);
	buf_clear(&two);
	err_clear(&e);
	if (utf7_encode(in, &one, &e) == 0) {
		need(utf7_decode(buf_span(&one), &two, NULL) == 0);
		need(span_same(buf_span(&two), in));
	}
	imap_match(span_head(in, size / 3), span_from(in, size / 3));
	buf_free(&one);
	buf_free(&two);
	return 0;
}
