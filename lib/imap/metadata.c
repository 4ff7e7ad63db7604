#include "imap/metadata.h"

#include "imap/args.h"

/* How many components, or -1 if the path is none. */
static int
components(struct span path)
{
	int n = 0;

	if (path.n == 0 || path.n > IMAP_ENTRY_MAX || path.p[0] != '/' || path.p[path.n - 1] == '/')
		return -1;
	for (size_t i = 0; i < path.n; i++) {
		unsigned char c = (unsigned char)path.p[i];

		if (c < 0x20 || c > 0x7e || c == '*' || c == '%')
			return -1;
		if (c == '/' && path.p[i + 1] == '/')
			return -1;
		n += c == '/';
	}
	return n;
}

/* RFC 5464, 3.2. */
static bool
is_entry(struct span path)
{
	int n = components(path);

	if (n < 2 || (!span_istarts(path, "/shared/") && !span_istarts(path, "/private/")))
		return false;
	if (span_istarts(path, "/shared/vendor/") || span_istarts(path, "/private/vendor/"))
		return n >= 3; /* four to have a value; three may be asked for what is below */
	return true;
}

static int
entry(struct imap_lex *l, struct arena *a, struct span *out, struct err *e)
{
	struct span path;
	char *lower;

	if (imap_astring(l, a, &path, e) < 0)
		return -1;
	if (!is_entry(path))
		return err_set(e, ERR_PEER, "That is no entry's name (RFC 5464, 3.2)");
	lower = arena_alloc(a, path.n);
	for (size_t i = 0; i < path.n; i++)
		lower[i] = ascii_lower(path.p[i]);
	*out = span_of(lower, path.n);
	return 0;
}

/* Room for one more: the array doubles. */
static struct span *
grow(struct arena *a, struct span *p, size_t n)
{
	struct span *more;

	if (n > 0 && (n < 8 || (n & (n - 1)) != 0))
		return p;
	more = arena_array(a, n == 0 ? 8 : 2 * n, sizeof *more);
	if (n > 0)
		memcpy(more, p, n * sizeof *more);
	return more;
}

int
imap_entries_parse(struct imap_lex *l, struct arena *a, struct span **entries, size_t *n, struct err *e)
{
	bool list = imap_take(l, '(');

	*entries = NULL;
	*n = 0;
	do {
		if (*n == IMAP_ENTRIES_MAX)
			return err_set(e, ERR_PEER, "Too many entries");
		*entries = grow(a, *entries, *n);
		if (entry(l, a, &(*entries)[(*n)++], e) < 0)
			return -1;
	} while (list && imap_take(l, ' '));
	return !list || imap_take(l, ')') ? 0 : err_set(e, ERR_PEER, "The list of entries has no end");
}

/* ---- GETMETADATA */

static int
depth(struct imap_lex *l, enum imap_depth *out, struct err *e)
{
	static const char *const names[] = { "0", "1", "infinity" };

	if (imap_sp(l, e) < 0)
		return -1;
	for (int i = 0; i < 3; i++)
		if (imap_word(l, names[i])) {
			*out = (enum imap_depth)i;
			return 0;
		}
	return err_set(e, ERR_PEER, "DEPTH is 0, 1 or infinity");
}

/* "(MAXSIZE 1024 DEPTH 1)" */
static int
options(struct imap_lex *l, struct imap_getmetadata *g, struct err *e)
{
	if (!imap_take(l, '('))
		return err_set(e, ERR_PEER, "A list of options is missing");
	do {
		if (imap_word(l, "MAXSIZE")) {
			g->limited = true;
			if (imap_sp(l, e) < 0 || imap_number(l, &g->maxsize, e) < 0)
				return -1;
		} else if (!imap_word(l, "DEPTH")) {
			return err_set(e, ERR_PEER, "The options of GETMETADATA are MAXSIZE and DEPTH");
		} else if (depth(l, &g->depth, e) < 0) {
			return -1;
		}
	} while (imap_take(l, ' '));
	return imap_take(l, ')') ? 0 : err_set(e, ERR_PEER, "The list of options has no end");
}

/* Behind the mailbox: options, or is this the list of entries? Those start with a slash. */
static bool
options_follow(const struct imap_lex *l)
{
	return l->in.n > 1 && l->in.p[0] == '(' && ascii_isalpha(l->in.p[1]);
}

int
imap_getmetadata_parse(struct imap_lex *l, struct arena *a, struct imap_getmetadata *out, struct err *e)
{
	struct imap_getmetadata g = { 0 };

	if (imap_peek(l) == '(' && (options(l, &g, e) < 0 || imap_sp(l, e) < 0))
		return -1;
	if (imap_mailbox(l, a, &g.mailbox, e) < 0 || imap_sp(l, e) < 0)
		return -1;
	if (options_follow(l) && (options(l, &g, e) < 0 || imap_sp(l, e) < 0))
		return -1;
	if (imap_entries_parse(l, a, &g.entries, &g.n, e) < 0)
		return -1;
	while (g.n < IMAP_ENTRIES_MAX && imap_take(l, ' ')) { /* 4.4.1 has them without parentheses, too */
		g.entries = grow(a, g.entries, g.n);
		if (entry(l, a, &g.entries[g.n++], e) < 0)
			return -1;
	}
	if (imap_end(l, e) < 0)
		return -1;
	*out = g;
	return 0;
}

/* ---- SETMETADATA */

/* nstring or literal8, "~{n}" (RFC 3516), which may hold NUL. */
static int
value(struct imap_lex *l, struct arena *a, struct span *out, struct err *e)
{
	ssize_t eol;
	struct imap_literal lit;

	if (imap_peek(l) != '~')
		return imap_nstring(l, a, out, e);
	imap_take(l, '~');
	eol = span_find(l->in, SPAN("\r\n"));
	if (eol < 0 || imap_line_literal(span_head(l->in, (size_t)eol), &lit, e) <= 0 || lit.text != 0)
		return err_set(e, ERR_PEER, "That is no literal");
	l->in = span_from(l->in, (size_t)eol + 2);
	if (lit.size > l->in.n)
		return err_set(e, ERR_PEER, "A literal is cut");
	*out = span_of(l->in.p, (size_t)lit.size);
	l->in = span_from(l->in, (size_t)lit.size);
	return 0;
}

/* The last value of an entry counts. */
static void
put(struct imap_setmetadata *s, struct span name, struct span val)
{
	size_t i = 0;

	while (i < s->n && !span_same(s->entries[i], name))
		i++;
	s->entries[i] = name;
	s->values[i] = val;
	s->n += i == s->n;
}

int
imap_setmetadata_parse(struct imap_lex *l, struct arena *a, struct imap_setmetadata *out, struct err *e)
{
	enum { SETS_MAX = 200 };
	struct imap_setmetadata s = { 0 };
	struct span name, val;
	unsigned n = 0;

	s.entries = arena_array(a, SETS_MAX, sizeof *s.entries);
	s.values = arena_array(a, SETS_MAX, sizeof *s.values);
	if (imap_mailbox(l, a, &s.mailbox, e) < 0 || imap_sp(l, e) < 0)
		return -1;
	if (!imap_take(l, '('))
		return err_set(e, ERR_PEER, "A list of entries and values is missing");
	do {
		if (n++ == SETS_MAX)
			return err_set(e, ERR_PEER, "Too many entries");
		if (entry(l, a, &name, e) < 0)
			return -1;
		if (components(name) == 3 && span_find(name, SPAN("/vendor/")) > 0)
			return err_set(
			    e, ERR_PEER, "An entry of a vendor has four components (RFC 5464, 3.2)");
		if (imap_sp(l, e) < 0 || value(l, a, &val, e) < 0)
			return -1;
		put(&s, name, val);
	} while (imap_take(l, ' '));
	if (!imap_take(l, ')'))
		return err_set(e, ERR_PEER, "The list of entries has no end");
	if (imap_end(l, e) < 0)
		return -1;
	*out = s;
	return 0;
}
