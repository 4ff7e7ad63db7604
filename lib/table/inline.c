/* inline.c - inline:{key=value, ...}, and the braces that other kinds use for their options. */
#include "table/kind.h"
#include "table/table.h"

ssize_t
table_outside(struct span s, const char *stop)
{
	size_t i, depth = 0;

	for (i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '{')
			depth++;
		else if (c == '}' && depth-- == 0)
			return -1;
		else if (depth == 0 && c != '\0' && strchr(stop, c) != NULL)
			break;
	}
	return depth == 0 ? (ssize_t)i : -1;
}

int
table_next_pair(struct span *rest, struct span *key, struct span *value, struct err *e)
{
	struct span pair;
	ssize_t n;

	*rest = span_trim_ws(*rest);
	if (rest->n == 0)
		return 0;
	n = table_outside(*rest, ",");
	if (n < 0)
		return err_set(e, ERR_PERM, "braces that do not match");
	pair = span_trim_ws(span_head(*rest, (size_t)n));
	*rest = span_from(*rest, (size_t)n + 1);
	if (span_starts(pair, "{") && span_ends(pair, "}"))
		pair = (struct span){ pair.p + 1, pair.n - 2 };
	n = span_chr(pair, '=');
	if (n < 0)
		return err_set(e, ERR_PERM, "%.*s is not key=value", SPAN_ARG(span_head(pair, 100)));
	*key = span_trim_ws(span_head(pair, (size_t)n));
	*value = span_trim_ws(span_from(pair, (size_t)n + 1));
	if (key->n == 0 || key->n > TABLE_KEY_MAX || value->n == 0)
		return err_set(e, ERR_PERM, "%.*s has no key or no value", SPAN_ARG(span_head(pair, 100)));
	return 1;
}

static void *
inline_open(struct span where, struct err *e)
{
	struct entries *s;
	struct span rest, key = { 0 }, value = { 0 };
	int got;

	if (where.n < 2 || where.p[0] != '{' || where.p[where.n - 1] != '}') {
		err_set(e, ERR_PERM, "inline: without {key=value, ...}");
		return NULL;
	}
	s = entries_new(64 * where.n + 4096);
	rest = (struct span){ where.p + 1, where.n - 2 };
	while ((got = table_next_pair(&rest, &key, &value, e)) > 0)
		entries_add(s, key, value, 1);
	if (got == 0 && entries_done(s, e) == 0)
		return s;
	err_prefix(e, "inline:");
	entries_free(s);
	return NULL;
}

static int
inline_get(void *state, struct span key, struct arena *a, struct span *value, struct err *e)
{
	(void)a;
	(void)e;
	return entries_get(state, key, value);
}

static void
inline_close(void *state)
{
	entries_free(state);
}

const struct table_kind table_inline = { "inline", inline_open, inline_get, inline_close };
