#include "ctl/sendmail.h"

#include <time.h>

#include "base/id.h"
#include "mail/address.h"
#include "mail/date.h"
#include "mail/header.h"

/* A dot-string of RFC 5321, 4.1.2: needs no quotes. Octets above 127 are of RFC 6531. */
static bool
dot_string(struct span s)
{
	bool dot = true;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool atext = ascii_isalnum(c) || (unsigned char)c >= 0x80 ||
			     (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);

		if (!atext && (c != '.' || dot))
			return false;
		dot = c == '.';
	}
	return s.n > 0 && !dot;
}

/* local@domain, the local part in quotes where it must be. */
static int
path(struct submission *s, const struct address *a, struct span *out, struct err *e)
{
	struct buf b;

	buf_init(&b, 1024);
	if (dot_string(a->mailbox)) {
		buf_add(&b, e, a->mailbox);
	} else {
		buf_byte(&b, e, '"');
		for (size_t i = 0; i < a->mailbox.n; i++) {
			char c = a->mailbox.p[i];

			if ((unsigned char)c < 0x20 || c == 0x7f)
				err_set(e, ERR_PEER, "a control character in an address");
			if (c == '"' || c == '\\')
				buf_byte(&b, e, '\\');
			buf_byte(&b, e, c);
		}
		buf_byte(&b, e, '"');
	}
	if (a->host.n > 0)
		buf_printf(&b, e, "@%.*s", SPAN_ARG(a->host));
	else
		buf_printf(&b, e, "@%s", s->domain);
	for (size_t i = 0; i < b.n; i++) {
		if ((unsigned char)b.p[i] < 0x20 || b.p[i] == '<' || b.p[i] == '>')
			err_set(e, ERR_PEER, "`%.*s` is no address", SPAN_ARG(a->mailbox));
	}
	*out = arena_dup(s->a, buf_span(&b));
	buf_free(&b);
	return e->kind == ERR_NONE ? 0 : -1;
}

static int
add_one(struct submission *s, const struct address *a, struct err *e)
{
	struct span p;

	if (path(s, a, &p, e) < 0)
		return -1;
	for (size_t i = 0; i < s->n; i++) {
		if (span_same(s->recipients[i], p))
			return 0;
	}
	if (s->n == RECIPIENTS_MAX)
		return err_set(e, ERR_PEER, "more than %d recipients", RECIPIENTS_MAX);
	s->recipients[s->n++] = p;
	return 0;
}

int
sendmail_add(struct submission *s, struct span addresses, struct err *e)
{
	if (s->recipients == NULL)
		s->recipients = arena_array(s->a, RECIPIENTS_MAX, sizeof *s->recipients);
	for (const struct address *a = address_parse(addresses, s->a, NULL); a != NULL; a = a->next) {
		if (a->kind == ADDRESS_MAILBOX && a->mailbox.n > 0 && add_one(s, a, e) < 0)
			return -1;
	}
	return 0;
}

/* The next line without its end, which is LF, CR LF, CR CR LF and so on, or a CR alone. */
static struct span
cut_line(struct span *rest)
{
	size_t n = 0, end;
	struct span line;

	while (n < rest->n && rest->p[n] != '\n' && rest->p[n] != '\r')
		n++;
	line = span_head(*rest, n);
	for (end = n; end < rest->n && rest->p[end] == '\r';)
		end++;
	if (end < rest->n && rest->p[end] == '\n')
		n = end + 1;
	else if (n < rest->n)
		n++; /* what follows a CR that ends no line must not hide in it */
	*rest = span_from(*rest, n);
	return line;
}

static int
canonical(const struct submission *s, struct span input, struct buf *out, struct err *e)
{
	while (input.n > 0) {
		struct span line = cut_line(&input);

		if (s->dot_ends && span_eq(line, "."))
			break;
		if (buf_add(out, e, line) < 0 || buf_str(out, e, "\r\n") < 0)
			return -1;
	}
	return 0;
}

/* From of a message that has none: the sender, with the name of -F. */
static void
add_from(const struct submission *s, struct buf *out, struct err *e)
{
	struct span name = span_str(s->full_name);

	buf_str(out, e, "From: ");
	if (name.n > 0) {
		buf_byte(out, e, '"');
		for (size_t i = 0; i < name.n; i++) {
			if (name.p[i] == '"' || name.p[i] == '\\')
				buf_byte(out, e, '\\');
			buf_byte(out, e, (unsigned char)name.p[i] < 0x20 ? ' ' : name.p[i]);
		}
		buf_str(out, e, "\" ");
	}
	if (s->sender.n > 0)
		buf_printf(out, e, "<%.*s>\r\n", SPAN_ARG(s->sender));
	else
		buf_printf(out, e, "<MAILER-DAEMON@%s>\r\n", s->domain);
}

static void
add_missing(const struct submission *s, struct span text, struct buf *out, struct err *e)
{
	struct header_field f;
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	if (!header_find(text, "From", &f))
		add_from(s, out, e);
	if (!header_find(text, "Date", &f)) {
		buf_str(out, e, "Date: ");
		date_format((struct date){ now, (int)(tm.tm_gmtoff / 60) }, out, e);
		buf_str(out, e, "\r\n");
	}
	if (!header_find(text, "Message-ID", &f))
		buf_printf(out, e, "Message-ID: <%s@%s>\r\n", id_new().s, s->host);
}

static bool
is_recipient_field(struct span name)
{
	return span_ieq(name, "To") || span_ieq(name, "Cc") || span_ieq(name, "Bcc");
}

/* The header as it is sent; the body begins at the octet whose place is given back. */
static ssize_t
rewrite_header(struct submission *s, struct span text, struct buf *out, struct err *e)
{
	struct header_iter it = header_start(text);
	struct header_field f;

	add_missing(s, text, out, e);
	while (header_next(&it, &f)) {
		if (f.name.n == 0)
			break; /* not a field: the body begins without an empty line */
		if (s->from_header && is_recipient_field(f.name) &&
		    sendmail_add(s, header_unfold(f.value, s->a), e) < 0)
			return -1;
		if (!span_ieq(f.name, "Bcc") && !span_ieq(f.name, "Return-Path") &&
		    buf_add(out, e, f.raw) < 0)
			return -1;
	}
	if (it.cut)
		return err_set(e, ERR_PEER, "the header is too large");
	if (f.name.n == 0 && f.raw.n > 0)
		return f.raw.p - text.p;
	return it.rest.p - text.p;
}

int
sendmail_message(struct submission *s, struct span input, struct buf *out, struct err *e)
{
	struct buf text;
	struct span body;
	ssize_t at = -1;

	/* Some programs send what mbox files have as a first line. */
	if (span_starts(input, "From "))
		cut_line(&input);
	buf_init(&text, out->max);
	if (canonical(s, input, &text, e) == 0)
		at = rewrite_header(s, buf_span(&text), out, e);
	if (at >= 0) {
		body = span_from(buf_span(&text), (size_t)at);
		if (!span_starts(body, "\r\n"))
			buf_str(out, e, "\r\n");
		buf_add(out, e, body);
	}
	buf_free(&text);
	return e->kind == ERR_NONE ? 0 : -1;
}
