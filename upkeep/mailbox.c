/* mailbox.c - what `rookery mailbox` asks: listing, making, renaming, deleting mailboxes. */
#include "ipc/upkeep.h"
#include "upkeep/job.h"

static int
send_mailbox(struct job *j, const struct store_mailbox *m, struct err *e)
{
	struct upkeep_mailbox out = {
		.name = m->name,
		.id = m->id,
		.uidvalidity = m->uidvalidity,
		.uidnext = m->uidnext,
		.messages = m->exists,
		.recent = m->recent,
		.unseen = m->unseen,
		.deleted = m->deleted,
		.bytes = m->bytes,
		.modseq = m->highestmodseq,
		.use = m->use,
		.is = (m->noselect ? MAILBOX_NOSELECT : 0U) | (m->subscribed ? MAILBOX_SUBSCRIBED : 0U) |
		      (m->children ? MAILBOX_CHILDREN : 0U),
	};

	if (m->id != 0 && store_expire_of(j->st, m->id, &out.expire, e) < 0)
		return -1;
	j->done++;
	return job_send(j, upkeep_mailbox, &out, e);
}

static int
no_mailbox(struct span name, struct err *e)
{
	return err_set(e, ERR_PERM, "there is no mailbox \"%.*s\"", SPAN_ARG(span_head(name, 200)));
}

int
do_list(struct job *j, struct ipc_in *in, struct err *e)
{
	struct upkeep_list m;
	struct store_mailbox one, *all;
	size_t n;
	int rc;

	if (ipc_body(in, upkeep_list, &m, e) < 0)
		return -1;
	if (m.name.n > 0) {
		rc = store_mailbox(j->st, m.name, &one, j->a, e);
		return rc == 1 ? send_mailbox(j, &one, e) : rc < 0 ? -1 : no_mailbox(m.name, e);
	}
	if (store_list(j->st, &all, &n, j->a, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (send_mailbox(j, &all[i], e) < 0)
			return -1;
	return 0;
}

static int
change(struct job *j, const struct upkeep_change *m, struct err *e)
{
	struct store_mailbox box;
	int rc;

	switch ((enum upkeep_change_op)m->op) {
	case MAILBOX_CREATE:
		return store_create(j->st, m->name, (enum store_use)m->use, NULL, e);
	case MAILBOX_DELETE:
		j->usage_changed = true;
		return store_delete(j->st, m->name, e);
	case MAILBOX_RENAME:
		return store_rename(j->st, m->name, m->to, e);
	case MAILBOX_SUBSCRIBE:
	case MAILBOX_UNSUBSCRIBE:
		return store_subscribe(j->st, m->name, m->op == MAILBOX_SUBSCRIBE, e);
	case MAILBOX_EXPIRE:
		rc = store_mailbox(j->st, m->name, &box, j->a, e);
		return rc == 1  ? store_expire_set(j->st, box.id, m->value, e)
		       : rc < 0 ? -1
				: no_mailbox(m->name, e);
	}
	return err_set(e, ERR_PEER, "not an operation on a mailbox");
}

int
do_change(struct job *j, struct ipc_in *in, struct err *e)
{
	struct upkeep_change m;

	if (ipc_body(in, upkeep_change, &m, e) < 0)
		return -1;
	if (m.use > STORE_USE_IMPORTANT)
		return err_set(e, ERR_PEER, "not a special use");
	if (change(j, &m, e) < 0)
		return -1;
	j->done = 1;
	job_names_changed(j);
	tell_shared(j);
	return 0;
}
