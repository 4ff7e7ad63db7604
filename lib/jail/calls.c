/*
 * calls.c - which system calls each class of a jail allows.
 *
 * Three outcomes: a call in the list is allowed; one that libraries try although they can live without it, or
 * by which a test can ask what is possible (open, socket ...), fails with EACCES; any other kills the
 * process. The kernel keeps a bitmap of the calls that are allowed whatever their arguments: those cost
 * nothing.
 */
#include "jail/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "jail/jail.h"

/* Each list ends with NULL. Names that this architecture has not are passed over. */
static const char *const stdio_calls[] = { "read", "readv", "write", "writev", "close", "close_range",
	"sendmsg", "recvmsg", "sendto", "recvfrom", "sendfile", "pread64", "poll", "ppoll", "select",
	"pselect6", "epoll_wait", "epoll_pwait", "epoll_ctl", "epoll_create1", "eventfd2", "pipe2", "lseek",
	"fstat", "getsockopt", "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep",
	"gettimeofday", "time", "getrandom", "exit", "exit_group", "brk", "munmap", "mremap", "madvise",
	"futex", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "sigaltstack",
	"restart_syscall", "getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid",
	"getrusage", "sched_yield", "sched_getaffinity", "sysinfo", "uname", "rseq", "membarrier", NULL };
static const char *const accept_calls[] = { "accept", "accept4", "getsockname", "getpeername", NULL };
static const char *const fork_calls[] = { "fork", "wait4", "waitid", "kill", "set_robust_list", "signalfd4",
	NULL };
static const char *const files_calls[] = { "open", "openat", "openat2", "unlink", "unlinkat", "link",
	"linkat", "mkdir", "mkdirat", "rmdir", "rename", "renameat", "renameat2", "newfstatat", "statx",
	"stat", "lstat", "truncate", "ftruncate", "fsync", "fdatasync", "syncfs", "sync_file_range",
	"fallocate", "fadvise64", "fchmod", "fchmodat", "utimensat", "getdents64", "readlink", "readlinkat",
	"access", "faccessat", "faccessat2", "flock", "fchdir", "chdir", "getcwd", "preadv", "preadv2",
	"pwrite64", "pwritev", "pwritev2", "copy_file_range", "statfs", "fstatfs", "umask", NULL };
static const char *const sqlite_calls[] = { "access", "stat", "lstat", "newfstatat", "readlink", "getcwd",
	"fchmod", "fchown", "pwrite64", "fsync", "fdatasync", "ftruncate", "fallocate", "unlink", "mkdir",
	"rmdir", "utimensat", NULL };
static const char *const inet_calls[] = { "connect", "bind", "getsockname", "getpeername", "setsockopt",
	"sendmmsg", "recvmmsg", NULL };
static const char *const sync_calls[] = { "fsync", "fdatasync", "ftruncate", "pwrite64", "pwritev", "preadv",
	"fallocate", "fadvise64", "sync_file_range", "copy_file_range", NULL };
static const char *const memory_calls[] = { "memfd_create", NULL };
static const char *const shut_calls[] = { "shutdown", NULL };
static const char *const confine_calls[] = { "landlock_create_ruleset", "landlock_add_rule",
	"landlock_restrict_self", "seccomp", "memfd_create", NULL };

/* Refused, but no reason to die: what libraries probe for, and what has no rule below. */
static const char *const refused_calls[] = { "open", "openat", "openat2", "access", "faccessat", "faccessat2",
	"stat", "lstat", "statx", "readlink", "readlinkat", "getcwd", "socket", "socketpair", "connect",
	"bind", "ioctl", "prlimit64", "kill", "clone3", NULL };

static const struct {
	unsigned calls; /* any of these; 0: always */
	const char *const *names;
} lists[] = {
	{ 0, stdio_calls },
	{ JAIL_ACCEPT, accept_calls },
	{ JAIL_FORK, fork_calls },
	{ JAIL_FILES, files_calls },
	{ JAIL_SQLITE, sqlite_calls },
	{ JAIL_INET, inet_calls },
	{ JAIL_SYNC, sync_calls },
	{ JAIL_MEMORY, memory_calls },
	{ JAIL_SHUT, shut_calls },
	{ JAIL_CONFINE, confine_calls },
};

/* Allowed (or refused) only with certain arguments: (argument & mask) == value, at most two of them. */
struct rule {
	unsigned calls; /* any of these; 0: always */
	const char *name;
	struct scmp_arg_cmp arg[2];
	unsigned n;
	bool refused;
};

/* clang-format off */
#define MASKED(at, mask, value)	{ (at), SCMP_CMP_MASKED_EQ, (scmp_datum_t)(mask), (scmp_datum_t)(value) }
#define EQUAL(at, value)	{ (at), SCMP_CMP_EQ, (scmp_datum_t)(value), 0 }
#define ONE(calls, name, a)	{ (calls), (name), { a }, 1, false }
#define TWO(calls, name, a, b)	{ (calls), (name), { a, b }, 2, false }
#define REFUSED(calls, name, a)	{ (calls), (name), { a }, 1, true }
/* clang-format on */

enum { SOCK_TYPE = 0xf }; /* the type without SOCK_CLOEXEC and SOCK_NONBLOCK */
enum { FILE_MAPS = JAIL_FILES | JAIL_SQLITE | JAIL_SYNC };
/* What fork(2) of the C library sets beside the signal at the end: no shared memory, no namespaces. */
static const unsigned long long fork_flags = CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | 0xff;

static const struct rule rules[] = {
	/* Memory is never executable, and only of files where a class says so. */
	TWO(0, "mmap", MASKED(2, PROT_EXEC, 0), MASKED(3, MAP_ANONYMOUS, MAP_ANONYMOUS)),
	ONE(FILE_MAPS, "mmap", MASKED(2, PROT_EXEC, 0)),
	ONE(0, "mprotect", MASKED(2, PROT_EXEC, 0)),
	/* abort() */
	ONE(0, "tgkill", EQUAL(2, SIGABRT)),
	/* fstat() of newer C libraries; a path in it tells whether a file exists, no more */
	ONE(0, "newfstatat", MASKED(3, AT_EMPTY_PATH, AT_EMPTY_PATH)),
	REFUSED(0, "newfstatat", MASKED(3, AT_EMPTY_PATH, 0)),
	ONE(0, "fcntl", EQUAL(1, F_GETFL)),
	ONE(0, "fcntl", EQUAL(1, F_SETFL)),
	ONE(0, "fcntl", EQUAL(1, F_GETFD)),
	ONE(0, "fcntl", EQUAL(1, F_SETFD)),
	ONE(0, "fcntl", EQUAL(1, F_DUPFD_CLOEXEC)),
	ONE(0, "fcntl", EQUAL(1, F_DUPFD)),
	ONE(JAIL_FILES | JAIL_SQLITE, "fcntl", EQUAL(1, F_GETLK)),
	ONE(JAIL_FILES | JAIL_SQLITE, "fcntl", EQUAL(1, F_SETLK)),
	ONE(JAIL_FILES | JAIL_SQLITE, "fcntl", EQUAL(1, F_SETLKW)),
	ONE(JAIL_FILES | JAIL_SQLITE, "fcntl", EQUAL(1, F_OFD_GETLK)),
	ONE(JAIL_FILES | JAIL_SQLITE, "fcntl", EQUAL(1, F_OFD_SETLK)),
	ONE(JAIL_FILES | JAIL_SQLITE, "fcntl", EQUAL(1, F_OFD_SETLKW)),
	/* To write no more is a thing of the socket, and doors and the log are shared by all of a program's processes. */
	ONE(0, "shutdown", EQUAL(1, SHUT_RD)),
	REFUSED(0, "shutdown", EQUAL(1, SHUT_WR)),
	REFUSED(0, "shutdown", EQUAL(1, SHUT_RDWR)),
	/* what a connection sets */
	TWO(0, "setsockopt", EQUAL(1, SOL_SOCKET), EQUAL(2, SO_RCVTIMEO)),
	TWO(0, "setsockopt", EQUAL(1, SOL_SOCKET), EQUAL(2, SO_SNDTIMEO)),
	TWO(0, "setsockopt", EQUAL(1, SOL_SOCKET), EQUAL(2, SO_KEEPALIVE)),
	TWO(0, "setsockopt", EQUAL(1, SOL_SOCKET), EQUAL(2, SO_SNDBUF)),
	TWO(0, "setsockopt", EQUAL(1, SOL_SOCKET), EQUAL(2, SO_RCVBUF)),
	TWO(0, "setsockopt", EQUAL(1, SOL_SOCKET), EQUAL(2, SO_LINGER)),
	ONE(0, "setsockopt", EQUAL(1, IPPROTO_TCP)),
	ONE(0, "prctl", EQUAL(0, PR_SET_NAME)),
	/* Never of datagrams: such a socket can be sent from to any other's name, as /dev/log. */
	TWO(JAIL_PAIR, "socketpair", EQUAL(0, AF_UNIX), MASKED(1, SOCK_TYPE, SOCK_STREAM)),
	TWO(JAIL_PAIR, "socketpair", EQUAL(0, AF_UNIX), MASKED(1, SOCK_TYPE, SOCK_SEQPACKET)),
	REFUSED(JAIL_PAIR, "socketpair", MASKED(1, SOCK_TYPE, SOCK_DGRAM)),
	ONE(JAIL_INET, "socket", EQUAL(0, AF_INET)),
	ONE(JAIL_INET, "socket", EQUAL(0, AF_INET6)),
	REFUSED(JAIL_INET, "socket", EQUAL(0, AF_UNIX)),
	REFUSED(JAIL_INET, "socket", EQUAL(0, AF_NETLINK)),
	ONE(JAIL_FORK, "clone", MASKED(0, ~fork_flags, 0)),
	ONE(JAIL_CONFINE, "prctl", EQUAL(0, PR_SET_NO_NEW_PRIVS)),
	ONE(JAIL_CONFINE, "prctl", EQUAL(0, PR_SET_SECCOMP)),
};

static bool
asked(unsigned wanted, unsigned calls)
{
	return wanted == 0 || (wanted & calls) != 0;
}

/* Allowed whatever the arguments are: then no rule may follow. */
static bool
in_lists(unsigned calls, const char *name)
{
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		for (const char *const *p = lists[i].names; *p != NULL && asked(lists[i].calls, calls); p++)
			if (strcmp(*p, name) == 0)
				return true;
	return false;
}

static int
allow_lists(scmp_filter_ctx ctx, unsigned calls)
{
	int rc = 0;

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		for (const char *const *p = lists[i].names;
		     *p != NULL && asked(lists[i].calls, calls) && rc == 0; p++) {
			int nr = seccomp_syscall_resolve_name(*p);

			if (nr >= 0)
				rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
			rc = rc == -EEXIST ? 0 : rc; /* in two classes */
		}
	return rc;
}

static int
allow_rules(scmp_filter_ctx ctx, unsigned calls)
{
	int rc = 0;

	for (size_t i = 0; i < sizeof rules / sizeof rules[0] && rc == 0; i++) {
		int nr = seccomp_syscall_resolve_name(rules[i].name);

		if (nr >= 0 && asked(rules[i].calls, calls) && !in_lists(calls, rules[i].name))
			rc = seccomp_rule_add_array(ctx,
			    rules[i].refused ? SCMP_ACT_ERRNO(EACCES) : SCMP_ACT_ALLOW, nr, rules[i].n,
			    rules[i].arg);
	}
	return rc;
}

static bool
has_rule(unsigned calls, const char *name)
{
	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
		if (asked(rules[i].calls, calls) && strcmp(rules[i].name, name) == 0)
			return true;
	return false;
}

/* What a refused call fails with. */
static uint32_t
refusal(const char *name)
{
	if (strcmp(name, "ioctl") == 0)
		return SCMP_ACT_ERRNO(ENOTTY);
	if (strcmp(name, "clone3") == 0)
		return SCMP_ACT_ERRNO(ENOSYS); /* the C library then takes clone */
	return SCMP_ACT_ERRNO(EACCES);
}

static int
refuse_lists(scmp_filter_ctx ctx, unsigned calls)
{
	int rc = 0;

	for (const char *const *p = refused_calls; *p != NULL && rc == 0; p++) {
		int nr = seccomp_syscall_resolve_name(*p);

		if (nr >= 0 && !in_lists(calls, *p) && !has_rule(calls, *p))
			rc = seccomp_rule_add(ctx, refusal(*p), nr, 0);
	}
	return rc;
}

/* The program as libseccomp writes it, read back from a file in memory. */
static int
export_program(scmp_filter_ctx ctx, struct sock_fprog *out, struct err *e)
{
	int fd = (int)syscall(SYS_memfd_create, "seccomp", MFD_CLOEXEC), rc = -1;
	off_t size;

	if (fd < 0)
		return err_set(e, ERR_PERM, "memfd_create: %m");
	if (seccomp_export_bpf(ctx, fd) != 0 || (size = lseek(fd, 0, SEEK_END)) <= 0) {
		err_set(e, ERR_PERM, "seccomp_export_bpf failed");
		goto out;
	}
	out->len = (unsigned short)((size_t)size / sizeof(struct sock_filter));
	out->filter = mem_zero(out->len, sizeof(struct sock_filter));
	if (pread(fd, out->filter, (size_t)size, 0) != size) {
		free(out->filter);
		err_set(e, ERR_PERM, "seccomp program: %m");
		goto out;
	}
	rc = 0;
out:
	close(fd);
	return rc;
}

int
calls_compile(unsigned calls, struct sock_fprog *out, struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc;

	if (ctx == NULL)
		return err_set(e, ERR_PERM, "seccomp_init failed");
	rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (rc == 0)
		rc = allow_lists(ctx, calls);
	if (rc == 0)
		rc = allow_rules(ctx, calls);
	if (rc == 0)
		rc = refuse_lists(ctx, calls);
	if (rc == 0)
		rc = export_program(ctx, out, e);
	else
		rc = err_set(e, ERR_PERM, "seccomp: %s", strerror(-rc));
	seccomp_release(ctx);
	return rc;
}

int
calls_load(const struct sock_fprog *prog, struct err *e)
{
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, prog) != 0)
		return err_set(e, ERR_PERM, "seccomp: %m");
	return 0;
}
