#include "cfg/filters.h"

#include "cfg/value.h"

enum { TEXT_LIMIT = 256 * 1024, NAME_LIMIT = 32 };

static const char *const kinds[] = { "accept", "milter", "spamd", "clamd", "pipe", "smtp" };
enum { KINDS = sizeof kinds / sizeof *kinds };

/* The next column of a line, empty at its end or comment; *line is moved behind it. */
static struct span
column(struct span *line)
{
	size_t n = 0;

	while (line->n > 0 && strchr(" \t\r", line->p[0]) != NULL)
		*line = span_from(*line, 1);
	if (line->n > 0 && line->p[0] == '#')
		*line = (struct span){ 0 };
	while (n < line->n && (unsigned char)line->p[n] > ' ')
		n++;
	struct span word = span_head(*line, n);

	*line = span_from(*line, n);
	return word;
}

static int
check_name(struct span name, const struct filters *f, struct err *e)
{
	bool good = name.n >= 1 && name.n <= NAME_LIMIT && name.p[0] != '-';

	for (size_t i = 0; i < name.n && good; i++)
		good = (ascii_isalnum(name.p[i]) && name.p[i] == ascii_lower(name.p[i])) || name.p[i] == '-';
	if (!good)
		return err_set(e, ERR_PERM, "`%.*s` is no name of a filter: small letters, digits and -",
		    SPAN_ARG(span_head(name, 60)));
	for (size_t i = 0; i < f->n; i++)
		if (span_same(f->v[i].name, name))
			return err_set(
			    e, ERR_PERM, "`%.*s` is in line %u already", SPAN_ARG(name), f->v[i].line);
	return 0;
}

static int
check_kind(struct span kind, struct err *e)
{
	ssize_t near;

	if (span_eq(kind, kinds[FILTER_KIND_ACCEPT]))
		return 0;
	for (size_t i = 1; i < KINDS; i++)
		if (span_eq(kind, kinds[i]))
			return err_set(
			    e, ERR_PERM, "filters of kind `%s` are not part of this version", kinds[i]);
	near = cfg_nearest(kind, kinds, KINDS);
	if (near >= 0)
		return err_set(e, ERR_PERM, "unknown kind `%.*s`; did you mean `%s`?",
		    SPAN_ARG(span_head(kind, 60)), kinds[near]);
	return err_set(e, ERR_PERM, "unknown kind `%.*s`", SPAN_ARG(span_head(kind, 60)));
}

static int
read_line(struct span line, unsigned number, struct arena *a, struct filters *f, struct err *e)
{
	struct span name = column(&line), kind = column(&line), address = column(&line), more = column(&line);

	if (name.n == 0 && line.n == 0)
		return 0;
	if (f->n == FILTERS_MAX)
		return err_set(e, ERR_PERM, "more than %d filters", FILTERS_MAX);
	if (address.n == 0)
		return err_set(e, ERR_PERM, "a line is: name kind address [key=value ...]");
	if (check_name(name, f, e) < 0 || check_kind(kind, e) < 0)
		return -1;
	if (!span_eq(address, "-") || more.n > 0 || line.n > 0)
		return err_set(e, ERR_PERM, "a filter of kind `accept` has the address `-` and no options");
	f->v[f->n++] =
	    (struct filter_line){ .line = number, .name = arena_dup(a, name), .kind = FILTER_KIND_ACCEPT };
	return 0;
}

int
filters_parse(struct span text, const char *file, struct arena *a, struct filters *out, struct err *e)
{
	unsigned number = 0;

	out->n = 0;
	if (text.n > TEXT_LIMIT)
		return err_set(e, ERR_PERM, "%s: larger than %d octets", file, TEXT_LIMIT);
	while (text.n > 0)
		if (read_line(span_cut(&text, '\n'), ++number, a, out, e) < 0)
			return err_prefix(e, "%s:%u: ", file, number);
	return 0;
}
