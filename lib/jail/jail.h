/*
 * jail.h - what a process may still do after svc_confine: declared as a const table at the top of its main
 * file, with a reason a line. Enforced by the kernel: uid and groups, no_new_privs, no capability, rlimits,
 * Landlock (files, TCP, abstract sockets, signals), seccomp with an allow-list whose default kills.
 *
 * Classes of system calls. Every jail has JAIL_STDIO: read, write, send, receive (descriptors too), poll,
 * epoll, timers, memory without PROT_EXEC, clocks, getrandom, exit, signals to itself. What it has not been
 * given fails with EACCES where libraries try it (open, stat, socket, connect), and kills where nobody honest
 * does.
 *
 * A file can be linked or renamed between two of the paths only if both have the same rights.
 */
#ifndef JAIL_JAIL_H
#define JAIL_JAIL_H

#include "base/base.h"

enum jail_calls {
	JAIL_STDIO = 0,
	JAIL_ACCEPT = 1 << 0, /* accept4, getsockname, getpeername, setsockopt of what it may need */
	JAIL_FORK = 1 << 1,   /* fork and wait, kill of own children; never execve */
	JAIL_PAIR = 1 << 2,   /* socketpair(AF_UNIX): dialling doors */
	JAIL_FILES =
	    1 << 3, /* openat2 and openat, unlinkat, linkat, fstat, truncate, sync ... below the paths */
	JAIL_SQLITE =
	    1 << 4, /* what SQLite needs beside JAIL_FILES: locks, mmap of files, access, getpid ... */
	JAIL_INET = 1 << 5, /* socket(AF_INET, AF_INET6), connect, bind to port 0 */
	JAIL_SYNC = 1 << 6, /* fsync, fdatasync, ftruncate, pread, pwrite, mmap of descriptors it was given */
	JAIL_CONFINE = 1 << 7, /* landlock and seccomp themselves: for jail_narrow in a child */
	JAIL_MEMORY = 1 << 9,  /* memfd_create: a compressed message as a file */
	JAIL_SHUT = 1 << 8, /* shutdown(SHUT_WR): of any socket it has, a door too; SHUT_RD needs no leave */
};

enum jail_rights { JAIL_READ = 1, JAIL_WRITE = 2 }; /* WRITE: create, write, link, rename, remove, truncate */

struct jail_path {
	const char *name; /* directory or file of the instance ("spool"), or an absolute path */
	unsigned rights;
};

struct jail {
	unsigned calls;            /* or of JAIL_* */
	struct jail_path paths[8]; /* up to one without a name; none: no file can be opened at all */
	uint64_t memory_max;       /* RLIMIT_AS, octets; 0: none */
	uint64_t file_max;         /* RLIMIT_FSIZE; 0: no file may grow (but see JAIL_SYNC, JAIL_FILES) */
	uint16_t ports[4];         /* TCP ports it may connect to, with JAIL_INET; {0}: any */
};

/* Enter; dir is the instance's directory (O_PATH). Fatal errors are the caller's to report. */
int jail_enter(const struct jail *j, int dir, struct err *e);

/*
 * Tighten further, in a child: only `calls` (a subset of what the parent has), and of the file system only
 * what stands below the directories given as descriptors. Needs JAIL_CONFINE in the parent's jail.
 */
struct jail_fd {
	int fd;
	unsigned rights;
};
int jail_narrow(unsigned calls, const struct jail_fd *dirs, size_t n, struct err *e);

/*
 * Compile the calls of a later jail_narrow now, in the parent and before it enters its jail: it takes a
 * millisecond, which a child per session need not spend. At most four sets a process.
 */
int jail_prepare(unsigned calls, struct err *e);

/*
 * Become `user` (name or number; group of the same name or the user's, plus `group` when not NULL). No-op
 * without root.
 */
int jail_become(const char *user, const char *group, struct err *e);

/*
 * Can this kernel do it all? "" or what is missing: for `rookery check` and the log. jail_enter refuses when
 * there is no Landlock at all, or one without links between directories (before Linux 5.19).
 */
const char *jail_missing(void);

#endif
