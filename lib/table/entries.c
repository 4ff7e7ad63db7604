/* entries.c - key/value pairs in memory: an array, sorted, searched by halves. */
#include <stdlib.h>

#include "table/kind.h"

struct entry {
	struct span key, value;
	uint32_t line;
};

struct entries {
	struct arena *a;
	struct entry *v;
	size_t n, cap;
};

struct entries *
entries_new(size_t max)
{
	struct entries *s = mem_zero(1, sizeof *s);

	s->a = arena_new(max);
	return s;
}

void
entries_free(struct entries *s)
{
	if (s == NULL)
		return;
	arena_free(s->a);
	free(s->v);
	free(s);
}

void
entries_add(struct entries *s, struct span key, struct span value, uint32_t line)
{
	char *low = arena_cstr(s->a, key);

	for (size_t i = 0; i < key.n; i++)
		low[i] = ascii_lower(low[i]);
	if (s->n == s->cap) {
		s->cap = s->cap > 0 ? 2 * s->cap : 64;
		s->v = mem_resize(s->v, s->cap * sizeof *s->v);
	}
	s->v[s->n++] = (struct entry){ span_of(low, key.n), arena_dup(s->a, value), line };
}

static int
by_key(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int d = span_cmp(x->key, y->key);

	return d != 0 ? d : (x->line > y->line) - (x->line < y->line);
}

int
entries_done(struct entries *s, struct err *e)
{
	if (s->n > 1)
		qsort(s->v, s->n, sizeof *s->v, by_key);
	for (size_t i = 1; i < s->n; i++)
		if (span_same(s->v[i - 1].key, s->v[i].key))
			return err_set(e, ERR_PERM, "%u: the key %.*s is given already in line %u",
			    s->v[i].line, SPAN_ARG(span_head(s->v[i].key, 100)), s->v[i - 1].line);
	return 0;
}

int
entries_get(const struct entries *s, struct span key, struct span *value)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = span_cmp(s->v[mid].key, key);

		if (d == 0) {
			*value = s->v[mid].value;
			return 1;
		}
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return 0;
}
