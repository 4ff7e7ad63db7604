/* mail.c - MAIL (RFC 5321, 4.1.1.2): may this client send, from this address, a message of this size? */
#include "base/log.h"
#include "cfg/cfg.h"
#include "smtp/params.h"
#include "smtpd/smtpd.h"

enum { OFFERED = PARAM_SIZE | PARAM_8BITMIME | PARAM_SMTPUTF8 | PARAM_AUTH | PARAM_DSN };

bool
may_relay(const struct session *s)
{
	return s->relay || s->login.n > 0;
}

void
transaction_reset(struct session *s)
{
	if (s->t.writer != NULL)
		peers_drop(s->peers);
	transaction_clear(&s->t);
}

/* 1 the client may send, 0 it was refused, -1. */
static int
mail_allowed(struct session *s)
{
	if (s->t.open)
		return reply(s, "503 5.5.1 One MAIL at a time");
	if (s->helo.n == 0)
		return reply(s, "503 5.5.1 Say %s first", s->lmtp ? "LHLO" : "EHLO or HELO");
	if (span_eq(span_str(cfg.auth), "required") && s->login.n == 0)
		return reply(s, "530 5.7.0 Authentication required");
	return 1;
}

/* A login sends as itself (RFC 6409, 6.1); the null sender is for reports, which anyone may have to send. */
static int
check_sender(struct session *s, struct span from)
{
	struct err e = { 0 };
	struct authd_sender q = { .login = s->login, .addr = from };
	int allowed;

	if (s->login.n == 0 || s->local || from.n == 0)
		return 1;
	allowed = peers_sender(s->peers, &q, &e);
	if (allowed < 0) {
		log_event(LOG_WARN, "smtpd.authd", KV_S("sid", s->sid), KV_ERR(&e));
		return reply_err(s, &e);
	}
	if (allowed == 0) {
		log_reject(s, "MAIL", from, "553 5.7.1 sender not owned");
		return reply(s, "553 5.7.1 This login may not send from that address");
	}
	return 1;
}

static int
get_file(struct session *s)
{
	struct err e = { 0 };
	int got = peers_file(s->peers, &s->t.file, &s->t.mid, &e);

	if (got == 0) {
		log_reject(s, "MAIL", (struct span){ 0 }, "452 4.3.1 no space");
		return reply(s, "452 4.3.1 No space for mail now, try again later");
	}
	if (got < 0) {
		log_event(LOG_ERROR, "smtpd.queue", KV_S("sid", s->sid), KV_ERR(&e));
		return reply_err(s, &e);
	}
	return 1;
}

static int
check_params(struct session *s, const struct smtp_command *cmd, const struct mail_params *p)
{
	if (p->size > cfg.message_size_max)
		return reply(s, "552 5.3.4 Message too large: at most %llu octets",
		    (unsigned long long)cfg.message_size_max);
	if (cmd->path.utf8 && !p->utf8)
		return reply(s, "553 5.6.7 This address needs SMTPUTF8");
	return 1;
}

int
cmd_mail(struct session *s, const struct smtp_command *cmd)
{
	struct err e = { 0 };
	struct mail_params p;
	struct span from = path_address(&cmd->path);
	int got = mail_allowed(s);

	if (got != 1)
		return got;
	got = mail_params_parse(cmd->params, s->esmtp ? OFFERED : 0, &p, s->t.a, &e);
	if (got < 0)
		return reply(s, "%s 5.5.4 %s", got == -2 ? "555" : "501", e.text);
	if ((got = check_params(s, cmd, &p)) != 1 || (got = check_sender(s, from)) != 1 ||
	    (got = get_file(s)) != 1)
		return got;
	s->t.open = true;
	s->t.from = arena_dup(s->t.a, from);
	s->t.utf8 = p.utf8;
	s->t.declared = p.size;
	if (p.ret != RET_UNSAID)
		s->t.ret = p.ret == RET_FULL ? SPAN("FULL") : SPAN("HDRS");
	s->t.envid = arena_dup(s->t.a, param_raw(cmd->params, "ENVID="));
	log_event(LOG_DEBUG, "smtpd.mail", KV_S("sid", s->sid), KV_STR("mid", s->t.mid.s),
	    KV_S("from", s->t.from), KV_U("size", p.size));
	return reply(s, "250 2.1.0 Ok");
}
