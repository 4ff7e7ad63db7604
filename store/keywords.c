/* keywords.c - the keywords of a view's records. */
#include <endian.h>
#include <stdlib.h>

#include "store/view.h"
#include "store/words.h"

/* ---- names */

static void
free_names(struct store_view *v)
{
	for (uint32_t i = 0; i < v->keywords; i++)
		free((void *)(uintptr_t)v->keyword[i].p);
	free((void *)(uintptr_t)v->keyword);
	v->keyword = NULL;
	v->keywords = 0;
}

static struct span
own(struct span name)
{
	char *p = mem_zero(name.n + 1, 1);

	memcpy(p, name.p, name.n);
	return span_of(p, name.n);
}

int
view_keywords(struct store_view *v, const struct mbox *m, struct err *e)
{
	struct store *st = v->store;
	uint32_t n = m->keywords.n + m->words, have = 0;
	bool news = n != v->keywords;
	struct span *name;
	sqlite3_stmt *q;
	int rc = 0;

	if (!news && !v->in->names_stale)
		return 0;
	name = mem_zero(n, sizeof *name);
	for (; have < m->keywords.n; have++)
		name[have] = own(m->keywords.name[have]);
	if (m->words > 0) {
		q = db_open_query(st, Q_KEYWORD_ALL, e, B_NUM(m->id));
		while (have < n && (rc = db_row(st, q, e)) == 1)
			name[have++] = own(db_text(q, 1));
		db_done(q);
		if (rc == 0)
			rc = store_damaged(st, e, "%u keywords, not %u", have, n);
	}
	free_names(v);
	v->keyword = name;
	v->keywords = have;
	v->in->names_stale = false;
	return rc < 0 ? -1 : news;
}

/* ---- sets */

int
view_sets(struct store_view *v, uint32_t upto, struct err *e)
{
	struct view *in = v->in;
	struct store *st = v->store;
	sqlite3_stmt *q;
	int rc;

	if (upto <= in->sets)
		return 0;
	q = db_open_query(st, Q_KEYWORD_SETS, e, B_NUM(v->mailbox), B_NUM(in->sets));
	while ((rc = db_row(st, q, e)) == 1) {
		struct span s = db_blob(q, 1);
		struct word_set set = { .n = (uint32_t)(s.n / sizeof(uint16_t)) };

		if (db_num32(q, 0) != in->sets + 1 || s.n % sizeof *set.word != 0 || set.n == 0) {
			rc = store_damaged(st, e, "set %u of keywords", in->sets + 1);
			break;
		}
		set.word = mem_resize(NULL, s.n);
		memcpy(set.word, s.p, s.n);
		for (uint32_t i = 0; i < set.n; i++)
			set.word[i] = le16toh(set.word[i]);
		in->set = mem_resize(in->set, (in->sets + 1) * sizeof *in->set);
		in->set[in->sets++] = set;
	}
	db_done(q);
	if (rc == 0 && upto > in->sets)
		rc = store_damaged(st, e, "there is no set %u of keywords", upto);
	return rc;
}

static void
free_sets(struct view *in)
{
	for (uint32_t i = 0; i < in->sets; i++)
		free(in->set[i].word);
	free(in->set);
	in->set = NULL;
	in->sets = 0;
}

void
view_keywords_doubt(struct store_view *v)
{
	v->in->names_stale = true;
	free_sets(v->in);
	for (uint32_t k = 0; k < v->in->parts; k++)
		view_unload(v, &v->in->part[k]);
}

void
view_keywords_done(struct store_view *v)
{
	free_names(v);
	free_sets(v->in);
}

/* ---- asking. Keywords that were made after the view was brought up to date have no name in it yet. */

/* The first word of a record that is not below `from`, or UINT32_MAX. */
static uint32_t
word_from(const struct store_view *v, const struct store_rec *r, uint32_t from)
{
	const struct word_set *s = r->more != 0 && r->more <= v->in->sets ? &v->in->set[r->more - 1] : NULL;
	uint32_t lo = 0, hi = s != NULL ? s->n : 0;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (s->word[mid] < from)
			lo = mid + 1;
		else
			hi = mid;
	}
	return s != NULL && lo < s->n ? s->word[lo] : UINT32_MAX;
}

bool
store_keyword_next(const struct store_view *v, const struct store_rec *r, uint32_t *index)
{
	uint64_t left = *index < KEYWORD_BITS ? r->keywords >> *index : 0;

	if (left != 0)
		*index += (uint32_t)__builtin_ctzll(left);
	else if (r->more != 0)
		*index = word_from(v, r, *index < KEYWORD_BITS ? KEYWORD_BITS : *index);
	else
		return false;
	return *index < v->keywords;
}

int
store_keyword_find(const struct store_view *v, struct span name)
{
	for (uint32_t i = 0; i < v->keywords; i++)
		if (span_isame(v->keyword[i], name))
			return (int)i;
	return -1;
}

bool
store_keyword_has(const struct store_view *v, const struct store_rec *r, uint32_t index)
{
	return index < KEYWORD_BITS ? (r->keywords >> index & 1) != 0 : word_from(v, r, index) == index;
}
