/* unit-fold - text compared by i;unicode-casemap: RFC 5051, 2. */
#include "base/base.h"
#include "base/utf8.h"
#include "t/tap.h"

static struct buf out;

static struct span
fold(struct span s)
{
	buf_clear(&out);
	need(utf8_fold(s, &out, NULL) == 0);
	return buf_span(&out);
}

static void
samples(void)
{
	static const struct {
		const char *in, *want, *what;
	} rows[] = {
		{ "abcXYZ[]@`{}~ 09", "ABCXYZ[]@`{}~ 09", "ASCII" },
		{ "eight octets and more than that", "EIGHT OCTETS AND MORE THAN THAT", "ASCII, by words" },
		{ "a\303\251", "AE\314\201", "a letter with its accent, decomposed" },
		{ "e\314\201", "E\314\201", "the same written as two" },
		{ "\303\237", "\303\237", "sharp s, which has no titlecase of one character" },
		{ "\317\202\317\203", "\316\243\316\243", "both small sigmas" },
		{ "\321\217", "\320\257", "Cyrillic" },
		{ "\307\206", "DZ\314\214", "dz with caron: titlecase, then decomposition, then both again" },
		{ "\307\204", "DZ\314\214", "DZ with caron" },
		{ "\357\254\201", "FI", "a ligature" },
		{ "\357\274\241\357\275\201", "AA", "letters of full width" },
		{ "\302\275", "1\342\201\2042", "one half" },
		{ "\302\240", " ", "a space that does not break" },
		{ "\341\272\253", "A\314\202\314\203", "two accents" },
		{ "\352\260\200", "\352\260\200", "Hangul syllables have no decomposition in that file" },
		{ "\344\270\255", "\344\270\255", "Han" },
		{ "\360\220\220\250", "\360\220\220\200", "Deseret, beyond 16 bits" },
		{ "\360\237\230\200", "\360\237\230\200", "an emoji" },
		{ "a\377b\303", "A\377B\303", "what is not UTF-8 is copied" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		tap_span(fold(span_str(rows[i].in)), span_str(rows[i].want), rows[i].what);
}

/* Each code point there is: nothing grows more than said, and what was folded stays. */
static void
every_character(void)
{
	struct buf in, once;
	uint32_t large = 0, changed = 0;

	buf_init(&in, 16);
	buf_init(&once, 256);
	for (uint32_t cp = 0; cp < 0x110000; cp++) {
		if (cp >= 0xd800 && cp < 0xe000)
			continue;
		buf_clear(&in);
		buf_clear(&once);
		need(utf8_put(cp, &in, NULL) == 0 && utf8_fold(buf_span(&in), &once, NULL) == 0);
		large += once.n > UTF8_FOLD_GROWS * in.n;
		changed += !span_same(fold(buf_span(&once)), buf_span(&once));
	}
	tap_ok(large == 0, "no character grows by more than %d", UTF8_FOLD_GROWS);
	tap_ok(changed == 0, "what is folded once is folded for good");
	buf_free(&in);
	buf_free(&once);
}

int
main(void)
{
	buf_init(&out, 4096);
	samples();
	every_character();
	buf_free(&out);
	return tap_done();
}
