#include "imapd/sharing.h"

#include "ipc/authd.h"
#include "ipc/shares.h"
#include "store/acl.h"

static struct ipc *
dial(struct session *s, struct err *e)
{
	return svc_dial(s->svc, "authd", &authd_def, e);
}

/* ---- groups */

static int
take_names(struct span list, struct arena *a, const struct span **out, size_t *n, struct err *e)
{
	struct authd_name m;
	struct span rest = list, *names;
	size_t count = 0;
	int got;

	while ((got = ipc_unpack(&authd_def, &rest, authd_name, &m, e)) > 0)
		count++;
	if (got < 0)
		return -1;
	names = arena_array(a, count, sizeof *names);
	*n = 0;
	while (ipc_unpack(&authd_def, &list, authd_name, &m, e) > 0)
		names[(*n)++] = arena_dup(a, m.name);
	*out = names;
	return 0;
}

int
sharing_groups(struct session *s, struct arena *a, const struct span **groups, size_t *n, struct err *e)
{
	struct authd_groups ask = { .login = s->login };
	struct authd_groups_answer answer;
	struct ipc *ch;
	int rc = -1;

	*groups = NULL;
	*n = 0;
	if (s->svc == NULL)
		return 0;
	if ((ch = dial(s, e)) == NULL)
		return -1;
	if (ipc_call(ch, authd_groups, &ask, authd_groups_answer, &answer, e) == 0)
		rc = take_names(answer.groups, a, groups, n, e);
	ipc_free(ch);
	if (rc < 0)
		e->kind = ERR_TEMP;
	return rc;
}

/* ---- identifiers */

static struct span
lower(struct arena *a, struct span s)
{
	char *p = arena_array(a, s.n, 1);

	for (size_t i = 0; i < s.n; i++)
		p[i] = ascii_lower(s.p[i]);
	return span_of(p, s.n);
}

int
sharing_identifier(struct session *s, struct span who, struct span *out, struct span *account, struct err *e)
{
	struct authd_identifier ask = { .who = who };
	struct authd_identifier_answer answer;
	struct ipc *ch;
	int rc = -1;

	*out = lower(s->a, who);
	*account = SPAN("");
	if (s->svc == NULL)
		return 1;
	if ((ch = dial(s, e)) == NULL)
		return -1;
	if (ipc_call(ch, authd_identifier, &ask, authd_identifier_answer, &answer, e) == 0) {
		*out = arena_dup(s->a, answer.who);
		*account = arena_dup(s->a, answer.owner);
		rc = out->n == 0 ? err_set(e, ERR_PEER, "That is no identifier") : answer.known != 0;
	} else {
		e->kind = ERR_TEMP;
	}
	ipc_free(ch);
	return rc;
}

/* ---- telling */

static int
tell(struct session *s, struct err *e)
{
	struct store_shared shared;
	struct ipc *ch = NULL;
	int rc = -1;

	if (store_acl_shared(s->st, &shared, s->a, e) == 0 && (ch = dial(s, e)) != NULL)
		rc = shares_tell(ch, s->owner, shared.who, shared.nwho, shared.post, shared.npost, e);
	ipc_free(ch);
	return rc == 0 ? store_acl_set_told(s->st, shared.number, e) : -1;
}

void
sharing_tell(struct session *s)
{
	struct err e = { 0 };
	uint64_t number, told;

	if (s->svc == NULL || s->st == NULL)
		return;
	if (store_acl_number(s->st, &number, &e) < 0 || store_acl_told(s->st, &told, &e) < 0 ||
	    (number != told && tell(s, &e) < 0))
		log_event(
		    LOG_WARN, "imapd.sharing", KV_S("sid", s->sid), KV_S("owner", s->owner), KV_ERR(&e));
}
