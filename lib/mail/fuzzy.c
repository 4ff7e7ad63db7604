/* fuzzy.c - words of a query, and how well a word of a text matches one. The score is in fuzzy-score.c. */
#include "mail/fuzzy.h"

enum {
	PREFIX_MIN = 2, /* characters of a query word that other words may begin with */
	INSIDE_MIN = 3,
	EDIT_MIN = 5,
	EDITS_MIN = 9,
	WEIGHT_MAX = 8,
};

/* ---- stems */

static struct word *
new_stem(struct fuzzy_word *q)
{
	return &q->stem[q->stems++];
}

/* Characters [from, to). */
static void
stem_part(struct fuzzy_word *q, uint32_t from, uint32_t to)
{
	struct word *s = new_stem(q);

	for (; from < to; from++)
		word_put(s, q->word.cp[from]);
}

/* All, with those at i and i + 1 swapped. */
static void
stem_swapped(struct fuzzy_word *q, uint32_t i)
{
	struct word *s = new_stem(q);

	*s = q->word;
	s->cp[i] = q->word.cp[i + 1];
	s->cp[i + 1] = q->word.cp[i];
}

static void
stem_without(struct fuzzy_word *q, uint32_t i)
{
	struct word *s = new_stem(q);

	for (uint32_t k = 0; k < q->word.n; k++)
		if (k != i)
			word_put(s, q->word.cp[k]);
}

static void
make_stems(struct fuzzy_word *q)
{
	uint32_t n = q->word.n;

	if (n < EDIT_MIN) {
		stem_part(q, 0, n);
	} else if (n == EDIT_MIN) {
		stem_part(q, 0, 3);
		stem_part(q, 2, 5);
		stem_swapped(q, 1);
		stem_swapped(q, 2);
		stem_without(q, 2);
	} else {
		stem_part(q, 0, n / 2);
		stem_part(q, n / 2, n);
		stem_swapped(q, n / 2 - 1);
	}
}

/* ---- the query */

static bool
same(const struct word *a, const struct word *b)
{
	return a->n == b->n && a->letters == b->letters && memcmp(a->cp, b->cp, a->n * sizeof a->cp[0]) == 0;
}

static bool
take_query(void *arg, const struct word *w)
{
	struct fuzzy *f = arg;
	struct fuzzy_word *q = &f->word[f->n];

	for (size_t i = 0; i < f->n; i++)
		if (same(&f->word[i].word, w))
			return true;
	q->word = *w;
	q->edits = w->n < EDIT_MIN ? 0 : w->n < EDITS_MIN ? 1 : 2;
	q->weight = w->n < WEIGHT_MAX ? w->n : WEIGHT_MAX;
	make_stems(q);
	f->weight += q->weight;
	return ++f->n < FUZZY_WORDS_MAX;
}

void
fuzzy_query(struct span text, struct arena *a, struct fuzzy *out)
{
	struct words cutter = { .take = take_query, .arg = out };

	*out = (struct fuzzy){ .word = arena_array(a, FUZZY_WORDS_MAX, sizeof *out->word) };
	if (words_feed(&cutter, text))
		words_end(&cutter);
	out->enough = out->n <= 2 ? out->weight : (2 * out->weight + 2) / 3;
}

/* ---- one word against another */

/* Where `what` stands in w first; -1: nowhere. */
static int
find(const struct word *w, const struct word *what)
{
	if ((what->letters & ~w->letters) != 0)
		return -1;
	for (uint32_t i = 0; i + what->n <= w->n; i++)
		if (w->cp[i] == what->cp[0] && memcmp(w->cp + i, what->cp, what->n * sizeof what->cp[0]) == 0)
			return (int)i;
	return -1;
}

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/*
 * Edits between two words, each place edited once (optimal string alignment); some number above max if there are
 * more. Only cells as near to the diagonal as max are looked at.
 */
static unsigned
distance(const struct word *a, const struct word *b, uint32_t max)
{
	unsigned row[3][WORD_MAX + 2]; /* of i - 2, i - 1, i, by i % 3 */

	for (uint32_t j = 0; j <= b->n; j++)
		row[0][j] = j;
	for (uint32_t i = 1; i <= a->n; i++) {
		unsigned *now = row[i % 3], *above = row[(i + 2) % 3], *before = row[(i + 1) % 3];
		uint32_t from = i > max ? i - max : 1, to = i + max < b->n ? i + max : b->n;

		now[from - 1] = from == 1 ? i : max + 1;
		for (uint32_t j = from; j <= to; j++) {
			bool differ = a->cp[i - 1] != b->cp[j - 1];
			unsigned best = least(above[j - 1] + differ, now[j - 1] + 1);

			best = least(best, above[j] + 1);
			if (i > 1 && j > 1 && differ && a->cp[i - 1] == b->cp[j - 2] &&
			    a->cp[i - 2] == b->cp[j - 1])
				best = least(best, before[j - 2] + 1);
			now[j] = best;
		}
		now[to + 1] = max + 1; /* below it the next row ends */
	}
	return row[a->n % 3][b->n];
}

static bool
has_stem(const struct fuzzy_word *q, const struct word *text)
{
	for (size_t i = 0; i < q->stems; i++)
		if (find(text, &q->stem[i]) >= 0)
			return true;
	return false;
}

static enum fuzzy_grade
edited(const struct fuzzy_word *q, const struct word *text)
{
	unsigned d;

	if (q->edits == 0 || text->n > q->word.n + q->edits || text->n + q->edits < q->word.n ||
	    !has_stem(q, text))
		return FUZZY_NONE;
	d = distance(&q->word, text, q->edits);
	return d > q->edits ? FUZZY_NONE : d == 1 ? FUZZY_EDIT : FUZZY_EDITS;
}

enum fuzzy_grade
fuzzy_grade(const struct fuzzy_word *q, const struct word *text)
{
	int at = find(text, &q->word);

	if (at < 0)
		return edited(q, text);
	if (text->n == q->word.n)
		return FUZZY_SAME;
	if (at == 0 && q->word.n >= PREFIX_MIN)
		return FUZZY_PREFIX;
	return q->word.n >= INSIDE_MIN ? FUZZY_INSIDE : FUZZY_NONE;
}
