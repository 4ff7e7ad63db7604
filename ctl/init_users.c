#include "ctl/init.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

/* The users of etc/master.cf: what each may touch is in docs/architecture.md, section 5. */
static const char *const users[] = { "rook-key", "rook-smtpd", "rook-queue", "rook-store", "rook-proxy",
	"rook-auth", "rook-filter", "rook-remote", "rook-mime" };
static const char shared_group[] = "rook-mail";

extern char **environ;

static int
command(const char *const *argv, struct err *e)
{
	pid_t pid;
	int status, rc;

	rc = posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ);
	if (rc != 0) {
		errno = rc;
		return err_set(e, ERR_PERM,
		    "%s: %m (make the users of etc/master.cf yourself, then start again)", argv[0]);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(e, ERR_PERM, "%s %s failed", argv[0], argv[2]);
	return 0;
}

int
init_users(struct err *e)
{
	const char *const group[] = { "groupadd", "--system", shared_group, NULL };

	if (geteuid() != 0)
		return 0;
	if (getgrnam(shared_group) == NULL && command(group, e) < 0)
		return -1;
	for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
		const char *const user[] = { "useradd", "--system", "--user-group", "--no-create-home",
			"--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", users[i], NULL };

		if (getpwnam(users[i]) == NULL && command(user, e) < 0)
			return -1;
	}
	return 0;
}
