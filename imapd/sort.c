/*
 * SORT and UID SORT: RFC 5256, 3; ESORT of RFC 5267, 3.
 *
 * Each key of each message is taken once, in the form in which octets compare (i;unicode-casemap), its first eight octets
 * beside it as a number; then indexes are sorted.
 */
#include "imapd/sort.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "imap/display.h"
#include "imapd/reply.h"

enum {
	KEY_MAX = 4096,        /* octets of a key that count */
	KEYS_ROOM = 256 << 20, /* of all keys together: then less of each counts, */
	KEY_MIN = 64,          /* but so much always */
};

/* A key of a message. Of a number `head` is all. */
struct cell {
	uint64_t head;
	const char *rest; /* behind the first eight octets */
	uint32_t n;
};

struct sorting {
	struct search *g;
	const struct imap_sort_key *key;
	size_t keys;
	struct cell *cell; /* keys for each found, in its order */
	size_t key_max;
	struct buf plain, folded;
};

/* ---- keys */

static struct cell
number(int64_t v)
{
	return (struct cell){ .head = (uint64_t)v ^ UINT64_C(1) << 63 };
}

static struct cell
octets(struct sorting *s, struct span text)
{
	struct cell c = { 0 };

	for (size_t i = 0; i < 8; i++)
		c.head = c.head << 8 | (i < text.n ? (uint8_t)text.p[i] : 0);
	text = span_from(span_head(text, s->key_max), 8);
	c.n = (uint32_t)text.n;
	c.rest = text.n > 0 ? arena_dup(s->g->a, text).p : NULL;
	return c;
}

static struct cell
text(struct sorting *s, struct span utf8)
{
	struct err e = { 0 };

	buf_clear(&s->folded);
	utf8_fold(utf8, &s->folded, &e);
	return octets(s, buf_span(&s->folded));
}

/* RFC 5957, 3: what a client shows of the first address. */
static struct cell
display(struct sorting *s, const struct structure *st, enum imap_display which)
{
	struct err e = { 0 };

	buf_clear(&s->plain);
	imap_display(st->envelope, which, s->g->s->a, &s->plain, &e);
	return text(s, buf_span(&s->plain));
}

static struct cell
cell_of(
    struct sorting *s, enum imap_sort_by by, size_t i, const struct store_rec *r, const struct structure *st)
{
	switch (by) {
	case SORT_ARRIVAL:
		return number(r->date_ms);
	case SORT_SIZE:
		return number((int64_t)r->size);
	case SORT_RELEVANCY: /* the best first (RFC 6203, 6) */
		return number(-(int64_t)s->g->found.score[i]);
	case SORT_DATE:
		return number(
		    st != NULL && (st->flags & STRUCTURE_DATED) != 0 ? st->sent.utc : r->date_ms / 1000);
	case SORT_CC:
	case SORT_FROM:
	case SORT_SUBJECT:
	case SORT_TO:
	case SORT_DISPLAYFROM:
	case SORT_DISPLAYTO:
		break;
	}
	if (st == NULL)
		return (struct cell){ 0 };
	switch (by) {
	case SORT_CC:
		return text(s, st->cc);
	case SORT_FROM:
		return text(s, st->from);
	case SORT_SUBJECT:
		return text(s, st->subject);
	case SORT_TO:
		return text(s, st->to);
	case SORT_DISPLAYFROM:
		return display(s, st, DISPLAY_FROM);
	case SORT_DISPLAYTO:
		return display(s, st, DISPLAY_TO);
	case SORT_ARRIVAL:
	case SORT_SIZE:
	case SORT_RELEVANCY:
	case SORT_DATE:
		break;
	}
	return (struct cell){ 0 };
}

static int
take_keys(void *arg, size_t i, const struct store_rec *r, const struct structure *st, struct err *e)
{
	struct sorting *s = arg;

	(void)e;
	for (size_t k = 0; k < s->keys; k++)
		s->cell[i * s->keys + k] = cell_of(s, s->key[k].by, i, r, st);
	return 0;
}

/* ---- order */

static int
compare_cells(const struct cell *x, const struct cell *y)
{
	size_t n = x->n < y->n ? x->n : y->n;
	int rc;

	if (x->head != y->head)
		return x->head < y->head ? -1 : 1;
	rc = n > 0 ? memcmp(x->rest, y->rest, n) : 0;
	return rc != 0 ? rc : (x->n > y->n) - (x->n < y->n);
}

/* RFC 5256, 3: REVERSE turns its key alone; the order of the mailbox is the last key, and never reversed. */
static int
compare(const void *a, const void *b, void *arg)
{
	const struct sorting *s = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	for (size_t k = 0; k < s->keys; k++) {
		int rc = compare_cells(&s->cell[x * s->keys + k], &s->cell[y * s->keys + k]);

		if (rc != 0)
			return s->key[k].reverse ? -rc : rc;
	}
	return (x > y) - (x < y);
}

static void *
permuted(struct arena *a, const void *from, size_t size, const uint32_t *order, size_t n)
{
	char *to;

	if (from == NULL)
		return NULL;
	to = arena_array(a, n, size);
	for (size_t i = 0; i < n; i++)
		memcpy(to + i * size, (const char *)from + order[i] * size, size);
	return to;
}

static void
put_in_order(struct sorting *s)
{
	struct found *f = &s->g->found;
	struct arena *a = s->g->a;
	uint32_t *order = arena_array(a, f->n, sizeof *order);

	for (size_t i = 0; i < f->n; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, f->n, sizeof *order, compare, s);
	f->seq = permuted(a, f->seq, sizeof *f->seq, order, f->n);
	f->uid = permuted(a, f->uid, sizeof *f->uid, order, f->n);
	f->modseq = permuted(a, f->modseq, sizeof *f->modseq, order, f->n);
	f->score = permuted(a, f->score, sizeof *f->score, order, f->n);
}

/* A key that stands there a second time decides nothing. */
static size_t
distinct(const struct imap_sort_key *keys, size_t n, struct imap_sort_key *out)
{
	unsigned seen = 0;
	size_t m = 0;

	for (size_t i = 0; i < n; i++) {
		if ((seen >> keys[i].by & 1) == 0)
			out[m++] = keys[i];
		seen |= 1U << keys[i].by;
	}
	return m;
}

static bool
needs_structure(const struct sorting *s)
{
	for (size_t k = 0; k < s->keys; k++)
		if (s->key[k].by != SORT_ARRIVAL && s->key[k].by != SORT_SIZE &&
		    s->key[k].by != SORT_RELEVANCY)
			return true;
	return false;
}

int
sort_found(struct search *g, const struct imap_sort_key *keys, size_t n, struct err *e)
{
	struct imap_sort_key distinct_keys[IMAP_SORT_KEYS_MAX];
	struct sorting s = { .g = g, .key = distinct_keys };
	int rc;

	if (g->found.n == 0)
		return 0;
	s.keys = distinct(keys, n, distinct_keys);
	s.cell = arena_array(g->a, g->found.n, s.keys * sizeof *s.cell);
	s.key_max = KEYS_ROOM / s.keys / g->found.n;
	s.key_max = s.key_max > KEY_MAX ? KEY_MAX : s.key_max < KEY_MIN ? KEY_MIN : s.key_max;
	buf_init(&s.plain, 64 << 10);
	buf_init(&s.folded, UTF8_FOLD_GROWS * s.plain.max);
	rc = search_each(g, needs_structure(&s), take_keys, &s, e);
	if (rc == 0)
		put_in_order(&s);
	buf_free(&s.folded);
	buf_free(&s.plain);
	return rc;
}

int
do_sort(struct session *s, struct cmd *cmd, struct err *e)
{
	struct imap_sort args;
	struct search g;
	struct span text = span_from(cmd->args.in, 1);

	if (imap_sp(&cmd->args, e) < 0 || imap_sort_parse(&cmd->args, s->a, s->rev2, &args, e) < 0 ||
	    search_run(&g, s, cmd, &args.search, e) < 0)
		return -1;
	if (sort_found(&g, args.key, args.n, e) < 0) {
		if ((args.search.returns & RETURN_SAVE) != 0)
			saved_clear(s);
		return refused(s, cmd, false);
	}
	return search_answer(&g, "SORT", e) < 0 ? -1 : search_keep(&g, &args, text, e);
}
