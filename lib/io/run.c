/*
 * run.c - what a service waits for: clients at its listeners, dials at its doors, master, signals.
 *
 *   event                        a loop program (svc_run)      a forking one (svc_each, each.c)
 *   client connects              fns->client                   a child, or `busy`
 *   someone dials                fns->dialled                  a child
 *   master_reload, master_file   cfg and TLS anew, then `reloaded`
 *   master_drain, SIGTERM        listeners and doors are left alone; fns->drain, or the children's end is
 * awaited a child ended                svc_on_exit                   it is taken off the list
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "io/ending.h"
#include "io/service.h"

enum {
	COUNTERS_MS = 1000,    /* counters go to master so long after a change */
	LOG_MS = 200,          /* lines go to master so long after the first of them */
	ACCEPT_PAUSE_MS = 500, /* when descriptors or memory are out */
	ACCEPT_BURST = 16,     /* clients a turn, of a loop program */
};

/* ---- clients */

static void
watch_listeners(struct svc *s, bool on)
{
	for (size_t i = 0; i < s->listeners_n; i++)
		loop_watch(s->loop, &s->listeners[i].w, on ? EPOLLIN : 0);
}

static void pause_accepting(struct svc *s);

/* A forking service turns away those over its limit; a loop leaves them in the kernel's queue. */
static bool
full(const struct svc *s)
{
	return s->each == NULL && s->sessions >= s->limit;
}

static void
accept_again(struct timer *t)
{
	struct svc *s = t->arg;

	if (s->draining)
		return;
	if (full(s))
		pause_accepting(s);
	else
		watch_listeners(s, true);
}

static void
pause_accepting(struct svc *s)
{
	watch_listeners(s, false);
	loop_timer(s->loop, &s->accept_again, loop_now(s->loop) + ACCEPT_PAUSE_MS);
}

/* Who it is: filled from what accept told. */
static void
identify(const struct listener *l, struct client *c)
{
	struct ucred cred;
	socklen_t n = sizeof cred;
	struct buf ip;

	c->sid = id_new();
	c->uid = (uid_t)-1;
	c->local = l->addr;
	if (c->peer.ss.ss_family == AF_UNIX && getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0)
		c->uid = cred.uid;
	if (l->any) {
		c->local.len = sizeof c->local.ss;
		if (getsockname(c->fd, (struct sockaddr *)&c->local.ss, &c->local.len) < 0)
			c->local.len = 0;
	}
	buf_init(&ip, sizeof c->ip - 1);
	addr_ip(&c->peer, &ip);
	memcpy(c->ip, ip.p, ip.n);
	c->ip[ip.n] = '\0';
	buf_free(&ip);
}

/* One client: true if there may be another. */
static bool
accept_one(struct listener *l)
{
	struct svc *s = l->s;
	struct client c = { .peer.len = sizeof c.peer.ss };
	int flags = SOCK_CLOEXEC | (s->each == NULL ? SOCK_NONBLOCK : 0);

	c.fd = accept4(l->fd, (struct sockaddr *)&c.peer.ss, &c.peer.len, flags);
	if (c.fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			log_event(LOG_WARN, "svc.accept", KV_STR("err", strerror(errno)));
			pause_accepting(s);
		}
		return false;
	}
	identify(l, &c);
	s->total++;
	s->changed = true;
	if (s->each != NULL)
		each_client(s, &c);
	else
		s->fns->client(s, &c);
	return s->each == NULL && l->w.events != 0;
}

static void
client_ready(struct watch *w, uint32_t events)
{
	struct listener *l = w->arg;

	(void)events;
	for (int i = 0; i < ACCEPT_BURST && !full(l->s) && accept_one(l); i++)
		;
	if (full(l->s))
		pause_accepting(l->s);
}

static void
dial_ready(struct watch *w, uint32_t events)
{
	struct serve *d = w->arg;
	struct svc *s = d->s;
	struct err e = { 0 };
	int fd = ipc_answer(d->fd, &e);

	(void)events;
	if (fd < 0) {
		if (e.kind != ERR_NONE)
			loop_watch(s->loop, w, 0); /* no one is left who could dial */
		return;
	}
	if (s->each != NULL) {
		each_dialled(s, fd, d->role);
		return;
	}
	fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
	s->fns->dialled(s, fd, d->role);
}

/* ---- the end */

void
service_close(struct svc *s)
{
	s->draining = true;
	watch_listeners(s, false);
	for (size_t i = 0; i < s->serves_n; i++)
		loop_watch(s->loop, &s->serves[i].w, 0);
}

static void
drain(struct svc *s, bool now)
{
	log_event(LOG_DEBUG, "svc.drain", KV_U("now", now), KV_U("sessions", s->sessions));
	service_close(s);
	if (s->each != NULL)
		each_drain(s, now);
	else if (s->fns->drain != NULL)
		s->fns->drain(s, now);
	else
		svc_end(s);
}

void
svc_end(struct svc *s)
{
	loop_stop(s->loop);
}

/* ---- master */

static int
master_message(struct svc *s, struct ipc_in *in, struct err *e)
{
	struct master_drain d;

	switch (in->number) {
	case master_reload_no:
	case master_file_no:
		return service_reload(s, in, e);
	case master_drain_no:
		if (ipc_body(in, master_drain, &d, e) < 0)
			return -1;
		drain(s, d.now != 0);
		return 0;
	default:
		return err_set(e, ERR_PEER, "%s was not expected", in->msg->name);
	}
}

static void
master_ready_to(struct watch *w, uint32_t events)
{
	struct svc *s = w->arg;
	struct err e = { 0 };
	struct ipc_in in;

	if ((events & EPOLLOUT) != 0)
		ipc_flush(s->master, &e);
	if ((events & ~(uint32_t)EPOLLOUT) != 0)
		while (ipc_get(s->master, &in, &e) == 1 && master_message(s, &in, &e) == 0)
			;
	if (e.kind == ERR_NONE && !ipc_eof(s->master))
		return;
	log_event(LOG_WARN, "svc.master_gone", KV_ERR(&e));
	loop_watch(s->loop, w, 0);
	drain(s, true);
}

static void
send_counters(struct timer *t)
{
	struct svc *s = t->arg;
	struct master_counters c = { .sessions = s->sessions, .total = s->total };
	struct err e = { 0 };
	struct buf text;

	buf_init(&text, 64 * 1024);
	counters_text(&text);
	c.text = buf_span(&text);
	s->changed = false;
	ipc_send(s->master, master_counters, &c, 0, &e);
	buf_free(&text);
}

static void
send_log(struct timer *t)
{
	(void)t;
	log_flush();
}

static void
before_waiting(void *arg)
{
	struct svc *s = arg;

	if (log_pending() && s->log_due.at_ms == 0)
		loop_timer(s->loop, &s->log_due, loop_now(s->loop) + LOG_MS);
	if (s->changed && s->counters_due.at_ms == 0)
		loop_timer(s->loop, &s->counters_due, loop_now(s->loop) + COUNTERS_MS);
	if (s->master_w.events != 0)
		loop_watch(s->loop, &s->master_w, EPOLLIN | (ipc_unsent(s->master) ? EPOLLOUT : 0));
}

/* ---- signals */

static void
reap(struct svc *s)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (WIFSIGNALED(status))
			log_event(
			    LOG_ERROR, "svc.child_died", KV_I("pid", pid), KV_I("signal", WTERMSIG(status)));
		if (s->each != NULL)
			each_exit(s, pid);
		else if (s->on_exit != NULL)
			s->on_exit(s, pid, status);
	}
}

static void
signal_ready(struct watch *w, uint32_t events)
{
	struct svc *s = w->arg;
	struct signalfd_siginfo si;

	(void)events;
	while (read(w->fd, &si, sizeof si) == (ssize_t)sizeof si) {
		if (si.ssi_signo == SIGTERM)
			drain(s, true);
		else if (si.ssi_signo == SIGCHLD)
			reap(s);
	}
}

void
svc_on_exit(struct svc *s, void (*fn)(struct svc *s, pid_t pid, int status))
{
	s->on_exit = fn;
}

/* ---- children */

void
service_child(struct svc *s, int fd)
{
	for (size_t i = 0; i < s->listeners_n; i++)
		close(s->listeners[i].fd);
	for (size_t i = 0; i < s->serves_n; i++)
		close(s->serves[i].fd);
	close(ipc_fd(s->master));
	close(s->signal_w.fd);
	close(loop_fd(s->loop));
	log_forked();
	ending_on_term(fd);
	sigprocmask(SIG_UNBLOCK, &s->signals, NULL);
	s->linear = true;
}

pid_t
svc_fork(struct svc *s)
{
	pid_t pid;

	log_flush();
	pid = fork();
	if (pid == 0)
		service_child(s, -1);
	return pid;
}

/* ---- start */

static void
watch_all(struct svc *s)
{
	for (size_t i = 0; i < s->listeners_n; i++) {
		struct listener *l = &s->listeners[i];

		l->s = s;
		l->w = (struct watch){ .fd = l->fd, .ready = client_ready, .arg = l };
		loop_watch(s->loop, &l->w, EPOLLIN);
	}
	for (size_t i = 0; i < s->serves_n; i++) {
		struct serve *d = &s->serves[i];

		d->s = s;
		d->w = (struct watch){ .fd = d->fd, .ready = dial_ready, .arg = d };
		loop_watch(s->loop, &d->w, EPOLLIN);
	}
	s->master_w = (struct watch){ .fd = ipc_fd(s->master), .ready = master_ready_to, .arg = s };
	loop_watch(s->loop, &s->master_w, EPOLLIN);
	s->signal_w = (struct watch){ .fd = s->signal_w.fd, .ready = signal_ready, .arg = s };
	loop_watch(s->loop, &s->signal_w, EPOLLIN);
}

void
service_begin(struct svc *s)
{
	struct master_ready ready = { 0 };
	struct err e = { 0 };

	need((s->each == NULL || (s->each->client != NULL || s->listeners_n == 0)) &&
	     (s->fns == NULL || (s->fns->client != NULL || s->listeners_n == 0)));
	s->log_due = (struct timer){ .due = send_log };
	s->counters_due = (struct timer){ .due = send_counters, .arg = s };
	s->accept_again = (struct timer){ .due = accept_again, .arg = s };
	watch_all(s);
	loop_idle(s->loop, before_waiting, s);
	ipc_send(s->master, master_ready, &ready, 0, &e);
}

struct loop *
svc_loop_of(struct svc *s)
{
	return s->loop;
}

void
svc_sessions(struct svc *s, int delta)
{
	s->sessions += (uint32_t)delta;
	s->changed = true;
	if (delta < 0 && s->accept_again.at_ms != 0 && !full(s))
		loop_timer(s->loop, &s->accept_again, loop_now(s->loop) + 1);
}

int
svc_run(struct svc *s, const struct svc_loop *fns)
{
	s->fns = fns;
	service_begin(s);
	loop_run(s->loop);
	log_flush();
	return 0;
}
