/* fts.c - the index of texts, in a process that works in one owner's store: `rookery fts`, and the background's turn. */
#include "store/fts.h"

#include <poll.h>

#include "base/clock.h"
#include "base/log.h"
#include "cfg/cfg.h"
#include "io/ending.h"
#include "ipc/upkeep.h"
#include "upkeep/job.h"
#include "upkeep/texts.h"

enum {
	STEP_MS = 200,       /* between two looks at the clock */
	TURN_MS = 20 * 1000, /* of one owner, while others wait */
	GARBAGE = 1000,      /* texts that are not worth a sweep */
	ARENA_MAX = 64 << 20
};

static struct fts_limits
limits(void)
{
	return (struct fts_limits){
		.text_max = cfg.fts_text_max,
		.messages_min = cfg.fts_messages_min,
		.step_ms = STEP_MS,
		.space_min = cfg.spool_free_min,
	};
}

/* ---- in the background */

/* So that it takes no more than fts_cpu of a processor. */
static void
rest(uint64_t worked_ms)
{
	uint64_t ms = worked_ms * (100 - cfg.fts_cpu) / cfg.fts_cpu;

	poll(NULL, 0, ms < 60000 ? (int)ms : 60000);
}

/* 1 there is more, 0, -1. */
static int
index_turn(struct fts *f, struct fts_progress *all, struct err *e)
{
	struct fts_limits l = limits();
	struct fts_progress one;
	uint64_t start = clock_mono_ms(), from, now = start;
	int rc = 1;

	while (rc == 1 && now - start < TURN_MS && !svc_ending()) {
		from = now;
		if ((rc = fts_index(f, &l, &one, e)) < 0)
			return -1;
		all->indexed += one.indexed;
		all->skipped += one.skipped;
		all->octets += one.octets;
		all->full = one.full;
		now = clock_mono_ms();
		if (rc == 1) {
			rest(now - from);
			now = clock_mono_ms();
		}
	}
	return rc;
}

/* More than half of the texts are nobody's: then at least one shard is mostly garbage. 1: some went. */
static int
sweep_if_due(struct fts *f, struct err *e)
{
	struct arena *a = arena_new(ARENA_MAX);
	struct fts_status s;
	int rc = fts_status(f, &s, a, e);

	arena_free(a);
	if (rc == 0 && s.texts > 2 * s.messages + GARBAGE)
		rc = fts_sweep(f, 1, e);
	return rc > 0 ? 1 : rc;
}

/* The index; made, or made anew, if there is enough to index. NULL: there is none. */
static struct fts *
open_index(struct store *st, struct err *e)
{
	struct store_usage u = { 0 };

	if (store_usage(st, &u, e) < 0)
		return NULL;
	return fts_open(st, ".", u.messages >= cfg.fts_messages_min, e);
}

static int
turn(struct store *st, struct span owner, struct err *e)
{
	struct fts_progress done = { 0 };
	struct fts *f = open_index(st, e);
	int rc = f == NULL ? (e->kind == ERR_NONE ? 0 : -1) : index_turn(f, &done, e);

	if (rc == 0 && f != NULL && !done.full)
		rc = sweep_if_due(f, e);
	fts_close(f);
	if (done.indexed + done.skipped > 0)
		log_event(LOG_DEBUG, "upkeep.texts", KV_S("owner", owner), KV_U("indexed", done.indexed),
		    KV_U("skipped", done.skipped), KV_U("octets", done.octets));
	return rc < 0 ? TEXTS_FAILED : rc == 1 ? TEXTS_MORE : done.full ? TEXTS_FULL : TEXTS_DONE;
}

int
texts_job(int store, struct span owner)
{
	struct store_opts o = { 0 }; /* no numbers are given out */
	struct err e = { 0 };
	struct store *st = NULL;
	int outcome = TEXTS_FAILED;

	if (store_enter(store, owner, JOB_CALLS, strcmp(cfg.sandbox, "off") != 0, &e) == 0 &&
	    (st = store_open(".", &o, &e)) != NULL)
		outcome = turn(st, owner, &e);
	store_close(st);
	if (outcome == TEXTS_FAILED)
		log_event(LOG_WARN, "upkeep.texts_failed", KV_S("owner", owner), KV_ERR(&e));
	log_flush();
	return outcome;
}

/* ---- rookery fts */

/* All of it, at full speed; the step lets a stop of the instance through. */
static int
index_all(struct job *j, struct fts *f, struct err *e)
{
	struct fts_limits l = limits();
	struct fts_progress one;
	int rc = 1;

	while (rc == 1 && !svc_ending()) {
		if ((rc = fts_index(f, &l, &one, e)) < 0)
			return -1;
		j->done += one.indexed;
		if (one.full)
			return err_set(e, ERR_TEMP, "less than spool_free_min of space is free");
	}
	return rc == 0 ? 0 : err_set(e, ERR_TEMP, "upkeep is being stopped");
}

static int
make_index(struct job *j, bool anew, struct err *e)
{
	struct fts *f;
	int rc = 0;

	if (anew && fts_remove(j->st, ".", e) < 0)
		return -1;
	if ((f = fts_open(j->st, ".", true, e)) == NULL)
		return e->kind == ERR_NONE
			   ? err_set(e, ERR_TEMP, "another process removes the index just now")
			   : -1;
	if (anew)
		rc = fts_clear(f, e);
	if (rc == 0)
		rc = index_all(j, f, e);
	fts_close(f);
	return rc;
}

static int
send_state(struct job *j, struct err *e)
{
	struct upkeep_texts_state m = { 0 };
	struct fts_status s;
	struct store_usage u = { 0 };
	struct fts *f = fts_open(j->st, ".", false, e);

	if (store_usage(j->st, &u, e) < 0)
		return -1;
	m.messages = u.messages;
	if (f != NULL && fts_status(f, &s, j->a, e) == 0)
		m = (struct upkeep_texts_state){ s.messages, s.covered, s.texts, s.octets };
	fts_close(f);
	return e->kind != ERR_NONE ? -1 : job_send(j, upkeep_texts_state, &m, e);
}

int
do_fts(struct job *j, struct ipc_in *in, struct err *e)
{
	struct upkeep_fts m;

	if (ipc_body(in, upkeep_fts, &m, e) < 0)
		return -1;
	switch ((enum upkeep_fts_op)m.op) {
	case FTS_STATUS:
		return send_state(j, e);
	case FTS_INDEX:
	case FTS_REBUILD:
		if (make_index(j, m.op == FTS_REBUILD, e) < 0)
			return -1;
		return send_state(j, e);
	}
	return err_set(e, ERR_PEER, "not an operation on the index of texts");
}
