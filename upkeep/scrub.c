/* scrub.c - every message file is read from time to time, and its digest compared, at a bounded rate. */
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "cfg/cfg.h"
#include "upkeep/pass.h"

enum { STEP_MS = 500 }; /* octets of so much time are read in one go */

static void
found(void *arg, struct span text)
{
	struct pass *p = arg;

	p->damaged++;
	svc_count("upkeep.damaged", 1);
	log_event(LOG_ERROR, "upkeep.damage", KV_S("owner", p->j->owner), KV_S("what", text));
}

/* Wait until reading so much has taken as long as it may. */
static bool
hold_rate(struct pass *p, uint64_t octets)
{
	uint64_t wanted = octets * 1000 / cfg.scrub_rate, took = clock_mono_ms() - p->step_ms;

	if (wanted > took) {
		uint64_t rest = wanted - took;
		struct timespec t = { (time_t)(rest / 1000), (long)(rest % 1000) * 1000000 };

		nanosleep(&t, NULL);
	}
	pass_step(p);
	return pass_pause(p);
}

int
pass_scrub(struct pass *p, struct err *e)
{
	uint64_t due, step = cfg.scrub_rate * STEP_MS / 1000;
	struct store_scrubbed out;
	int rc = 1;

	if (cfg.scrub_interval == 0)
		return 0;
	if (store_scrub_due(p->j->st, cfg.scrub_interval, &due, e) < 0)
		return -1;
	while (due <= p->now_ms && rc == 1) {
		pass_step(p);
		if ((rc = store_scrub(p->j->st, step, &out, found, p, e)) < 0)
			return -1;
		p->scrubbed += out.messages;
		svc_count("upkeep.scrubbed", out.messages);
		if (rc == 1 && !hold_rate(p, out.octets))
			break;
	}
	return 0;
}

int
pass_slow_due(struct pass *p, struct err *e)
{
	uint64_t due;

	if (cfg.scrub_interval > 0) {
		if (store_scrub_due(p->j->st, cfg.scrub_interval, &due, e) < 0)
			return -1;
		p->slow_ms = due < p->slow_ms ? due : p->slow_ms;
	}
	if (cfg.compress_after > 0) {
		if (store_compress_due(p->j->st, cfg.compress_after, &due, e) < 0)
			return -1;
		p->slow_ms = due < p->slow_ms ? due : p->slow_ms;
	}
	return 0;
}
