/*
 * Texts within FUZZY (RFC 6203): their score in a message, and which messages an index says may match.
 *
 * What matches is decided by reading alone (mail/fuzzy.h), so it is the same with and without an index.
 */
#include "base/utf8.h"
#include "imap/text.h"
#include "imapd/body.h"
#include "imapd/search.h"
#include "store/fts.h"

/* ---- in a message */

static int
field_score(const struct text_query *q, struct body *b, struct err *e)
{
	struct fuzzy_match m;
	struct text_sink sink = fuzzy_start(&m, q->fuzzy, FUZZY_FIELD);
	struct buf fields;
	int rc;

	buf_init(&fields, (size_t)2 << 30);
	if ((rc = body_fields(b, &q->names, false, &fields, e)) == 0)
		text_header(buf_span(&fields), q->field, &sink);
	buf_free(&fields);
	return rc < 0 ? -1 : (int)fuzzy_score(&m);
}

static int
text_score(const struct text_query *q, struct body *b, struct err *e)
{
	bool headers = q->where == IN_ALL;
	struct fuzzy_match m;
	struct text_sink sink = fuzzy_start(&m, q->fuzzy, headers ? FUZZY_MESSAGE : FUZZY_BODY);
	struct imap_octets octets = { .prefix = b->msg->prefix };

	if (body_map(b, &octets.region, e) < 0 || imap_text(&b->st, &octets, headers, &sink, e) < 0)
		return -1;
	return (int)fuzzy_score(&m);
}

int
fuzzy_test(const struct text_query *q, struct body *b, struct err *e)
{
	return q->where == IN_FIELD ? field_score(q, b, e) : text_score(q, b, e);
}

/* ---- in the index: every word that matches contains a stem of the query's word */

enum { FIND_MEMORY = 1 << 30 }; /* of one word: a bit for each text and stem */

/* For each text of the index, what the words weigh that it may have. */
struct weights {
	uint64_t texts;
	uint16_t *of; /* NULL: of no word yet */
};

/* The texts that have a stem of the word, a bit each, in `work`. 1; 0 if the index can't help with it; -1. */
static int
with_stems(struct fts *f, const struct fuzzy_word *w, bool headers, struct fts_hits *out, struct arena *work,
    struct err *e)
{
	struct fts_hits hits;
	uint8_t *any = NULL;
	struct buf stem;
	int rc = 1;

	buf_init(&stem, 4 * WORD_MAX);
	for (size_t i = 0; i < w->stems && rc == 1; i++) {
		buf_clear(&stem);
		for (uint32_t k = 0; k < w->stem[i].n; k++)
			utf8_put(w->stem[i].cp[k], &stem, NULL);
		if ((rc = fts_find(f, buf_span(&stem), headers, &hits, work, e)) != 1)
			break;
		if (any == NULL)
			any = arena_alloc(work, hits.texts / 8 + 1);
		for (size_t k = 0; k <= hits.texts / 8; k++)
			any[k] |= hits.bits[k];
	}
	buf_free(&stem);
	if (rc == 1)
		*out = (struct fts_hits){ .texts = hits.texts, .bits = any };
	return rc;
}

static bool
has_bit(const struct fts_hits *h, uint64_t doc)
{
	return (h->bits[doc / 8] >> doc % 8 & 1) != 0;
}

static void
add_weight(struct weights *w, const struct fts_hits *h, unsigned weight, struct arena *a)
{
	if (w->of == NULL)
		*w = (struct weights){ h->texts, arena_array(a, h->texts + 1, sizeof *w->of) };
	need(w->texts == h->texts); /* of one moment */
	for (uint64_t doc = 0; doc < w->texts; doc++)
		if (has_bit(h, doc))
			w->of[doc] = (uint16_t)(w->of[doc] + weight);
}

int
fuzzy_find(struct fts *f, const struct text_query *q, struct fts_hits *out, struct arena *a, struct err *e)
{
	struct arena *work = arena_new(FIND_MEMORY);
	struct weights weights = { 0 };
	unsigned given = 0; /* of words that may be anywhere */
	uint8_t *bits;
	int rc = 1;

	for (size_t i = 0; i < q->fuzzy->n && rc >= 0; i++) {
		const struct fuzzy_word *w = &q->fuzzy->word[i];
		struct fts_hits hits;

		arena_reset(work);
		rc = with_stems(f, w, q->where == IN_ALL, &hits, work, e);
		if (rc == 1)
			add_weight(&weights, &hits, w->weight, a);
		if (rc == 0)
			given += w->weight;
	}
	arena_free(work);
	if (rc < 0)
		return -1;
	if (given >= q->fuzzy->enough || weights.of == NULL)
		return 0;
	bits = arena_alloc(a, weights.texts / 8 + 1);
	for (uint64_t doc = 0; doc < weights.texts; doc++)
		if (given + weights.of[doc] >= q->fuzzy->enough)
			bits[doc / 8] |= (uint8_t)(1U << doc % 8);
	*out = (struct fts_hits){ .texts = weights.texts, .bits = bits };
	return 1;
}
