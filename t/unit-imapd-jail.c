/*
 * unit-imapd-jail - a worker that has entered the store of its owner can reach no other's: tried by openat
 * from inside, by every way there is to name a file.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cfg/cfg.h"
#include "imapd/worker.h"
#include "t/tap.h"

static char dir[] = "/tmp/rk-imapd-jail-XXXXXX";

static void
put(const char *owner)
{
	char path[300];
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, owner);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/%s/index.db", dir, owner);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	tap_ok(fd >= 0 && write(fd, "mail", 4) == 4, "%s has mail", owner);
	close(fd);
}

/* Opened, 1; refused, 0. */
static bool
can(int at, const char *path, int how)
{
	int fd = openat(at, path, how, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void
say(int report, bool opened, char if_so)
{
	char c = opened ? if_so : '-';

	if (write(report, &c, 1) != 1)
		_exit(1);
}

static void
enter(int report)
{
	struct err e = { 0 };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* as the holder has: Landlock wants it of who is not root */
	if (jail_prepare(WORKER_CALLS, &e) < 0 ||
	    worker_enter(open(dir, O_PATH | O_DIRECTORY), SPAN("alice"), true, &e) < 0) {
		dprintf(report, "worker_enter: %s", e.text);
		_exit(1);
	}
}

/* In the child: one letter for each attempt: y what it may, Y what it may not. */
static void
attempts(int store_copy, int report)
{
	char other[300];

	snprintf(other, sizeof other, "%s/bob/index.db", dir);
	enter(report);
	say(report, can(AT_FDCWD, "index.db", O_RDWR), 'y');
	say(report, can(AT_FDCWD, "new", O_CREAT | O_RDWR), 'y');
	say(report, can(AT_FDCWD, other, O_RDONLY), 'Y');               /* by its path */
	say(report, can(AT_FDCWD, "../bob/index.db", O_RDONLY), 'Y');   /* upwards */
	say(report, can(store_copy, "bob/index.db", O_RDONLY), 'Y');    /* by a descriptor that leaked */
	say(report, can(store_copy, ".", O_RDONLY | O_DIRECTORY), 'Y'); /* who else is there? */
	say(report, can(AT_FDCWD, "/proc/self/cwd/../bob/index.db", O_RDONLY), 'Y');
	say(report, can(AT_FDCWD, "/etc/passwd", O_RDONLY), 'Y');
	say(report, can(AT_FDCWD, "../bob/evil", O_CREAT | O_WRONLY), 'Y');
	say(report, linkat(AT_FDCWD, "../bob/index.db", AT_FDCWD, "stolen", 0) == 0, 'Y');
	_exit(0);
}

/* What the kernel answers by killing. */
static void
fatal(int store_copy, int report)
{
	(void)store_copy;
	enter(report);
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0)
		_exit(1);
	_exit(symlink("/etc/passwd", "link") == 0 && can(AT_FDCWD, "link", O_RDONLY));
}

static int
run(void (*child)(int, int), char *got, size_t size)
{
	int store_copy = open(dir, O_PATH | O_DIRECTORY), report[2], status = -1;
	ssize_t n;
	pid_t pid;

	if (pipe(report) < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		child(store_copy, report[1]);
	close(report[1]);
	waitpid(pid, &status, 0);
	n = read(report[0], got, size - 1);
	got[n > 0 ? n : 0] = '\0';
	close(report[0]);
	close(store_copy);
	return status;
}

int
main(void)
{
	char command[300], got[300];
	struct err e = { 0 };
	int status;

	if (mkdtemp(dir) == NULL || cfg_load(SPAN(""), "", NULL, 0, &e) < 0)
		return 1;
	put("alice");
	put("bob");
	status = run(attempts, got, sizeof got);
	if (!tap_ok(strcmp(got, "yy--------") == 0,
		"a worker opens what is its owner's, and nothing of anyone else's"))
		printf("# got '%s', status %d\n", got, status);
	status = run(fatal, got, sizeof got);
	tap_ok((WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) ||
		   (WIFEXITED(status) && WEXITSTATUS(status) == 0),
	    "it makes no socket of the network, and no symbolic link");
	snprintf(command, sizeof command, "rm -rf %s", dir);
	tap_ok(system(command) == 0, "the scratch directory is removed");
	return tap_done();
}
