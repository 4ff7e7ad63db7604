/* quota.c - what `rookery quota` asks of a store: what it holds, and the limits of its folder trees. */
#include "ipc/upkeep.h"
#include "upkeep/job.h"

/* What no quota counts: expunged messages and deleted mailboxes that can come back. */
static int
kept(struct job *j, struct upkeep_used *m, struct err *e)
{
	struct store_undelete u = { 0 };
	struct store_kept k;
	int rc;

	while ((rc = store_kept(j->st, &u, &k, j->a, e)) == 1) {
		m->kept_bytes += k.bytes;
		m->kept_messages += k.messages;
	}
	return rc;
}

static int
tell(struct job *j, struct err *e)
{
	struct upkeep_used m = { 0 };
	struct store_tree *t;
	struct store_usage u;
	size_t n;

	if (store_usage(j->st, &u, e) < 0 || kept(j, &m, e) < 0)
		return -1;
	m.bytes = u.bytes;
	m.messages = u.messages;
	if (job_send(j, upkeep_used, &m, e) < 0 || store_tree_list(j->st, 0, &t, &n, j->a, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct upkeep_tree one = { t[i].name, t[i].bytes, t[i].messages, t[i].used_bytes,
			t[i].used_messages };

		if (job_send(j, upkeep_tree, &one, e) < 0)
			return -1;
	}
	return 0;
}

int
do_quota(struct job *j, struct ipc_in *in, struct err *e)
{
	struct upkeep_quota m;
	struct store_mailbox box;
	int rc;

	if (ipc_body(in, upkeep_quota, &m, e) < 0)
		return -1;
	if (m.set != 0) {
		if ((rc = store_mailbox(j->st, m.name, &box, j->a, e)) == 0)
			return err_set(
			    e, ERR_PERM, "there is no mailbox \"%.*s\"", SPAN_ARG(span_head(m.name, 200)));
		if (rc < 0 || store_tree_set(j->st, box.id, m.bytes, m.messages, e) < 0)
			return -1;
		j->done = 1;
	}
	return tell(j, e);
}
