/* Decoding gives valid UTF-8, whatever the value. */
#include "base/utf8.h"
#include "mail/charset.h"
#include "mail/rfc2047.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct buf out;

	charset_preload();
	buf_init(&out, 8 * size + 200);
	need(rfc2047_decode(in, &out, NULL) == 0);
	need(utf8_valid(buf_span(&out)));
	buf_free(&out);
	return 0;
}
