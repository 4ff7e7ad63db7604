#include "upkeep/pass.h"

#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "cfg/cfg.h"
#include "io/ending.h"
#include "ipc/upkeep.h"

enum {
	STEP_MESSAGES = 200,
	PAUSE_MIN_MS = 1,
	PAUSE_MAX_MS = 1000,
	QUEUE_MARGIN_MS = 86400000, /* a message may stay in the queue for its lifetime, and a last try */
};

/* ---- taking turns */

void
pass_step(struct pass *p)
{
	p->step_ms = clock_mono_ms();
}

bool
pass_pause(struct pass *p)
{
	uint64_t now = clock_mono_ms(), took = now - p->step_ms;
	struct timespec t;

	took = took < PAUSE_MIN_MS ? PAUSE_MIN_MS : took > PAUSE_MAX_MS ? PAUSE_MAX_MS : took;
	t = (struct timespec){ (time_t)(took / 1000), (long)(took % 1000) * 1000000 };
	nanosleep(&t, NULL);
	if (!svc_ending() && (p->until_ms == 0 || now < p->until_ms))
		return true;
	p->more = true;
	return false;
}

/* ---- retention */

/* How long messages stay there; 0: for ever. */
static int
lifetime(struct pass *p, const struct store_mailbox *m, uint64_t *ms, struct err *e)
{
	if (store_expire_of(p->j->st, m->id, ms, e) < 0)
		return -1;
	if (*ms == UINT64_MAX)
		*ms = 0;
	else if (*ms == 0 && m->use == STORE_USE_TRASH)
		*ms = cfg.retention_trash;
	else if (*ms == 0 && m->use == STORE_USE_JUNK)
		*ms = cfg.retention_junk;
	return 0;
}

static int
expire_mailbox(struct pass *p, const struct store_mailbox *m, struct err *e)
{
	struct store_expunged out = { 0 };
	int64_t oldest;
	uint64_t keep, before;

	if (lifetime(p, m, &keep, e) < 0)
		return -1;
	if (keep == 0 || m->exists == 0)
		return 0;
	before = p->now_ms > keep ? p->now_ms - keep : 0;
	do {
		pass_step(p);
		if (store_expire(p->j->st, m->id, (int64_t)before, STEP_MESSAGES, &out, &oldest, e) < 0)
			return -1;
		if (out.n > 0) {
			p->expired += out.n;
			p->j->usage_changed = true;
			job_changed(p->j, m->id, out.modseq);
		}
	} while (out.n == STEP_MESSAGES && pass_pause(p));
	if (oldest != INT64_MAX && oldest > 0)
		p->due_ms = (uint64_t)oldest + keep < p->due_ms ? (uint64_t)oldest + keep : p->due_ms;
	return 0;
}

static int
expire(struct pass *p, struct err *e)
{
	struct store_mailbox *list;
	size_t n;

	if (store_list(p->j->st, &list, &n, p->j->a, e) < 0)
		return -1;
	for (size_t i = 0; i < n && !p->more; i++)
		if (list[i].id != 0 && !list[i].noselect && expire_mailbox(p, &list[i], e) < 0)
			return -1;
	return 0;
}

/* ---- what was expunged or deleted long ago */

static int
purge(struct pass *p, struct err *e)
{
	uint64_t keep = (p->what & PASS_NOW) != 0 ? 0 : cfg.expunged_keep;
	uint64_t ids = cfg.queue_lifetime * 2 + QUEUE_MARGIN_MS, due;
	uint64_t before = keep == 0 ? UINT64_MAX : p->now_ms > keep ? p->now_ms - keep : 0;
	int rc;

	do {
		struct store_purged out = { 0 };

		pass_step(p);
		rc = store_purge_step(
		    p->j->st, before, p->now_ms > ids ? p->now_ms - ids : 0, STEP_MESSAGES, &out, e);
		p->removed += out.files;
	} while (rc == 1 && pass_pause(p));
	if (rc < 0 || store_purge_due(p->j->st, cfg.expunged_keep, ids, &due, e) < 0)
		return -1;
	p->due_ms = due < p->due_ms ? due : p->due_ms;
	return 0;
}

static int
catalogue(struct pass *p, struct err *e)
{
	return store_catalogue(p->j->st, e) < 0 ? -1 : 0;
}

/* ---- all */

static void
sum_up(const struct pass *p, const struct err *e)
{
	svc_count("upkeep.passes", 1);
	svc_count("upkeep.expired", p->expired);
	svc_count("upkeep.removed", p->removed);
	if (e->kind == ERR_NONE && p->expired + p->removed + p->scrubbed + p->compressed == 0)
		return;
	log_event(e->kind == ERR_NONE ? LOG_INFO : LOG_WARN, "upkeep.pass", KV_S("owner", p->j->owner),
	    KV_U("expired", p->expired), KV_U("removed", p->removed), KV_U("scrubbed", p->scrubbed),
	    KV_U("damaged", p->damaged), KV_U("compressed", p->compressed), KV_ERR(e));
}

int
pass_run(struct pass *p, struct err *e)
{
	static const struct {
		unsigned what;
		int (*run)(struct pass *p, struct err *e);
	} parts[] = {
		{ PASS_EXPIRE, expire },
		{ PASS_PURGE, purge },
		{ PASS_CATALOGUE, catalogue },
		{ PASS_SCRUB, pass_scrub },
		{ PASS_COMPRESS, pass_compress },
	};

	p->now_ms = clock_wall_ms();
	p->due_ms = p->slow_ms = UINT64_MAX;
	for (size_t i = 0; i < sizeof parts / sizeof parts[0] && !p->more && e->kind == ERR_NONE; i++)
		if ((p->what & parts[i].what) != 0)
			parts[i].run(p, e);
	if (e->kind == ERR_NONE)
		pass_slow_due(p, e);
	if (p->more) /* soon: others have their turn before */
		*((p->what & PASS_SLOW) != 0 ? &p->slow_ms : &p->due_ms) = p->now_ms;
	sum_up(p, e);
	return e->kind == ERR_NONE ? 0 : -1;
}

/* ---- asked for by the administrator */

int
do_pass(struct job *j, struct ipc_in *in, struct err *e)
{
	struct upkeep_pass m;
	struct pass p = { .j = j };

	if (ipc_body(in, upkeep_pass, &m, e) < 0)
		return -1;
	p.what = m.what;
	if (pass_run(&p, e) < 0)
		return -1;
	j->done = p.expired + p.removed + p.scrubbed + p.compressed;
	return buf_printf(&j->text, e, "%llu expired, %llu files removed", (unsigned long long)p.expired,
	    (unsigned long long)p.removed);
}
