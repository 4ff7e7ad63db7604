#include "smtp/path.h"

#include "base/utf8.h"

/* What a parser has read; at moves only over what was understood. */
struct cursor {
	struct span in;
	size_t at;
};

static char
peek(const struct cursor *c)
{
	return c->at < c->in.n ? c->in.p[c->at] : '\0';
}

static bool
take(struct cursor *c, char what)
{
	if (c->at == c->in.n || c->in.p[c->at] != what)
		return false;
	c->at++;
	return true;
}

static bool
high(char c)
{
	return (c & 0x80) != 0;
}

/* RFC 5322, 3.2.3 as amended by RFC 6531. */
static bool
is_atext(char c)
{
	return ascii_isalnum(c) || high(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Let-dig and what may stand within a label; an underscore is none of it, but stands in names of hosts. */
static bool
is_label(char c)
{
	return ascii_isalnum(c) || c == '-' || c == '_' || high(c);
}

/* Dot-string: atoms with single dots between them. */
static int
dot_string(struct cursor *c, struct err *e)
{
	size_t start;

	do {
		start = c->at;
		while (is_atext(peek(c)))
			c->at++;
		if (c->at == start)
			return err_set(e, ERR_PEER, "bad local part of an address");
	} while (take(c, '.'));
	return 0;
}

/* Quoted-string: printable ASCII or UTF-8; a backslash takes any printable ASCII with it. */
static int
quoted_string(struct cursor *c, struct err *e)
{
	c->at++;
	while (c->at < c->in.n) {
		char ch = c->in.p[c->at++];

		if (ch == '"')
			return 0;
		if (ch == '\\')
			ch = c->at < c->in.n && !high(c->in.p[c->at]) ? c->in.p[c->at++] : '\0';
		if (!high(ch) && (ch < ' ' || ch > '~'))
			break;
	}
	return err_set(e, ERR_PEER, "bad quoted string in an address");
}

/* One label at a time: 1 to 63 octets (a U-label is limited where it is converted), no hyphen at an end. */
static int
domain(struct cursor *c, struct err *e)
{
	size_t start;

	do {
		bool utf8 = false;

		for (start = c->at; is_label(peek(c)); c->at++)
			utf8 |= high(peek(c));
		if (c->at == start || c->in.p[start] == '-' || c->in.p[c->at - 1] == '-' ||
		    (c->at - start > 63 && !utf8))
			return err_set(e, ERR_PEER, "bad domain in an address");
	} while (take(c, '.'));
	return 0;
}

/* "[" anything of dcontent "]" (RFC 5321, 4.1.3); what it names is smtp/mailbox.h's to say. */
static int
literal(struct cursor *c, struct err *e)
{
	size_t start = ++c->at;

	while (peek(c) > ' ' && peek(c) <= '~' && peek(c) != '[' && peek(c) != '\\' && peek(c) != ']')
		c->at++;
	if (c->at == start || !take(c, ']'))
		return err_set(e, ERR_PEER, "bad address literal");
	return 0;
}

/* "@a,@b:" in front of the mailbox, which RFC 5321, F.2 has us accept and ignore. */
static int
source_route(struct cursor *c, struct err *e)
{
	do {
		if (!take(c, '@'))
			return err_set(e, ERR_PEER, "bad source route");
		if ((peek(c) == '[' ? literal(c, e) : domain(c, e)) < 0)
			return -1;
	} while (take(c, ','));
	if (!take(c, ':'))
		return err_set(e, ERR_PEER, "bad source route");
	return 0;
}

static int
mailbox(struct cursor *c, struct path *out, struct err *e)
{
	size_t start = c->at;

	if ((peek(c) == '"' ? quoted_string(c, e) : dot_string(c, e)) < 0)
		return -1;
	out->local = span_of(c->in.p + start, c->at - start);
	out->domain = span_of(c->in.p + c->at, 0);
	if (out->local.n > PATH_LOCAL_MAX)
		return err_set(e, ERR_PEER, "the local part of an address is too long");
	if (!take(c, '@'))
		return 0;
	start = c->at;
	if ((peek(c) == '[' ? literal(c, e) : domain(c, e)) < 0)
		return -1;
	out->domain = span_of(c->in.p + start, c->at - start);
	if (out->domain.n > PATH_DOMAIN_MAX)
		return err_set(e, ERR_PEER, "the domain of an address is too long");
	return 0;
}

ssize_t
path_parse(struct span in, struct path *out, struct err *e)
{
	struct cursor c = { in, 0 };
	struct path path;

	if (!take(&c, '<'))
		return err_set(e, ERR_PEER, "an address must stand in <>");
	path.local = path.domain = span_of(in.p + c.at, 0);
	if (peek(&c) == '@' && source_route(&c, e) < 0)
		return -1;
	if ((peek(&c) != '>' || c.in.p[c.at - 1] == ':') && mailbox(&c, &path, e) < 0)
		return -1;
	if (!take(&c, '>'))
		return err_set(e, ERR_PEER, "bad address");
	path.utf8 = !ascii_only(span_head(in, c.at));
	if (path.utf8 && !utf8_valid(span_head(in, c.at)))
		return err_set(e, ERR_PEER, "an address is not valid UTF-8");
	*out = path;
	return (ssize_t)c.at;
}
