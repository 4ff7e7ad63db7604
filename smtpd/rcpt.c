/*
 * rcpt.c - RCPT (RFC 5321, 4.1.1.3): who is that, and may this client send there?
 *
 * authd expands aliases and lists to final targets at once, so that what is unknown is refused here, and what
 * is accepted needs no lookup later.
 */
#include <stdio.h>

#include "base/log.h"
#include "cfg/cfg.h"
#include "smtp/mailbox.h"
#include "smtp/params.h"
#include "smtpd/smtpd.h"

struct span
param_raw(struct span params, const char *key)
{
	while (params.n > 0) {
		struct span word = span_cut(&params, ' ');

		if (span_istarts(word, key))
			return span_from(word, strlen(key));
	}
	return (struct span){ 0 };
}

struct span
path_address(const struct path *p)
{
	if (p->domain.n == 0)
		return p->local;
	return span_of(p->local.p, (size_t)(p->domain.p + p->domain.n - p->local.p));
}

/* 1 go on, 0 refused, -1. */
static int
rcpt_allowed(struct session *s)
{
	if (!s->t.open)
		return reply(s, "503 5.5.1 MAIL first");
	if (s->t.chunking)
		return reply(s, "503 5.5.1 BDAT has begun");
	if (s->t.nasked >= cfg.smtpd_recipients_max)
		return reply(s, "452 4.5.3 Too many recipients");
	return 1;
}

/*
 * The address to ask authd for. An address literal that is ours, the address the client connected to, stands
 * for this host (RFC 5321, 4.1.3): then it is the local part alone.
 */
static struct span
whois_address(const struct session *s, const struct path *p)
{
	struct literal l;
	struct buf text;
	struct span ours;
	bool same;

	if (p->domain.n == 0 || p->domain.p[0] != '[' || literal_parse(p->domain, &l, &(struct err){ 0 }) < 0)
		return path_address(p);
	buf_init(&text, 128);
	literal_format(&l, &text, NULL);
	ours = received_literal(s->t.a, &s->client->local);
	same = span_isame(buf_span(&text), ours);
	buf_free(&text);
	return same ? p->local : path_address(p);
}

static int
refuse(struct session *s, const char *code, struct span to, struct span why, const char *usual)
{
	struct span text = why.n > 0 ? why : span_str(usual);
	char line[256];

	snprintf(line, sizeof line, "%s %.*s", code, SPAN_ARG(text));
	log_reject(s, "RCPT", to, line);
	return reply(s, "%s", line);
}

/* What RCPT gave, for each of its targets. */
static int
add_targets(
    struct session *s, struct span asked, struct span targets, const struct smtp_command *cmd, struct err *e)
{
	struct span orcpt = arena_dup(s->t.a, param_raw(cmd->params, "ORCPT="));
	struct span notify = arena_dup(s->t.a, param_raw(cmd->params, "NOTIFY="));
	struct span orig = arena_dup(s->t.a, asked);
	struct authd_target target;
	int got, n = 0;

	for (; (got = ipc_unpack(&authd_def, &targets, authd_target, &target, e)) == 1; n = 1)
		if (transaction_target(&s->t, &target, orig, orcpt, notify, e) < 0)
			return -1;
	return got == 0 ? n : -1;
}

/* All targets of one RCPT, or none and an error reply. */
static int
accept_targets(struct session *s, struct span asked, struct span targets, const struct smtp_command *cmd)
{
	struct transaction_mark mark = transaction_mark(&s->t);
	struct err e = { 0 };
	int got;

	if (asked.n + cmd->arg.n > s->t.budget)
		return refuse(s, "452", asked, SPAN("4.5.3 Too many recipients"), "");
	s->t.budget -= asked.n + cmd->arg.n;
	got = add_targets(s, asked, targets, cmd, &e);
	if (got == 0)
		return refuse(s, "550 5.1.1", asked, SPAN("That address leads to nobody"), "");
	if (got < 0) {
		transaction_back(&s->t, mark);
		return refuse(s, "452", asked, SPAN("4.5.3 Too many recipients"), "");
	}
	transaction_asked(&s->t, asked);
	return reply(s, "250 2.1.5 Ok");
}

static int
judge(
    struct session *s, struct span asked, const struct authd_whois_answer *a, const struct smtp_command *cmd)
{
	switch ((enum whois_kind)a->kind) {
	case WHOIS_OK:
		if (a->full)
			return refuse(s, "452", asked, SPAN("4.2.2 Mailbox full"), "");
		return accept_targets(s, asked, a->targets, cmd);
	case WHOIS_RELAY:
		if (may_relay(s))
			return accept_targets(s, asked, a->targets, cmd);
		return refuse(s, "550 5.7.1", asked, SPAN("Relay access denied"), "");
	case WHOIS_UNKNOWN:
		return refuse(s, "550 5.1.1", asked, a->text, "No such user here");
	case WHOIS_DISABLED:
		return refuse(s, "550 5.2.1", asked, a->text, "Mailbox is disabled");
	case WHOIS_TEMP:
		break;
	}
	return refuse(s, "451 4.3.0", asked, a->text, "Temporary failure, try again later");
}

int
cmd_rcpt(struct session *s, const struct smtp_command *cmd)
{
	struct span asked = path_address(&cmd->path);
	struct authd_whois q = { .addr = whois_address(s, &cmd->path), .size = s->t.declared };
	struct authd_whois_answer a;
	struct rcpt_params p;
	struct err e = { 0 };
	int got = rcpt_allowed(s);

	if (got != 1)
		return got;
	got = rcpt_params_parse(cmd->params, s->esmtp ? PARAM_DSN : 0, &p, s->t.a, &e);
	if (got < 0)
		return reply(s, "%s 5.5.4 %s", got == -2 ? "555" : "501", e.text);
	if (cmd->path.utf8 && !s->t.utf8)
		return reply(s, "553 5.6.7 This address needs SMTPUTF8");
	if (peers_whois(s->peers, &q, &a, &e) < 0) {
		log_event(LOG_WARN, "smtpd.authd", KV_S("sid", s->sid), KV_ERR(&e));
		return reply_err(s, &e);
	}
	return judge(s, asked, &a, cmd);
}
