/*
 * jail.c - the order of the steps: identity (jail_become), then limits, no_new_privs, Landlock, and seccomp
 * last, since it forbids the steps themselves. Each step is checked where the kernel can tell.
 */
#include "jail/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "jail/calls.h"
#include "jail/landlock.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { PREPARED_MAX = 4 };

/* Programs compiled before they are needed (jail_prepare); written only before the first fork. */
static struct {
	unsigned calls;
	struct sock_fprog prog;
} prepared[PREPARED_MAX];
static unsigned prepared_n;

#if SANITIZED
/* The leak checker forks and traces when a process exits, which a jail must not allow. */
static int jailed;
int __lsan_is_turned_off(void);
int
__lsan_is_turned_off(void)
{
	return jailed;
}
#endif

/* ---- identity */

static int
drop_bounding_set(struct err *e)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return err_set(e, ERR_PERM, "capability %d: %m", cap);
	return 0;
}

static int
find_user(const char *user, uid_t *uid, gid_t *gid, struct err *e)
{
	struct passwd *pw = getpwnam(user);
	uint32_t number;

	if (pw == NULL && span_u32(span_str(user), &number, NULL) == 0) {
		*uid = *gid = number;
		pw = getpwuid(number);
	}
	if (pw != NULL) {
		*uid = pw->pw_uid;
		*gid = pw->pw_gid;
		return 0;
	}
	return span_u32(span_str(user), &number, NULL) == 0
		   ? 0
		   : err_set(e, ERR_PERM, "there is no user %s", user);
}

static int
find_group(const char *group, gid_t *gid, struct err *e)
{
	struct group *gr = getgrnam(group);
	uint32_t number;

	if (gr != NULL)
		*gid = gr->gr_gid;
	else if (span_u32(span_str(group), &number, NULL) == 0)
		*gid = number;
	else
		return err_set(e, ERR_PERM, "there is no group %s", group);
	return 0;
}

int
jail_become(const char *user, const char *group, struct err *e)
{
	gid_t groups[2] = { 0 };
	uid_t uid = 0;
	size_t n = 1;

	if (geteuid() != 0)
		return 0;
	if (find_user(user, &uid, &groups[0], e) < 0)
		return -1;
	if (group != NULL && group[0] != '\0') {
		if (find_group(group, &groups[1], e) < 0)
			return -1;
		n = 2;
	}
	if (drop_bounding_set(e) < 0)
		return -1;
	if (setgroups(n, groups) < 0 || setresgid(groups[0], groups[0], groups[0]) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		return err_set(e, ERR_PERM, "becoming %s: %m", user);
	if (uid != 0 && (setuid(0) == 0 || setgid(0) == 0))
		return err_set(e, ERR_PERM, "becoming %s: root could be had back", user);
	return 0;
}

/* ---- the steps */

static int
drop_capabilities(struct err *e)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &head, none) < 0)
		return err_set(e, ERR_PERM, "capset: %m");
	return 0;
}

static int
limit(int what, rlim_t value, struct err *e)
{
	struct rlimit r = { value, value };

	return setrlimit((__rlimit_resource_t)what, &r) < 0 ? err_set(e, ERR_PERM, "setrlimit: %m") : 0;
}

static int
limits(const struct jail *j, struct err *e)
{
	bool files = (j->calls & (JAIL_FILES | JAIL_SQLITE | JAIL_SYNC)) != 0;

	if (limit(RLIMIT_CORE, 0, e) < 0)
		return -1;
	if ((j->calls & JAIL_FORK) == 0 && limit(RLIMIT_NPROC, 0, e) < 0)
		return -1;
	if (SANITIZED) /* reports go to files, and shadow memory is terabytes */
		return 0;
	if ((j->file_max != 0 || !files) && limit(RLIMIT_FSIZE, j->file_max, e) < 0)
		return -1;
	return j->memory_max != 0 ? limit(RLIMIT_AS, j->memory_max, e) : 0;
}

static int
allow_paths(int rules, const struct jail *j, int dir, struct err *e)
{
	for (size_t i = 0; i < sizeof j->paths / sizeof j->paths[0] && j->paths[i].name != NULL; i++) {
		const char *name = j->paths[i].name;
		int fd = openat(dir, name, O_PATH | O_CLOEXEC), rc;

		if (fd < 0 && name[0] == '/' && errno == ENOENT)
			continue; /* of the system: not every one has it */
		if (fd < 0)
			return err_set(e, ERR_PERM, "%s: %m", name);
		rc = landlock_below(rules, fd, j->paths[i].rights, e);
		close(fd);
		if (rc < 0)
			return err_prefix(e, "%s: ", name);
	}
	return 0;
}

static int
allow_ports(int rules, const struct jail *j, struct err *e)
{
	for (size_t i = 0; i < sizeof j->ports / sizeof j->ports[0] && j->ports[i] != 0; i++)
		if (landlock_port(rules, j->ports[i], e) < 0)
			return -1;
	return 0;
}

static int
restrict_files(const struct jail *j, int dir, struct err *e)
{
	bool any_port = (j->calls & JAIL_INET) != 0 && j->ports[0] == 0;
	int rules, fd;

	if (landlock_version() < 2)
		return err_set(
		    e, ERR_PERM, "this kernel has no Landlock, or too old a one (Linux 5.19 is needed)");
	if ((rules = landlock_open(any_port, e)) < 0)
		return -1;
	if (allow_paths(rules, j, dir, e) < 0 || allow_ports(rules, j, e) < 0) {
		close(rules);
		return -1;
	}
	if (landlock_close(rules, e) < 0)
		return -1;
	if ((fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0) {
		close(fd);
		return err_set(e, ERR_PERM, "Landlock is in force, but / can be read");
	}
	return 0;
}

static const struct sock_fprog *
find_prepared(unsigned calls)
{
	for (unsigned i = 0; i < prepared_n; i++)
		if (prepared[i].calls == calls)
			return &prepared[i].prog;
	return NULL;
}

int
jail_prepare(unsigned calls, struct err *e)
{
	if (find_prepared(calls) != NULL)
		return 0;
	need(prepared_n < PREPARED_MAX);
	if (calls_compile(calls, &prepared[prepared_n].prog, e) < 0)
		return -1;
	prepared[prepared_n++].calls = calls;
	return 0;
}

/* The program for `calls`; *own: it is the caller's to free. */
static int
get_calls(unsigned calls, struct sock_fprog *prog, bool *own, struct err *e)
{
	const struct sock_fprog *known = find_prepared(calls);

	*own = known == NULL;
	if (known != NULL)
		*prog = *known;
	return known != NULL ? 0 : calls_compile(calls, prog, e);
}

int
jail_enter(const struct jail *j, int dir, struct err *e)
{
	struct sock_fprog prog;
	bool own;
	int rc;

	if (get_calls(j->calls, &prog, &own, e) < 0) /* first: it writes a file in memory */
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		rc = err_set(e, ERR_PERM, "no_new_privs: %m");
	else
		rc = restrict_files(j, dir, e);
	if (rc == 0)
		rc = drop_capabilities(e);
	if (rc == 0)
		rc = limits(j, e);
#if SANITIZED
	jailed = 1;
#endif
	if (rc == 0)
		rc = calls_load(&prog, e);
	if (own)
		free(prog.filter);
	return rc;
}

/* TCP ports stay as they are for who may still have sockets: rule sets add up, and the parent's holds. */
static int
restrict_below(unsigned calls, const struct jail_fd *dirs, size_t n, struct err *e)
{
	int rules = landlock_open((calls & JAIL_INET) != 0, e);

	if (rules < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (landlock_below(rules, dirs[i].fd, dirs[i].rights, e) < 0) {
			close(rules);
			return -1;
		}
	return landlock_close(rules, e);
}

int
jail_narrow(unsigned calls, const struct jail_fd *dirs, size_t n, struct err *e)
{
	struct sock_fprog prog;
	bool own;
	int rc;

	if (get_calls(calls, &prog, &own, e) < 0)
		return -1;
	rc = restrict_below(calls, dirs, n, e);
	if (rc == 0)
		rc = calls_load(&prog, e);
	if (own)
		free(prog.filter);
	return rc;
}

const char *
jail_missing(void)
{
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0)
		return "no seccomp";
	return landlock_missing();
}
