/* received.c - the Received field that we put before a message: RFC 5321, 4.4; RFC 3848; RFC 6531, 4.3. */
#include <sys/socket.h>

#include "mail/date.h"
#include "smtpd/smtpd.h"

/* "192.0.2.1" or "2001:db8::1" as an address literal (RFC 5321, 4.1.3). */
static struct span
literal(struct arena *a, struct span ip)
{
	bool v6 = span_chr(ip, ':') >= 0;

	return arena_printf(a, "[%s%.*s]", v6 ? "IPv6:" : "", SPAN_ARG(ip));
}

struct span
received_literal(struct arena *a, const struct addr *addr)
{
	struct span text = { 0 };
	struct buf ip;

	buf_init(&ip, 64);
	addr_ip(addr, &ip);
	text = literal(a, buf_span(&ip));
	buf_free(&ip);
	return text;
}

/* A name that a stranger chose: what would mean something in a header becomes "?". */
static void
put_name(struct buf *out, struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		buf_byte(out, NULL,
		    ascii_isalnum(name.p[i]) || strchr("-._:[]", name.p[i]) != NULL ? name.p[i] : '?');
}

/* The same within a comment, where an address may stand. */
static void
put_login(struct buf *out, struct span login)
{
	for (size_t i = 0; i < login.n; i++)
		buf_byte(out, NULL,
		    login.p[i] > ' ' && strchr("()\\\"\x7f", login.p[i]) == NULL ? login.p[i] : '?');
}

/* RFC 3848: ESMTP, then S for TLS and A for a login; RFC 6531, 4.3: UTF8SMTP with SMTPUTF8. */
static void
put_with(const struct session *s, struct buf *out)
{
	const char *tls = conn_tls(s->c) != NULL ? "S" : "", *login = s->login.n > 0 && !s->local ? "A" : "";

	if (!s->esmtp)
		buf_str(out, NULL, "SMTP");
	else if (s->t.utf8)
		buf_printf(out, NULL, "UTF8%s%s%s", s->lmtp ? "LMTP" : "SMTP", tls, login);
	else
		buf_printf(out, NULL, "%s%s%s", s->lmtp ? "LMTP" : "ESMTP", tls, login);
	if (conn_tls(s->c) != NULL)
		buf_printf(out, NULL, " (%s)", conn_tls(s->c));
}

/* The recipient only when there is no other to whom it would be told (RFC 5321, 7.6). */
static void
put_for(const struct session *s, struct buf *out)
{
	if (s->t.nasked == 1 && s->t.asked[0].n <= 200)
		buf_printf(out, NULL, "\r\n\tfor <%.*s>", SPAN_ARG(s->t.asked[0]));
}

void
received_format(const struct session *s, uint64_t now_ms, struct buf *out)
{
	buf_str(out, NULL, "Received: from ");
	put_name(out, buf_span(&s->helo));
	if (s->local)
		buf_printf(out, NULL, " (local, uid %u)", (unsigned)s->client->uid);
	else
		buf_printf(out, NULL, " (%.*s)", SPAN_ARG(literal(s->t.a, s->ip)));
	if (s->login.n > 0) {
		buf_str(out, NULL, "\r\n\t(login ");
		put_login(out, s->login);
		buf_str(out, NULL, ")");
	}
	buf_printf(out, NULL, "\r\n\tby %s (Rookery, session %.*s) with ", s->d->hostname, SPAN_ARG(s->sid));
	put_with(s, out);
	buf_printf(out, NULL, "\r\n\tid %s", s->t.mid.s);
	put_for(s, out);
	buf_str(out, NULL, "; ");
	date_format((struct date){ .utc = (int64_t)(now_ms / 1000) }, out, NULL);
	buf_str(out, NULL, "\r\n");
}
