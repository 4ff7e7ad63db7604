/* Decoding gives valid UTF-8; what was encoded decodes to what it was. */
#include "base/utf8.h"
#include "mail/charset.h"
#include "mail/rfc2047.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
round_trip(struct span text)
{
	struct buf words, again;

	buf_init(&words, 20 * text.n + 200);
	buf_init(&again, 40 * text.n + 400);
	need(rfc2047_encode(text, 9, &words, NULL) == 0);
	need(ascii_only(buf_span(&words)));
	for (struct span rest = buf_span(&words); rest.n > 0;) {
		struct span line = span_cut(&rest, '\n');

		need(line.n < 80 || span_find(text, SPAN("=?")) < 0);
	}
	need(rfc2047_decode(buf_span(&words), &again, NULL) == 0);
	need(span_same(buf_span(&again), text));
	buf_free(&words);
	buf_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	bool controls = false;
	struct buf out;

	charset_preload();
	buf_init(&out, 8 * size + 200);
	need(rfc2047_decode(in, &out, NULL) == 0);
	need(utf8_valid(buf_span(&out)));
	for (size_t i = 0; i < size; i++)
		controls |= data[i] < ' ' || data[i] == 0x7f;
	if (utf8_valid(in) && !controls && !(ascii_only(in) && span_find(in, SPAN("=?")) < 0))
		round_trip(in);
	buf_free(&out);
	return 0;
}
