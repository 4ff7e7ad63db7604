/* unit-jail - what is refused, what kills, and what works, each tried in a child of its own. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "jail/jail.h"
#include "t/tap.h"

static int dir; /* an instance: spool/, store/a/, store/b/, secret */

/* ---- what is tried; each returns 0 if it may, else the errno */

static int
try_open(void)
{
	return open("/etc/passwd", O_RDONLY) >= 0 ? 0 : errno;
}

static int
try_open_below(void)
{
	return openat(dir, "secret", O_RDONLY) >= 0 ? 0 : errno;
}

static int
try_stat(void)
{
	struct stat st;

	return stat("/etc/passwd", &st) == 0 ? 0 : errno;
}

static int
connect_port(uint16_t port)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		return errno;
	return connect(fd, (struct sockaddr *)&in, sizeof in) == 0 || errno == ECONNREFUSED ? 0 : errno;
}

static int
try_connect(void)
{
	return connect_port(1);
}

static int
try_connect_other(void)
{
	return connect_port(2);
}

static int
try_unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 0 : errno;
}

static int
try_exec(void)
{
	char *argv[] = { NULL };

	execve("/bin/true", argv, argv);
	return errno;
}

static int
try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid > 0 && waitpid(pid, NULL, 0) == pid ? 0 : errno;
}

static int
try_ptrace(void)
{
	return syscall(SYS_ptrace, 0L, 0L, 0L, 0L) == 0 ? 0 : errno;
}

static int
try_unshare(void)
{
	return syscall(SYS_unshare, 0x10000000L) == 0 ? 0 : errno;
}

static int
try_new_namespace(void)
{
	return syscall(SYS_clone, 0x10000000L | SIGCHLD, 0L, 0L, 0L, 0L) >= 0 ? 0 : errno;
}

static int
try_exec_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED
		   ? 0
		   : errno;
}

static int
try_memory(void)
{
	char *p = mmap(NULL, 50 * 1024 * 1024, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return errno;
	memset(p, 1, 50 * 1024 * 1024);
	return 0;
}

/* The group's leader is our parent, which is outside the jail. */
static int
try_signal_parent(void)
{
	return kill(getppid(), 0) == 0 ? 0 : errno;
}

static int
try_datagrams(void)
{
	int fds[2];

	return socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) == 0 ? 0 : errno;
}

static int
try_shut(void)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0 || shutdown(fds[1], SHUT_RD) < 0)
		return -2;
	return shutdown(fds[1], SHUT_WR) == 0 ? 0 : errno;
}

static int
try_pair(void)
{
	int fds[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0 ? 0 : errno;
}

static int
try_write_spool(void)
{
	int fd = openat(dir, "spool/x", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	return fd >= 0 && write(fd, "x", 1) == 1 && fdatasync(fd) == 0 && ftruncate(fd, 0) == 0 ? 0 : errno;
}

static int
try_link(void)
{
	unlinkat(dir, "store/a/x", 0);
	return linkat(dir, "spool/x", dir, "store/a/x", 0) == 0 ? 0 : errno;
}

static int
try_read_spool(void)
{
	return openat(dir, "spool/x", O_RDONLY) >= 0 ? 0 : errno;
}

static int
try_device(void)
{
	return mknodat(dir, "spool/fifo", S_IFIFO | 0600, 0) == 0 ? 0 : errno;
}

static int
try_other_owner(void)
{
	return openat(dir, "store/b/mail", O_RDONLY) >= 0 ? 0 : errno;
}

static int
try_own(void)
{
	return openat(dir, "store/a/mail", O_RDONLY) >= 0 ? 0 : errno;
}

static int
try_climb(void)
{
	return open("../b/mail", O_RDONLY) >= 0 ? 0 : errno;
}

static int
try_own_relative(void)
{
	return open("mail", O_RDWR) >= 0 ? 0 : errno;
}

static int
try_sqlite(void)
{
	sqlite3 *db = NULL;
	char *why = NULL;
	int rc = sqlite3_open("index.db", &db);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db,
		    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE IF NOT EXISTS t (x);"
		    "BEGIN IMMEDIATE; INSERT INTO t VALUES (1); COMMIT; PRAGMA wal_checkpoint(TRUNCATE); "
		    "VACUUM;",
		    NULL, NULL, &why);
	if (why != NULL)
		printf("# sqlite: %s\n", why);
	return rc == SQLITE_OK && sqlite3_close(db) == SQLITE_OK ? 0 : EIO;
}

static int
try_socket_options(void)
{
	int fds[2], one = 1;
	struct timeval tv = { 1, 0 };

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return errno;
	setsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) == 0 ? 0 : errno;
}

static int
try_library(void)
{
	struct rlimit r;
	time_t now = time(NULL);
	struct tm tm;
	int x[3] = { 3, 1, 2 };

	gmtime_r(&now, &tm);
	qsort(x, 3, sizeof x[0], (int (*)(const void *, const void *))(void (*)(void))memcmp);
	return getrlimit(RLIMIT_CORE, &r) == 0 || errno == EACCES ? 0 : errno;
}

/* ---- the jails */

static const struct jail none = { .calls = JAIL_STDIO };
static const struct jail dialler = { .calls = JAIL_PAIR };
static const struct jail forker = { .calls = JAIL_FORK };
static const struct jail inet = { .calls = JAIL_INET };
static const struct jail one_port = { .calls = JAIL_INET, .ports = { 1 } };
__attribute__((unused)) static const struct jail small = { .calls = JAIL_STDIO,
	.memory_max = 40 * 1024 * 1024 };
static const struct jail spool = { .calls = JAIL_FILES, .paths = { { "spool", JAIL_READ | JAIL_WRITE } } };
static const struct jail spool_ro = { .calls = JAIL_FILES,
	.paths = { { "spool", JAIL_READ }, { "/no/such", JAIL_READ } } };
static const struct jail both = { .calls = JAIL_FILES,
	.paths = { { "spool", JAIL_READ | JAIL_WRITE }, { "store", JAIL_READ | JAIL_WRITE } } };
static const struct jail store = { .calls = JAIL_FILES | JAIL_SQLITE | JAIL_FORK | JAIL_CONFINE,
	.paths = { { "store", JAIL_READ | JAIL_WRITE } } };

enum { KILLED = -1 };

static const struct {
	const char *name;
	const struct jail *jail;
	int (*try)(void);
	int want; /* 0: works; an errno; KILLED */
	bool narrow;
} cases[] = {
	{ "a file can't be opened", &none, try_open, EACCES, false },
	{ "nor one of the instance", &none, try_open_below, EACCES, false },
	{ "nor looked for", &none, try_stat, EACCES, false },
	{ "no connection can be made", &none, try_connect, EACCES, false },
	{ "a program can't be executed", &none, try_exec, KILLED, false },
	{ "no process can be made", &none, try_fork, KILLED, false },
	{ "none can be traced", &none, try_ptrace, KILLED, false },
	{ "no namespace can be entered", &none, try_unshare, KILLED, false },
	{ "memory is never executable", &none, try_exec_memory, KILLED, false },
	{ "memory can be had", &none, try_memory, 0, false },
#ifndef __SANITIZE_ADDRESS__ /* whose shadow is terabytes: there it has no limit */
	{ "but within its limit", &small, try_memory, ENOMEM, false },
#endif
	{ "no door can be dialled", &none, try_pair, EACCES, false },
	{ "unless the class is given", &dialler, try_pair, 0, false },
	{ "but no socket that could send to any name", &dialler, try_datagrams, EACCES, false },
	{ "a socket is shut for reading alone", &dialler, try_shut, EACCES, false },
	{ "what the C library does unasked works", &none, try_library, 0, false },
	{ "deadlines can be set", &dialler, try_socket_options, 0, false },
	{ "a forking jail forks", &forker, try_fork, 0, false },
	{ "but executes nothing", &forker, try_exec, KILLED, false },
	{ "and makes no namespace", &forker, try_new_namespace, KILLED, false },
	{ "who is outside gets no signal", &forker, try_signal_parent, EPERM, false },
	{ "an INET jail connects", &inet, try_connect, 0, false },
	{ "by no Unix socket", &inet, try_unix_socket, EACCES, false },
	{ "opens no file", &inet, try_open, EACCES, false },
	{ "connects to the port that is allowed", &one_port, try_connect, 0, false },
	{ "and to no other", &one_port, try_connect_other, EACCES, false },
	{ "below a path files are made, written, synced, cut", &spool, try_write_spool, 0, false },
	{ "beside it nothing can be opened", &spool, try_open_below, EACCES, false },
	{ "nor far from it", &spool, try_open, EACCES, false },
	{ "no pipes or devices are made", &spool, try_device, KILLED, false },
	{ "no program runs", &spool, try_exec, KILLED, false },
	{ "a path for reading is read", &spool_ro, try_read_spool, 0, false },
	{ "and not written", &spool_ro, try_write_spool, EACCES, false },
	{ "between two paths of the same rights files are linked", &both, try_link, 0, false },
	{ "a store's parent reaches every owner", &store, try_other_owner, 0, false },
	{ "a narrowed child its own", &store, try_own, 0, true },
	{ "and none other", &store, try_other_owner, EACCES, true },
	{ "not by a name from its working directory", &store, try_climb, EACCES, true },
	{ "its own by such a name", &store, try_own_relative, 0, true },
	{ "SQLite works there", &store, try_sqlite, 0, true },
	{ "a narrowed child can't fork", &store, try_fork, KILLED, true },
	{ "nor run a program", &store, try_exec, KILLED, true },
};

static void
narrow(void)
{
	struct err e = { 0 };
	struct jail_fd own = { openat(dir, "store/a", O_PATH | O_DIRECTORY), JAIL_READ | JAIL_WRITE };

	if (own.fd < 0 || fchdir(own.fd) < 0 || jail_narrow(JAIL_FILES | JAIL_SQLITE, &own, 1, &e) < 0) {
		printf("# narrow: %s\n", e.text);
		_exit(201);
	}
}

static void
one_case(size_t i)
{
	struct err e = { 0 };
	int status, got;
	pid_t pid;

	fflush(stdout);
	if ((pid = fork()) == 0) {
		if (jail_enter(cases[i].jail, dir, &e) < 0) {
			printf("# jail_enter: %s\n", e.text);
			fflush(stdout);
			_exit(200);
		}
		if (cases[i].narrow)
			narrow();
		_exit(cases[i].try());
	}
	need(waitpid(pid, &status, 0) == pid);
	got = WIFSIGNALED(status) ? (WTERMSIG(status) == SIGSYS ? KILLED : 1000 + WTERMSIG(status))
				  : WEXITSTATUS(status);
	if (!tap_ok(got == cases[i].want, "%s", cases[i].name))
		printf("# got %d (%s), want %d\n", got, got > 0 && got < 200 ? strerror(got) : "",
		    cases[i].want);
}

/* Nothing is left of root: in /proc it stands as an administrator would look. */
static void
proc_status(void)
{
	struct err e = { 0 };
	int status;
	pid_t pid;

	fflush(stdout);
	if ((pid = fork()) == 0) {
		static char text[8192];
		int fd = open("/proc/self/status", O_RDONLY);

		if (jail_become("65534", NULL, &e) < 0 || jail_enter(&none, dir, &e) < 0)
			_exit(1);
		if (pread(fd, text, sizeof text - 1, 0) <= 0)
			_exit(2);
		if (strstr(text, "Seccomp:\t2") == NULL || strstr(text, "NoNewPrivs:\t1") == NULL)
			_exit(3);
		if (strstr(text, "CapEff:\t0000000000000000") == NULL ||
		    strstr(text, "CapPrm:\t0000000000000000") == NULL)
			_exit(4);
		if (geteuid() == 0 || (getppid() != 0 && strstr(text, "Uid:\t0") != NULL))
			_exit(5);
		_exit(0);
	}
	need(waitpid(pid, &status, 0) == pid);
	tap_ok(status == 0, "/proc shows Seccomp 2, NoNewPrivs 1, no capability, no root (%d)",
	    WEXITSTATUS(status));
}

static void
make_file(const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT, 0666);

	need(fd >= 0);
	close(fd);
}

static void
instance(char *path)
{
	need(mkdtemp(path) != NULL && (dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC)) >= 0);
	need(mkdirat(dir, "spool", 0777) == 0 && mkdirat(dir, "store", 0777) == 0 &&
	     mkdirat(dir, "store/a", 0777) == 0 && mkdirat(dir, "store/b", 0777) == 0);
	make_file("secret");
	make_file("store/a/mail");
	make_file("store/b/mail");
	make_file("spool/x");
}

static void
clean(const char *path)
{
	static const char *const names[] = { "secret", "store/a/mail", "store/b/mail", "store/a/x", "spool/x",
		"store/a/index.db", "store/a/index.db-wal", "store/a/index.db-shm" };
	static const char *const dirs[] = { "store/a", "store/b", "store", "spool" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		unlinkat(dir, names[i], 0);
	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++)
		unlinkat(dir, dirs[i], AT_REMOVEDIR);
	if (rmdir(path) < 0)
		printf("# %s: %s\n", path, strerror(errno));
}

int
main(void)
{
	char path[] = "/tmp/unit-jail-XXXXXX";
	struct err e = { 0 };

	printf("# kernel: %s\n", jail_missing()[0] != '\0' ? jail_missing() : "has it all");
	instance(path);
	tap_ok(jail_prepare(JAIL_FILES | JAIL_SQLITE, &e) == 0,
	    "calls are compiled before they are needed %s", e.text);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		one_case(i);
	proc_status();
	tap_ok(jail_become("no-such-user", NULL, &e) == (geteuid() == 0 ? -1 : 0),
	    "a user that is not there: %s", e.text);
	clean(path);
	return tap_done();
}
