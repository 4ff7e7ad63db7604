#include "imap/lex.h"

/* What an octet may be part of. */
enum { ATOM = 1, ASTRING = 2, PATTERN = 4, TAG = 8 };

static unsigned
class_of(char c)
{
	if (c <= ' ' || c >= 0x7f) /* CTL, SP; above 127 c is negative or past it */
		return 0;
	switch (c) {
	case '(':
	case ')':
	case '{':
	case '"':
	case '\\':
		return 0;
	case '%':
	case '*':
		return PATTERN;
	case ']':
		return ASTRING | PATTERN | TAG;
	case '+':
		return ATOM | ASTRING | PATTERN;
	default:
		return ATOM | ASTRING | PATTERN | TAG;
	}
}

int
imap_line_literal(struct span line, struct imap_literal *lit, struct err *e)
{
	size_t end = line.n, at;

	if (end == 0 || line.p[end - 1] != '}')
		return 0;
	end--;
	lit->nonsync = end > 0 && line.p[end - 1] == '+';
	if (lit->nonsync)
		end--;
	for (at = end; at > 0 && ascii_isdigit(line.p[at - 1]); at--)
		;
	if (at == end || at == 0 || line.p[at - 1] != '{')
		return 0;
	lit->text = at - 1;
	lit->binary = at > 1 && line.p[at - 2] == '~' &&
		      (at == 2 || line.p[at - 3] == ' ' || line.p[at - 3] == '(');
	lit->text -= lit->binary;
	if (span_u64(span_of(line.p + at, end - at), &lit->size, NULL) < 0)
		return err_set(e, ERR_PEER, "The size of the literal is no number of 64 bits");
	return 1;
}

bool
imap_take(struct imap_lex *l, char c)
{
	if (l->in.n == 0 || l->in.p[0] != c)
		return false;
	l->in = span_from(l->in, 1);
	return true;
}

int
imap_sp(struct imap_lex *l, struct err *e)
{
	return imap_take(l, ' ') ? 0 : err_set(e, ERR_PEER, "A space and an argument are missing");
}

int
imap_end(const struct imap_lex *l, struct err *e)
{
	return l->in.n == 0 ? 0 : err_set(e, ERR_PEER, "Something follows the arguments");
}

/* The longest run of octets of this class. */
static struct span
run(struct imap_lex *l, unsigned class)
{
	size_t n = 0;
	struct span s;

	while (n < l->in.n && (class_of(l->in.p[n]) & class) != 0)
		n++;
	s = span_head(l->in, n);
	l->in = span_from(l->in, n);
	return s;
}

bool
imap_word(struct imap_lex *l, const char *word)
{
	struct imap_lex ahead = *l;

	if (!span_ieq(run(&ahead, ATOM), word))
		return false;
	*l = ahead;
	return true;
}

int
imap_tag(struct imap_lex *l, struct span *out, struct err *e)
{
	struct span s = run(l, TAG);

	if (s.n == 0 || (l->in.n > 0 && l->in.p[0] != ' '))
		return err_set(e, ERR_PEER, "A tag is missing");
	*out = s;
	return 0;
}

int
imap_atom(struct imap_lex *l, struct span *out, struct err *e)
{
	struct span s = run(l, ATOM);

	if (s.n == 0)
		return err_set(e, ERR_PEER, "A word is missing");
	*out = s;
	return 0;
}

bool
imap_is_atom(struct span s)
{
	struct imap_lex l = { .in = s };

	return s.n > 0 && run(&l, ATOM).n == s.n;
}

/* Behind the opening quote, `escapes` of the n octets before the closing one are backslashes to drop. */
static struct span
unescape(struct span s, size_t escapes, struct arena *a)
{
	char *p = arena_alloc(a, s.n - escapes + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		p[n++] = s.p[i];
	}
	return span_of(p, n);
}

static int
quoted(struct imap_lex *l, struct arena *a, struct span *out, struct err *e)
{
	struct span s = span_from(l->in, 1);
	size_t n = 0, escapes = 0;

	for (; n < s.n && s.p[n] != '"'; n++) {
		if (s.p[n] == '\\') {
			n++;
			escapes++;
			if (n == s.n || (s.p[n] != '"' && s.p[n] != '\\'))
				return err_set(e, ERR_PEER, "Only \" and \\ may stand behind a \\");
		}
		if (s.p[n] == '\0' || s.p[n] == '\r' || s.p[n] == '\n')
			return err_set(e, ERR_PEER, "A quoted string cannot hold NUL, CR or LF");
	}
	if (n == s.n)
		return err_set(e, ERR_PEER, "A quoted string has no end");
	*out = escapes > 0 ? unescape(span_head(s, n), escapes, a) : span_head(s, n);
	l->in = span_from(s, n + 1);
	return 0;
}

static int
literal(struct imap_lex *l, bool binary, struct span *out, struct err *e)
{
	ssize_t eol = span_find(l->in, SPAN("\r\n"));
	struct imap_literal lit;
	struct span s;

	if (eol < 0 || imap_line_literal(span_head(l->in, (size_t)eol), &lit, e) <= 0 || lit.text != 0 ||
	    lit.binary != binary)
		return err_set(e, ERR_PEER, "That is no literal");
	s = span_from(l->in, (size_t)eol + 2);
	if (lit.size > s.n)
		return err_set(e, ERR_PEER, "A literal is cut");
	*out = span_head(s, (size_t)lit.size);
	if (!binary && span_chr(*out, '\0') >= 0)
		return err_set(e, ERR_PEER, "NUL is not allowed in a literal");
	l->in = span_from(s, out->n);
	return 0;
}

int
imap_string(struct imap_lex *l, struct arena *a, struct span *out, struct err *e)
{
	switch (imap_peek(l)) {
	case '"':
		return quoted(l, a, out, e);
	case '{':
		return literal(l, false, out, e);
	}
	return err_set(e, ERR_PEER, "A string is missing");
}

static int
string_or(unsigned class, struct imap_lex *l, struct arena *a, struct span *out, struct err *e)
{
	struct span s;

	if (imap_peek(l) == '"' || imap_peek(l) == '{')
		return imap_string(l, a, out, e);
	s = run(l, class);
	if (s.n == 0)
		return err_set(e, ERR_PEER, "A word or string is missing");
	*out = s;
	return 0;
}

int
imap_astring(struct imap_lex *l, struct arena *a, struct span *out, struct err *e)
{
	return string_or(ASTRING, l, a, out, e);
}

int
imap_pattern(struct imap_lex *l, struct arena *a, struct span *out, struct err *e)
{
	return string_or(PATTERN, l, a, out, e);
}

int
imap_nstring(struct imap_lex *l, struct arena *a, struct span *out, struct err *e)
{
	if (imap_word(l, "NIL")) {
		*out = (struct span){ 0 };
		return 0;
	}
	return imap_string(l, a, out, e);
}

int
imap_nstring8(struct imap_lex *l, struct arena *a, struct span *out, struct err *e)
{
	return imap_peek(l) == '~' ? literal(l, true, out, e) : imap_nstring(l, a, out, e);
}

static struct span
digits(struct imap_lex *l)
{
	size_t n = 0;
	struct span s;

	while (n < l->in.n && ascii_isdigit(l->in.p[n]))
		n++;
	s = span_head(l->in, n);
	l->in = span_from(l->in, n);
	return s;
}

int
imap_number(struct imap_lex *l, uint32_t *out, struct err *e)
{
	if (span_u32(digits(l), out, NULL) < 0)
		return err_set(e, ERR_PEER, "A number of 32 bits is missing");
	return 0;
}

int
imap_nz_number(struct imap_lex *l, uint32_t *out, struct err *e)
{
	uint32_t v;

	if (imap_number(l, &v, e) < 0)
		return -1;
	if (v == 0)
		return err_set(e, ERR_PEER, "A number here starts at 1");
	*out = v;
	return 0;
}

int
imap_modseq(struct imap_lex *l, uint64_t *out, struct err *e)
{
	uint64_t v;

	if (span_u64(digits(l), &v, NULL) < 0 || v > INT64_MAX)
		return err_set(e, ERR_PEER, "A modification sequence of 63 bits is missing");
	*out = v;
	return 0;
}
