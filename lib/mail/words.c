#include "mail/words.h"

#include "base/utf8.h"
#include "mail/word-table.h"

static bool
in_word(uint32_t cp)
{
	size_t lo = 0, hi = sizeof between_words / sizeof between_words[0];

	if (cp < 0x80)
		return ascii_isalnum((char)cp);
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (cp > between_words[mid].last)
			lo = mid + 1;
		else if (cp < between_words[mid].first)
			hi = mid;
		else
			return false;
	}
	return true;
}

/* Written without spaces: Hiragana and Katakana with their extensions and of half width; Han. */
static bool
is_alone(uint32_t cp)
{
	return cp >= 0x3041 && (cp <= 0x30ff || (cp >= 0x31f0 && cp <= 0x31ff) ||
				   (cp >= 0x3400 && cp <= 0x4dbf) || (cp >= 0x4e00 && cp <= 0x9fff) ||
				   (cp >= 0xf900 && cp <= 0xfaff) || (cp >= 0xff66 && cp <= 0xff9f) ||
				   (cp >= 0x1b000 && cp <= 0x1b16f) || (cp >= 0x20000 && cp <= 0x3ffff));
}

/* Voiced and half voiced, as folding splits them off. */
static bool
is_sound_mark(uint32_t cp)
{
	return cp == 0x3099 || cp == 0x309a;
}

bool
words_end(struct words *w)
{
	bool more = w->now.n == 0 || w->take(w->arg, &w->now);

	w->now.n = 0;
	w->now.letters = 0;
	return more;
}

static bool
character(struct words *w, uint32_t cp)
{
	bool more = true;

	if (!in_word(cp))
		return words_end(w);
	if (w->now.n > 0 && !is_sound_mark(cp) &&
	    (w->now.n == WORD_MAX || is_alone(cp) || is_alone(w->now.cp[0])))
		more = words_end(w);
	if (w->now.n == WORD_MAX)
		more = words_end(w);
	word_put(&w->now, cp);
	return more;
}

bool
words_feed(struct words *w, struct span text)
{
	size_t len;

	for (; text.n > 0; text = span_from(text, len)) {
		uint8_t c = (uint8_t)text.p[0];
		int32_t cp = c;

		len = 1;
		if (c >= 0x80)
			cp = utf8_get(text, &len);
		if (!character(w, cp < 0 ? ' ' : (uint32_t)cp))
			return false;
	}
	return true;
}
