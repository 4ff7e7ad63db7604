/*
 * setup.c - what master does once, before anything else runs: the lock that makes it the only one, limits,
 * and the privileges it gives up for itself.
 */
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NOFILE_WANTED = 65536, NOFILE_MAX = 1024 * 1024, LOCK_TRIES = 100, LOCK_PAUSE_MS = 20 };

/*
 * The lock is on the open file, which our descendants do not have (close-on-exec): it is free when master is
 * gone, however it went. One that is just going gets two seconds.
 */
int
setup_lock(struct master *m, struct err *e)
{
	const struct timespec pause = { 0, LOCK_PAUSE_MS * 1000000L };
	char text[32] = "";
	ssize_t n;

	m->pid_file = openat(m->dir, "run/master.pid", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (m->pid_file < 0)
		return err_set(e, ERR_PERM, "run/master.pid: %m");
	for (int i = 0; flock(m->pid_file, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK)
			return err_set(e, ERR_TEMP, "run/master.pid: %m");
		n = pread(m->pid_file, text, sizeof text - 1, 0);
		if (i == LOCK_TRIES)
			return err_set(e, ERR_TEMP, "%s: already running, pid %.*s", m->dir_name,
			    SPAN_ARG(span_trim_ws(span_of(text, n > 0 ? (size_t)n : 0))));
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* Ten thousand sessions are ten thousand descriptors, in proxyd and in imapd. */
void
setup_limits(void)
{
	struct rlimit r, more = { NOFILE_WANTED, NOFILE_WANTED };

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	if (r.rlim_max < NOFILE_WANTED && setrlimit(RLIMIT_NOFILE, &more) == 0)
		return;
	r.rlim_cur = r.rlim_max < NOFILE_MAX ? r.rlim_max
					     : NOFILE_MAX; /* in a container even root may raise no limit */
	setrlimit(RLIMIT_NOFILE, &r);
}

/*
 * What master needs of root: to open low ports and the files of the configuration, to start services under
 * other users and signal them. The rest is given up here, for itself and for all that it starts: what is not
 * in the permitted set can't come back, for no_new_privs is set.
 */
int
setup_privileges(struct err *e)
{
	static const int keep[] = { CAP_NET_BIND_SERVICE, CAP_DAC_READ_SEARCH, CAP_SETUID, CAP_SETGID,
		CAP_SETPCAP, CAP_KILL };
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(e, ERR_TEMP, "no_new_privs: %m");
	if (geteuid() != 0)
		return 0;
	if (syscall(SYS_capget, &head, data) < 0)
		return err_set(e, ERR_TEMP, "capget: %m");
	for (size_t w = 0; w < 2; w++) {
		uint32_t mask = 0;

		for (size_t i = 0; i < sizeof keep / sizeof keep[0]; i++) {
			if ((size_t)keep[i] / 32 == w)
				mask |= (uint32_t)1 << keep[i] % 32;
		}
		data[w].permitted &= mask;
		data[w].effective = data[w].permitted;
		data[w].inheritable = 0;
	}
	if (syscall(SYS_capset, &head, data) < 0)
		return err_set(e, ERR_TEMP, "capset: %m");
	return 0;
}

/* Tells a process whether the machine has been up since: tests of power cuts give their own. */
void
setup_boot_id(struct master *m)
{
	const char *given = getenv("ROOKERY_BOOT_ID");
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char text[64] = "unknown";
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
	struct span id;

	if (fd >= 0)
		close(fd);
	id = given != NULL && *given != '\0' ? span_str(given)
					     : span_of(text, n > 0 ? (size_t)n : strlen(text));
	snprintf(m->boot, sizeof m->boot, "%.*s", SPAN_ARG(span_trim_ws(id)));
}
