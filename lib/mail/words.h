/*
 * words.h - a text cut into words, as a fuzzy search (mail/fuzzy.h) compares it.
 *
 * A word is a row of letters, digits and marks of Unicode (general categories L, N and M); all else stands between words. Of
 * Han, Hiragana and Katakana, which are written without spaces, each character is a word, with the sound marks behind it. A
 * row of more than WORD_MAX characters is several words. There is no stemming and no list of words to ignore.
 *
 * The text is folded (utf8_fold) before. Pure; memory of constant size, whatever the text is. (t/unit-fuzzy.c, fuzz/fuzzy.c)
 */
#ifndef MAIL_WORDS_H
#define MAIL_WORDS_H

#include "base/base.h"

enum { WORD_MAX = 64 };

struct word {
	uint32_t n;
	uint32_t cp[WORD_MAX];
	uint64_t letters; /* bit cp % 64 of each: a word with others is another word */
};

/* Text of several pieces: a word may go on in the next. */
struct words {
	struct word now;
	bool (*take)(void *arg, const struct word *w); /* false: no more is wanted */
	void *arg;
};

/* Whole characters; an octet that is not UTF-8 stands between words. False if no more is wanted. */
bool words_feed(struct words *w, struct span text);

/* The text is at its end. */
bool words_end(struct words *w);

/* Put a character behind those of a word that has room. */
static inline void
word_put(struct word *w, uint32_t cp)
{
	w->cp[w->n++] = cp;
	w->letters |= (uint64_t)1 << cp % 64;
}

#endif
