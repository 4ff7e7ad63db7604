#include "deliver/dsn/report.h"

#include "mail/charset.h"
#include "mail/date.h"
#include "mail/header.h"
#include "smtp/params.h"
#include "smtp/reply.h"
#include "spool/spool.h"

enum { COLUMN = 76 };

/* ---- octets that are safe to show */

/* Printable, on one line: control characters become blanks, what is not UTF-8 a question mark. */
static void
put_text(struct buf *out, struct span s, struct err *e)
{
	bool utf8 = utf8_valid(s);

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c == 0x7f)
			buf_byte(out, e, ' ');
		else
			buf_byte(out, e, c < 128 || utf8 ? (char)c : '?');
	}
}

/* A field's text, folded at blanks; `column` is where the line stands. */
static void
put_folded(struct buf *out, struct span s, size_t column, struct err *e)
{
	while (s.n > 0) {
		struct span word = span_word(&s);

		if (column + 1 + word.n > COLUMN && column > 1) {
			buf_str(out, e, "\r\n");
			column = 0;
		}
		buf_byte(out, e, ' ');
		put_text(out, word, e);
		column += 1 + word.n;
	}
	buf_str(out, e, "\r\n");
}

static void
put_field(struct buf *out, const char *name, struct span value, struct err *e)
{
	buf_printf(out, e, "%s:", name);
	put_folded(out, value, strlen(name) + 1, e);
}

static void
put_date(struct buf *out, const char *name, uint64_t ms, struct err *e)
{
	buf_printf(out, e, "%s: ", name);
	date_format((struct date){ .utc = (int64_t)(ms / 1000) }, out, e);
	buf_str(out, e, "\r\n");
}

/* RFC 6533, 3: utf-8-addr-xtext: what is not ASCII, and \ + =, as \x{HEX}. */
static void
put_addr_xtext(struct buf *out, struct span s, struct err *e)
{
	while (s.n > 0) {
		size_t n = 1;
		int32_t cp = utf8_get(s, &n);

		if (cp > 0x20 && cp < 0x7f && cp != '\\' && cp != '+' && cp != '=')
			buf_byte(out, e, (char)cp);
		else
			buf_printf(
			    out, e, "\\x{%02X}", cp >= 0 ? (unsigned)cp : (unsigned)(unsigned char)s.p[0]);
		s = span_from(s, n);
	}
}

/* `rfc822; addr`, or of the type utf-8 when it is not ASCII: as it is if the report may hold UTF-8. */
static void
put_address(struct buf *out, const char *field, struct span addr, bool global, struct err *e)
{
	bool ascii = ascii_only(addr);

	buf_printf(out, e, "%s: %s; ", field, ascii ? "rfc822" : "utf-8");
	if (ascii || (global && utf8_valid(addr)))
		put_text(out, addr, e);
	else
		put_addr_xtext(out, addr, e);
	buf_str(out, e, "\r\n");
}

/* ---- part 1: for people */

struct words {
	const char *subject, *intro, *advice;
};

static const struct words words[] = {
	[DSN_FAILED] = { "Undelivered mail: it could not be delivered",
	    "Your message could not be delivered to the following addresses, and will not be\r\n"
	    "tried again.",
	    "What you can do: see whether the address is written correctly, and whether the\r\n"
	    "reason given tells something that you can change, such as the size of the\r\n"
	    "message. If not, ask the recipient by other means, or the postmaster of the\r\n"
	    "recipient's domain." },
	[DSN_DELAYED] = { "Delayed mail: it is not delivered yet",
	    "Your message has not yet been delivered to the following addresses. You need not\r\n"
	    "send it again: delivery is tried for some more time.",
	    "You will hear from us again if it can't be delivered in the end." },
	[DSN_DELIVERED] = { "Delivered mail",
	    "As you asked to be told: your message has been delivered to the following\r\n"
	    "addresses, or has been handed on to a mail system that does not tell more.",
	    "" },
};

/* Wrapped and indented. */
static void
put_reason(struct buf *out, struct span text, struct err *e)
{
	size_t column = 0;

	while (text.n > 0) {
		struct span word = span_word(&text);

		if (column > 0 && column + 1 + word.n > COLUMN) {
			buf_str(out, e, "\r\n");
			column = 0;
		}
		buf_str(out, e, column == 0 ? "    " : " ");
		put_text(out, word, e);
		column += (column == 0 ? 4 : 1) + word.n;
	}
	buf_str(out, e, column > 0 ? "\r\n" : "");
}

static void
put_rcpt_text(struct buf *out, const struct dsn_rcpt *r, struct err *e)
{
	struct buf reason;

	buf_str(out, e, "\r\n<");
	put_text(out, r->orig.n > 0 ? r->orig : r->addr, e);
	buf_str(out, e, ">:\r\n");
	buf_init(&reason, 4096);
	if (r->host.n > 0)
		buf_printf(&reason, NULL, "%.*s said: ", SPAN_ARG(span_head(r->host, 300)));
	buf_add(&reason, NULL, span_head(r->text, 2000));
	if (reason.n == 0)
		buf_printf(&reason, NULL, "status %.*s", SPAN_ARG(span_head(r->status, 20)));
	put_reason(out, buf_span(&reason), e);
	buf_free(&reason);
	if (r->retry_until != 0 && r->status.n > 0 && r->status.p[0] == '4')
		put_date(out, "    It is tried until", r->retry_until, e);
}

static void
for_people(struct buf *out, const struct dsn_write *m, struct span hostname, struct err *e)
{
	const struct words *w = &words[m->kind];
	struct span list = m->rcpts;
	struct dsn_rcpt r;

	buf_printf(out, e, "This is the mail system at %.*s.\r\n\r\n%s\r\n", SPAN_ARG(hostname), w->intro);
	while (ipc_unpack(&dsn_def, &list, dsn_rcpt, &r, e) > 0) {
		if (m->kind != DSN_DELAYED)
			r.retry_until = 0;
		put_rcpt_text(out, &r, e);
	}
	if (w->advice[0] != '\0')
		buf_printf(out, e, "\r\n%s\r\n", w->advice);
	buf_str(out, e, "\r\nThe header of your message follows below. Our name for it is ");
	put_text(out, m->about, e);
	buf_str(out, e, ".\r\n");
}

/* ---- part 2: for programs */

/* ENVID and ORCPT are xtext (RFC 3461, 4); what is not stays out. */
static bool
decoded(struct span in, struct buf *out)
{
	buf_clear(out);
	return in.n > 0 && in.n < 1024 && xtext_decode(in, out, NULL) == 0;
}

/* `type;xtext` as received; else the address that the sender gave, if it is another one. */
static void
put_original(struct buf *out, const struct dsn_rcpt *r, bool global, struct err *e)
{
	struct span xtext = r->orcpt, type = span_cut(&xtext, ';');
	struct buf text;

	buf_init(&text, 4096);
	if (decoded(xtext, &text) && type.n < 20) {
		buf_str(out, e, "Original-Recipient: ");
		put_text(out, type, e);
		buf_str(out, e, "; ");
		if (ascii_only(buf_span(&text)) || global)
			put_text(out, buf_span(&text), e);
		else
			put_addr_xtext(out, buf_span(&text), e);
		buf_str(out, e, "\r\n");
	} else if (r->orig.n > 0) {
		put_address(out, "Original-Recipient", r->orig, global, e);
	}
	buf_free(&text);
}

/* "mx.peer.test[192.0.2.1]:25" is `dns; mx.peer.test`, "[192.0.2.1]:25" is `dns; [192.0.2.1]`. */
static struct span
server_name(struct span host)
{
	ssize_t open = span_chr(host, '['), close = span_chr(host, ']');

	if (open > 0)
		return span_head(host, (size_t)open);
	return open == 0 && close > 0 ? span_head(host, (size_t)close + 1) : host;
}

static const char *
action(enum dsn_kind kind, bool relayed)
{
	switch (kind) {
	case DSN_FAILED:
		return "failed";
	case DSN_DELAYED:
		return "delayed";
	case DSN_DELIVERED:
		break;
	}
	return relayed ? "relayed" : "delivered";
}

static void
put_rcpt_status(
    struct buf *out, const struct dsn_write *m, const struct dsn_rcpt *r, bool global, struct err *e)
{
	buf_str(out, e, "\r\n");
	put_original(out, r, global, e);
	put_address(out, "Final-Recipient", r->addr, global, e);
	buf_printf(out, e, "Action: %s\r\n", action((enum dsn_kind)m->kind, r->relayed != 0));
	buf_printf(out, e, "Status: %.*s\r\n",
	    SPAN_ARG(status_at(r->status) == r->status.n && r->status.n > 0 ? r->status : SPAN("5.0.0")));
	if (r->host.n > 0) {
		buf_str(out, e, "Remote-MTA: dns; ");
		put_text(out, server_name(r->host), e);
		buf_str(out, e, "\r\n");
	}
	if (r->text.n > 0) {
		buf_printf(out, e, "Diagnostic-Code: %s;", r->host.n > 0 ? "smtp" : "X-Rookery");
		put_folded(out, r->text, 24, e);
	}
	if (r->last_try != 0)
		put_date(out, "Last-Attempt-Date", r->last_try, e);
	if (m->kind == DSN_DELAYED && r->retry_until != 0)
		put_date(out, "Will-Retry-Until", r->retry_until, e);
}

static void
for_programs(struct buf *out, const struct dsn_write *m, struct span hostname, bool global, struct err *e)
{
	struct span list = m->rcpts;
	struct dsn_rcpt r;
	struct buf text;

	buf_printf(out, e, "Reporting-MTA: dns; %.*s\r\n", SPAN_ARG(hostname));
	buf_init(&text, 4096);
	if (decoded(m->envid, &text))
		put_field(out, "Original-Envelope-Id", buf_span(&text), e);
	buf_free(&text);
	put_date(out, "Arrival-Date", m->arrived, e);
	while (ipc_unpack(&dsn_def, &list, dsn_rcpt, &r, e) > 0)
		put_rcpt_status(out, m, &r, global, e);
}

/* ---- part 3: what it was */

/* Whole lines of the header. */
static struct span
original_header(struct span start)
{
	struct span h = span_head(start, header_size(start));

	while (h.n > 0 && h.p[h.n - 1] != '\n')
		h.n--;
	return h;
}

/* ---- all of it */

/* In-Reply-To of an automatic answer: RFC 3834, 3.1.5. Only what has the form of a message id. */
static void
put_reply_to(struct buf *out, struct span headers, struct err *e)
{
	struct header_field f;
	struct span id;

	if (!header_find(headers, "Message-ID", &f))
		return;
	id = span_trim_ws(f.value);
	if (id.n < 3 || id.n > 900 || id.p[0] != '<' || id.p[id.n - 1] != '>')
		return;
	for (size_t i = 0; i < id.n; i++)
		if (id.p[i] <= 0x20 || id.p[i] >= 0x7f)
			return;
	buf_printf(out, e, "In-Reply-To: %.*s\r\nReferences: %.*s\r\n", SPAN_ARG(id), SPAN_ARG(id));
}

static void
put_header(struct buf *out, const struct dsn_write *m, struct span hostname, uint64_t now, bool global,
    struct err *e)
{
	put_date(out, "Date", now, e);
	buf_printf(out, e, "From: Mail Delivery System <MAILER-DAEMON@%.*s>\r\nTo: <", SPAN_ARG(hostname));
	put_text(out, m->sender, e);
	buf_printf(out, e, ">\r\nSubject: %s\r\nMessage-ID: <%.*s@%.*s>\r\n", words[m->kind].subject,
	    SPAN_ARG(m->mid), SPAN_ARG(hostname));
	put_reply_to(out, m->headers, e);
	buf_printf(out, e,
	    "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; "
	    "report-type=%s;\r\n"
	    " boundary=\"=_%.*s\"\r\n\r\nThis is a report in MIME format (RFC 3464).\r\n",
	    global ? "global-delivery-status" : "delivery-status", SPAN_ARG(m->mid));
}

static void
boundary(struct buf *out, const struct dsn_write *m, const char *more, struct err *e)
{
	buf_printf(out, e, "\r\n--=_%.*s%s\r\n", SPAN_ARG(m->mid), more);
}

/* A part's header tells what its text turns out to be, so the text is made first. */
static void
put_part(struct buf *out, const struct dsn_write *m, const char *type, const char *charset, struct buf *text,
    struct err *e)
{
	boundary(out, m, "", e);
	buf_printf(out, e, "Content-Type: %s%s\r\n", type, charset);
	if (!ascii_only(buf_span(text)))
		buf_str(out, e, "Content-Transfer-Encoding: 8bit\r\n");
	buf_str(out, e, "\r\n");
	buf_add(out, e, buf_span(text));
	buf_clear(text);
}

int
report_write(const struct dsn_write *m, struct span hostname, uint64_t now, struct buf *out, struct err *e)
{
	struct span header = original_header(m->headers);
	bool global = !ascii_only(m->sender);
	struct buf text;

	if (m->kind < DSN_FAILED || m->kind > DSN_DELIVERED || m->sender.n == 0)
		return err_set(e, ERR_PEER, "no such report");
	buf_init(&text, REPORT_MAX);
	put_header(out, m, hostname, now, global, e);
	for_people(&text, m, hostname, e);
	put_part(out, m, "text/plain", ascii_only(buf_span(&text)) ? "; charset=us-ascii" : "; charset=utf-8",
	    &text, e);
	for_programs(&text, m, hostname, global, e);
	put_part(out, m, global ? "message/global-delivery-status" : "message/delivery-status", "", &text, e);
	buf_add(&text, e, header);
	put_part(out, m, ascii_only(header) ? "text/rfc822-headers" : "message/global-headers", "", &text, e);
	boundary(out, m, "--", e);
	buf_free(&text);
	return e->kind == ERR_NONE ? 0 : -1;
}

unsigned
report_flags(const struct dsn_write *m, struct span report)
{
	return (ascii_only(report) ? 0U : SPOOL_8BIT) | (ascii_only(m->sender) ? 0U : SPOOL_UTF8);
}
