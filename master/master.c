/*
 * master - opens every listening socket, starts the services, connects them, and keeps them running.
 *
 * One event loop. It never looks at a message and never talks to a stranger; it reads the configuration,
 * hands out descriptors, and writes the log. It does not die of anything that a service does.
 *
 * Read in this order: master.h (everything that is shared), plan.c (configuration, checked), programs.c and
 * doors.c (who may dial whom), listen.c, exec.c (what a service is given), proc.c (its life), reload.c,
 * admin.c (run/master.sock), logfile.c, setup.c (what happens once).
 *
 * Options: -d DIR, the instance; -n, stay in the foreground.
 */
#include "master/master.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cfg/cfg.h"

/* ---- states of processes: what follows from a change */

static void
free_gone(struct master *m)
{
	struct proc **at = &m->procs;

	while (*at != NULL) {
		struct proc *p = *at;

		if (p->state != PROC_GONE) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		proc_free(p);
	}
}

static bool
phase_over(const struct master *m)
{
	for (const struct proc *p = m->procs; p != NULL; p = p->next) {
		if (p->prog->phase <= m->phase)
			return false;
	}
	return true;
}

/*
 * The rest of what changed, outside of the handler that noticed it: a process that is gone is freed, one that
 * waited for it starts, the next phase of a stop begins.
 */
static void
sweep(struct timer *t)
{
	struct master *m = t->arg;

	free_gone(m);
	for (struct proc *p = m->procs; p != NULL; p = p->next) {
		if (p->state == PROC_WAITING)
			proc_start_alone(p);
	}
	while (m->stopping != RUNNING && phase_over(m)) {
		if (++m->phase == PHASES) {
			loop_stop(m->loop);
			return;
		}
		for (struct proc *p = m->procs; p != NULL; p = p->next) {
			if (p->prog->phase == m->phase)
				proc_stop(p, m->stopping == STOPPING_NOW);
		}
		free_gone(m);
	}
	admin_check(m->admin);
}

void
master_changed(struct master *m)
{
	loop_timer(m->loop, &m->sweep, loop_now(m->loop));
}

void
master_stop(struct master *m, bool now)
{
	if (m->stopping == STOPPING_NOW || (m->stopping == DRAINING && !now))
		return;
	log_event(LOG_INFO, "master.stop", KV_U("now", now));
	if (m->stopping == RUNNING)
		m->phase = SESSIONS_PHASE;
	m->stopping = now ? STOPPING_NOW : DRAINING;
	listen_close(&m->listeners, NULL);
	for (struct proc *p = m->procs; p != NULL; p = p->next) {
		if (now || p->prog->phase <= m->phase)
			proc_stop(p, now);
	}
	master_changed(m);
}

/* ---- signals */

/* The end of a process that is not ours to restart: a session whose parent died before it, and came to us. */
static void
reap(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (struct proc *p = m->procs; p != NULL; p = p->next) {
			if (p->pid == pid) {
				proc_exited(p, status);
				break;
			}
		}
	}
}

static void
signal_ready(struct watch *w, uint32_t events)
{
	struct master *m = w->arg;
	struct signalfd_siginfo info;
	struct err e = { 0 };

	(void)events;
	while (read(m->signals, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGCHLD)
			reap(m);
		else if (info.ssi_signo == SIGTERM)
			master_stop(m, false);
		else if (info.ssi_signo == SIGINT)
			master_stop(m, true);
		else if (info.ssi_signo == SIGHUP)
			master_reload(m, &e); /* it logs what is wrong */
		else if (info.ssi_signo == SIGUSR1)
			logfile_reopen(&m->log, NULL);
	}
}

static void
own_log_ready(struct watch *w, uint32_t events)
{
	struct master *m = w->arg;

	(void)events;
	logfile_take(&m->log, m->own_log_in, "master", getpid());
}

void
master_write_log(struct master *m)
{
	log_flush();
	logfile_take(&m->log, m->own_log_in, "master", getpid());
	logfile_flush(&m->log);
}

/* The children that the kernel lists for us, as text. */
static void
read_children(struct buf *out)
{
	char path[64], *room;
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (room = buf_room(out, NULL, BUFSIZ)) != NULL && (n = read(fd, room, BUFSIZ)) > 0)
		out->n += (size_t)n;
	if (fd >= 0)
		close(fd);
}

/* Sessions that outlived their parent are our children now; at the end they go too. */
static void
kill_orphans(void)
{
	struct buf children;
	struct span rest;
	uint32_t pid;

	buf_init(&children, 16 * 1024 * 1024);
	read_children(&children);
	for (rest = buf_span(&children); rest.n > 0;) {
		if (span_u32(span_word(&rest), &pid, NULL) == 0 && pid > 1)
			kill((pid_t)pid, SIGKILL);
	}
	buf_free(&children);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

/* Before the loop waits: one write for all lines that came in this turn. */
static void
before_wait(void *arg)
{
	master_write_log(arg);
}

/* ---- start and end */

static void
start_services(struct master *m)
{
	struct proc **at = &m->procs;

	doors_make(&m->doors, m->plan);
	for (size_t i = 0; i < m->plan->services.n; i++) {
		const struct service *svc = &m->plan->services.v[i];
		unsigned n = program_find(svc->program)->sharded ? svc->limit : 1;

		for (unsigned k = 0; k < n; k++) {
			*at = proc_new(m, m->plan, svc, k);
			at = &(*at)->next;
		}
	}
	for (struct proc *p = m->procs; p != NULL; p = p->next)
		proc_start(p);
}

static void
open_own_log(struct master *m)
{
	int pair[2], on = 1;

	need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
	m->own_log_in = pair[0];
	m->own_log_out = pair[1];
	log_open(m->own_log_out, LOG_INFO);
}

static void
open_signals(struct master *m)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	m->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	need(m->signals >= 0);
}

/* Everything that may fail, while there is still someone to tell. */
static int
prepare(struct master *m, struct err *e)
{
	m->dir = open(m->dir_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (m->dir < 0 || fchdir(m->dir) < 0)
		return err_set(e, ERR_PERM, "%s: %m", m->dir_name);
	if (faccessat(m->dir, "etc/master.cf", R_OK, 0) < 0)
		return err_set(e, ERR_PERM,
		    "%s: no instance is there (`rookery -d DIR init` makes one): etc/master.cf: %m",
		    m->dir_name);
	setup_limits();
	setup_boot_id(m);
	if (setup_lock(m, e) < 0 || logfile_open(&m->log, m->dir, e) < 0)
		return -1;
	if ((m->plan = plan_read(m->dir, m->bin_dir, e)) == NULL)
		return -1;
	if (listen_open(&m->listeners, m->plan, (int)cfg.listen_backlog, e) < 0)
		return -1;
	if (setup_privileges(e) < 0)
		return -1;
	m->admin = admin_open(m, e);
	return m->admin != NULL ? 0 : -1;
}

/* Leave the terminal; whoever started us learns by our exit that the admin socket is there. */
static void
detach(struct master *m)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid;

	if (m->foreground)
		return;
	pid = fork();
	need(pid >= 0);
	if (pid > 0)
		_exit(0);
	setsid();
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	close(null);
}

static void
write_pid(struct master *m)
{
	if (ftruncate(m->pid_file, 0) == 0)
		dprintf(m->pid_file, "%d\n", (int)getpid());
}

static void
run(struct master *m)
{
	write_pid(m);
	/* Sessions whose parent dies become our children (kill_orphans); a fork, as in detach, loses this. */
	need(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
	open_own_log(m);
	open_signals(m);
	m->loop = loop_new();
	m->started_ms = clock_wall_ms();
	m->sweep = (struct timer){ .due = sweep, .arg = m };
	m->signal_watch = (struct watch){ .fd = m->signals, .ready = signal_ready, .arg = m };
	m->own_log_watch = (struct watch){ .fd = m->own_log_in, .ready = own_log_ready, .arg = m };
	loop_watch(m->loop, &m->signal_watch, EPOLLIN);
	loop_watch(m->loop, &m->own_log_watch, EPOLLIN);
	loop_idle(m->loop, before_wait, m);
	admin_watch(m->admin);
	log_event(LOG_INFO, "master.start", KV_STR("dir", m->dir_name), KV_STR("boot", m->boot),
	    KV_U("services", m->plan->services.n));
	start_services(m);
	loop_run(m->loop);
}

static void
finish(struct master *m)
{
	kill_orphans();
	log_event(LOG_INFO, "master.stopped", KV_U("up_ms", clock_wall_ms() - m->started_ms));
	master_write_log(m);
	if (ftruncate(m->pid_file, 0) < 0)
		unlinkat(m->dir, "run/master.pid", 0);
	admin_close(m->admin);
	doors_make(&m->doors, NULL);
	loop_free(m->loop);
	buf_free(&m->log.out);
}

static char *
own_directory(void)
{
	char *path = realpath("/proc/self/exe", NULL), *slash = path != NULL ? strrchr(path, '/') : NULL;

	if (slash == NULL || slash == path) {
		free(path);
		return NULL;
	}
	*slash = '\0';
	return path;
}

static int
usage(void)
{
	fputs("usage: master -d DIR [-n]\n"
	      "  -d DIR  the instance, as `rookery -d DIR init` makes it\n"
	      "  -n      stay in the foreground\n"
	      "It is usually started by `rookery -d DIR start`.\n",
	    stderr);
	return EX_USAGE;
}

/* Descriptors 0 to 2 exist, so that none of ours becomes one of them. */
static void
open_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

/* From the arguments; 0, or the exit status. */
static int
options(struct master *m, int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "d:n")) != -1) {
		if (opt == 'd') {
			free(m->dir_name);
			m->dir_name = realpath(optarg, NULL);
		} else if (opt == 'n') {
			m->foreground = true;
		} else {
			return usage();
		}
		if (opt == 'd' && m->dir_name == NULL) {
			fprintf(stderr, "master: %s: %s\n", optarg, strerror(errno));
			return EX_NOINPUT;
		}
	}
	return m->dir_name == NULL || optind != argc ? usage() : 0;
}

int
main(int argc, char **argv)
{
	struct master m = { 0 };
	struct err e = { 0 };
	int rc;

	open_standard_streams();
	umask(022);
	m.bin_dir = own_directory();
	rc = options(&m, argc, argv);
	if (rc == 0 && (m.bin_dir == NULL || prepare(&m, &e) < 0)) {
		fprintf(stderr, "master: %s\n", m.bin_dir == NULL ? "/proc is not mounted" : e.text);
		rc = m.bin_dir == NULL ? EX_OSERR : err_exit(&e);
	} else if (rc == 0) {
		detach(&m);
		run(&m);
		finish(&m);
	}
	listen_close(&m.listeners, NULL);
	plan_release(m.plan);
	free(m.bin_dir);
	free(m.dir_name);
	return rc;
}
