#include "imapd/quota.h"

#include "imapd/reply.h"
#include "ipc/authd.h"

/* The target of an answer that is this owner's store. */
static bool
own_target(struct span targets, struct span owner, struct authd_target *t)
{
	while (ipc_unpack(&authd_def, &targets, authd_target, t, NULL) > 0)
		if (t->kind == TARGET_LOCAL && span_same(t->owner, owner))
			return true;
	return false;
}

int
quota_learn(struct session *s, struct err *e)
{
	/* A guest's messages are the owner's to pay for. A tree has no limits but those of its folders. */
	struct authd_whois ask = { .addr = s->owner_login };
	struct authd_whois_answer answer;
	struct authd_target t;
	struct ipc *ch;

	if (s->quota_known || s->svc == NULL || s->owner_login.n == 0)
		return 0;
	ch = svc_dial(s->svc, "authd", &authd_def, e);
	if (ch == NULL)
		return -1;
	if (ipc_call(ch, authd_whois, &ask, authd_whois_answer, &answer, e) == 0) {
		if (answer.kind == WHOIS_TEMP)
			err_set(e, ERR_TEMP, "authd: the limits of the account cannot be told now");
		else if (own_target(answer.targets, s->owner, &t))
			store_quota(s->st, t.quota_bytes, t.quota_messages);
	}
	ipc_free(ch);
	if (e->kind != ERR_NONE)
		return -1;
	s->quota_known = true;
	return 0;
}

int
quota_alert(struct session *s, struct err *e)
{
	uint32_t percents[CFG_PERCENTS_MAX], level, least = UINT32_MAX;
	size_t n = cfg_percents(span_str(cfg.quota_warn), percents);
	struct store_usage u;
	struct err ignored = { 0 };

	s->quota_told = true;
	if (s->guest || n == 0 || store_usage(s->st, &u, &ignored) < 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		least = percents[i] < least ? percents[i] : least;
	level = store_quota_level(u.bytes, u.limit_bytes, u.messages, u.limit_messages);
	return level < least ? 0
			     : out_printf(s, e, "* NO [ALERT] Your mail fills %u %% of its quota\r\n", level);
}

void
quota_report(struct session *s)
{
	struct store_usage u;
	struct err e = { 0 };
	struct ipc *ch;

	if (!s->usage_changed || s->svc == NULL)
		return;
	if (store_usage(s->st, &u, &e) == 0 && (ch = svc_dial(s->svc, "authd", &authd_def, &e)) != NULL) {
		struct authd_usage m = { .owner = s->owner, .bytes = u.bytes, .messages = u.messages };

		ipc_send(ch, authd_usage, &m, 0, &e);
		ipc_free(ch);
	}
	if (e.kind != ERR_NONE)
		log_event(LOG_WARN, "imapd.usage", KV_S("sid", s->sid), KV_S("owner", s->owner), KV_ERR(&e));
}
