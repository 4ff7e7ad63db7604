/* undelete.c - what `rookery undelete` asks: what was deleted and is kept, and that it comes back. */
#include "base/log.h"
#include "cfg/cfg.h"
#include "ipc/upkeep.h"
#include "pop3/uidl.h"
#include "upkeep/job.h"

static int
tell(struct job *j, const struct store_kept *k, struct err *e)
{
	struct upkeep_kept m = {
		.name = k->name,
		.whole = k->whole,
		.at = k->at_ms,
		.messages = k->messages,
		.bytes = k->bytes,
	};

	j->done += k->messages;
	return job_send(j, upkeep_kept, &m, e);
}

static int
list(struct job *j, struct store_undelete *u, struct err *e)
{
	struct store_kept k;
	int rc;

	while ((rc = store_kept(j->st, u, &k, j->a, e)) == 1)
		if (tell(j, &k, e) < 0)
			return -1;
	return rc;
}

static int
bring_back(struct job *j, struct store_undelete *u, struct err *e)
{
	struct store_kept k;
	int rc;

	j->usage_changed = true;
	while ((rc = store_undelete(j->st, u, &k, j->a, e)) == 1) {
		job_changed(j, k.whole ? 0 : k.mailbox, k.modseq);
		log_event(LOG_INFO, "upkeep.undeleted", KV_S("owner", j->owner), KV_S("mailbox", k.name),
		    KV_U("messages", k.messages), KV_U("whole", k.whole));
		if (tell(j, &k, e) < 0)
			return -1;
	}
	tell_shared(j); /* a mailbox has its ACL again */
	return rc;
}

static int
unique(uint32_t uidvalidity, uint32_t uid, struct buf *out, struct err *e)
{
	return uidl_put(cfg.pop3_uidl, uidvalidity, uid, out, e);
}

int
do_undelete(struct job *j, struct ipc_in *in, struct err *e)
{
	struct upkeep_undelete m;
	struct store_undelete u = { .unique = unique };

	if (ipc_body(in, upkeep_undelete, &m, e) < 0)
		return -1;
	u.name = m.name;
	u.since_ms = m.since < INT64_MAX ? m.since : INT64_MAX;
	return m.list != 0 ? list(j, &u, e) : bring_back(j, &u, e);
}
