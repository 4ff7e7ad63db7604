/* tls.c - STARTTLS (RFC 3207), and TLS from the first octet (RFC 8314). */
#include "base/log.h"
#include "cfg/cfg.h"
#include "smtpd/smtpd.h"

static int
handshake(struct session *s, const struct tls_ctx *t)
{
	if (conn_tls_accept(s->c, t, &s->err) < 0)
		return -1;
	log_event(LOG_DEBUG, "smtpd.tls", KV_S("sid", s->sid), KV_STR("tls", conn_tls(s->c)));
	return 0;
}

int
tls_wrapped(struct session *s)
{
	const struct tls_ctx *t = s->d->tls(s->d->svc);

	return t != NULL ? handshake(s, t) : err_set(&s->err, ERR_TEMP, "no certificate");
}

/*
 * What the client said before is forgotten (RFC 3207, 4.2), and what it sent behind the command is not taken
 * for something said under TLS: whoever sits between could have put it there, so that is the end.
 */
int
cmd_starttls(struct session *s, const struct smtp_command *cmd)
{
	const struct tls_ctx *t = s->d->tls(s->d->svc);

	(void)cmd;
	if (conn_tls(s->c) != NULL)
		return reply(s, "503 5.5.1 TLS is active");
	if (s->local || t == NULL || span_eq(span_str(cfg.tls), "off"))
		return reply(s, "502 5.5.1 TLS is not offered");
	if (conn_peek(s->c).n > 0) {
		log_reject(s, "STARTTLS", (struct span){ 0 }, "input behind STARTTLS");
		return close_error(s, "554 5.5.1 Nothing may follow STARTTLS before the handshake");
	}
	if (reply(s, "220 2.0.0 Ready to start TLS") < 0)
		return -1;
	transaction_reset(s);
	buf_clear(&s->helo);
	s->login = (struct span){ 0 };
	s->esmtp = false;
	arena_reset(s->a);
	return handshake(s, t);
}
