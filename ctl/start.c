/* start.c - `rookery start`, stop, restart, reload, reopen. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/json.h"
#include "ipc/master.h"

enum { START_WAIT_MS = 60 * 1000, STOP_WAIT_MS = 2 * 3600 * 1000, TAIL_MAX = 64 * 1024, TAIL_LINES = 12 };

extern char **environ;

static void
report(const struct ctl *c, const char *what)
{
	struct json j;

	if (!c->json) {
		printf("%s: %s\n", c->dir_name, what);
		return;
	}
	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_str(&j, "dir", c->dir_name);
	json_str(&j, "result", what);
	json_close(&j);
}

static uint64_t
log_size(const struct ctl *c)
{
	struct stat st;

	return fstatat(c->dir, "log/rookery.log", &st, 0) == 0 ? (uint64_t)st.st_size : 0;
}

/* The last errors and warnings of the log behind `from`: why it did not start. */
static void
show_log(const struct ctl *c, uint64_t from)
{
	char *text = mem_zero(TAIL_MAX, 1);
	int fd = openat(c->dir, "log/rookery.log", O_RDONLY | O_CLOEXEC);
	uint64_t size = log_size(c);
	struct span rest, lines[TAIL_LINES] = { { 0 } };
	size_t n = 0;
	ssize_t got;

	if (size < from)
		from = 0; /* it has been rotated meanwhile */
	if (size > from + TAIL_MAX)
		from = size - TAIL_MAX;
	got = fd >= 0 ? pread(fd, text, TAIL_MAX, (off_t)from) : 0;
	rest = span_of(text, got > 0 ? (size_t)got : 0);
	while (rest.n > 0) {
		struct span line = span_cut(&rest, '\n');

		if (span_find(line, SPAN(" error ")) >= 0 || span_find(line, SPAN(" warn ")) >= 0)
			lines[n++ % TAIL_LINES] = line;
	}
	for (size_t i = n > TAIL_LINES ? n - TAIL_LINES : 0; i < n; i++)
		fprintf(stderr, "  %.*s\n", SPAN_ARG(lines[i % TAIL_LINES]));
	if (fd >= 0)
		close(fd);
	free(text);
}

/* Master leaves us when it can be asked; what kept it from that it has said itself. Gives its exit status. */
static int
spawn_master(const struct ctl *c, const char *path)
{
	const char *const argv[] = { "master", "-d", c->dir_name, NULL };
	int status, rc;
	pid_t pid;

	rc = posix_spawn(&pid, path, NULL, NULL, (char *const *)(uintptr_t)argv, environ);
	if (rc != 0) {
		fprintf(stderr, "rookery: %s: %s\n", path, strerror(rc));
		return EX_OSERR;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}

static int
ask(struct ctl *c, enum master_op op, uint64_t wait_ms, struct err *e)
{
	struct ipc *master = ctl_master(c, e);
	struct master_do request = { .op = op };
	struct master_done answer;
	struct ipc_in in;
	struct err closed = { 0 };
	int rc;

	if (master == NULL)
		return -1;
	ipc_timeout(master, wait_ms);
	rc = ipc_call(master, master_do, &request, master_done, &answer, e);
	if (rc == 0 && (op == MASTER_STOP || op == MASTER_STOP_NOW))
		ipc_get(master, &in, &closed); /* its end: master is gone */
	ipc_free(master);
	return rc;
}

static int
wait_ready(struct ctl *c, struct err *e)
{
	struct ipc *master = ctl_master(c, e);
	struct master_wait request = {};
	struct master_done answer;
	int rc;

	if (master == NULL)
		return -1;
	ipc_timeout(master, START_WAIT_MS);
	rc = ipc_call(master, master_wait, &request, master_done, &answer, e);
	ipc_free(master);
	return rc;
}

static int
start_background(struct ctl *c, const char *path)
{
	struct err e = { 0 }, ignored = { 0 };
	uint64_t before = log_size(c);
	int rc = spawn_master(c, path);

	if (rc != 0)
		return rc;
	if (wait_ready(c, &e) < 0) {
		rc = ctl_fail(&e);
		show_log(c, before);
		ask(c, MASTER_STOP_NOW, START_WAIT_MS, &ignored);
		return rc;
	}
	report(c, "running");
	return 0;
}

int
ctl_start(struct ctl *c, int argc, char **argv)
{
	bool foreground = argc == 2 && strcmp(argv[1], "--foreground") == 0;
	char *path;
	int rc;

	if (argc > 1 && !foreground)
		return ctl_misuse("`%s` is no argument of start", argv[1]);
	need(asprintf(&path, "%s/master", c->self) >= 0);
	if (foreground) {
		execl(path, "master", "-d", c->dir_name, "-n", (char *)NULL);
		fprintf(stderr, "rookery: %s: %s\n", path, strerror(errno));
		rc = EX_OSERR;
	} else {
		rc = start_background(c, path);
	}
	free(path);
	return rc;
}

int
ctl_stop(struct ctl *c, int argc, char **argv)
{
	bool now = argc == 2 && strcmp(argv[1], "--now") == 0;
	struct err e = { 0 };
	struct ipc *master;

	if (argc > 1 && !now)
		return ctl_misuse("`%s` is no argument of %s", argv[1], argv[0]);
	if ((master = ctl_master(c, &e)) == NULL && e.kind == ERR_TEMP) {
		report(c, "not running"); /* as wanted */
		return 0;
	}
	ipc_free(master);
	if (master == NULL || ask(c, now ? MASTER_STOP_NOW : MASTER_STOP, STOP_WAIT_MS, &e) < 0)
		return ctl_fail(&e);
	report(c, "stopped");
	return 0;
}

int
ctl_restart(struct ctl *c, int argc, char **argv)
{
	int rc = ctl_stop(c, argc, argv);

	return rc == 0 ? ctl_start(c, 1, argv) : rc;
}

static int
simple(struct ctl *c, int argc, char **argv, enum master_op op, const char *what)
{
	struct err e = { 0 };

	if (argc > 1)
		return ctl_misuse("`%s` is no argument of %s", argv[1], argv[0]);
	if (ask(c, op, START_WAIT_MS, &e) < 0)
		return ctl_fail(&e);
	report(c, what);
	return 0;
}

int
ctl_reload(struct ctl *c, int argc, char **argv)
{
	return simple(c, argc, argv, MASTER_RELOAD, "reloaded");
}

int
ctl_reopen(struct ctl *c, int argc, char **argv)
{
	return simple(c, argc, argv, MASTER_REOPEN_LOG, "log reopened");
}
