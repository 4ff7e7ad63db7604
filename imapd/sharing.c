#include "imapd/sharing.h"

#include <stdlib.h>

#include "ipc/authd.h"
#include "store/acl.h"

enum { LIST_MAX = 8 << 20 };

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
sharing_identifier(struct session *s, struct span who, struct span *out, struct err *e)
{
	struct authd_identifier ask = { .who = who };
	struct authd_identifier_answer answer;
	struct ipc *ch;
	int rc = -1;

	*out = lower(s->a, who);
	if (s->svc == NULL)
		return 1;
	if ((ch = dial(s, e)) == NULL)
		return -1;
	if (ipc_call(ch, authd_identifier, &ask, authd_identifier_answer, &answer, e) == 0) {
		*out = arena_dup(s->a, answer.who);
		rc = out->n == 0 ? err_set(e, ERR_PEER, "That is no identifier") : answer.known != 0;
	} else {
		e->kind = ERR_TEMP;
	}
	ipc_free(ch);
	return rc;
}

/* ---- telling */

static int
by_octets(const void *a, const void *b)
{
	return span_cmp(*(const struct span *)a, *(const struct span *)b);
}

/* Everyone who may look up some mailbox, each once. */
static int
list_who(struct session *s, const struct store_acl *all, struct buf *out, struct err *e)
{
	struct span *who = arena_array(s->a, all->n, sizeof *who);
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++) {
		const struct store_ace *a = &all->p[i];

		if (a->who.p[0] != '-' && !span_eq(a->who, "owner") && (a->rights & STORE_MAY_LOOKUP) != 0)
			who[n++] = a->who;
	}
	if (n > 0)
		qsort(who, n, sizeof *who, by_octets);
	for (size_t i = 0; i < n; i++) {
		struct authd_name m = { .name = who[i] };

		if ((i == 0 || !span_same(who[i - 1], who[i])) &&
		    ipc_pack(&authd_def, out, authd_name, &m, e) < 0)
			return -1;
	}
	return 0;
}

/* Every mailbox that a stranger may post to. */
static int
list_post(struct session *s, const struct store_acl *all, struct buf *out, struct err *e)
{
	const struct store_reader stranger = { 0 };
	struct store_mailbox *box;
	size_t n;

	if (store_list(s->st, &box, &n, s->a, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct store_acl acl = store_acl_of(all, box[i].id);
		struct authd_name m = { .name = box[i].name };

		if (box[i].id == 0 || box[i].noselect ||
		    (store_acl_rights(&acl, &stranger) & STORE_MAY_POST) == 0)
			continue;
		if (ipc_pack(&authd_def, out, authd_name, &m, e) < 0)
			return -1;
	}
	return 0;
}

static int
tell(struct session *s, struct err *e)
{
	struct store_acl all;
	struct buf who, post;
	struct authd_shared m = { .owner = s->owner };
	struct authd_done done;
	struct ipc *ch = NULL;
	int rc = -1;

	buf_init(&who, LIST_MAX);
	buf_init(&post, LIST_MAX);
	if (store_acl_read(s->st, 0, &all, s->a, e) == 0 && list_who(s, &all, &who, e) == 0 &&
	    list_post(s, &all, &post, e) == 0 && (ch = dial(s, e)) != NULL) {
		m.who = buf_span(&who);
		m.post = buf_span(&post);
		rc = ipc_call(ch, authd_shared, &m, authd_done, &done, e);
	}
	ipc_free(ch);
	buf_free(&who);
	buf_free(&post);
	return rc == 0 ? store_acl_set_told(s->st, all.number, e) : -1;
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
