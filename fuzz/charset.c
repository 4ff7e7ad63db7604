/* Any charset, whole or in pieces, gives the same valid UTF-8. The first octets choose charset and size. */
#include "mail/charset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = { "utf-8", "iso-8859-2", "windows-1255", "koi8-r", "shift_jis", "euc-jp",
	"gb2312", "big5", "euc-kr", "utf-16le", "none-such", "iso-2022-jp", "iso-2022-kr", "utf-7",
	"utf-16" };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size), rest;
	struct buf whole, cut, held, folded;
	struct charset cs;
	size_t step, used;

	if (size < 2)
		return 0;
	charset_preload();
	cs = charset_of(span_str(names[data[0] % (sizeof names / sizeof names[0])]));
	step = 1 + data[1] % 40;
	rest = in = span_from(in, 2);
	buf_init(&whole, 8 * in.n + 100);
	buf_init(&cut, 8 * in.n + 100);
	buf_init(&held, in.n + 100);
	buf_init(&folded, UTF8_FOLD_GROWS * whole.max);
	need(charset_feed(cs, in, true, &whole, &used, NULL) == 0 && used == in.n);
	need(utf8_valid(buf_span(&whole)));
	do {
		struct span piece = span_head(rest, step);

		rest = span_from(rest, piece.n);
		buf_add(&held, NULL, piece);
		need(charset_feed(cs, buf_span(&held), rest.n == 0, &cut, &used, NULL) == 0);
		need(used <= held.n);
		buf_consume(&held, used);
	} while (rest.n > 0);
	need(held.n == 0 && utf8_valid(buf_span(&cut)));
	if (data[0] % (sizeof names / sizeof names[0]) < 4)
		need(span_same(buf_span(&cut), buf_span(&whole)));
	need(utf8_fold(buf_span(&whole), &folded, NULL) == 0);
	need(utf8_valid(buf_span(&folded)));
	buf_free(&folded);
	buf_free(&held);
	buf_free(&whole);
	buf_free(&cut);
	return 0;
}
