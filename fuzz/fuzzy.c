/*
 * A query (up to the first NUL) and a text: scores are from 0 to 100 and the same however the text is cut in pieces; each word
 * that matches contains a stem; and a text that has the query in it matches.
 */
#include "base/utf8.h"
#include "mail/fuzzy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
contains(const struct word *w, const struct word *what)
{
	for (uint32_t i = 0; i + what->n <= w->n; i++)
		if (memcmp(w->cp + i, what->cp, what->n * sizeof w->cp[0]) == 0)
			return true;
	return false;
}

static bool
check(void *arg, const struct word *w)
{
	const struct fuzzy *f = arg;

	need(w->n > 0 && w->n <= WORD_MAX);
	for (size_t i = 0; i < f->n; i++) {
		bool stem = false;

		for (size_t k = 0; k < f->word[i].stems; k++)
			stem |= contains(w, &f->word[i].stem[k]);
		need(stem || fuzzy_grade(&f->word[i], w) == FUZZY_NONE);
	}
	return true;
}

static unsigned
score(const struct fuzzy *f, enum fuzzy_scope scope, struct span text, size_t piece)
{
	struct fuzzy_match m;
	struct text_sink to = fuzzy_start(&m, f, scope);
	bool begins = true;
	unsigned got;

	while (text.n > 0 || begins) {
		size_t n = piece < text.n ? piece : text.n;

		while (n < text.n && (text.p[n] & 0xc0) == 0x80)
			n++;
		if (!to.take(to.arg, span_head(text, n), TEXT_BODY, begins))
			break;
		text = span_from(text, n);
		begins = false;
	}
	got = fuzzy_score(&m);
	need(got <= 100);
	return got;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size), query = span_cut(&in, 0);
	struct arena *a = arena_new(64 << 20);
	struct fuzzy f;
	struct words cutter = { .take = check, .arg = &f };
	struct buf q, text;

	buf_init(&q, UTF8_FOLD_GROWS * 3 * size + 16);
	buf_init(&text, UTF8_FOLD_GROWS * 3 * size + 16);
	utf8_repair(query, &text, NULL);
	utf8_fold(buf_span(&text), &q, NULL);
	buf_clear(&text);
	{
		struct buf valid;

		buf_init(&valid, 3 * size + 16);
		utf8_repair(in, &valid, NULL);
		utf8_fold(buf_span(&valid), &text, NULL);
		buf_free(&valid);
	}
	fuzzy_query(buf_span(&q), a, &f);
	need(f.n <= FUZZY_WORDS_MAX && f.enough <= f.weight);
	words_feed(&cutter, buf_span(&text));
	words_end(&cutter);
	for (unsigned scope = FUZZY_FIELD; scope <= FUZZY_MESSAGE; scope++)
		need(score(&f, scope, buf_span(&text), SIZE_MAX) == score(&f, scope, buf_span(&text), 3));
	if (f.n > 0)
		need(score(&f, FUZZY_BODY, buf_span(&q), 7) > 0);
	buf_free(&text);
	buf_free(&q);
	arena_free(a);
	return 0;
}
