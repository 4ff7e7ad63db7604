/* check.c - what `rookery check` asks of one store. */
#include "base/log.h"
#include "ipc/upkeep.h"
#include "upkeep/job.h"

struct telling {
	struct job *j;
	struct err *e;
};

static void
tell(void *arg, struct span text)
{
	struct telling *t = arg;
	struct upkeep_finding m = { text };

	t->j->done++;
	if (t->e->kind == ERR_NONE)
		job_send(t->j, upkeep_finding, &m, t->e);
	log_event(LOG_ERROR, "upkeep.damage", KV_S("owner", t->j->owner), KV_S("what", text));
}

int
do_check(struct job *j, struct ipc_in *in, struct err *e)
{
	struct upkeep_check m;
	struct telling t = { j, e };
	unsigned what;

	if (ipc_body(in, upkeep_check, &m, e) < 0)
		return -1;
	what = ((m.what & CHECK_DIGEST) != 0 ? STORE_CHECK_DIGEST : 0U) |
	       ((m.what & CHECK_REPAIR) != 0 ? STORE_CHECK_REPAIR : 0U);
	j->usage_changed = (what & STORE_CHECK_REPAIR) != 0;
	return store_check(j->st, what, tell, &t, e) < 0 ? -1 : e->kind == ERR_NONE ? 0 : -1;
}
