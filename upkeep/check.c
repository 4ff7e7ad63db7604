/* check.c - what `rookery check` asks of one store: is it sound; mend it; make its index anew. */
#include <stdio.h>

#include "base/log.h"
#include "ipc/upkeep.h"
#include "upkeep/job.h"

struct telling {
	struct job *j;
	struct err *e;
	char only[32]; /* findings that begin so; empty: all */
};

static void
tell(void *arg, struct span text)
{
	struct telling *t = arg;
	struct upkeep_finding m = { text };

	if (!span_starts(text, t->only))
		return;
	t->j->done++;
	if (t->e->kind == ERR_NONE)
		job_send(t->j, upkeep_finding, &m, t->e);
	log_event(LOG_ERROR, "upkeep.damage", KV_S("owner", t->j->owner), KV_S("what", text));
}

static int
rebuild(struct job *j, struct telling *t, struct err *e)
{
	struct store_parser parser = { job_parse, j };
	struct store_opts o = job_opts(j);
	uint64_t n = 0;

	store_close(j->st);
	j->st = NULL;
	if (store_rebuild(&o, &parser, tell, t, &n, e) < 0)
		return -1;
	log_event(LOG_WARN, "upkeep.rebuilt", KV_S("owner", j->owner), KV_U("messages", n));
	return buf_printf(&j->text, e, "index made anew: %llu messages", (unsigned long long)n);
}

static int
check(struct job *j, unsigned what, struct telling *t, struct err *e)
{
	struct store_parser parser = { job_parse, j };
	unsigned how = ((what & CHECK_DIGEST) != 0 ? STORE_CHECK_DIGEST : 0U) |
		       ((what & CHECK_REPAIR) != 0 ? STORE_CHECK_REPAIR : 0U);

	if (job_open(j, e) < 0 || store_check_with(j->st, how, &parser, tell, t, e) < 0)
		return -1;
	return e->kind == ERR_NONE ? 0 : -1;
}

/* What is told is told of this mailbox. */
static int
only_mailbox(struct job *j, struct span name, struct telling *t, struct err *e)
{
	struct store_mailbox box;
	int rc = job_open(j, e) < 0 ? -1 : store_mailbox(j->st, name, &box, j->a, e);

	if (rc == 1)
		snprintf(t->only, sizeof t->only, "mailbox %llu:", (unsigned long long)box.id);
	return rc == 1 ? 0
	       : rc < 0
		   ? -1
		   : err_set(e, ERR_PERM, "there is no mailbox \"%.*s\"", SPAN_ARG(span_head(name, 200)));
}

int
do_check(struct job *j, struct ipc_in *in, struct err *e)
{
	struct upkeep_check m;
	struct telling t = { .j = j, .e = e };
	int rc;

	if (ipc_body(in, upkeep_check, &m, e) < 0 ||
	    (m.name.n > 0 && (m.what & CHECK_REBUILD) == 0 && only_mailbox(j, m.name, &t, e) < 0))
		return -1;
	rc = (m.what & CHECK_REBUILD) != 0 ? rebuild(j, &t, e) : check(j, m.what, &t, e);
	if (rc == 0 && (m.what & (CHECK_REPAIR | CHECK_REBUILD)) != 0 && job_open(j, e) == 0) {
		j->usage_changed = true;
		job_names_changed(j);
	}
	return rc;
}
