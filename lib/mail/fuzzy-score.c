/* fuzzy-score.c - what the words of a text make of a query's score. */
#include "mail/fuzzy.h"

enum {
	CLOSE_WORK = 8, /* of FUZZY_WORK */
	APART = 1000,   /* words between two runs */
	NEAR_MAX = 50,  /* words between which nearness counts */
	/* parts of the score */
	OF_NEARNESS = 25,
	OF_FREQUENCY = 15,
};

static const unsigned percent[] = {
	[FUZZY_EDITS] = 30,
	[FUZZY_EDIT] = 45,
	[FUZZY_INSIDE] = 60,
	[FUZZY_PREFIX] = 80,
	[FUZZY_SAME] = 100,
};

/* What a place is worth in a message; and of how many other words there one exact word keeps half of the frequency's part. */
static const struct {
	unsigned worth, length;
} zones[FUZZY_ZONES] = {
	[FUZZY_SUBJECT] = { 100, 20 },
	[FUZZY_ADDRESS] = { 90, 20 },
	[FUZZY_TEXT] = { 60, 50 },
	[FUZZY_OTHER] = { 30, 50 },
};

/* ---- taking the text */

/* How near the words i and i + 1 of the query stand, of which one just came; in order is better. */
static void
nearness(struct fuzzy_match *m, size_t i)
{
	struct fuzzy_found *a = &m->found[i], *b = &m->found[i + 1];
	bool ordered = b->last > a->last;
	uint64_t apart = ordered ? b->last - a->last : a->last - b->last;
	unsigned near, worse = a->grade < b->grade ? a->grade : b->grade;

	if (a->last == 0 || b->last == 0 || apart == 0 || apart > NEAR_MAX)
		return;
	near = worse * 2 / (unsigned)(apart + (ordered ? 1 : 2));
	if (m->scope == FUZZY_MESSAGE)
		near = near * zones[m->zone].worth / 100;
	if (near > a->near)
		a->near = near;
}

static void
found(struct fuzzy_match *m, size_t i, unsigned how)
{
	struct fuzzy_found *f = &m->found[i];

	if (how > f->best[m->zone])
		f->best[m->zone] = (uint8_t)how;
	f->sum[m->zone] += how;
	f->last = m->at + 1;
	f->grade = how;
	if (i > 0)
		nearness(m, i - 1);
	if (i + 1 < m->query->n)
		nearness(m, i);
}

/* Letters of the query word that the text's word lacks: each costs an edit at least. */
static bool
may_match(const struct fuzzy_word *q, const struct word *w)
{
	uint64_t lacks = q->word.letters & ~w->letters;

	return w->n + q->edits >= q->word.n && (unsigned)__builtin_popcountll(lacks) <= q->edits;
}

static bool
take_word(void *arg, const struct word *w)
{
	struct fuzzy_match *m = arg;
	bool hit = false;

	for (size_t i = 0; i < m->query->n && m->work > CLOSE_WORK; i++) {
		enum fuzzy_grade grade;

		if (!may_match(&m->query->word[i], w))
			continue;
		m->work -= CLOSE_WORK;
		if ((grade = fuzzy_grade(&m->query->word[i], w)) != FUZZY_NONE) {
			found(m, i, percent[grade]);
			hit = true;
		}
	}
	m->words[m->zone]++;
	m->hits[m->zone] += hit;
	m->at++;
	m->work--;
	return m->work > CLOSE_WORK;
}

static enum fuzzy_zone
zone_of(struct span name)
{
	static const char *const addresses[] = { "FROM", "TO", "CC", "BCC", "SENDER", "REPLY-TO" };

	if (span_ieq(name, "SUBJECT"))
		return FUZZY_SUBJECT;
	for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
		if (span_ieq(name, addresses[i]))
			return FUZZY_ADDRESS;
	return FUZZY_OTHER;
}

/* A field is one piece. */
static bool
take_piece(void *arg, struct span piece, enum text_kind kind, bool begins)
{
	struct fuzzy_match *m = arg;

	if (begins) {
		if (!words_end(&m->cutter))
			return false;
		m->at += APART;
		m->zone = m->scope == FUZZY_FIELD ? FUZZY_SUBJECT : FUZZY_TEXT;
		if (m->scope == FUZZY_MESSAGE && kind == TEXT_FIELD)
			m->zone = zone_of(span_cut(&piece, ':'));
	}
	return words_feed(&m->cutter, piece);
}

struct text_sink
fuzzy_start(struct fuzzy_match *m, const struct fuzzy *query, enum fuzzy_scope scope)
{
	*m = (struct fuzzy_match){ .query = query, .scope = scope, .work = FUZZY_WORK };
	m->cutter.take = take_word;
	m->cutter.arg = m;
	return (struct text_sink){ take_piece, m };
}

/* ---- the score */

/* Of one word of the query: how well at its best place, and with how often; both in 1/10,000. */
static void
best_of(const struct fuzzy_match *m, size_t i, uint64_t *how, uint64_t *often)
{
	*how = *often = 0;
	for (size_t z = 0; z < FUZZY_ZONES; z++) {
		const struct fuzzy_found *f = &m->found[i];
		uint64_t other = m->words[z] - m->hits[z], one, frequent;

		if (f->best[z] == 0)
			continue;
		one = f->best[z] * (m->scope == FUZZY_MESSAGE ? zones[z].worth : 100);
		/* one * sum / (sum + other / length), the sum being in percent */
		frequent = one * f->sum[z] * zones[z].length / (f->sum[z] * zones[z].length + 100 * other);
		*how = one > *how ? one : *how;
		*often = frequent > *often ? frequent : *often;
	}
}

unsigned
fuzzy_score(struct fuzzy_match *m)
{
	const struct fuzzy *q = m->query;
	uint64_t weight = 0, hows = 0, oftens = 0, near = 0, all;

	words_end(&m->cutter);
	for (size_t i = 0; i < q->n; i++) {
		uint64_t how, often;

		best_of(m, i, &how, &often);
		weight += how > 0 ? q->word[i].weight : 0;
		hows += how * q->word[i].weight;
		oftens += often * q->word[i].weight;
		near += m->found[i].near;
	}
	if (q->n == 0 || weight < q->enough)
		return 0;
	near = q->n > 1 ? near * 100 / (q->n - 1) : hows / q->weight;
	all = (100 - OF_NEARNESS - OF_FREQUENCY) * hows / q->weight + OF_NEARNESS * near +
	      OF_FREQUENCY * oftens / q->weight;
	all = (all + 5000) / 10000;
	return all == 0 ? 1 : all > 100 ? 100 : (unsigned)all;
}
