/* $ of RFC 5182: the session's last search result. */
#include <stdlib.h>

#include "imapd/search.h"

void
saved_clear(struct session *s)
{
	free(s->saved.r);
	s->saved = (struct imap_set){ 0 };
}

static int
by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

enum {
	RECORD_MAX = 4096
}; /* octets of a set that the holder keeps for a session; with a larger one the worker stays */

bool
saved_put(struct session *s, struct span *out)
{
	struct buf text;
	bool fits;

	buf_init(&text, RECORD_MAX);
	fits = imap_set_format(&s->saved, &text, &(struct err){ 0 }) == 0;
	*out = fits ? arena_dup(s->a, buf_span(&text)) : (struct span){ 0 };
	buf_free(&text);
	return fits;
}

int
saved_take(struct session *s, struct span text, struct err *e)
{
	struct imap_lex l = { .in = text };
	struct imap_set set = { 0 };

	if (text.n > 0 && imap_set_parse(&l, s->a, &set, e) < 0)
		return -1;
	saved_clear(s);
	s->saved = (struct imap_set){ .r = mem_zero(set.n + 1, sizeof *set.r), .n = set.n };
	if (set.n > 0)
		memcpy(s->saved.r, set.r, set.n * sizeof *set.r);
	return 0;
}

/* So many UIDs, which may be in the order of SORT and stand there twice. */
static void
keep(struct session *s, uint32_t *uid, size_t n)
{
	struct imap_set set = { .r = mem_zero(n + 1, sizeof *set.r) };

	qsort(uid, n, sizeof *uid, by_number);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || uid[i] != uid[i - 1])
			imap_set_append(&set, uid[i]);
	set.r = mem_resize(set.r, (set.n + 1) * sizeof *set.r);
	saved_clear(s);
	s->saved = set;
}

/* RFC 5182, 2.4, and 9394, 3.2: all that was found, unless only MIN, MAX or a page were asked for: then those. */
void
saved_set(struct search *g)
{
	const struct found *f = &g->found;
	unsigned r = g->args->returns;
	size_t from = 0, to = f->n, n = 0;
	uint32_t *uid = arena_array(g->s->a, f->n + 2, sizeof *uid);

	if ((r & (RETURN_ALL | RETURN_COUNT)) == 0 && (r & (RETURN_MIN | RETURN_MAX | RETURN_PARTIAL)) != 0) {
		to = 0;
		if ((r & RETURN_PARTIAL) != 0)
			imap_partial_cut(&g->args->partial, f->n, &from, &to);
		if ((r & RETURN_MIN) != 0 && f->n > 0)
			uid[n++] = f->uid[0];
		if ((r & RETURN_MAX) != 0 && f->n > 0)
			uid[n++] = f->uid[f->n - 1];
	}
	for (; from < to; from++)
		uid[n++] = f->uid[from];
	keep(g->s, uid, n);
}
