/*
 * proc.c - a process of a service over all its restarts.
 *
 *   state     waits for                      leaves by
 *   WAITING   processes that stop            master_changed: none is left -> STARTING
 *   STARTING  master_ready on its channel    ready -> READY; death -> BACKOFF
 *   READY     nothing                        death -> BACKOFF; proc_stop -> STOPPING
 *   BACKOFF   its timer                      due -> STARTING
 *   STOPPING  its end; a timer               death -> GONE; due -> told harder: drain, now, SIGKILL
 *   GONE      master_changed, which frees it
 *
 * The log socket and the pipe of its standard error stay over restarts, so that last words are not lost.
 */
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cfg/cfg.h"

enum {
	LOG_RCVBUF = 4 << 20,
	COUNTERS_MAX = 256,
	COUNTER_NAME_MAX = 64,
	STABLE_MS = 2000, /* who lived that long did not die of its start */
	BACKOFF_FIRST_MS = 50,
	NOW_WAIT_MS = 5000, /* from "end now" to SIGKILL */
	CHATTER_MAX = 4096, /* octets of standard error taken at a time */
};

enum { PATIENT, HURRIED, KILLED };

const char *
proc_state_name(enum proc_state s)
{
	switch (s) {
	case PROC_WAITING:
		return "waiting";
	case PROC_STARTING:
		return "starting";
	case PROC_READY:
		return "ready";
	case PROC_BACKOFF:
		return "backoff";
	case PROC_STOPPING:
		return "stopping";
	case PROC_GONE:
		break;
	}
	return "gone";
}

/* ---- what it says: log lines, standard error, its channel */

static void
watch(struct proc *p, struct watch *w, int fd, uint32_t events, void (*ready)(struct watch *, uint32_t))
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
	*w = (struct watch){ .fd = fd, .ready = ready, .arg = p };
	loop_watch(p->m->loop, w, events);
}

static void log_ready(struct watch *w, uint32_t events);

static void
open_log(struct proc *p)
{
	int log[2], on = 1, size = LOG_RCVBUF;

	need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, log) == 0);
	setsockopt(log[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
	setsockopt(log[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	p->log_in = log[0];
	p->log_out = log[1];
	watch(p, &p->log_watch, p->log_in, EPOLLIN | EPOLLRDHUP, log_ready);
}

static void
close_log(struct proc *p)
{
	logfile_take(&p->m->log, p->log_in, p->label, p->pid);
	loop_watch(p->m->loop, &p->log_watch, 0);
	close(p->log_in);
	close(p->log_out);
}

/*
 * We hold the other end as well, so a log that ends was shut by a process that is not its own master any
 * more.
 */
static void
log_ready(struct watch *w, uint32_t events)
{
	struct proc *p = w->arg;

	if ((events & EPOLLRDHUP) == 0) {
		logfile_take(&p->m->log, p->log_in, p->label, p->pid);
		return;
	}
	log_event(LOG_ERROR, "master.log_shut", KV_STR("service", p->label), KV_I("pid", p->pid));
	close_log(p);
	open_log(p);
	if (p->pid > 0)
		kill(p->pid, SIGKILL);
}

/* Nothing that is well writes there: a sanitizer, a broken promise, libc, memory that ran out. */
static void
err_ready(struct watch *w, uint32_t events)
{
	struct proc *p = w->arg;
	char text[CHATTER_MAX];
	ssize_t n = read(p->err_in, text, sizeof text);
	struct span rest = span_of(text, n > 0 ? (size_t)n : 0);

	(void)events;
	while (rest.n > 0) {
		struct span line = span_trim_ws(span_cut(&rest, '\n'));

		if (line.n > 0)
			log_event(
			    LOG_ERROR, "master.stderr", KV_STR("service", p->label), KV_S("text", line));
	}
}

static void
hang_up(struct proc *p)
{
	if (p->channel == NULL)
		return;
	loop_watch(p->m->loop, &p->channel_watch, 0);
	ipc_free(p->channel);
	p->channel = NULL;
}

/* It is shown as it is, and kept: from a service that is well it is a literal of its program. */
static bool
is_counter(struct span name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!ascii_isalnum(c) && c != '.' && c != '_' && c != '-')
			return false;
	}
	return name.n > 0 && name.n <= COUNTER_NAME_MAX;
}

static struct counter *
counter_of(struct proc *p, struct span name)
{
	for (size_t i = 0; i < p->n_counters; i++) {
		if (span_eq(name, p->counters[i].name))
			return &p->counters[i];
	}
	if (p->n_counters == COUNTERS_MAX)
		return NULL;
	p->counters = mem_resize(p->counters, (p->n_counters + 1) * sizeof *p->counters);
	p->counters[p->n_counters] = (struct counter){ strndup(name.p, name.n), 0, 0 };
	return &p->counters[p->n_counters++];
}

static void
take_counters(struct proc *p, const struct master_counters *m)
{
	struct span rest = m->text;

	p->sessions = m->sessions;
	p->total = m->total;
	while (rest.n > 0) {
		struct span line = span_cut(&rest, '\n'), name = span_word(&line);
		struct counter *c = is_counter(name) ? counter_of(p, name) : NULL;

		if (c != NULL)
			span_u64(line, &c->now, NULL);
	}
}

static void
take_ready(struct proc *p, const struct master_ready *m)
{
	bool first = p->state == PROC_STARTING;

	snprintf(p->wrong, sizeof p->wrong, "%.*s", SPAN_ARG(m->wrong));
	if (m->wrong.n > 0)
		log_event(LOG_ERROR, "master.refused", KV_STR("service", p->label), KV_S("err", m->wrong));
	if (!first)
		p->reloading = false;
	if (first) {
		p->state = PROC_READY;
		p->proven = true;
		log_event(LOG_INFO, "master.ready", KV_STR("service", p->label), KV_I("pid", p->pid),
		    KV_U("ms", loop_now(p->m->loop) - p->started_ms));
	}
	master_changed(p->m);
}

static int
take_frame(struct proc *p, struct ipc_in *in, struct err *e)
{
	if (in->number == master_ready_no) {
		struct master_ready m;

		if (ipc_body(in, master_ready, &m, e) < 0)
			return -1;
		take_ready(p, &m);
		return 0;
	}
	if (in->number == master_counters_no) {
		struct master_counters m;

		if (ipc_body(in, master_counters, &m, e) < 0)
			return -1;
		take_counters(p, &m);
		return 0;
	}
	return err_set(e, ERR_PEER, "message %u is not for master", in->number);
}

/*
 * A service that closes its channel is about to end, or is out of its mind: then there is no service to keep.
 */
static void
channel_ready(struct watch *w, uint32_t events)
{
	struct proc *p = w->arg;
	struct err e = { 0 };
	struct ipc_in in;

	if ((events & EPOLLOUT) != 0 && ipc_flush(p->channel, &e) == 0 && !ipc_unsent(p->channel))
		loop_watch(p->m->loop, w, EPOLLIN);
	while (p->channel != NULL && e.kind == ERR_NONE && ipc_get(p->channel, &in, &e) > 0)
		take_frame(p, &in, &e);
	if (p->channel == NULL || (e.kind == ERR_NONE && !ipc_eof(p->channel)))
		return;
	if (e.kind != ERR_NONE && e.kind != ERR_GONE) {
		log_event(LOG_ERROR, "master.channel", KV_STR("service", p->label), KV_ERR(&e));
		kill(p->pid, SIGKILL);
	}
	hang_up(p);
}

/* ---- life */

static void stop_due(struct proc *p);

static void
due(struct timer *t)
{
	struct proc *p = t->arg;

	if (p->state == PROC_BACKOFF)
		proc_start(p);
	else if (p->state == PROC_STOPPING)
		stop_due(p);
}

struct proc *
proc_new(struct master *m, struct plan *plan, const struct service *svc, unsigned instance)
{
	struct proc *p = mem_zero(1, sizeof *p);
	int err[2];

	*p = (struct proc){ .m = m, .plan = plan, .svc = svc, .instance = instance, .state = PROC_WAITING };
	plan->refs++;
	p->prog = program_find(svc->program);
	if (p->prog->sharded)
		snprintf(p->label, sizeof p->label, "%s/%u", svc->name, instance);
	else
		snprintf(p->label, sizeof p->label, "%s", svc->name);
	need(pipe2(err, O_CLOEXEC) == 0);
	p->err_in = err[0];
	p->err_out = err[1];
	open_log(p);
	watch(p, &p->err_watch, p->err_in, EPOLLIN, err_ready);
	p->timer = (struct timer){ .due = due, .arg = p };
	return p;
}

void
proc_free(struct proc *p)
{
	need(p->pid == 0);
	loop_timer(p->m->loop, &p->timer, 0);
	hang_up(p);
	close_log(p);
	loop_watch(p->m->loop, &p->err_watch, 0);
	close(p->err_in);
	close(p->err_out);
	for (size_t i = 0; i < p->n_counters; i++)
		free(p->counters[i].name);
	free(p->counters);
	plan_release(p->plan);
	free(p);
}

static uint64_t
backoff(struct proc *p)
{
	uint64_t wait = BACKOFF_FIRST_MS;

	if (loop_now(p->m->loop) - p->started_ms >= STABLE_MS)
		p->failures = 0;
	if (p->failures++ == 0)
		return p->proven ? 0 : wait;
	for (unsigned i = 1; i < p->failures && wait < cfg.restart_wait_max; i++)
		wait *= 2;
	return wait < cfg.restart_wait_max ? wait : cfg.restart_wait_max;
}

static void
again_later(struct proc *p)
{
	uint64_t wait = backoff(p);

	p->state = PROC_BACKOFF;
	p->restarts++;
	log_event(LOG_ERROR, "master.died", KV_STR("service", p->label), KV_STR("how", p->ended),
	    KV_U("again_ms", wait));
	loop_timer(p->m->loop, &p->timer, loop_now(p->m->loop) + wait + 1);
	master_changed(p->m);
}

void
proc_start(struct proc *p)
{
	struct err e = { 0 };
	int pair[2];

	p->state = PROC_STARTING;
	p->started_ms = loop_now(p->m->loop);
	p->reloading = false;
	p->wrong[0] = '\0';
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		snprintf(p->ended, sizeof p->ended, "socketpair: %s", strerror(errno));
		again_later(p);
		return;
	}
	p->pid = proc_exec(p, pair[1], &e);
	close(pair[1]);
	if (p->pid < 0) {
		p->pid = 0;
		close(pair[0]);
		snprintf(p->ended, sizeof p->ended, "%s", e.text);
		again_later(p);
		return;
	}
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	p->channel = ipc_new(pair[0], &master_def, ROLE_MASTER, p->prog->role);
	watch(p, &p->channel_watch, pair[0], EPOLLIN, channel_ready);
}

/*
 * Two processes with one listening socket share its clients. Of the others there must never be two: two
 * queues would both deliver a message, and when the number of deliver-local changes so does whose share an
 * owner is. So the new one of an internal program starts when the last of the old is gone.
 */
void
proc_start_alone(struct proc *p)
{
	bool internal = p->svc->n_inet == 0 && p->svc->unix_path == NULL;

	for (const struct proc *o = p->m->procs; o != NULL && internal; o = o->next) {
		if (o->prog == p->prog && o->state == PROC_STOPPING)
			return;
	}
	proc_start(p);
}

/* What a process counted is kept when the next one begins at zero. */
static void
settle_counters(struct proc *p)
{
	p->total_before += p->total;
	p->total = 0;
	p->sessions = 0;
	for (size_t i = 0; i < p->n_counters; i++) {
		p->counters[i].before += p->counters[i].now;
		p->counters[i].now = 0;
	}
}

static void
describe_end(struct proc *p, int status)
{
	if (WIFSIGNALED(status))
		snprintf(p->ended, sizeof p->ended, "signal %d (%s)%s", WTERMSIG(status),
		    strsignal(WTERMSIG(status)), WCOREDUMP(status) ? ", core dumped" : "");
	else
		snprintf(p->ended, sizeof p->ended, "exit status %d", WEXITSTATUS(status));
}

void
proc_exited(struct proc *p, int status)
{
	pid_t pid = p->pid;

	if (p->channel != NULL)
		channel_ready(&p->channel_watch, EPOLLIN); /* its last counters */
	logfile_take(&p->m->log, p->log_in, p->label, pid);
	err_ready(&p->err_watch, EPOLLIN);
	hang_up(p);
	p->pid = 0;
	settle_counters(p);
	describe_end(p, status);
	if (p->state != PROC_STOPPING) {
		again_later(p);
		return;
	}
	log_event(status == 0 || p->patience == KILLED ? LOG_INFO : LOG_ERROR, "master.ended",
	    KV_STR("service", p->label), KV_I("pid", pid), KV_STR("how", p->ended));
	p->state = PROC_GONE;
	loop_timer(p->m->loop, &p->timer, 0);
	master_changed(p->m);
}

/* ---- the end, and reload */

static void
flush(struct proc *p)
{
	if (p->channel != NULL && ipc_unsent(p->channel))
		loop_watch(p->m->loop, &p->channel_watch, EPOLLIN | EPOLLOUT);
}

static void
say_drain(struct proc *p, bool now)
{
	struct master_drain m = { .now = now };
	struct err e = { 0 };

	if (p->channel == NULL || ipc_send(p->channel, master_drain, &m, 0, &e) < 0) {
		kill(p->pid, SIGKILL); /* it can't be told */
		return;
	}
	flush(p);
}

static void
stop_due(struct proc *p)
{
	if (p->patience == PATIENT) {
		log_event(
		    LOG_INFO, "master.hurry", KV_STR("service", p->label), KV_U("sessions", p->sessions));
		p->patience = HURRIED;
		say_drain(p, true);
	} else {
		log_event(
		    LOG_WARN, "master.kill", KV_STR("service", p->label), KV_U("sessions", p->sessions));
		p->patience = KILLED;
		kill(-p->pid, SIGKILL); /* its sessions too */
	}
	loop_timer(p->m->loop, &p->timer, loop_now(p->m->loop) + NOW_WAIT_MS);
}

void
proc_stop(struct proc *p, bool now)
{
	bool again = p->state == PROC_STOPPING;

	if (p->state == PROC_GONE || (again && (!now || p->patience != PATIENT)))
		return;
	p->state = PROC_STOPPING;
	p->reloading = false;
	if (p->pid == 0) {
		p->state = PROC_GONE;
		loop_timer(p->m->loop, &p->timer, 0);
		return;
	}
	p->patience = now ? HURRIED : PATIENT;
	loop_timer(p->m->loop, &p->timer, loop_now(p->m->loop) + (now ? NOW_WAIT_MS : cfg.stop_wait) + 1);
	say_drain(p, now);
}

/* What goes with a new configuration, by descriptor, and to whom. */
static const struct {
	const char *key;
	uint32_t roles;
} reload_files[] = {
	{ "tls_cert", ROLE_SMTPD | ROLE_PROXYD | ROLE_KEYD },
	{ "tls_key", ROLE_KEYD },
	{ "filters", ROLE_FILTERD },
};

enum { RELOAD_FILES = sizeof reload_files / sizeof reload_files[0] };

/* Where the file is for this service: its line of master.cf may have another than rookery.cf. */
static const char *
path_of(const struct service *svc, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = svc->n_options; i > 0; i--) {
		if (strncmp(svc->options[i - 1], key, n) == 0 && svc->options[i - 1][n] == '=')
			return svc->options[i - 1] + n + 1;
	}
	if (strcmp(key, "tls_cert") == 0)
		return cfg.tls_cert;
	return strcmp(key, "tls_key") == 0 ? cfg.tls_key : "etc/filters.cf";
}

static int
send_file(struct proc *p, const char *key, struct err *e)
{
	struct master_file m = { .name = span_str(key) };
	const char *path = path_of(p->svc, key);
	int rc;

	m.file = openat(p->m->dir, path, O_RDONLY | O_CLOEXEC);
	if (m.file < 0)
		return err_set(e, ERR_PERM, "%s: %m", path);
	rc = ipc_send(p->channel, master_file, &m, 0, e);
	close(m.file);
	return rc;
}

static int
send_reload(struct proc *p, struct err *e)
{
	struct master_reload m = { .config = exec_memfd(p->plan->config, e) };
	int rc;

	if (m.config < 0)
		return -1;
	for (size_t i = 0; i < RELOAD_FILES; i++)
		m.files += (reload_files[i].roles & p->prog->role) != 0;
	rc = ipc_send(p->channel, master_reload, &m, 0, e);
	close(m.config);
	for (size_t i = 0; i < RELOAD_FILES && rc == 0; i++) {
		if ((reload_files[i].roles & p->prog->role) != 0)
			rc = send_file(p, reload_files[i].key, e);
	}
	return rc;
}

void
proc_reload(struct proc *p)
{
	struct err e = { 0 };

	if (p->channel == NULL)
		return; /* it starts with the new text */
	p->wrong[0] = '\0';
	p->reloading = send_reload(p, &e) == 0;
	if (!p->reloading) {
		log_event(LOG_ERROR, "master.refused", KV_STR("service", p->label), KV_ERR(&e));
		snprintf(p->wrong, sizeof p->wrong, "%s", e.text);
	}
	flush(p);
}
