#include "mail/surrogate.h"

#include "base/utf8.h"
#include "mail/address.h"
#include "mail/codec.h"
#include "mail/header.h"

enum {
	WORD_OCTETS =
	    42, /* of text in an encoded word: 56 characters of base64, 68 with the rest (RFC 2047, 2) */
	ARENA_MAX = 8 << 20,
};

static bool
is_ascii(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 127)
			return false;
	return true;
}

bool
surrogate_needed(struct span header)
{
	return !is_ascii(header) && utf8_valid(header);
}

/* The longest start of s, of at most `max` octets, that cuts no character. */
static struct span
whole_characters(struct span s, size_t max)
{
	size_t n = s.n < max ? s.n : max;

	while (n > 0 && n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	return span_head(s, n > 0 ? n : s.n < max ? s.n : max); /* no UTF-8 at all: cut anywhere */
}

int
surrogate_words(struct span text, struct buf *out, struct err *e)
{
	const char *before = "=?UTF-8?B?";

	while (text.n > 0) {
		struct span word = whole_characters(text, WORD_OCTETS);

		if (buf_str(out, e, before) < 0 || base64_encode(word, out, e) < 0 ||
		    buf_str(out, e, "?=") < 0)
			return -1;
		before = "\r\n =?UTF-8?B?";
		text = span_from(text, word.n);
	}
	return 0;
}

/* ---- addresses (RFC 6858, 2.1) */

/* A display name: in quotes, or as encoded words. */
static int
put_name(struct span name, struct buf *out, struct err *e)
{
	if (!is_ascii(name))
		return surrogate_words(name, out, e);
	if (span_starts(name, "=?")) /* it was encoded before */
		return buf_add(out, e, name);
	buf_byte(out, e, '"');
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '"' || name.p[i] == '\\')
			buf_byte(out, e, '\\');
		buf_byte(out, e, name.p[i]);
	}
	return buf_byte(out, e, '"');
}

static bool
is_atom(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (span_chr(SPAN("()<>[]:;@\\,\" \t"), s.p[i]) >= 0)
			return false;
	return s.n > 0;
}

static int
put_mailbox(const struct address *x, struct arena *a, struct buf *out, struct err *e)
{
	bool fits = is_ascii(x->mailbox) && is_ascii(x->host);
	struct span name = x->name;

	if (!fits && name.n == 0)
		name = arena_printf(a, "%.*s@%.*s", SPAN_ARG(x->mailbox), SPAN_ARG(x->host));
	if (name.n > 0 && (put_name(name, out, e) < 0 || buf_byte(out, e, ' ') < 0))
		return -1;
	if (!fits)
		return buf_str(out, e, "<invalid@internationalized-address.invalid>");
	buf_byte(out, e, '<');
	if (is_atom(x->mailbox))
		buf_add(out, e, x->mailbox);
	else
		put_name(x->mailbox, out, e);
	if (x->host.n > 0)
		buf_printf(out, e, "@%.*s", SPAN_ARG(x->host));
	return buf_byte(out, e, '>');
}

static int
put_addresses(const struct header_field *f, struct buf *out, struct err *e)
{
	struct arena *a = arena_new(ARENA_MAX);
	const struct address *x = address_parse(header_unfold(f->value, a), a, NULL);
	const char *sep = "";
	int rc = buf_printf(out, e, "%.*s: ", SPAN_ARG(f->name));

	for (; x != NULL && rc == 0; x = x->next) {
		if (x->kind == ADDRESS_GROUP_END) {
			rc = buf_byte(out, e, ';');
			sep = ",\r\n ";
			continue;
		}
		rc = buf_str(out, e, sep);
		sep = ",\r\n ";
		if (rc == 0 && x->kind == ADDRESS_MAILBOX)
			rc = put_mailbox(x, a, out, e);
		if (rc == 0 && x->kind == ADDRESS_GROUP) {
			rc = put_name(x->mailbox, out, e) < 0 ? -1 : buf_byte(out, e, ':');
			sep = "";
		}
	}
	arena_free(a);
	return rc < 0 ? -1 : buf_str(out, e, "\r\n");
}

/* ---- MIME parameters (RFC 6858, 2.2) */

/* What stands up to the next ; outside quotes, which is taken too. */
static struct span
piece(struct span *rest)
{
	bool quoted = false;
	size_t i = 0;

	for (; i < rest->n && (quoted || rest->p[i] != ';'); i++) {
		if (rest->p[i] == '"')
			quoted = !quoted;
		else if (quoted && rest->p[i] == '\\' && i + 1 < rest->n)
			i++;
	}
	struct span got = span_head(*rest, i);

	*rest = span_from(*rest, i + 1 < rest->n ? i + 1 : rest->n);
	return got;
}

static int
put_parameters(const struct header_field *f, struct buf *out, struct err *e)
{
	struct span rest = f->value;
	const char *sep = ":";
	int rc = buf_add(out, e, f->name);

	while (rest.n > 0 && rc == 0) {
		struct span p = piece(&rest);

		if (!is_ascii(p))
			continue;
		rc = buf_str(out, e, sep) < 0 ? -1 : buf_add(out, e, p);
		sep = ";";
	}
	if (rc == 0 && *sep == ':') /* nothing is left of it */
		rc = buf_str(out, e, ":");
	return rc < 0 ? -1 : buf_str(out, e, "\r\n");
}

/* ---- text (RFC 6858, 2.3) */

static int
put_text(const struct header_field *f, struct buf *out, struct err *e)
{
	struct arena *a = arena_new(ARENA_MAX);
	struct span text = header_unfold(f->value, a);
	int rc = buf_printf(out, e, "%.*s: ", SPAN_ARG(f->name));

	if (rc == 0)
		rc = surrogate_words(text, out, e);
	arena_free(a);
	return rc < 0 ? -1 : buf_str(out, e, "\r\n");
}

static const struct {
	const char *name;
	int (*put)(const struct header_field *f, struct buf *out, struct err *e);
} kinds[] = {
	{ "From", put_addresses },
	{ "Sender", put_addresses },
	{ "Reply-To", put_addresses },
	{ "To", put_addresses },
	{ "Cc", put_addresses },
	{ "Bcc", put_addresses },
	{ "Resent-From", put_addresses },
	{ "Resent-Sender", put_addresses },
	{ "Resent-To", put_addresses },
	{ "Resent-Cc", put_addresses },
	{ "Resent-Bcc", put_addresses },
	{ "Content-Type", put_parameters },
	{ "Content-Disposition", put_parameters },
	{ "Subject", put_text },
	{ "Comments", put_text },
	{ "Content-Description", put_text },
};

static int
put_field(const struct header_field *f, struct buf *out, struct err *e)
{
	if (is_ascii(f->raw))
		return buf_add(out, e, f->raw);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (span_ieq(f->name, kinds[i].name))
			return kinds[i].put(f, out, e);
	return 0; /* 2.4 */
}

int
surrogate_header(struct span header, struct buf *out, struct err *e)
{
	struct header_iter it = header_start(header);
	struct header_field f;

	while (header_next(&it, &f))
		if (put_field(&f, out, e) < 0)
			return -1;
	/* The empty line. Behind a limit of header.h nothing was looked at, and nothing is shown. */
	if (!it.cut)
		return buf_add(out, e, it.rest);
	return buf_str(out, e, "\r\n");
}
