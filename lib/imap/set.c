#include <stdlib.h>

#include "imap/set.h"

static int
seq_number(struct imap_lex *l, uint32_t *out, struct err *e)
{
	if (imap_take(l, '*')) {
		*out = IMAP_STAR;
		return 0;
	}
	return imap_nz_number(l, out, e);
}

/* How many ranges there can be at most: one more than commas in the word. */
static size_t
ranges_of(struct span s)
{
	size_t n = 1;

	for (size_t i = 0; i < s.n && s.p[i] != ' '; i++)
		n += s.p[i] == ',';
	return n;
}

int
imap_set_parse(struct imap_lex *l, struct arena *a, struct imap_set *set, struct err *e)
{
	struct imap_range *r;
	size_t n = 0;

	*set = (struct imap_set){ .saved = imap_take(l, '$') };
	if (set->saved)
		return 0;
	r = arena_array(a, ranges_of(l->in), sizeof *r);
	do {
		if (seq_number(l, &r[n].first, e) < 0)
			return -1;
		r[n].last = r[n].first;
		if (imap_take(l, ':') && seq_number(l, &r[n].last, e) < 0)
			return -1;
		n++;
	} while (imap_take(l, ','));
	*set = (struct imap_set){ r, n, false };
	return 0;
}

static int
by_first(const void *a, const void *b)
{
	const struct imap_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

void
imap_set_resolve(struct imap_set *set, uint32_t last)
{
	size_t n = 0;

	need(last != IMAP_STAR);
	for (size_t i = 0; i < set->n; i++) {
		uint32_t x = set->r[i].first == IMAP_STAR ? last : set->r[i].first;
		uint32_t y = set->r[i].last == IMAP_STAR ? last : set->r[i].last;

		set->r[i] = x <= y ? (struct imap_range){ x, y } : (struct imap_range){ y, x };
	}
	if (set->n > 0)
		qsort(set->r, set->n, sizeof set->r[0], by_first);
	for (size_t i = 1; i < set->n; i++) {
		struct imap_range *to = &set->r[n], next = set->r[i];

		if (to->last == UINT32_MAX || next.first <= to->last + 1)
			to->last = next.last > to->last ? next.last : to->last;
		else
			set->r[++n] = next;
	}
	set->n = set->n > 0 ? n + 1 : 0;
}

bool
imap_set_has(const struct imap_set *set, uint32_t x)
{
	size_t lo = 0, hi = set->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (x < set->r[mid].first)
			hi = mid;
		else if (x > set->r[mid].last)
			lo = mid + 1;
		else
			return true;
	}
	return false;
}

void
imap_set_append(struct imap_set *set, uint32_t x)
{
	if (set->n > 0 && set->r[set->n - 1].last + 1 == x)
		set->r[set->n - 1].last = x;
	else
		set->r[set->n++] = (struct imap_range){ x, x };
}

int
imap_set_format(const struct imap_set *set, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < set->n; i++) {
		if (i > 0)
			buf_byte(out, e, ',');
		if (buf_u64(out, e, set->r[i].first) < 0)
			return -1;
		if (set->r[i].last == set->r[i].first)
			continue;
		buf_byte(out, e, ':');
		if (buf_u64(out, e, set->r[i].last) < 0)
			return -1;
	}
	return 0;
}
