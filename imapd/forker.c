#include "imapd/forker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "imapd/worker.h"
#include "io/svc.h"
#include "ipc/idle.h"

struct forker {
	struct svc *svc;
	int store, door;
};

/* ---- a worker */

/* The first message on its channel. NULL: the holder is gone. */
static struct ipc *
first_message(int control, struct ipc_in *in)
{
	struct ipc *up;
	struct err e = { 0 };
	int got;

	fcntl(control, F_SETFL, O_NONBLOCK);
	up = ipc_new(control, &idle_def, ROLE_IMAPD, ROLE_IMAPD);
	while ((got = ipc_get(up, in, &e)) == 0 && !ipc_eof(up)) {
		struct pollfd p = { control, POLLIN, 0 };

		poll(&p, 1, -1);
	}
	if (got == 1)
		return up;
	ipc_free(up);
	return NULL;
}

/* What is said in a message lives until the next is read: the worker's own copy. */
static void
keep(struct arena *a, struct span *s)
{
	*s = arena_dup(a, *s);
}

static int
be_worker(const struct forker *f, int control)
{
	struct arena *a = arena_new(1 << 20);
	struct idle_start m;
	struct idle_record r;
	struct ipc_in in;
	struct err e = { 0 };
	struct ipc *up = first_message(control, &in);
	struct worker_start w = { .svc = f->svc, .up = up, .store = f->store };

	if (up == NULL)
		return 0;
	if (ipc_body(&in, idle_start, &m, &e) < 0 || m.stream < 0 ||
	    (m.record.n > 0 && ipc_unpack(&idle_def, &m.record, idle_record, &r, &e) != 1)) {
		log_event(LOG_ERROR, "imapd.worker", KV_ERR(&e));
		log_flush();
		return 1;
	}
	w.record = m.began == 0 ? &r : NULL;
	w.stream = m.stream;
	w.owner = m.owner;
	w.login = m.login;
	w.account = m.account;
	w.client = m.client;
	w.sid = m.sid;
	w.addr = m.addr;
	keep(a, &w.owner);
	keep(a, &w.login);
	keep(a, &w.account);
	keep(a, &w.client);
	keep(a, &w.sid);
	keep(a, &w.addr);
	w.since = m.since;
	w.link = m.link != 0;
	w.guest = m.guest != 0;
	w.tag = m.tag;
	w.input = m.input;
	ipc_send(up, idle_begun, &(struct idle_begun){ .pid = (uint32_t)getpid() }, 0, &e);
	return worker_run(&w);
}

static void
start_worker(const struct forker *f, int control)
{
	pid_t pid;

	log_flush();
	pid = fork();
	if (pid == 0) {
		sigset_t none;

		signal(SIGCHLD, SIG_DFL);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		log_forked();
		close(f->door);
		_exit(be_worker(f, control)); /* what libraries would clean up goes with the process */
	}
	if (pid < 0) /* the holder sees the channel close */
		log_event(LOG_ERROR, "imapd.worker", KV_STR("err", strerror(errno)));
	close(control);
}

/* ---- the forker */

static void
child_ended(int signal)
{
	(void)signal;
}

static void
reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (WIFSIGNALED(status))
			log_event(
			    LOG_ERROR, "imapd.killed", KV_U("pid", pid), KV_U("signal", WTERMSIG(status)));
		else if (WEXITSTATUS(status) != 0)
			log_event(
			    LOG_ERROR, "imapd.ended", KV_U("pid", pid), KV_U("status", WEXITSTATUS(status)));
	}
	log_flush();
}

/* Children end only while we wait: then nothing is missed. */
static int
serve(const struct forker *f)
{
	struct sigaction act = { .sa_handler = child_ended };
	sigset_t blocked, open;
	struct err e = { 0 };

	sigaction(SIGCHLD, &act, NULL);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, &open);
	sigdelset(&open, SIGCHLD);
	for (;;) {
		struct pollfd p = { f->door, POLLIN, 0 };
		int control;

		if (ppoll(&p, 1, NULL, &open) < 0 && errno != EINTR)
			return 1;
		reap();
		if ((p.revents & POLLIN) != 0)
			while ((control = ipc_answer(f->door, &e)) >= 0)
				start_worker(f, control);
		if ((p.revents & (POLLHUP | POLLERR)) != 0 && (p.revents & POLLIN) == 0)
			return 0;
		if (e.kind != ERR_NONE)
			return 0;
	}
}

static void
close_others(int first_fd, int door)
{
	if (door > first_fd)
		close_range((unsigned)first_fd, (unsigned)door - 1, 0);
	close_range((unsigned)(door < first_fd ? first_fd : door + 1), ~0U, 0);
}

pid_t
forker_start(struct svc *s, int store, int door, int first_fd, struct err *e)
{
	struct forker f = { s, store, door };
	pid_t pid = svc_fork(s);

	if (pid < 0)
		return err_set(e, ERR_TEMP, "the process that starts workers: %m");
	if (pid == 0) {
		close_others(first_fd, door);
		_exit(serve(&f));
	}
	return pid;
}
