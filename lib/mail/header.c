#include "mail/header.h"

/* The octets of the line at the start of s, its line end included. */
static size_t
line_size(struct span s)
{
	ssize_t at = span_chr(s, '\n');

	return at < 0 ? s.n : (size_t)at + 1;
}

static bool
empty_line(struct span s)
{
	return s.n > 0 && (s.p[0] == '\n' || (s.p[0] == '\r' && s.n > 1 && s.p[1] == '\n'));
}

/* The octets of the field at the start of s: its line and those that continue it. */
static size_t
field_size(struct span s)
{
	size_t n = line_size(s);

	while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
		n += line_size(span_from(s, n));
	return n;
}

static struct span
without_line_end(struct span s)
{
	if (s.n > 0 && s.p[s.n - 1] == '\n') {
		s.n--;
		if (s.n > 0 && s.p[s.n - 1] == '\r')
			s.n--;
	}
	return s;
}

static void
split_field(struct span raw, struct header_field *f)
{
	struct span text = without_line_end(raw), first = span_head(text, line_size(text));
	ssize_t colon = span_chr(first, ':');

	f->raw = raw;
	f->name = span_head(text, 0);
	f->value = text;
	if (colon <= 0)
		return;
	f->name = span_trim(span_head(text, (size_t)colon));
	/* A blank within is no name: "From someone at 10:00", the first line of an mbox. */
	if (raw.p[0] == ' ' || raw.p[0] == '\t' || span_chr(f->name, ' ') >= 0 ||
	    span_chr(f->name, '\t') >= 0)
		f->name = span_head(text, 0);
	else
		f->value = span_from(text, (size_t)colon + 1);
}

struct header_iter
header_start(struct span message)
{
	return (struct header_iter){ .rest = message, .base = message.p };
}

bool
header_next(struct header_iter *it, struct header_field *f)
{
	size_t n;

	if (it->rest.n == 0 || it->cut || empty_line(it->rest))
		return false;
	n = field_size(span_head(it->rest, HEADER_BYTES_MAX + 1 - (size_t)(it->rest.p - it->base)));
	if ((size_t)(it->rest.p - it->base) + n > HEADER_BYTES_MAX || it->fields == HEADER_FIELDS_MAX) {
		it->cut = true;
		return false;
	}
	split_field(span_head(it->rest, n), f);
	it->rest = span_from(it->rest, n);
	it->fields++;
	return true;
}

size_t
header_size(struct span message)
{
	struct span s = message;

	while (s.n > 0 && !empty_line(s))
		s = span_from(s, line_size(s));
	if (s.n > 0)
		s = span_from(s, line_size(s));
	return message.n - s.n;
}

bool
header_find(struct span message, const char *name, struct header_field *f)
{
	struct header_iter it = header_start(message);
	struct span want = span_str(name);

	while (header_next(&it, f))
		if (span_isame(f->name, want))
			return true;
	return false;
}

/* Where a value has what header_unfold() changes: the index, or s.n. */
static size_t
first_odd(struct span s)
{
	size_t i = 0;

	while (i < s.n && s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != '\0')
		i++;
	return i;
}

struct span
header_unfold(struct span value, struct arena *a)
{
	struct span s = span_trim_ws(value);
	size_t i = first_odd(s), n = i;
	char *to;

	if (i == s.n)
		return s;
	to = arena_alloc(a, s.n);
	memcpy(to, s.p, i);
	for (; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n')
			continue;
		if (c == '\n' && i + 1 < s.n && (s.p[i + 1] == ' ' || s.p[i + 1] == '\t'))
			continue;
		to[n++] = c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
	}
	return span_of(to, n);
}

static bool
among(struct span name, const struct span *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_isame(name, names[i]))
			return true;
	return false;
}

int
header_select(
    struct span message, const struct span *names, size_t n, bool except, struct buf *out, struct err *e)
{
	struct span rest = message;
	struct header_field f;

	while (rest.n > 0 && !empty_line(rest)) {
		split_field(span_head(rest, field_size(rest)), &f);
		if ((f.name.n > 0 && among(f.name, names, n)) != except && buf_add(out, e, f.raw) < 0)
			return -1;
		rest = span_from(rest, f.raw.n);
	}
	return buf_add(out, e, span_head(rest, rest.n > 0 ? line_size(rest) : 0));
}

void
header_comment(struct span *s)
{
	size_t depth = 0, i = 0;

	for (; i < s->n; i++) {
		char c = s->p[i];

		if (c == '\\')
			i++;
		else if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0) {
			i++;
			break;
		}
	}
	*s = span_from(*s, i);
}
