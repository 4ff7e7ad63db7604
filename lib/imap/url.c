#include "imap/url.h"

#include "base/utf8.h"

enum { MAILBOX_MAX = 4096, SECTION_MAX = 64 << 10 };

static int
bad(struct err *e)
{
	return err_set(e, ERR_PEER, "That is no URL of a message here");
}

/* %41 undone (RFC 3986, 2.1); what is not written so has to be of the characters that a path may have. */
static int
percent(struct span in, struct arena *a, struct span *out, struct err *e)
{
	char *to = arena_alloc(a, in.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];

		if (c <= ' ' || c >= 0x7f || span_chr(SPAN("\"#<>?[\\]^`{|}"), c) >= 0)
			return bad(e);
		if (c == '%') {
			if (i + 2 >= in.n || ascii_hex(in.p[i + 1]) < 0 || ascii_hex(in.p[i + 2]) < 0)
				return bad(e);
			c = (char)(ascii_hex(in.p[i + 1]) << 4 | ascii_hex(in.p[i + 2]));
			i += 2;
		}
		if (c == '\0' || c == '\r' || c == '\n')
			return bad(e);
		to[n++] = c;
	}
	*out = span_of(to, n);
	return 0;
}

/* Take this word, in any case, if it stands next. */
static bool
word(struct span *in, const char *w)
{
	size_t n = strlen(w);

	if (in->n < n || !span_ieq(span_head(*in, n), w))
		return false;
	*in = span_from(*in, n);
	return true;
}

static int
number(struct span *in, uint32_t *out, struct err *e)
{
	size_t n = 0;

	while (n < in->n && ascii_isdigit(in->p[n]))
		n++;
	if (span_u32(span_head(*in, n), out, NULL) < 0)
		return bad(e);
	*in = span_from(*in, n);
	return 0;
}

static int
nz_number(struct span *in, uint32_t *out, struct err *e)
{
	return number(in, out, e) < 0 ? -1 : *out > 0 ? 0 : bad(e);
}

/* "/INBOX[;UIDVALIDITY=n]/", up to ";UID=". */
static int
mailbox(struct span *in, struct arena *a, struct imap_url *u, struct err *e)
{
	ssize_t end = -1;
	struct span path;

	for (size_t i = 0; i + 5 <= in->n && end < 0; i++)
		if (span_ieq(span_head(span_from(*in, i), 6), "/;UID="))
			end = (ssize_t)i;
	if (end < 1)
		return bad(e);
	path = span_from(span_head(*in, (size_t)end), 1);
	*in = span_from(*in, (size_t)end + 1);
	end = span_chr(path, ';');
	if (end >= 0) {
		struct span rest = span_from(path, (size_t)end);

		path = span_head(path, (size_t)end);
		if (!word(&rest, ";UIDVALIDITY=") || nz_number(&rest, &u->uidvalidity, e) < 0 || rest.n > 0)
			return bad(e);
	}
	if (percent(path, a, &u->mailbox, e) < 0)
		return -1;
	if (u->mailbox.n == 0 || u->mailbox.n > MAILBOX_MAX || !utf8_valid(u->mailbox))
		return bad(e); /* RFC 5092, 10.1: names are UTF-8 there */
	return 0;
}

/* "[/;SECTION=1.2]": read by the parser of FETCH, as "BODY.PEEK[1.2]". */
static int
section(struct span *in, struct arena *a, struct imap_url *u, struct err *e)
{
	struct span name = SPAN("");
	struct imap_lex l = { 0 };
	struct imap_fetch f;
	size_t n = 0;

	if (word(in, "/;SECTION=")) {
		while (n < in->n && !(in->p[n] == '/' && n + 1 < in->n && in->p[n + 1] == ';'))
			n++;
		if (n == 0 || n > SECTION_MAX || percent(span_head(*in, n), a, &name, e) < 0)
			return bad(e);
		*in = span_from(*in, n);
	}
	if (span_chr(name, ']') >= 0)
		return bad(e);
	l.in = arena_printf(a, "BODY.PEEK[%.*s]", SPAN_ARG(name));
	if (imap_fetch_parse(&l, a, &f, NULL) < 0 || f.sections == NULL || f.sections->next != NULL ||
	    l.in.n > 0)
		return bad(e);
	u->section = f.sections;
	return 0;
}

/* "[/;PARTIAL=offset[.length]]" (RFC 5092, 11: partial-range). */
static int
partial(struct span *in, struct imap_section *s, struct err *e)
{
	if (!word(in, "/;PARTIAL="))
		return 0;
	s->partial = true;
	s->count = UINT32_MAX;
	if (number(in, &s->from, e) < 0 || (word(in, ".") && nz_number(in, &s->count, e) < 0))
		return -1;
	return 0;
}

int
imap_url_parse(struct span text, struct arena *a, struct imap_url *out, struct err *e)
{
	struct imap_url u = { 0 };

	if (span_starts(text, "/") && !span_starts(text, "//") && mailbox(&text, a, &u, e) < 0)
		return -1;
	if (!word(&text, ";UID=") || nz_number(&text, &u.uid, e) < 0 || section(&text, a, &u, e) < 0 ||
	    partial(&text, u.section, e) < 0)
		return bad(e);
	if (text.n > 0)
		return bad(e);
	*out = u;
	return 0;
}
