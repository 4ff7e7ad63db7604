/* words.c - keywords of a mailbox as numbers. */
#include "store/words.h"

#include <endian.h>
#include <stdlib.h>

#include "store/inside.h"

/* ---- sets in memory */

void
words_add(struct words *w, uint32_t number)
{
	uint32_t at = w->n;

	if (number < KEYWORD_BITS) {
		w->bits |= UINT64_C(1) << number;
		return;
	}
	while (at > 0 && w->word[at - 1] > number)
		at--;
	if (at > 0 && w->word[at - 1] == number)
		return;
	need(w->n < WORDS_MAX && number < STORE_KEYWORDS_MAX);
	memmove(w->word + at + 1, w->word + at, (w->n - at) * sizeof *w->word);
	w->word[at] = (uint16_t)number;
	w->n++;
}

static void
take_out(struct words *w, const struct words *by)
{
	uint32_t to = 0, k = 0;

	for (uint32_t i = 0; i < w->n; i++) {
		while (k < by->n && by->word[k] < w->word[i])
			k++;
		if (k == by->n || by->word[k] != w->word[i])
			w->word[to++] = w->word[i];
	}
	w->n = to;
}

/* ---- names */

/* An atom (RFC 3501, 9: flag-keyword), not empty, in bounds. */
static bool
keyword_valid(struct span name)
{
	if (name.n == 0 || name.n > STORE_KEYWORD_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~' || strchr("(){%*\"\\]", name.p[i]) != NULL)
			return false;
	return true;
}

static void
keep_name(struct mbox *m, struct span name)
{
	struct span own = { mem_zero(name.n + 1, 1), name.n };

	memcpy((char *)(uintptr_t)own.p, name.p, name.n);
	m->word = mem_resize(m->word, (m->words_read + 1) * sizeof *m->word);
	m->word[m->words_read++] = own;
}

/* The names of the table, once in a transaction. */
static int
read_names(struct store *st, struct mbox *m, struct err *e)
{
	sqlite3_stmt *q;
	int rc;

	if (m->words_read == m->words)
		return 0;
	q = db_open_query(st, Q_KEYWORD_ALL, e, B_NUM(m->id));
	while ((rc = db_row(st, q, e)) == 1)
		keep_name(m, db_text(q, 1));
	db_done(q);
	if (rc == 0 && m->words_read != m->words)
		return store_damaged(st, e, "%u keywords, not %u", m->words_read, m->words);
	return rc;
}

/* One more: a bit while there are some. */
static int
make_name(struct store *st, struct mbox *m, struct span name, struct err *e)
{
	if (!keyword_valid(name))
		return store_fail(st, STORE_CANNOT, e, ERR_PERM, "not a keyword");
	if (m->keywords.n < KEYWORD_BITS) {
		keywords_add(&m->keywords, name);
		m->dirty = true;
		return (int)m->keywords.n - 1;
	}
	if (m->words == WORDS_MAX)
		return store_fail(st, STORE_LIMIT, e, ERR_PERM, "a mailbox has at most %d different keywords",
		    STORE_KEYWORDS_MAX);
	if (db_run(st, Q_KEYWORD_NEW, e, B_NUM(m->id), B_NUM(KEYWORD_BITS + m->words), B_TEXT(name)) < 0)
		return -1;
	keep_name(m, name);
	m->dirty = true;
	return KEYWORD_BITS + (int)m->words++;
}

int
words_number(struct store *st, struct mbox *m, struct span name, bool make, struct err *e)
{
	int bit = keywords_find(&m->keywords, name);

	if (bit >= 0)
		return bit;
	if (read_names(st, m, e) < 0)
		return -1;
	for (uint32_t i = 0; i < m->words; i++)
		if (span_isame(m->word[i], name))
			return KEYWORD_BITS + (int)i;
	return make ? make_name(st, m, name, e) : -2;
}

int
words_of(struct store *st, struct mbox *m, const struct span *names, size_t n, bool make, struct words *w,
    struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		int number = words_number(st, m, names[i], make, e);

		if (number == -1)
			return -1;
		if (number >= 0)
			words_add(w, (uint32_t)number);
	}
	return 0;
}

int
words_name(struct store *st, struct mbox *m, uint32_t number, struct span *name, struct err *e)
{
	*name = span_of(NULL, 0);
	if (number < KEYWORD_BITS) {
		if (number < m->keywords.n)
			*name = m->keywords.name[number];
		return 0;
	}
	if (read_names(st, m, e) < 0)
		return -1;
	if (number - KEYWORD_BITS < m->words)
		*name = m->word[number - KEYWORD_BITS];
	return 0;
}

/* ---- sets in the index: numbers of two octets, little-endian */

int
words_read(struct store *st, uint64_t mailbox, uint32_t more, struct words *w, struct err *e)
{
	sqlite3_stmt *q;
	int rc;

	if (more == 0)
		return 0;
	q = db_open_query(st, Q_KEYWORD_SET, e, B_NUM(mailbox), B_NUM(more));
	if ((rc = db_row(st, q, e)) == 1) {
		struct span s = db_blob(q, 0);

		for (size_t i = 0; i + 1 < s.n; i += 2) {
			uint16_t number;

			memcpy(&number, s.p + i, sizeof number);
			number = le16toh(number);
			if (number >= KEYWORD_BITS && number < STORE_KEYWORDS_MAX)
				words_add(w, number);
		}
	}
	db_done(q);
	return rc == 0 ? store_damaged(st, e, "there is no set %u of keywords", more) : rc < 0 ? -1 : 0;
}

int
words_put(struct store *st, struct mbox *m, const struct words *w, uint32_t *more, struct err *e)
{
	uint16_t octets[WORDS_MAX];
	struct span s = { (const char *)octets, w->n * sizeof *octets };
	int64_t set;

	*more = 0;
	if (w->n == 0)
		return 0;
	for (uint32_t i = 0; i < w->n; i++)
		octets[i] = htole16(w->word[i]);
	if (db_one(st, db_open_query(st, Q_KEYWORD_SET_OF, e, B_NUM(m->id), B_BLOB(s)), 0, &set, e) < 0)
		return -1;
	if (set == 0) {
		if (m->word_sets == WORD_SETS_MAX)
			return store_fail(st, STORE_LIMIT, e, ERR_PERM,
			    "a mailbox has at most %d combinations of keywords", WORD_SETS_MAX);
		set = ++m->word_sets;
		m->dirty = true;
		if (db_run(st, Q_KEYWORD_SET_NEW, e, B_NUM(m->id), B_NUM(set), B_BLOB(s)) < 0)
			return -1;
	}
	*more = (uint32_t)set;
	return 0;
}

int
words_change(struct store *st, struct mbox *m, struct store_rec *r, const struct words *by, bool add,
    struct words_memo *memo, struct err *e)
{
	struct words w;

	r->keywords = add ? r->keywords | by->bits : r->keywords & ~by->bits;
	if (by->n == 0 || (!add && r->more == 0))
		return 0;
	if (memo->known && memo->before == r->more) {
		r->more = memo->after;
		return 0;
	}
	w.bits = w.n = 0;
	if (words_read(st, m->id, r->more, &w, e) < 0)
		return -1;
	if (add)
		for (uint32_t i = 0; i < by->n; i++)
			words_add(&w, by->word[i]);
	else
		take_out(&w, by);
	memo->before = r->more;
	if (words_put(st, m, &w, &r->more, e) < 0)
		return -1;
	memo->after = r->more;
	memo->known = true;
	return 0;
}
