/*
 * queue - the queue manager: decides who delivers what, when. It never looks into a message.
 *
 * Read in this order:
 *   memory.h    what is kept of a message that waits
 *   pool.c      empty files with durable names, and what is left of them
 *   intake.c    messages come
 *   work.h      the life of a message that is being worked at
 *   lookup.c    authd: who is a recipient now
 *   schedule.h  whose turn is it
 *   local.c     deliver-local          remote.c   deliver-smtp
 *   report.c    dsn                    retry.h    when again
 *   scan.c      the start              admin.c    `rookery queue`
 *   marks.h     the note in a report's trailer: what it reports
 *   io/link.h   a channel in the loop
 *
 * Reading and writing: of the file system it may touch spool/ alone. What is durable when stands with each
 * step in the files above, and as a table in docs/architecture.md.
 */
#include "base/log.h"
#include "queue/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cfg/cfg.h"

static const struct jail jail = {
	.calls = JAIL_FILES | JAIL_SYNC | JAIL_PAIR, /* spool files; dialling deliverers, authd and dsn */
	.paths = { { "spool", JAIL_READ | JAIL_WRITE } },
	.file_max = (uint64_t)4 << 30, /* states are written in place, at the end of any message */
};

enum { LOADS_A_TURN = 64 };

static struct queue manager; /* svc's functions have no argument for it; nothing below them names it */

/* ---- time */

uint64_t
wall_now(void)
{
	return clock_wall_ms();
}

struct retry_rule
retry_rule(void)
{
	return (struct retry_rule){ .min = cfg.queue_retry_min,
		.max = cfg.queue_retry_max > cfg.queue_retry_min ? cfg.queue_retry_max : cfg.queue_retry_min,
		.lifetime = cfg.queue_lifetime,
		.warn = cfg.queue_delay_warning };
}

/* ---- messages that wait */

void
msg_wait(struct queue *q, struct msg *m)
{
	m->state = m->attempts == 0 ? MSG_FRESH : MSG_WAITING;
	heap_add(m->state == MSG_FRESH ? &q->fresh : &q->waiting, m);
	queue_wake(q);
}

void
msg_unwait(struct queue *q, struct msg *m)
{
	if (m->state == MSG_FRESH)
		heap_remove(&q->fresh, m);
	else if (m->state == MSG_WAITING)
		heap_remove(&q->waiting, m);
}

void
msg_gone(struct queue *q, struct msg *m, bool sure, const char *why)
{
	struct id mid = id_from(msg_mid(m));

	if (unlinkat(q->dir, mid.s, 0) < 0 && errno != ENOENT)
		log_event(LOG_ERROR, "queue.unremoved", KV_STR("mid", mid.s), KV_STR("err", strerror(errno)));
	log_event(LOG_INFO, "queue.removed", KV_STR("mid", mid.s), KV_U("age_ms", wall_now() - m->arrived),
	    KV_OPT("why", span_str(why)));
	if (sure && !q->unlinked) {
		q->unlinked = true;
		loop_timer(q->loop, &q->sync, loop_now(q->loop) + 1);
	}
	reason_drop(&q->reasons, m->reason);
	msgs_remove(&q->msgs, m);
}

/* Names of messages that other sites have taken are gone for good: one sync for all of this turn. */
static void
on_sync(struct timer *t)
{
	struct queue *q = t->arg;

	q->unlinked = false;
	if (fsync(q->dir) < 0)
		log_event(LOG_ERROR, "queue.sync", KV_STR("err", strerror(errno)));
}

/* ---- what is due */

static struct msg *
due_of(struct queue *q, struct heap *h, bool again, uint64_t now)
{
	struct msg *m = heap_top(h);

	return m != NULL && m->next_try <= now && work_room(q, again) ? m : NULL;
}

/* New ones and old ones take turns, and the old ones get half of the places at most. */
static struct msg *
next_due(struct queue *q, bool old_first, uint64_t now)
{
	struct msg *fresh = due_of(q, &q->fresh, false, now), *old = due_of(q, &q->waiting, true, now);

	if (fresh != NULL && old != NULL)
		return old_first ? old : fresh;
	return fresh != NULL ? fresh : old;
}

/* When to look again, from now; UINT64_MAX: when something ends. */
static uint64_t
next_wait(struct queue *q, uint64_t now)
{
	const struct msg *fresh = work_room(q, false) ? heap_top(&q->fresh) : NULL;
	const struct msg *old = work_room(q, true) ? heap_top(&q->waiting) : NULL;
	uint64_t at = UINT64_MAX;

	if (fresh != NULL)
		at = fresh->next_try;
	if (old != NULL && old->next_try < at)
		at = old->next_try;
	if (at == UINT64_MAX)
		return at;
	return at > now ? at - now : 0;
}

static void
on_due(struct timer *t)
{
	struct queue *q = t->arg;
	uint64_t now = wall_now(), wait;
	struct msg *m;

	for (int i = 0; i < LOADS_A_TURN && (m = next_due(q, i % 2 == 1, now)) != NULL; i++) {
		msg_unwait(q, m);
		work_load(q, m);
	}
	wait = next_wait(q, now);
	if (wait != UINT64_MAX)
		loop_timer(q->loop, &q->due, loop_now(q->loop) + wait + 1);
}

/* Cheap, for it is called for every message: the timer is only ever brought forward. */
void
queue_wake(struct queue *q)
{
	uint64_t wait = next_wait(q, wall_now()), at;

	if (wait == UINT64_MAX)
		return;
	at = loop_now(q->loop) + wait + 1;
	if (q->due.at_ms == 0 || at < q->due.at_ms)
		loop_timer(q->loop, &q->due, at);
}

/* ---- the service */

static void
dialled(struct svc *s, int fd, enum ipc_role peer)
{
	struct queue *q = &manager;

	(void)s;
	if (peer == ROLE_CTL)
		admin_open(q, fd);
	else
		intake_open(q, fd, peer);
}

/*
 * Nothing new is started; what deliverers have is waited for, because what they did must not be done again.
 */
static void
drain(struct svc *s, bool now)
{
	struct queue *q = &manager;

	q->draining = true;
	if (now)
		svc_end(s);
	else
		queue_maybe_end(q);
}

void
queue_maybe_end(struct queue *q)
{
	if (q->draining && q->nchannels == 0 && local_in_flight(q) == 0 && reports_in_flight(q) == 0)
		svc_end(q->svc);
}

static void
reloaded(struct svc *s)
{
	struct queue *q = &manager;

	(void)s;
	q->sched.window_max = (unsigned)cfg.queue_destination_max;
	queue_wake(q);
}

static void
queue_init(struct queue *q, struct svc *svc)
{
	*q = (struct queue){ .svc = svc, .loop = svc_loop_of(svc) };
	q->due = (struct timer){ .due = on_due, .arg = q };
	q->sync = (struct timer){ .due = on_sync, .arg = q };
	reasons_init(&q->reasons);
	lookups_init(q);
	local_init(q);
	remote_init(q);
	reports_init(q);
}

int
main(int argc, char **argv)
{
	static const struct svc_loop fns = { .dialled = dialled, .reloaded = reloaded, .drain = drain };
	struct queue *q = &manager;
	struct svc *svc = svc_start(argc, argv, ROLE_QUEUE);
	int spool = svc_dir(svc, "spool");

	umask(0); /* the group may link spool files: mode 660 */
	queue_init(q, svc);
	q->dir = openat(
	    spool, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* not O_PATH: it is synced and read */
	svc_confine(svc, &jail);
	pool_init(q);
	scan_start(q);
	return svc_run(svc, &fns);
}
