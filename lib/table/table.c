/* table.c - the tables that a setting names, asked one after the other. The kinds are behind kind.h. */
#include "table/table.h"

#include <stdlib.h>

#include "table/kind.h"

enum { TABLES_MAX = 32 };

static const struct table_kind *const kinds[] = { &table_file, &table_inline, &table_sqlite };

struct member {
	const struct table_kind *kind;
	struct span where; /* in t->a */
	void *state;
};

struct table {
	struct arena *a;
	struct member *v;
	size_t n;
};

static const struct table_kind *
kind_named(struct span name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (span_eq(name, kinds[i]->name))
			return kinds[i];
	return NULL;
}

static int
member_open(struct table *t, struct span spec, struct err *e)
{
	ssize_t colon = span_chr(spec, ':');
	struct member *m = &t->v[t->n];

	m->kind = colon > 0 ? kind_named(span_head(spec, (size_t)colon)) : NULL;
	if (m->kind == NULL)
		return err_set(e, ERR_PERM,
		    "%.*s is no table: there are file:, inline: and sqlite:", SPAN_ARG(span_head(spec, 100)));
	m->where = arena_dup(t->a, span_trim(span_from(spec, (size_t)colon + 1)));
	if (m->where.n == 0)
		return err_set(e, ERR_PERM, "%s: without anything behind it", m->kind->name);
	m->state = m->kind->open(m->where, e);
	if (m->state == NULL)
		return -1;
	t->n++;
	return 0;
}

/* The next name of the list; a comma or blanks part them, except in braces. */
static int
next_spec(struct span *rest, struct span *spec, struct err *e)
{
	ssize_t n;

	while (rest->n > 0 && strchr(", \t\r\n", rest->p[0]) != NULL)
		*rest = span_from(*rest, 1);
	if (rest->n == 0)
		return 0;
	n = table_outside(*rest, ", \t\r\n");
	if (n < 0)
		return err_set(
		    e, ERR_PERM, "braces that do not match: %.*s", SPAN_ARG(span_head(*rest, 100)));
	*spec = span_head(*rest, (size_t)n);
	*rest = span_from(*rest, (size_t)n);
	return 1;
}

struct table *
table_open(struct span setting, struct err *e)
{
	struct table *t = mem_zero(1, sizeof *t);
	struct span spec = { 0 };
	int got = 0;

	t->a = arena_new(64 * setting.n + 65536);
	t->v = mem_zero(TABLES_MAX, sizeof *t->v);
	if (span_chr(setting, '\0') >= 0)
		got = err_set(e, ERR_PERM, "a NUL in the name of a table");
	while (got >= 0 && (got = next_spec(&setting, &spec, e)) > 0) {
		if (t->n == TABLES_MAX)
			got = err_set(e, ERR_PERM, "more than %d tables", TABLES_MAX);
		else if (member_open(t, spec, e) < 0)
			got = -1;
	}
	if (got == 0)
		return t;
	table_close(t);
	return NULL;
}

void
table_close(struct table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n; i++)
		t->v[i].kind->close(t->v[i].state);
	free(t->v);
	arena_free(t->a);
	free(t);
}

int
table_get(struct table *t, struct span key, struct arena *a, struct span *value, struct err *e)
{
	char low[TABLE_KEY_MAX];
	int got;

	if (key.n > sizeof low || t->n == 0)
		return 0;
	for (size_t i = 0; i < key.n; i++)
		low[i] = ascii_lower(key.p[i]);
	for (size_t i = 0; i < t->n; i++) {
		got = t->v[i].kind->get(t->v[i].state, span_of(low, key.n), a, value, e);
		if (got != 0)
			return got;
	}
	return 0;
}
