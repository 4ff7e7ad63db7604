/* mailimport.c - `rookery import USER[/MAILBOX] SOURCE`. */
#include "ctl/mailimport.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/json.h"
#include "jail/jail.h"

/* The child that reads a source: what stands below it, for reading, and the channel to upkeep. */
static const struct jail jail = {
	.calls = JAIL_FILES,
	.paths = { { ".", JAIL_READ } },
};

static void
tell(const struct import *im)
{
	struct json j;

	if (im->progress)
		fputs("\r\033[K", stderr);
	if (!im->c->json) {
		printf("%llu messages into %llu mailboxes; %llu were there; %llu complaints\n",
		    (unsigned long long)im->messages, (unsigned long long)im->mailboxes,
		    (unsigned long long)im->present, (unsigned long long)im->failed);
		return;
	}
	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_number(&j, "mailboxes", im->mailboxes);
	json_number(&j, "messages", im->messages);
	json_number(&j, "present", im->present);
	json_number(&j, "failed", im->failed);
	json_close(&j);
}

/* Root reads as the one whose files they are: without capabilities it could not read them at all. */
static int
become_owner(int source, struct err *e)
{
	char user[16];
	struct stat st;

	if (fstat(source, &st) < 0)
		return err_set(e, ERR_PERM, "source: %m");
	snprintf(user, sizeof user, "%u", (unsigned)st.st_uid);
	return st.st_uid == 0 ? 0 : jail_become(user, NULL, e);
}

/* In the child; gives the exit status. */
static int
read_source(struct import *im, int source, pid_t parent)
{
	struct err e = { 0 };

	/* An import that is killed is dead as a whole. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		return EX_SOFTWARE;
	buf_init(&im->name, 1 << 16);
	if (become_owner(source, &e) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    jail_enter(&jail, source, &e) < 0 || import_maildir(im, source, &e) < 0) {
		if (im->progress)
			fputc('\n', stderr);
		return ctl_fail(&e);
	}
	tell(im);
	return fflush(stdout) != 0 ? EX_IOERR : im->failed > 0 ? EX_DATAERR : 0;
}

static int
run_child(struct import *im, int source)
{
	pid_t parent = getpid(), pid;
	int status;

	fflush(stdout);
	if ((pid = fork()) == 0)
		_exit(read_source(im, source, parent));
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EX_OSERR;
	if (pid < 0)
		return ctl_misuse("fork: %s", strerror(errno)), EX_OSERR;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}

int
ctl_import(struct ctl *c, int argc, char **argv)
{
	struct import im = { .c = c, .progress = isatty(STDERR_FILENO) != 0 };
	struct place p = { 0 };
	struct err e = { 0 };
	int source, rc = 0;

	if (argc != 3)
		return ctl_misuse("import USER[/MAILBOX] DIRECTORY");
	if ((source = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		rc = err_set(&e, ERR_PERM, "%s: %m", argv[2]);
	if (rc == 0 && place_find(c, argv[1], &p, &e) == 0) {
		im.into = p.mailbox;
		im.ch = place_open(c, &p, &e);
	}
	rc = im.ch == NULL ? ctl_fail(&e) : run_child(&im, source);
	ipc_free(im.ch);
	place_free(&p);
	if (source >= 0)
		close(source);
	return rc;
}
