/* acl.c - what `rookery share` asks: who may what (RFC 4314), and telling authd of it. */
#include "store/acl.h"

#include "base/log.h"
#include "ipc/authd.h"
#include "ipc/shares.h"
#include "ipc/upkeep.h"
#include "upkeep/job.h"

/* ---- telling */

static int
tell(struct job *j, struct err *e)
{
	struct store_shared shared;
	struct ipc *ch = NULL;
	int rc = -1;

	if (store_acl_shared(j->st, &shared, j->a, e) == 0 &&
	    (ch = svc_dial(j->svc, "authd", &authd_def, e)) != NULL)
		rc = shares_tell(ch, j->owner, shared.who, shared.nwho, shared.post, shared.npost, e);
	ipc_free(ch);
	return rc == 0 ? store_acl_set_told(j->st, shared.number, e) : -1;
}

void
tell_shared(struct job *j)
{
	struct err e = { 0 };
	uint64_t number, told;

	if (store_acl_number(j->st, &number, &e) < 0 || store_acl_told(j->st, &told, &e) < 0 ||
	    (number != told && tell(j, &e) < 0))
		log_event(LOG_WARN, "upkeep.sharing", KV_S("owner", j->owner), KV_ERR(&e));
}

/* ---- the request */

static int
send_entries(struct job *j, const struct store_mailbox *box, struct err *e)
{
	struct store_acl acl;

	if (store_acl_read(j->st, box->id, &acl, j->a, e) < 0)
		return -1;
	for (size_t i = 0; i < acl.n; i++) {
		struct upkeep_entry m = { box->name, acl.p[i].who, acl.p[i].rights };

		if (job_send(j, upkeep_entry, &m, e) < 0)
			return -1;
	}
	return 0;
}

static int
one(struct job *j, const struct upkeep_acl *m, const struct store_mailbox *box, struct err *e)
{
	if (m->who.n > 0 &&
	    store_acl_change(j->st, box->id, m->who, m->account, (enum acl_op)m->op, m->rights, e) < 0)
		return -1;
	j->done++;
	return send_entries(j, box, e);
}

static bool
below(struct span name, struct span parent)
{
	return name.n > parent.n && name.p[parent.n] == '/' && span_same(span_head(name, parent.n), parent);
}

/* In a tree all is below its root. */
static int
all_below(struct job *j, const struct upkeep_acl *m, const struct store_mailbox *top, struct err *e)
{
	bool root = store_is_tree(j->owner) && span_eq(top->name, "INBOX");
	struct store_mailbox *box;
	size_t n;

	if (store_list(j->st, &box, &n, j->a, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (box[i].id != 0 && box[i].id != top->id && (root || below(box[i].name, top->name)) &&
		    one(j, m, &box[i], e) < 0)
			return -1;
	return 0;
}

int
do_acl(struct job *j, struct ipc_in *in, struct err *e)
{
	struct store_mailbox box;
	struct upkeep_acl m;
	int rc;

	if (ipc_body(in, upkeep_acl, &m, e) < 0)
		return -1;
	if (m.op > ACL_REMOVE || m.who.n > STORE_WHO_MAX)
		return err_set(e, ERR_PEER, "not a change of rights");
	if ((rc = store_mailbox(j->st, m.name, &box, j->a, e)) <= 0)
		return rc < 0 ? -1
			      : err_set(e, ERR_PERM, "there is no mailbox \"%.*s\"",
				    SPAN_ARG(span_head(m.name, 200)));
	rc = one(j, &m, &box, e);
	if (rc == 0 && m.below != 0)
		rc = all_below(j, &m, &box, e);
	if (m.who.n > 0) {
		job_names_changed(j);
		tell_shared(j);
	}
	return rc;
}
