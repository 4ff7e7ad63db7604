/*
 * session.c - the conversation: read a command, see in the table whether it may come now, run it.
 */
#include <poll.h>

#include "base/clock.h"
#include "base/log.h"
#include "cfg/cfg.h"
#include "smtpd/smtpd.h"

enum { HELO_MAX = 255 }; /* what smtp_command_parse takes */
enum { LOG_WAIT_MS = 1000 };

static int
cmd_rset(struct session *s, const struct smtp_command *cmd)
{
	(void)cmd;
	transaction_reset(s);
	return reply(s, "250 2.0.0 Ok");
}

static int
cmd_noop(struct session *s, const struct smtp_command *cmd)
{
	(void)cmd;
	return reply(s, "250 2.0.0 Ok");
}

static int
cmd_quit(struct session *s, const struct smtp_command *cmd)
{
	(void)cmd;
	return close_session(s, "221 2.0.0 %s closing connection", s->d->hostname);
}

/* RFC 5321, 3.5.3 and 7.3: who has an address here is not told to those who only ask. */
static int
cmd_vrfy(struct session *s, const struct smtp_command *cmd)
{
	(void)cmd;
	return reply(s, "252 2.0.0 Cannot VRFY user, but will take mail for those who are known");
}

static int
cmd_expn(struct session *s, const struct smtp_command *cmd)
{
	(void)cmd;
	return reply(s, "502 5.5.1 EXPN is not offered");
}

static int
cmd_help(struct session *s, const struct smtp_command *cmd)
{
	(void)cmd;
	return reply(s, "214 2.0.0 See RFC 5321");
}

/* Which commands may come before TLS where that is required: RFC 3207, 4. */
static const struct {
	int (*run)(struct session *s, const struct smtp_command *cmd);
	bool before_tls;
} commands[] = {
	[SMTP_HELO] = { cmd_hello, true },
	[SMTP_EHLO] = { cmd_hello, true },
	[SMTP_LHLO] = { cmd_hello, true },
	[SMTP_MAIL] = { cmd_mail, false },
	[SMTP_RCPT] = { cmd_rcpt, false },
	[SMTP_DATA] = { cmd_data, false },
	[SMTP_BDAT] = { cmd_bdat, false },
	[SMTP_RSET] = { cmd_rset, false },
	[SMTP_NOOP] = { cmd_noop, true },
	[SMTP_QUIT] = { cmd_quit, true },
	[SMTP_VRFY] = { cmd_vrfy, false },
	[SMTP_EXPN] = { cmd_expn, false },
	[SMTP_HELP] = { cmd_help, false },
	[SMTP_STARTTLS] = { cmd_starttls, true },
	[SMTP_AUTH] = { cmd_auth, false },
};

static bool
needs_tls(const struct session *s)
{
	return span_eq(span_str(cfg.tls), "required") && conn_tls(s->c) == NULL && !s->local;
}

static int
run(struct session *s, struct span line)
{
	struct smtp_command cmd;
	struct err e = { 0 };
	int bad = smtp_command_parse(line, &cmd, &e);

	if (line.n + 2 > cfg.smtpd_line_max && cmd.verb != SMTP_AUTH)
		return reply(s, "500 5.5.6 Line too long");
	if (bad < 0)
		return reply(s, "%s", e.text);
	if (needs_tls(s) && !commands[cmd.verb].before_tls) {
		if (cmd.verb == SMTP_BDAT) /* its octets would be taken for commands */
			return close_error(s, "530 5.7.0 Must issue a STARTTLS command first");
		return reply(s, "530 5.7.0 Must issue a STARTTLS command first");
	}
	return commands[cmd.verb].run(s, &cmd);
}

/* A line could not be read. 0 when the session can go on. */
static int
line_failed(struct session *s)
{
	if (s->err.kind != ERR_PEER)
		return close_gone(s);
	if (conn_bare(s->c))
		return close_bare(s);
	err_clear(&s->err);
	return reply(s, "500 5.5.6 Line too long");
}

/*
 * The log line of a message waits with us for company, as none may cost a write of its own; but not long
 * if the client has nothing more to say now.
 */
static int
log_soon(struct session *s)
{
	struct pollfd p = { .fd = conn_fd(s->c), .events = POLLIN };

	if (!s->log_due || conn_peek(s->c).n > 0 || p.fd < 0)
		return 0;
	s->log_due = false;
	if (conn_flush(s->c, &s->err) < 0)
		return -1;
	if (poll(&p, 1, LOG_WAIT_MS) == 0)
		log_flush();
	return 0;
}

/* One command. -1: the session is over. */
static int
step(struct session *s)
{
	struct span line;
	int got;

	if (s->errors >= cfg.smtpd_errors_max)
		return close_error(s, "421 4.7.0 %s Too many errors", s->d->hostname);
	if (log_soon(s) < 0 || svc_ending())
		return close_gone(s);
	got = conn_line(s->c, &line, &s->err);
	if (got == 0) {
		err_set(&s->err, ERR_GONE, "closed without QUIT");
		return close_gone(s);
	}
	return got < 0 ? line_failed(s) : run(s, line);
}

static void
log_start(const struct session *s)
{
	log_event(LOG_INFO, "smtpd.connect", KV_S("sid", s->sid), KV_S("client", s->ip),
	    KV_U("port", addr_port(&s->client->peer)), KV_STR("service", s->d->service),
	    KV_OPT("login", s->login));
}

static void
log_end(const struct session *s)
{
	log_event(LOG_INFO, "smtpd.end", KV_S("sid", s->sid), KV_S("client", s->ip),
	    KV_OPT("helo", buf_span(&s->helo)), KV_OPT("login", s->login),
	    KV_STR("tls", conn_tls(s->c) != NULL ? conn_tls(s->c) : "no"), KV_U("messages", s->messages),
	    KV_U("rejected", s->rejected), KV_U("failed_logins", s->logins_failed), KV_U("in", conn_in(s->c)),
	    KV_U("out", conn_out(s->c)), KV_U("ms", clock_mono_ms() - s->started_ms), KV_ERR(&s->err));
}

int
session_run(
    const struct smtpd *d, struct client *client, struct conn *c, struct peers *peers, struct span user)
{
	struct session s = {
		.d = d,
		.client = client,
		.sid = id_span(&client->sid),
		.ip = span_str(client->ip),
		.c = c,
		.peers = peers,
		.a = arena_new(1 << 20),
		.lmtp = span_eq(span_str(cfg.protocol), "lmtp"),
		.local = user.n > 0,
		.login = user,
		.started_ms = clock_mono_ms(),
	};

	buf_init(&s.helo, HELO_MAX);
	s.relay = s.local || addr_in(&client->peer, span_str(cfg.relay_networks));
	transaction_init(&s.t);
	log_start(&s);
	if (!span_eq(span_str(cfg.tls), "wrapped") || s.local || tls_wrapped(&s) == 0) {
		if (reply(&s, "220 %s %s Rookery", d->hostname, s.lmtp ? "LMTP" : "ESMTP") == 0)
			while (step(&s) == 0)
				;
	}
	log_end(&s);
	transaction_reset(&s); /* half a message is not left for the next session of this process */
	transaction_done(&s.t);
	buf_free(&s.helo);
	arena_free(s.a);
	return s.secret || svc_ending() ? err_exit(&s.err) : SVC_AGAIN;
}
