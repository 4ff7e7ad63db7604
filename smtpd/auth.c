/*
 * auth.c - AUTH (RFC 4954) with PLAIN (RFC 4616) and LOGIN. The password goes to authd; what we held of it is
 * wiped.
 */
#include "base/log.h"
#include "cfg/cfg.h"
#include "mail/codec.h"
#include "smtpd/smtpd.h"

enum { RESPONSE_MAX = 12288 }; /* RFC 4954, 4: octets of base64 */

struct secret {
	struct buf authzid, login, password;
};

/* base64 (RFC 4954, 4: "=" alone is the empty response) into out. */
static int
decode(struct span text, struct buf *out, struct err *e)
{
	if (span_eq(text, "="))
		return 0;
	return base64_decode(text, out, e);
}

/*
 * Ask with a challenge in base64, and read the response: 1, 0 if an answer was given because there is none
 * that we can use, -1.
 */
static int
challenge(struct session *s, const char *text, struct buf *out)
{
	struct err e = { 0 };
	struct span line;
	int got;

	if (reply(s, "334 %s", text) < 0)
		return -1;
	got = conn_line(s->c, &line, &s->err);
	if (got <= 0 && s->err.kind != ERR_PEER)
		return close_gone(s);
	if (got < 0 && conn_bare(s->c))
		return close_bare(s);
	if (got < 0) {
		err_clear(&s->err);
		return reply(s, "500 5.5.6 Response too long");
	}
	if (span_eq(line, "*")) /* RFC 4954, 4 */
		return reply(s, "501 5.7.0 Cancelled");
	if (decode(line, out, &e) < 0)
		return reply(s, "501 5.5.2 Not base64");
	return 1;
}

/* authzid NUL authcid NUL password (RFC 4616, 2). */
static bool
split_plain(struct span message, struct secret *x)
{
	ssize_t a = span_chr(message, '\0'), b;
	struct span rest;

	if (a < 0)
		return false;
	rest = span_from(message, (size_t)a + 1);
	b = span_chr(rest, '\0');
	if (b <= 0 || span_chr(span_from(rest, (size_t)b + 1), '\0') >= 0)
		return false;
	buf_add(&x->authzid, NULL, span_head(message, (size_t)a));
	buf_add(&x->login, NULL, span_head(rest, (size_t)b));
	buf_add(&x->password, NULL, span_from(rest, (size_t)b + 1));
	return true;
}

static int
get_plain(struct session *s, const struct smtp_command *cmd, struct secret *x)
{
	struct err e = { 0 };
	struct buf message;
	int got = 1;

	buf_init(&message, RESPONSE_MAX);
	if (cmd->initial.p == NULL)
		got = challenge(s, "", &message);
	else if (decode(cmd->initial, &message, &e) < 0)
		got = reply(s, "501 5.5.2 Not base64");
	if (got == 1 && !split_plain(buf_span(&message), x))
		got = reply(s, "501 5.5.2 Not a PLAIN message");
	buf_wipe(&message);
	return got;
}

/* The prompts are "Username:" and "Password:", which clients look for (draft-murchison-sasl-login). */
static int
get_login(struct session *s, const struct smtp_command *cmd, struct secret *x)
{
	struct err e = { 0 };
	int got = 1;

	if (cmd->initial.p == NULL)
		got = challenge(s, "VXNlcm5hbWU6", &x->login);
	else if (decode(cmd->initial, &x->login, &e) < 0)
		got = reply(s, "501 5.5.2 Not base64");
	return got == 1 ? challenge(s, "UGFzc3dvcmQ6", &x->password) : got;
}

static int
answer(struct session *s, const struct authd_login_answer *a, struct span name)
{
	static const char *const results[] = {
		[LOGIN_OK] = "ok",
		[LOGIN_BAD] = "bad",
		[LOGIN_TEMP] = "temp",
		[LOGIN_DENIED] = "denied",
		[LOGIN_LIMIT] = "limit",
	};
	bool known = a->result <= LOGIN_LIMIT;

	s->log_due = true;
	log_event(LOG_INFO, "smtpd.login", KV_S("sid", s->sid), KV_S("client", s->ip), KV_S("login", name),
	    KV_STR("result", known ? results[a->result] : "?"),
	    KV_STR("tls", conn_tls(s->c) != NULL ? "yes" : "no"));
	if (a->result == LOGIN_OK) {
		s->login = arena_dup(s->a, a->login);
		return reply(s, "235 2.7.0 Authentication successful");
	}
	s->logins_failed++;
	if (a->result == LOGIN_BAD)
		return reply(s, "535 5.7.8 Authentication failed");
	if (a->result == LOGIN_DENIED)
		return reply(s, "535 5.7.8 This login may not be used here");
	if (a->result == LOGIN_LIMIT)
		return reply(s, "454 4.7.0 Too many failed logins, try again later");
	return reply(s, "454 4.7.0 Temporary authentication failure");
}

static int
ask_authd(struct session *s, const struct secret *x)
{
	struct err e = { 0 };
	struct authd_login_answer a;
	struct authd_login q = {
		.login = buf_span(&x->login),
		.authzid = buf_span(&x->authzid),
		.password = buf_span(&x->password),
		.service = SPAN("smtp"),
		.client = s->ip,
		.sid = s->sid,
		.tls = conn_tls(s->c) != NULL,
	};

	if (q.login.n == 0 || q.password.n == 0)
		return reply(s, "535 5.7.8 Authentication failed");
	if (peers_login(s->peers, &q, &a, &e) < 0) {
		log_event(LOG_WARN, "smtpd.authd", KV_S("sid", s->sid), KV_ERR(&e));
		return reply(s, "454 4.7.0 Temporary authentication failure");
	}
	return answer(s, &a, q.login);
}

int
cmd_auth(struct session *s, const struct smtp_command *cmd)
{
	struct secret x;
	int got;

	if (span_eq(span_str(cfg.auth), "off") || s->local)
		return reply(s, "502 5.5.1 AUTH is not offered");
	if (s->login.n > 0)
		return reply(s, "503 5.5.1 Already authenticated"); /* RFC 4954, 4 */
	if (!s->esmtp || s->t.open)
		return reply(s, "503 5.5.1 %s", s->t.open ? "Not within a mail transaction" : "EHLO first");
	if (!may_auth(s))
		return reply(s, "538 5.7.11 Encryption is required: STARTTLS first");
	s->secret = true;
	buf_init(&x.authzid, RESPONSE_MAX);
	buf_init(&x.login, RESPONSE_MAX);
	buf_init(&x.password, RESPONSE_MAX);
	if (span_ieq(cmd->mechanism, "PLAIN"))
		got = get_plain(s, cmd, &x);
	else if (span_ieq(cmd->mechanism, "LOGIN"))
		got = get_login(s, cmd, &x);
	else
		got = reply(s, "504 5.5.4 Mechanism not offered");
	if (got == 1)
		got = ask_authd(s, &x);
	buf_wipe(&x.authzid);
	buf_wipe(&x.login);
	buf_wipe(&x.password);
	conn_forget(s->c);
	return got;
}
