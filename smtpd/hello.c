/* hello.c - HELO, EHLO and LHLO: who the client says it is, and what we offer it now. */
#include "cfg/cfg.h"
#include "smtpd/smtpd.h"

static bool
cfg_is(const char *value, const char *word)
{
	return span_eq(span_str(value), word);
}

/* Passwords only under TLS, or where the configuration says that the network is as good. */
bool
may_auth(const struct session *s)
{
	if (cfg_is(cfg.auth, "off") || s->local)
		return false;
	return conn_tls(s->c) != NULL || cfg_is(cfg.plain_auth, "always") ||
	       (cfg_is(cfg.plain_auth, "trusted") &&
		   addr_in(&s->client->peer, span_str(cfg.trusted_networks)));
}

static bool
may_starttls(const struct session *s)
{
	return conn_tls(s->c) == NULL && !s->local && !cfg_is(cfg.tls, "off") && s->d->tls(s->d->svc) != NULL;
}

/* All that can be used now (RFC 5321, 4.1.1.1). */
static int
offer(struct session *s)
{
	int rc = reply(s, "250-%s", s->d->hostname);

	rc |= reply(s, "250-PIPELINING");
	rc |= reply(s, "250-SIZE %llu", (unsigned long long)cfg.message_size_max);
	if (may_starttls(s))
		rc |= reply(s, "250-STARTTLS");
	if (may_auth(s))
		rc |= reply(s, "250-AUTH PLAIN LOGIN");
	rc |= reply(s, "250-ENHANCEDSTATUSCODES");
	rc |= reply(s, "250-8BITMIME");
	rc |= reply(s, "250-SMTPUTF8");
	rc |= reply(s, "250-DSN");
	rc |= reply(s, "250 CHUNKING");
	return rc < 0 ? -1 : 0;
}

/* RFC 5321, 4.1.4: a second EHLO has the effect of RSET. */
int
cmd_hello(struct session *s, const struct smtp_command *cmd)
{
	if (s->lmtp != (cmd->verb == SMTP_LHLO)) /* RFC 2033, 4.1 */
		return reply(
		    s, "500 5.5.1 This is %s: say %s", s->lmtp ? "LMTP" : "SMTP", s->lmtp ? "LHLO" : "EHLO");
	transaction_reset(s);
	buf_clear(&s->helo);
	buf_add(&s->helo, NULL, cmd->arg);
	s->esmtp = cmd->verb != SMTP_HELO;
	return s->esmtp ? offer(s) : reply(s, "250 %s", s->d->hostname);
}
