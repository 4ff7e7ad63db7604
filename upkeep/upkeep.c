/*
 * upkeep - the administrator's and the clock's hand in the stores.
 *
 * The parent is an event loop that opens no store. `rookery` dials for each owner that it has something done
 * to; each such channel gets a process of its own (job.h), upkeep_jobs at a time, and who comes when there
 * are so many waits. Beside them the parent starts passes: what is due in a store by time (plan.h), and the
 * indexing of texts (texts.h).
 *
 * Read on in this order: job.c (a process, its requests); mailbox.c acl.c quota.c check.c undelete.c, snapshot.c (for a
 * backup) restore.c export.c (walk.c) import.c (what is asked); pass.c compress.c scrub.c (what the clock does), plan.c, reserve.c;
 * texts.c (whose texts are to be indexed) and fts.c (the process that does it).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cfg/cfg.h"
#include "io/svc.h"
#include "ipc/upkeep.h"
#include "mail/charset.h"
#include "upkeep/job.h"
#include "upkeep/plan.h"
#include "upkeep/reserve.h"
#include "upkeep/texts.h"

static const struct jail jail = {
	.calls = JOB_CALLS | JAIL_FORK | JAIL_CONFINE, /* a job narrows itself to its owner */
	.paths = { { "store", JAIL_READ | JAIL_WRITE } },
	.file_max = UINT64_MAX, /* an index may grow */
};

/* A channel of the admin tool, until a process has it. */
struct caller {
	struct caller *next;
	struct ipc *ch;
	struct watch watch;
	uint32_t id;       /* of its upkeep_open */
	struct span owner; /* waits for a process; owned */
};

/* A process that makes a pass. */
struct passing {
	struct passing *next;
	pid_t pid;
	char *owner; /* owned */
	struct ipc *ch;
	bool slow;
	uint64_t began_ms;
};

/* svc.h's functions get no argument of ours: the one instance of this program. */
static struct {
	struct svc *svc;
	struct loop *loop;
	int store; /* directory of all owners */
	struct caller *callers;
	pid_t *pid; /* processes that serve callers */
	size_t pids;
	struct plan *plan;
	struct passing *passing;
	size_t passes;
	struct reserve reserve;
	struct timer look, due; /* look at which stores have changed; a pass is due */
	uint64_t keys;          /* what a pass depends on, summed up */
	struct texts texts;
	bool draining;
} upkeep;

static void
caller_drop(struct caller *c)
{
	for (struct caller **at = &upkeep.callers; *at != NULL; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			break;
		}
	loop_watch(upkeep.loop, &c->watch, 0);
	ipc_free(c->ch);
	free(c);
}

/* ---- processes */

/* In the child: channels of others are not its. */
static void
close_others(const struct caller *mine)
{
	for (const struct caller *c = upkeep.callers; c != NULL; c = c->next)
		if (c != mine)
			close(ipc_fd(c->ch));
	for (const struct passing *x = upkeep.passing; x != NULL; x = x->next)
		close(ipc_fd(x->ch));
}

static void
close_all(void)
{
	close_others(NULL);
}

_Noreturn static void
be_job(struct caller *c)
{
	int fd = ipc_fd(c->ch);

	close_others(c);
	fcntl(fd, F_SETFL, O_RDWR); /* a channel that blocks: of the one that does not, all has been read */
	ending_on_term(fd);
	_exit(job_serve(upkeep.svc, upkeep.store, c->owner,
	    ipc_new(fd, &upkeep_def, ROLE_UPKEEP, ipc_peer(c->ch)), c->id));
}

static void
note_pid(pid_t pid)
{
	upkeep.pid = mem_resize(upkeep.pid, (upkeep.pids + 1) * sizeof *upkeep.pid);
	upkeep.pid[upkeep.pids++] = pid;
	svc_sessions(upkeep.svc, 1);
}

static void
start_job(struct caller *c)
{
	struct err e = { 0 }, ignored = { 0 };
	pid_t pid = svc_fork(upkeep.svc);

	if (pid == 0)
		be_job(c);
	if (pid > 0) {
		note_pid(pid);
	} else {
		err_set(&e, ERR_TEMP, "a process for the job: %m");
		ipc_send_refuse(c->ch, c->id, &e, &ignored);
	}
	caller_drop(c);
}

/* Who waits longest is the last of the list. */
static void
start_waiting(void)
{
	while (upkeep.pids < cfg.upkeep_jobs && !upkeep.draining) {
		struct caller *oldest = NULL;

		for (struct caller *c = upkeep.callers; c != NULL; c = c->next)
			if (c->owner.n > 0)
				oldest = c;
		if (oldest == NULL)
			return;
		start_job(oldest);
	}
}

/* ---- passes */

/* Its channel has been left with what it told, if it came so far. */
static void
take_news(struct passing *x, uint64_t now)
{
	struct upkeep_passed m;
	struct err e = { 0 };
	struct ipc_in in;

	if (ipc_get(x->ch, &in, &e) != 1 || in.number != upkeep_passed_no ||
	    ipc_body(&in, upkeep_passed, &m, &e) < 0)
		m = (struct upkeep_passed){ 0 };
	else if (m.due != 0 && m.due < now + cfg.upkeep_interval)
		m.due = now + cfg.upkeep_interval;
	plan_passed(upkeep.plan, x->owner, x->slow, x->began_ms, m.due, m.slow);
}

static bool
pass_ended(pid_t pid)
{
	for (struct passing **at = &upkeep.passing; *at != NULL; at = &(*at)->next) {
		struct passing *x = *at;

		if (x->pid != pid)
			continue;
		*at = x->next;
		upkeep.passes--;
		take_news(x, clock_wall_ms());
		ipc_free(x->ch);
		free(x->owner);
		free(x);
		svc_sessions(upkeep.svc, -1);
		return true;
	}
	return false;
}

static void
start_pass(const char *owner, bool slow)
{
	struct passing *x = mem_zero(1, sizeof *x);
	int pair[2] = { -1, -1 };

	x->slow = slow;
	x->began_ms = clock_wall_ms();
	x->owner = mem_zero(1, strlen(owner) + 1);
	memcpy(x->owner, owner, strlen(owner));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
	    (x->pid = svc_fork(upkeep.svc)) < 0) {
		plan_passed(upkeep.plan, owner, slow, x->began_ms, 0, 0);
		if (pair[0] >= 0) {
			close(pair[0]);
			close(pair[1]);
		}
		free(x->owner);
		free(x);
		return;
	}
	if (x->pid == 0) {
		close(pair[0]);
		close_others(NULL);
		_exit(job_pass(upkeep.svc, upkeep.store, span_str(x->owner), slow,
		    ipc_new(pair[1], &upkeep_def, ROLE_UPKEEP, ROLE_UPKEEP)));
	}
	close(pair[1]);
	fcntl(pair[0], F_SETFL, O_RDWR | O_NONBLOCK);
	x->ch = ipc_new(pair[0], &upkeep_def, ROLE_UPKEEP, ROLE_UPKEEP);
	x->next = upkeep.passing;
	upkeep.passing = x;
	upkeep.passes++;
	svc_sessions(upkeep.svc, 1);
}

/* Is anybody in the slow lane? One at a time is: its rate is the program's. */
static bool
slow_is_busy(void)
{
	for (const struct passing *x = upkeep.passing; x != NULL; x = x->next)
		if (x->slow)
			return true;
	return false;
}

/* Come back when something will be due, but look often enough that a clock that is set does not matter. */
static void
come_back(uint64_t now, uint64_t due)
{
	uint64_t in = due > now ? due - now : 1;

	if (due != UINT64_MAX)
		loop_timer(upkeep.loop, &upkeep.due,
		    loop_now(upkeep.loop) + (in < cfg.upkeep_interval ? in : cfg.upkeep_interval));
}

static void
start_passes(void)
{
	size_t most = cfg.upkeep_jobs > 1 ? (size_t)cfg.upkeep_jobs / 2 : 1;
	uint64_t now = clock_wall_ms(), due, slow;
	const char *owner;

	while (
	    !upkeep.draining && upkeep.passes < most && (owner = plan_next(upkeep.plan, now, false)) != NULL)
		start_pass(owner, false);
	if (!upkeep.draining && upkeep.passes < most && !slow_is_busy() &&
	    (owner = plan_next(upkeep.plan, now, true)) != NULL)
		start_pass(owner, true);
	if (upkeep.draining || upkeep.passes == most)
		return;
	due = plan_due(upkeep.plan, false);
	slow = slow_is_busy() ? UINT64_MAX : plan_due(upkeep.plan, true);
	come_back(now, due < slow ? due : slow);
}

static void
pass_is_due(struct timer *t)
{
	(void)t;
	start_passes();
}

static void
save_plan(void)
{
	struct err e = { 0 };

	if (plan_save(upkeep.plan, &e) < 0)
		log_event(LOG_WARN, "upkeep.plan", KV_ERR(&e));
}

/* Which stores have changed? Some at a time; a round takes little of each hour. */
static void
look_around(struct timer *t)
{
	enum { SOON_MS = 20, OFTEN_MS = 3600 * 1000 };
	bool all = plan_look(upkeep.plan, clock_wall_ms(), cfg.upkeep_interval);
	uint64_t pause = cfg.upkeep_interval / 2 < OFTEN_MS ? cfg.upkeep_interval / 2 : OFTEN_MS;

	loop_timer(upkeep.loop, t, loop_now(upkeep.loop) + (all ? pause : SOON_MS));
	if (!all)
		return;
	save_plan();
	start_passes();
}

static uint64_t
keys_now(void)
{
	const uint64_t keys[] = { cfg.expunged_keep, cfg.retention_trash, cfg.retention_junk,
		cfg.scrub_interval, cfg.compress_after };
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		sum = (sum ^ keys[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static void
reloaded(struct svc *s)
{
	(void)s;
	if (upkeep.keys != keys_now())
		plan_all_now(upkeep.plan);
	upkeep.keys = keys_now();
	loop_timer(upkeep.loop, &upkeep.look, loop_now(upkeep.loop) + 1);
}

/* ---- the end of processes */

static void
child_ended(struct svc *s, pid_t pid, int status)
{
	texts_ended(&upkeep.texts, pid, status); /* svc logs a death */
	if (pass_ended(pid) && !upkeep.draining)
		start_passes();
	for (size_t i = 0; i < upkeep.pids; i++)
		if (upkeep.pid[i] == pid) {
			upkeep.pid[i] = upkeep.pid[--upkeep.pids];
			svc_sessions(s, -1);
			break;
		}
	if (upkeep.draining && upkeep.pids + upkeep.passes == 0 && texts_stop(&upkeep.texts))
		svc_end(s);
	start_waiting();
}

/* ---- requests that the parent answers */

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
not_hidden(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* One page of the owners. */
static int
list_owners(struct caller *c, struct ipc_in *in, struct err *e)
{
	enum { PAGE = 64 * 1024 };
	struct upkeep_owners m;
	struct upkeep_owners_answer answer;
	struct dirent **list = NULL;
	struct buf items;
	int n, rc = ipc_body(in, upkeep_owners, &m, e);

	if (rc < 0)
		return -1;
	if ((n = scandirat(upkeep.store, ".", &list, not_hidden, by_name)) < 0)
		return err_set(e, ERR_TEMP, "store: %m");
	buf_init(&items, upkeep_def.frame_max - 4096);
	for (int i = 0; i < n; i++) {
		struct upkeep_owner item = { .owner = span_str(list[i]->d_name) };

		item.due = plan_due_of(upkeep.plan, item.owner);
		if (span_cmp(item.owner, m.after) > 0 && items.n < PAGE)
			rc = rc < 0 ? -1 : ipc_pack(&upkeep_def, &items, upkeep_owner, &item, e);
		free(list[i]);
	}
	free(list);
	answer.items = buf_span(&items);
	if (rc == 0)
		rc = ipc_send(c->ch, upkeep_owners_answer, &answer, in->id, e);
	buf_free(&items);
	return rc;
}

/* Is there such a store? An owner's name that can't be is refused by the process. */
static bool
store_is_there(struct span owner)
{
	char name[256];

	if (owner.n >= sizeof name || owner.n == 0 || memchr(owner.p, '/', owner.n) != NULL)
		return false;
	memcpy(name, owner.p, owner.n);
	name[owner.n] = '\0';
	return strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       faccessat(upkeep.store, name, F_OK, 0) == 0;
}

/* 1: the channel waits for a process, or has gone to one. */
static int
open_owner(struct caller *c, struct ipc_in *in, struct err *e)
{
	struct upkeep_open m;
	struct err why = { 0 };
	char *owner;

	if (ipc_body(in, upkeep_open, &m, e) < 0)
		return -1;
	if (upkeep.draining)
		err_set(&why, ERR_TEMP, "upkeep is being stopped");
	else if (m.create == 0 && !store_is_there(m.owner))
		err_set(&why, ERR_PERM, "there is no store of \"%.*s\"", SPAN_ARG(span_head(m.owner, 128)));
	else if (m.owner.n == 0)
		err_set(&why, ERR_PEER, "upkeep_open without an owner");
	if (why.kind != ERR_NONE)
		return ipc_send_refuse(c->ch, in->id, &why, e);
	owner = mem_zero(1, m.owner.n + 1);
	memcpy(owner, m.owner.p, m.owner.n);
	c->owner = span_of(owner, m.owner.n);
	c->id = in->id;
	loop_watch(upkeep.loop, &c->watch, 0);
	return 1;
}

static int
may_have_texts(struct ipc_in *in, struct err *e)
{
	struct upkeep_texts m;

	if (ipc_body(in, upkeep_texts, &m, e) < 0)
		return -1;
	texts_due(&upkeep.texts, m.owner);
	return 0;
}

static int
request(struct caller *c, struct ipc_in *in, struct err *e)
{
	switch (in->number) {
	case upkeep_open_no:
		return open_owner(c, in, e);
	case upkeep_owners_no:
		return list_owners(c, in, e);
	case upkeep_texts_no:
		return may_have_texts(in, e);
	}
	return err_set(e, ERR_PEER, "upkeep_open comes first");
}

static void
caller_speaks(struct watch *w, uint32_t events)
{
	struct caller *c = w->arg;
	struct err e = { 0 };
	struct ipc_in in;
	int rc = 0;

	if ((events & EPOLLOUT) != 0)
		ipc_flush(c->ch, &e);
	while (e.kind == ERR_NONE && rc == 0 && ipc_get(c->ch, &in, &e) > 0)
		rc = request(c, &in, &e);
	if (e.kind == ERR_PEER)
		log_event(LOG_ERROR, "upkeep.caller", KV_U("role", ipc_peer(c->ch)), KV_ERR(&e));
	if (rc == 1)
		start_waiting();
	else if (e.kind != ERR_NONE || ipc_eof(c->ch))
		caller_drop(c);
	else
		loop_watch(upkeep.loop, w, EPOLLIN | (ipc_unsent(c->ch) ? EPOLLOUT : 0U));
}

static void
dialled(struct svc *s, int fd, enum ipc_role peer)
{
	struct caller *c = mem_zero(1, sizeof *c);

	(void)s;
	c->ch = ipc_new(fd, &upkeep_def, ROLE_UPKEEP, peer);
	c->watch = (struct watch){ .fd = fd, .ready = caller_speaks, .arg = c };
	c->next = upkeep.callers;
	upkeep.callers = c;
	loop_watch(upkeep.loop, &c->watch, EPOLLIN);
}

/* ---- start and end */

/* Every job works in transactions: what it is at may be cut short. */
static void
drain(struct svc *s, bool now)
{
	(void)now;
	upkeep.draining = true;
	while (upkeep.callers != NULL)
		caller_drop(upkeep.callers);
	for (size_t i = 0; i < upkeep.pids; i++)
		kill(upkeep.pid[i], SIGTERM);
	for (const struct passing *x = upkeep.passing; x != NULL; x = x->next)
		kill(x->pid, SIGTERM);
	save_plan();
	if (texts_stop(&upkeep.texts) && upkeep.pids + upkeep.passes == 0)
		svc_end(s);
}

/*
 * Whoever serves readers and mail goes first: by CPU and by disk. Set before the jail closes, for all
 * processes of this program; those who hold a write lock do so for some milliseconds.
 */
static void
step_back(void)
{
	enum { NICE = 5, IOPRIO_WHO_PROCESS = 1, BEST_EFFORT_LOWEST = 2 << 13 | 7 };

	setpriority(PRIO_PROCESS, 0, NICE);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, BEST_EFFORT_LOWEST);
}

int
main(int argc, char **argv)
{
	static const struct svc_loop fns = { .dialled = dialled, .drain = drain, .reloaded = reloaded };
	struct svc *s = svc_start(argc, argv, ROLE_UPKEEP);
	struct err e = { 0 };

	upkeep.svc = s;
	upkeep.loop = svc_loop_of(s);
	upkeep.store = svc_dir(s, "store");
	step_back();
	store_prepare();
	charset_preload(); /* before iconv's files are out of reach */
	if (jail_prepare(JOB_CALLS, &e) < 0) {
		log_event(LOG_ERROR, "upkeep.start", KV_ERR(&e));
		log_flush();
		return err_exit(&e);
	}
	svc_on_exit(s, child_ended);
	svc_confine(s, &jail);
	reserve_start(&upkeep.reserve, upkeep.loop, upkeep.store);
	upkeep.plan = plan_new(upkeep.store);
	upkeep.keys = keys_now();
	upkeep.look = (struct timer){ .due = look_around };
	upkeep.due = (struct timer){ .due = pass_is_due };
	loop_timer(upkeep.loop, &upkeep.look, loop_now(upkeep.loop) + 1);
	texts_start(&upkeep.texts, s, upkeep.store, close_all);
	return svc_run(s, &fns);
}
