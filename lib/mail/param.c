#include "mail/param.h"

#include "mail/header.h"
#include "mail/mime.h"

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
skip_cfws(struct span *s)
{
	while (s->n > 0 && (is_space(s->p[0]) || s->p[0] == '(')) {
		if (s->p[0] == '(')
			header_comment(s);
		else
			*s = span_from(*s, 1);
	}
}

/* RFC 2045, 5.1; octets above 127 are taken. */
static bool
is_token(char c)
{
	/* clang-format off */
	static const bool tspecial[128] = {
		['('] = true, [')'] = true, ['<'] = true, ['>'] = true, ['@'] = true, [','] = true,
		[';'] = true, [':'] = true, ['\\'] = true, ['"'] = true, ['/'] = true, ['['] = true,
		[']'] = true, ['?'] = true, ['='] = true
	};
	/* clang-format on */

	return (c & 0x80) != 0 || (c > ' ' && c < 0x7f && !tspecial[(uint8_t)c]);
}

struct span
param_token(struct span *s)
{
	struct span token;
	size_t n = 0;

	skip_cfws(s);
	while (n < s->n && is_token(s->p[n]))
		n++;
	token = span_head(*s, n);
	*s = span_from(*s, n);
	skip_cfws(s);
	return token;
}

bool
param_char(struct span *s, char c)
{
	skip_cfws(s);
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = span_from(*s, 1);
	return true;
}

/* "..." at the start of *s. Backslashes and line ends are left out; one that does not end goes to the end. */
static struct span
quoted(struct span *s, struct arena *a)
{
	bool plain = true;
	size_t end = 1, n = 0;
	struct span inner;
	char *to;

	for (; end < s->n && s->p[end] != '"'; end++) {
		if (s->p[end] == '\\' || s->p[end] == '\r' || s->p[end] == '\n' || s->p[end] == '\0')
			plain = false;
		if (s->p[end] == '\\' && end + 1 < s->n)
			end++;
	}
	inner = span_of(s->p + 1, end - 1);
	*s = span_from(*s, end + 1);
	if (plain)
		return inner;
	to = arena_alloc(a, inner.n);
	for (size_t i = 0; i < inner.n; i++) {
		if (inner.p[i] == '\\' && i + 1 < inner.n)
			i++;
		if (inner.p[i] != '\r' && inner.p[i] != '\n' && inner.p[i] != '\0')
			to[n++] = inner.p[i];
	}
	return span_of(to, n);
}

/*
 * A value that is not quoted. Strangers leave out the quotes where they must not, so it goes on to the next
 * ';', a comment left out when it stands behind a blank, blanks trimmed.
 */
static struct span
unquoted(struct span *s)
{
	size_t n = 0;
	struct span value;

	while (n < s->n && s->p[n] != ';' && s->p[n] != '\r' && s->p[n] != '\n' && s->p[n] != '\0' &&
	       !(s->p[n] == '(' && n > 0 && is_space(s->p[n - 1])))
		n++;
	value = span_trim(span_head(*s, n));
	*s = span_from(*s, n);
	return value;
}

/* The next "; name=value"; false at the end. What has no name or no = is walked over. */
static bool
next_param(struct span *s, struct mime_param *p, struct arena *a)
{
	for (;;) {
		skip_cfws(s);
		while (s->n > 0 && s->p[0] != ';') { /* what cannot be understood */
			if (s->p[0] == '"')
				quoted(s, a);
			else
				*s = span_from(*s, 1);
		}
		if (s->n == 0)
			return false;
		*s = span_from(*s, 1);
		p->name = param_token(s);
		if (p->name.n == 0 || !param_char(s, '='))
			continue;
		skip_cfws(s);
		p->value = s->n > 0 && s->p[0] == '"' ? quoted(s, a) : unquoted(s);
		return true;
	}
}

/* A name of RFC 2231: base ["*" section] ["*"]. */
struct name2231 {
	struct span base;
	int section; /* -1: none */
	bool extended;
};

static struct name2231
split_name(struct span name)
{
	struct name2231 n = { name, -1, false };
	uint32_t section;
	ssize_t star;

	if (name.n > 1 && name.p[name.n - 1] == '*') {
		n.extended = true;
		n.base.n--;
	}
	star = span_rchr(n.base, '*');
	if (star > 0 && (size_t)star + 1 < n.base.n && n.base.n - (size_t)star <= 4 &&
	    span_u32(span_from(n.base, (size_t)star + 1), &section, NULL) == 0) {
		n.section = (int)section;
		n.base.n = (size_t)star;
	}
	return n;
}

/* The piece of a continued parameter with this section number, not used yet. */
static struct mime_param *
find_piece(struct mime_param *list, struct span base, int section)
{
	for (; list != NULL; list = list->next) {
		struct name2231 n = split_name(list->name);

		if (n.section == section && span_isame(n.base, base))
			return list;
	}
	return NULL;
}

/* Percent-encode what RFC 2231, 7 does not let stand in an extended value. */
static char *
put_percent(char *to, struct span s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];

		if (is_token(s.p[i]) && c < 0x80 && c != '*' && c != '\'' && c != '%') {
			*to++ = s.p[i];
			continue;
		}
		*to++ = '%';
		*to++ = hex[c >> 4];
		*to++ = hex[c & 15];
	}
	return to;
}

/*
 * Join the pieces base*0, base*1 ... into `first`. Where some are extended, the whole is: the plain ones are
 * encoded then, and a first piece that names no charset gets an empty one. The pieces that were used lose
 * their names.
 */
static void
join_pieces(struct mime_param *list, struct mime_param *first, struct arena *a)
{
	struct span base = split_name(first->name).base;
	struct mime_param *piece;
	bool extended = false;
	size_t size = 2;
	char *start, *to;
	int count = 0;

	for (; (piece = find_piece(list, base, count)) != NULL; count++) {
		extended |= split_name(piece->name).extended;
		size += 3 * piece->value.n;
	}
	if (count == 0)
		return; /* no piece 0: each stays what it is */
	start = to = arena_alloc(a, size);
	for (int i = 0; i < count; i++) {
		piece = find_piece(list, base, i);
		if (extended && i == 0 && !split_name(piece->name).extended) {
			*to++ = '\'';
			*to++ = '\'';
		}
		if (extended && !split_name(piece->name).extended)
			to = put_percent(to, piece->value);
		else {
			if (piece->value.n > 0)
				memcpy(to, piece->value.p, piece->value.n);
			to += piece->value.n;
		}
		piece->name.n = 0;
	}
	first->name = extended ? arena_printf(a, "%.*s*", SPAN_ARG(base)) : base;
	first->value = span_of(start, (size_t)(to - start));
}

static void
join_continuations(struct mime_param **list, struct arena *a)
{
	for (struct mime_param *p = *list; p != NULL; p = p->next)
		if (p->name.n > 0 && split_name(p->name).section >= 0)
			join_pieces(*list, p, a);
	for (struct mime_param **p = list; *p != NULL;) {
		if ((*p)->name.n == 0)
			*p = (*p)->next;
		else
			p = &(*p)->next;
	}
}

struct mime_param *
param_list(struct span s, size_t max, size_t *count, struct arena *a)
{
	struct mime_param *first = NULL, **end = &first, p = { 0 };
	bool continued = false;

	for (size_t n = 0; n < max && next_param(&s, &p, a); n++) {
		*end = arena_alloc(a, sizeof p);
		**end = p;
		end = &(*end)->next;
		(*count)++;
		continued |= span_chr(p.name, '*') >= 0;
	}
	if (continued)
		join_continuations(&first, a);
	return first;
}

/* charset'language'text, the text percent-encoded; what is not of this form is text. */
static struct span
decode_extended(struct span value, struct arena *a)
{
	struct span text = value;
	size_t n = 0;
	char *to;

	span_cut(&text, '\'');
	span_cut(&text, '\'');
	if (text.n == 0)
		text = value;
	to = arena_alloc(a, text.n);
	for (size_t i = 0; i < text.n; i++) {
		int high, low;

		if (text.p[i] == '%' && text.n - i > 2 && (high = ascii_hex(text.p[i + 1])) >= 0 &&
		    (low = ascii_hex(text.p[i + 2])) >= 0) {
			to[n++] = (char)(high << 4 | low);
			i += 2;
		} else
			to[n++] = text.p[i];
	}
	return span_of(to, n);
}

struct span
param_text(const struct mime_param *list, const char *name, struct arena *a)
{
	struct span plain = mime_param(list, name);
	size_t size = strlen(name);

	if (plain.p != NULL)
		return plain;
	for (; list != NULL; list = list->next)
		if (list->name.n == size + 1 && span_istarts(list->name, name) && list->name.p[size] == '*')
			return decode_extended(list->value, a);
	return plain;
}
