#include "ctl/csv.h"

/* Where a bare field ends: at a comma, LF, CR LF, or the end. */
static size_t
bare_size(struct span s)
{
	size_t i;

	for (i = 0; i < s.n && s.p[i] != ',' && s.p[i] != '\n'; i++)
		if (s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n')
			break;
	return i;
}

/* Where the quote that closes is, from a quote at 0; -1 if there is none. */
static ssize_t
closing_quote(struct span s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] != '"')
			continue;
		if (i + 1 >= s.n || s.p[i + 1] != '"')
			return (ssize_t)i;
		i++; /* a doubled one */
	}
	return -1;
}

/* "..." at the start of *rest. */
static int
quoted(struct span *rest, struct arena *a, struct csv *out, struct span *field, struct err *e)
{
	ssize_t end = closing_quote(*rest);
	size_t n = 0;
	char *to;

	if (end < 0) {
		*rest = span_from(*rest, rest->n);
		return err_set(e, ERR_PERM, "a quote is not closed");
	}
	to = arena_cstr(a, span_head(*rest, (size_t)end));
	for (size_t i = 1; i < (size_t)end; i++) {
		i += rest->p[i] == '"'; /* of two, the second stands */
		out->lines += rest->p[i] == '\n';
		to[n++] = rest->p[i];
	}
	*field = span_of(to, n);
	*rest = span_from(*rest, (size_t)end + 1);
	n = bare_size(*rest);
	*rest = span_from(*rest, n);
	return n == 0 ? 0 : err_set(e, ERR_PERM, "something stands behind a closing quote");
}

/* Moves *rest behind the end of the line that it stands at; 1 if it stood at a comma instead. */
static int
separator(struct span *rest)
{
	bool comma = span_starts(*rest, ",");

	*rest = span_from(*rest, span_starts(*rest, "\r\n") ? 2 : rest->n > 0);
	return comma;
}

/* Room for one more field. */
static struct span *
next_field(struct arena *a, struct csv *out)
{
	struct span *more;

	if ((out->n & (out->n - 1)) == 0) { /* 0, 1, 2, 4, 8 ...: all places are used */
		more = arena_array(a, out->n > 0 ? 2 * out->n : 1, sizeof *more);
		if (out->n > 0)
			memcpy(more, out->field, out->n * sizeof *more);
		out->field = more;
	}
	return &out->field[out->n++];
}

int
csv_next(struct span *rest, struct arena *a, struct csv *out, struct err *e)
{
	struct span *field;
	int more = 1, rc = 0;

	*out = (struct csv){ .lines = 1 };
	if (rest->n == 0)
		return 0;
	while (more) {
		if (out->n == CSV_FIELDS_MAX) {
			rc = err_set(e, ERR_PERM, "more than %d fields", CSV_FIELDS_MAX);
			span_cut(rest, '\n');
			break;
		}
		field = next_field(a, out);
		if (span_starts(*rest, "\"")) {
			rc = quoted(rest, a, out, field, e) < 0 ? -1 : rc;
		} else {
			*field = span_head(*rest, bare_size(*rest));
			*rest = span_from(*rest, field->n);
		}
		more = separator(rest);
	}
	return rc < 0 ? -1 : 1;
}
