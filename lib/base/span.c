#include "base/span.h"

bool
span_same(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static bool
same_nocase(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
	return true;
}

bool
span_isame(struct span a, struct span b)
{
	return a.n == b.n && same_nocase(a.p, b.p, a.n);
}

bool
span_eq(struct span a, const char *s)
{
	return span_same(a, span_str(s));
}

bool
span_ieq(struct span a, const char *s)
{
	return span_isame(a, span_str(s));
}

bool
span_starts(struct span a, const char *s)
{
	size_t n = strlen(s);

	return a.n >= n && (n == 0 || memcmp(a.p, s, n) == 0);
}

bool
span_istarts(struct span a, const char *s)
{
	size_t n = strlen(s);

	return a.n >= n && same_nocase(a.p, s, n);
}

bool
span_ends(struct span a, const char *s)
{
	size_t n = strlen(s);

	return a.n >= n && (n == 0 || memcmp(a.p + a.n - n, s, n) == 0);
}

int
span_cmp(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n > 0 ? memcmp(a.p, b.p, n) : 0;

	if (d != 0)
		return d;
	return a.n < b.n ? -1 : a.n > b.n;
}

ssize_t
span_chr(struct span s, char c)
{
	const char *at = s.n > 0 ? memchr(s.p, c, s.n) : NULL;

	return at != NULL ? at - s.p : -1;
}

ssize_t
span_rchr(struct span s, char c)
{
	const char *at = s.n > 0 ? memrchr(s.p, c, s.n) : NULL;

	return at != NULL ? at - s.p : -1;
}

ssize_t
span_find(struct span s, struct span what)
{
	const char *at;

	if (what.n == 0)
		return 0;
	if (s.n < what.n)
		return -1;
	at = memmem(s.p, s.n, what.p, what.n);
	return at != NULL ? at - s.p : -1;
}

static struct span
trim(struct span s, const char *set, size_t nset)
{
	while (s.n > 0 && memchr(set, s.p[0], nset) != NULL)
		s = span_from(s, 1);
	while (s.n > 0 && memchr(set, s.p[s.n - 1], nset) != NULL)
		s.n--;
	return s;
}

struct span
span_trim(struct span s)
{
	return trim(s, " \t", 2);
}

struct span
span_trim_ws(struct span s)
{
	return trim(s, " \t\r\n", 4);
}

struct span
span_word(struct span *line)
{
	ssize_t at = span_chr(*line, ' ');
	struct span word = span_head(*line, at < 0 ? line->n : (size_t)at);

	*line = span_from(*line, word.n);
	while (line->n > 0 && line->p[0] == ' ')
		*line = span_from(*line, 1);
	return word;
}

struct span
span_cut(struct span *rest, char c)
{
	ssize_t at = span_chr(*rest, c);
	struct span field = span_head(*rest, at < 0 ? rest->n : (size_t)at);

	*rest = span_from(*rest, at < 0 ? rest->n : (size_t)at + 1);
	return field;
}

int
span_u64(struct span s, uint64_t *out, struct err *e)
{
	uint64_t v = 0;

	if (s.n == 0)
		return err_set(e, ERR_PEER, "a number is missing");
	for (size_t i = 0; i < s.n; i++) {
		if (!ascii_isdigit(s.p[i]))
			return err_set(e, ERR_PEER, "not a number");
		if (__builtin_mul_overflow(v, 10U, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return err_set(e, ERR_PEER, "the number is too large");
	}
	*out = v;
	return 0;
}

int
span_u32(struct span s, uint32_t *out, struct err *e)
{
	uint64_t v = 0;

	if (span_u64(s, &v, e) < 0)
		return -1;
	if (v > UINT32_MAX)
		return err_set(e, ERR_PEER, "the number is too large");
	*out = (uint32_t)v;
	return 0;
}
