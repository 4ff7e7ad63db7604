/*
 * One pass over the value. What is read of an address is written to `text` with quotes, comments and needless
 * blanks left out, so `text` never outgrows the value; the address's spans are cut out of it. Comments are
 * written to a memory of their own.
 */
#include "mail/address.h"

enum state {
	PHRASE,       /* words: a display name, a local part or the name of a group, to be seen */
	DOMAIN,       /* behind the @ of an address without <> */
	ANGLE,        /* behind <, nothing read */
	ROUTE,        /* behind <@ up to its : */
	LOCAL,        /* behind < or the route */
	ANGLE_DOMAIN, /* behind the @ within <> */
	AFTER,        /* behind > */
};

struct parser {
	struct span rest;
	struct arena *a;
	struct address *first, **end;
	size_t count;
	bool in_group, cut;

	/* The address that is being read. */
	enum state state;
	bool seen;   /* anything but blanks and comments */
	bool space;  /* blanks or a comment stand in front of what comes */
	bool quoted; /* the words so far had a quoted string */
	struct address it;
	struct span comment; /* the last one; p == NULL: none */

	char *text, *comments; /* where the next octet goes */
	char *word;            /* start of the part that is being read, in text */
};

static struct span
part(const struct parser *p)
{
	return span_of(p->word, (size_t)(p->text - p->word));
}

static void
begin(struct parser *p)
{
	p->state = PHRASE;
	p->seen = p->space = p->quoted = false;
	p->it = (struct address){ 0 };
	p->comment = (struct span){ 0 };
	p->word = p->text;
}

static void
append(struct parser *p, struct address it)
{
	if (p->count == ADDRESSES_MAX) {
		p->cut = true;
		return;
	}
	p->count++;
	*p->end = arena_alloc(p->a, sizeof **p->end);
	**p->end = it;
	p->end = &(*p->end)->next;
}

/* "john . doe" of the obsolete syntax: no blanks beside a dot. */
static void
close_dots(struct parser *p)
{
	char *to = p->word;

	for (char *from = p->word; from < p->text; from++) {
		bool behind = from > p->word && from[-1] == '.',
		     before = from + 1 < p->text && from[1] == '.';

		if (*from != ' ' || (!behind && !before))
			*to++ = *from;
	}
	p->text = to;
}

/* The address has ended: a comma, the end of a group or of the value. */
static void
finish(struct parser *p)
{
	switch (p->state) {
	case PHRASE:
		p->it.mailbox = part(p); /* no @: a local name, or nothing that we understand */
		break;
	case DOMAIN:
	case ANGLE_DOMAIN:
		p->it.host = part(p);
		break;
	case ROUTE:
		p->it.route = part(p);
		p->it.mailbox = span_of(p->text, 0);
		break;
	case ANGLE:
	case LOCAL:
		p->it.mailbox = part(p);
		break;
	case AFTER:
		break;
	}
	if (p->it.name.p == NULL && p->comment.n > 0)
		p->it.name = p->comment;
	if (p->seen)
		append(p, p->it);
	begin(p);
}

/* Text of a word: an atom or what was within quotes. */
static void
add_text(struct parser *p, struct span s)
{
	bool gap = p->space && p->text > p->word;

	if (p->state == ANGLE)
		p->state = LOCAL;
	if (p->state == LOCAL && gap)
		gap = p->text[-1] != '.' && (s.n == 0 || s.p[0] != '.');
	p->seen = true;
	p->space = false;
	if (p->state == AFTER)
		return;
	if (gap && (p->state == PHRASE || p->state == LOCAL))
		*p->text++ = ' ';
	if (s.n > 0)
		memcpy(p->text, s.p, s.n);
	p->text += s.n;
}

static void
add_char(struct parser *p, char c)
{
	add_text(p, span_of(&c, 1));
}

/* "..." (RFC 5322, 3.2.4); one that does not end goes to the end of the value. */
static void
quoted_string(struct parser *p)
{
	size_t i = 1, from = 1;

	p->quoted = true;
	add_text(p, span_head(p->rest, 0)); /* the space in front of it, if there is to be one */
	for (; i < p->rest.n && p->rest.p[i] != '"'; i++) {
		char c = p->rest.p[i];

		if (c != '\\' && c != '\r' && c != '\n')
			continue;
		add_text(p, span_of(p->rest.p + from, i - from));
		if (c == '\\' && i + 1 < p->rest.n)
			i++; /* what follows is taken as it is */
		else if (c != '\\') {
			from = i + 1; /* folding is no part of the text */
			continue;
		}
		from = i;
	}
	if (i > p->rest.n)
		i = p->rest.n;
	add_text(p, span_of(p->rest.p + from, i - from));
	p->rest = span_from(p->rest, i + 1);
}

/* (...), which may nest (3.2.2); the inner parentheses stay. */
static void
comment(struct parser *p)
{
	size_t depth = 1, i = 1;
	char *start;

	if (p->comments == NULL)
		p->comments = arena_alloc(p->a, p->rest.n);
	start = p->comments;
	for (; i < p->rest.n; i++) {
		char c = p->rest.p[i];

		if (c == '\\' && i + 1 < p->rest.n)
			c = p->rest.p[++i];
		else if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0)
			break;
		else if (c == '\r' || c == '\n')
			continue;
		*p->comments++ = c;
	}
	p->comment = span_trim(span_of(start, (size_t)(p->comments - start)));
	p->space = true;
	p->rest = span_from(p->rest, i + 1);
}

/* "[192.0.2.1]": to its bracket, blanks left out. Without one, only the bracket. */
static void
literal(struct parser *p)
{
	ssize_t close = span_chr(p->rest, ']');
	size_t n = close < 0 ? 1 : (size_t)close + 1;

	p->space = false;
	for (size_t i = 0; i < n; i++)
		if (p->rest.p[i] != ' ' && p->rest.p[i] != '\t' && p->rest.p[i] != '\r' &&
		    p->rest.p[i] != '\n')
			add_char(p, p->rest.p[i]);
	p->rest = span_from(p->rest, n);
}

static void
at_sign(struct parser *p)
{
	switch (p->state) {
	case PHRASE:
	case LOCAL:
	case DOMAIN:
	case ANGLE_DOMAIN:
		if (p->state == PHRASE && !p->quoted)
			close_dots(p);
		/* A second @: all before it is the local part. */
		if (p->it.mailbox.p != NULL)
			p->word -= p->it.mailbox.n + 1;
		p->it.mailbox = part(p);
		p->state = p->state == PHRASE || p->state == DOMAIN ? DOMAIN : ANGLE_DOMAIN;
		*p->text++ = '@';
		p->word = p->text;
		break;
	case ANGLE:
		p->state = ROUTE;
		add_char(p, '@');
		break;
	case ROUTE:
		add_char(p, '@');
		break;
	case AFTER:
		break;
	}
	p->seen = true;
	p->space = false;
}

static void
open_angle(struct parser *p)
{
	switch (p->state) {
	case DOMAIN: /* "a@b <a@b>": the name has an @ and no quotes */
		p->word -= p->it.mailbox.n + 1;
		p->it.mailbox = (struct span){ 0 };
		/* FALLTHROUGH */
	case PHRASE:
		if (p->text > p->word) /* "" is no name */
			p->it.name = part(p);
		break;
	case ANGLE:
	case ROUTE:
	case LOCAL:
	case ANGLE_DOMAIN:
		add_char(p, '<');
		return;
	case AFTER: /* "<a@b> <c@d>": the comma was forgotten */
		finish(p);
		break;
	}
	p->state = ANGLE;
	p->seen = true;
	p->space = p->quoted = false;
	p->word = p->text;
}

static void
close_angle(struct parser *p)
{
	switch (p->state) {
	case ANGLE:
	case LOCAL:
		p->it.mailbox = part(p);
		break;
	case ROUTE: /* "<@host>" */
		p->it.mailbox = span_of(p->text, 0);
		p->it.host = span_from(part(p), 1);
		break;
	case ANGLE_DOMAIN:
		p->it.host = part(p);
		break;
	case PHRASE:
	case DOMAIN:
	case AFTER:
		return;
	}
	p->state = AFTER;
}

static void
colon(struct parser *p)
{
	if (p->state == ROUTE) {
		p->it.route = part(p);
		p->word = p->text;
		p->state = LOCAL;
		p->space = false;
	} else if (p->state == PHRASE && !p->in_group && p->seen) {
		append(p, (struct address){ .kind = ADDRESS_GROUP, .mailbox = part(p) });
		p->in_group = true;
		begin(p);
	} else
		add_char(p, ':');
}

static void
separator(struct parser *p, char c)
{
	if (c == ',' && p->state == ROUTE) {
		add_char(p, c);
		return;
	}
	finish(p);
	if (c == ';' && p->in_group) {
		append(p, (struct address){ .kind = ADDRESS_GROUP_END });
		p->in_group = false;
	}
}

/* The specials that have a meaning here, and blanks. */
/* clang-format off */
static const bool special[256] = {
	[' '] = true, ['\t'] = true, ['\r'] = true, ['\n'] = true, ['"'] = true, ['\\'] = true, ['('] = true,
	[')'] = true, ['<'] = true, ['>'] = true, ['['] = true, [']'] = true, ['@'] = true, [','] = true,
	[';'] = true, [':'] = true
};
/* clang-format on */

/* An atom, or a run of such with dots: all that is no special. */
static void
atom(struct parser *p)
{
	size_t n = 1;

	while (n < p->rest.n && !special[(uint8_t)p->rest.p[n]])
		n++;
	add_text(p, span_head(p->rest, n));
	p->rest = span_from(p->rest, n);
}

static void
next(struct parser *p)
{
	char c = p->rest.p[0];

	switch (c) {
	case '"':
		quoted_string(p);
		return;
	case '(':
		comment(p);
		return;
	case '[':
		if (p->state == DOMAIN || p->state == ANGLE_DOMAIN || p->state == ROUTE)
			literal(p);
		else
			atom(p);
		return;
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		p->space = true;
		break;
	case '@':
		at_sign(p);
		break;
	case '<':
		open_angle(p);
		break;
	case '>':
		close_angle(p);
		break;
	case ':':
		colon(p);
		break;
	case ',':
	case ';':
		separator(p, c);
		break;
	case '\\': /* outside quotes it is obsolete, and takes the next octet with it */
		if (p->rest.n > 1) {
			add_char(p, p->rest.p[1]);
			p->rest = span_from(p->rest, 1);
		}
		break;
	default:
		atom(p);
		return;
	}
	p->rest = span_from(p->rest, 1);
}

struct address *
address_parse(struct span value, struct arena *a, bool *cut)
{
	struct parser p = { .rest = value, .a = a };

	p.end = &p.first;
	if (value.n > 0)
		p.text = arena_alloc(a, value.n);
	begin(&p);
	while (p.rest.n > 0 && !p.cut)
		next(&p);
	if (!p.cut) {
		finish(&p);
		if (p.in_group)
			append(&p, (struct address){ .kind = ADDRESS_GROUP_END });
	}
	if (cut != NULL)
		*cut = p.cut;
	return p.first;
}
