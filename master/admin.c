/*
 * admin.c - run/master.sock: the admin tool asks, master answers.
 *
 * Only root and the owner of the instance get in: the mode of the socket says so, and the kernel tells who it
 * is. A client may wait for something that takes time (a stop, a reload, readiness): it holds one of `enum
 * wait` and is answered by admin_check when that has come to be. There is one request at a time on a channel.
 */
#include "master/master.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

enum { CLIENTS_MAX = 64, ITEMS_MAX = 768 * 1024, ANSWER_MAX_MS = 30000, SPEC_MAX = 1024 };

static const char path[] = "run/master.sock";

enum wait { WAIT_NOTHING, WAIT_READY, WAIT_RELOAD, WAIT_STOP };

struct client {
	struct client *next;
	struct admin *admin;
	struct ipc *ch;
	struct watch watch;
	enum wait wait;
	uint32_t id; /* of the request that waits */
	struct timer timer;
	bool gone;
};

struct admin {
	struct master *m;
	int fd;
	struct watch watch;
	struct client *clients;
	unsigned n;
};

/* ---- answers */

static void
sent(struct client *c, int rc)
{
	if (rc < 0)
		c->gone = true;
	else if (ipc_unsent(c->ch))
		loop_watch(c->admin->m->loop, &c->watch, EPOLLIN | EPOLLOUT);
}

static void
done(struct client *c, uint32_t id, struct span text)
{
	struct master_done m = { .text = text };
	struct err e = { 0 };

	c->wait = WAIT_NOTHING;
	loop_timer(c->admin->m->loop, &c->timer, 0);
	sent(c, ipc_send(c->ch, master_done, &m, id, &e));
}

static void
refuse(struct client *c, uint32_t id, const struct err *why)
{
	struct err e = { 0 };

	c->wait = WAIT_NOTHING;
	loop_timer(c->admin->m->loop, &c->timer, 0);
	master_write_log(c->admin->m); /* who asked will look there next */
	sent(c, ipc_send_refuse(c->ch, id, why, &e));
}

static void
late(struct timer *t)
{
	struct client *c = t->arg;
	struct err why = { 0 };

	for (const struct proc *p = c->admin->m->procs; p != NULL; p = p->next) {
		if (c->wait == WAIT_READY ? p->state == PROC_STARTING : p->reloading) {
			err_set(&why, ERR_TEMP, "%s has not answered in time", p->label);
			break;
		}
	}
	err_set(&why, ERR_TEMP, "not done in time");
	refuse(c, c->id, &why);
}

static void
wait_for(struct client *c, enum wait what, uint32_t id)
{
	c->wait = what;
	c->id = id;
	if (what != WAIT_STOP)
		loop_timer(c->admin->m->loop, &c->timer, loop_now(c->admin->m->loop) + ANSWER_MAX_MS);
	admin_check(c->admin);
}

/* ---- what a waiting client waits for */

static void
check_ready(struct client *c)
{
	bool all = true;

	for (const struct proc *p = c->admin->m->procs; p != NULL; p = p->next) {
		struct err why = { 0 };

		if (p->state == PROC_BACKOFF && !p->proven) {
			err_set(&why, ERR_PERM, "%s can't start: %s", p->label, p->ended);
			refuse(c, c->id, &why);
			return;
		}
		all = all && (p->state == PROC_READY || p->state == PROC_STOPPING || p->state == PROC_GONE);
	}
	if (all)
		done(c, c->id, SPAN("ready"));
}

static void
check_reload(struct client *c)
{
	struct err why = { 0 };

	for (const struct proc *p = c->admin->m->procs; p != NULL; p = p->next) {
		if (p->reloading)
			return;
		if (p->wrong[0] != '\0')
			err_set(&why, ERR_PERM, "%s: %s", p->label, p->wrong);
	}
	if (why.kind != ERR_NONE)
		refuse(c, c->id, &why);
	else
		check_ready(c);
}

void
admin_check(struct admin *a)
{
	if (a == NULL)
		return;
	for (struct client *c = a->clients; c != NULL; c = c->next) {
		if (c->wait == WAIT_READY)
			check_ready(c);
		else if (c->wait == WAIT_RELOAD)
			check_reload(c);
	}
}

/* ---- requests */

static void
do_op(struct client *c, uint32_t op, uint32_t id)
{
	struct master *m = c->admin->m;
	struct err e = { 0 };

	switch ((enum master_op)op) {
	case MASTER_STOP:
	case MASTER_STOP_NOW:
		wait_for(c, WAIT_STOP, id);
		master_stop(m, op == MASTER_STOP_NOW);
		return;
	case MASTER_RELOAD:
		if (master_reload(m, &e) < 0)
			refuse(c, id, &e);
		else
			wait_for(c, WAIT_RELOAD, id);
		return;
	case MASTER_REOPEN_LOG:
		logfile_flush(&m->log);
		if (logfile_reopen(&m->log, &e) < 0)
			refuse(c, id, &e);
		else
			done(c, id, SPAN("reopened"));
		return;
	}
	err_set(&e, ERR_PEER, "operation %u is unknown", op);
	refuse(c, id, &e);
}

static void
counters_text(const struct proc *p, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < p->n_counters; i++)
		buf_printf(out, e, "%s %llu\n", p->counters[i].name,
		    (unsigned long long)(p->counters[i].before + p->counters[i].now));
}

static void
add_item(struct buf *items, const struct proc *p, struct err *e)
{
	struct buf text;
	struct master_item item = {
		.service = span_str(p->label),
		.program = span_str(p->svc->command),
		.listen = span_head(span_str(p->svc->listen), SPEC_MAX),
		.pid = (uint32_t)p->pid,
		.sessions = p->sessions,
		.total = p->total_before + p->total,
		.restarts = p->restarts,
		.state = span_str(proc_state_name(p->state)),
	};

	buf_init(&text, ITEMS_MAX);
	counters_text(p, &text, e);
	item.text = buf_span(&text);
	ipc_pack(&master_def, items, master_item, &item, e);
	buf_free(&text);
}

static void
status(struct client *c, uint32_t id)
{
	struct master *m = c->admin->m;
	struct master_status_answer answer = {
		.started = m->started_ms, .ready = 1, .pid = (uint32_t)getpid()
	};
	struct err e = { 0 };
	struct buf items;

	buf_init(&items, ITEMS_MAX);
	for (const struct proc *p = m->procs; p != NULL; p = p->next) {
		add_item(&items, p, &e);
		if (p->state != PROC_READY)
			answer.ready = 0;
	}
	answer.items = buf_span(&items);
	if (e.kind != ERR_NONE)
		refuse(c, id, &e);
	else
		sent(c, ipc_send(c->ch, master_status_answer, &answer, id, &e));
	buf_free(&items);
}

static void
dial(struct client *c, struct span program, uint32_t id)
{
	struct arena *a = arena_new(1 << 16);
	const struct program *prog = program.n < 64 ? program_find(arena_cstr(a, program)) : NULL;
	const struct door *d = prog != NULL ? doors_find(c->admin->m->doors, prog, 0, ROLE_CTL) : NULL;
	struct master_channel m = { .channel = -1 };
	struct err e = { 0 };

	arena_free(a);
	if (d == NULL)
		err_set(
		    &e, ERR_PERM, "no service `%.*s` that could be asked", SPAN_ARG(span_head(program, 64)));
	else
		m.channel = ipc_dial(d->client_end, &e);
	if (m.channel < 0) {
		refuse(c, id, &e);
		return;
	}
	sent(c, ipc_send(c->ch, master_channel, &m, id, &e));
	close(m.channel);
}

static int
request(struct client *c, struct ipc_in *in, struct err *e)
{
	struct master_dial d;
	struct master_do op;

	if (c->wait != WAIT_NOTHING)
		return err_set(e, ERR_PEER, "a second request while one waits");
	switch (in->number) {
	case master_do_no:
		if (ipc_body(in, master_do, &op, e) < 0)
			return -1;
		do_op(c, op.op, in->id);
		return 0;
	case master_status_no:
		status(c, in->id);
		return 0;
	case master_dial_no:
		if (ipc_body(in, master_dial, &d, e) < 0)
			return -1;
		dial(c, d.service, in->id);
		return 0;
	case master_wait_no:
		wait_for(c, WAIT_READY, in->id);
		return 0;
	}
	return err_set(e, ERR_PEER, "message %u is not for master", in->number);
}

/* ---- connections */

static void
sweep(struct admin *a)
{
	struct client **at = &a->clients;

	while (*at != NULL) {
		struct client *c = *at;

		if (!c->gone) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		loop_timer(a->m->loop, &c->timer, 0);
		loop_watch(a->m->loop, &c->watch, 0);
		ipc_free(c->ch);
		free(c);
		a->n--;
	}
}

static void
client_ready(struct watch *w, uint32_t events)
{
	struct client *c = w->arg;
	struct err e = { 0 };
	struct ipc_in in;

	if ((events & EPOLLOUT) != 0 && ipc_flush(c->ch, &e) == 0 && !ipc_unsent(c->ch))
		loop_watch(c->admin->m->loop, w, EPOLLIN);
	while (!c->gone && e.kind == ERR_NONE && ipc_get(c->ch, &in, &e) > 0)
		request(c, &in, &e);
	if (e.kind != ERR_NONE || ipc_eof(c->ch))
		c->gone = true;
	sweep(c->admin);
}

static bool
allowed(int fd)
{
	struct ucred who;
	socklen_t len = sizeof who;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
	       (who.uid == 0 || who.uid == geteuid());
}

static void
accept_ready(struct watch *w, uint32_t events)
{
	struct admin *a = w->arg;
	struct client *c;
	int fd = accept4(a->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	if (!allowed(fd) || a->n >= CLIENTS_MAX) {
		close(fd);
		return;
	}
	c = mem_zero(1, sizeof *c);
	c->admin = a;
	c->ch = ipc_new(fd, &master_def, ROLE_MASTER, ROLE_CTL);
	c->watch = (struct watch){ .fd = fd, .ready = client_ready, .arg = c };
	c->timer = (struct timer){ .due = late, .arg = c };
	c->next = a->clients;
	a->clients = c;
	a->n++;
	loop_watch(a->m->loop, &c->watch, EPOLLIN);
}

struct admin *
admin_open(struct master *m, struct err *e)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	mode_t before = umask(0177);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct admin *a;

	memcpy(un.sun_path, path, sizeof path);
	unlink(path); /* of a master that is gone: we hold the lock */
	if (fd < 0 || bind(fd, (const struct sockaddr *)&un, sizeof un) < 0 || listen(fd, SOMAXCONN) < 0) {
		err_set(e, ERR_TEMP, "%s: %m", path);
		umask(before);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	umask(before);
	a = mem_zero(1, sizeof *a);
	a->m = m;
	a->fd = fd;
	return a;
}

void
admin_watch(struct admin *a)
{
	a->watch = (struct watch){ .fd = a->fd, .ready = accept_ready, .arg = a };
	loop_watch(a->m->loop, &a->watch, EPOLLIN);
}

/* Master has stopped: say so to those who asked for it. */
void
admin_close(struct admin *a)
{
	loop_watch(a->m->loop, &a->watch, 0);
	unlink(path);
	close(a->fd);
	for (struct client *c = a->clients; c != NULL; c = c->next) {
		if (c->wait == WAIT_STOP)
			done(c, c->id, SPAN("stopped"));
		c->gone = true;
	}
	sweep(a);
	free(a);
}
