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

#include "ctl/accounts.h"
#include "ctl/json.h"
#include "ctl/secret.h"
#include "io/tls.h"
#include "jail/jail.h"

/* The child that reads a source: what stands below it, for reading, and the channel to upkeep. */
static const struct jail files_jail = {
	.calls = JAIL_FILES | JAIL_SYNC,
	.paths = { { ".", JAIL_READ } },
};
static const struct jail file_jail = {
	.calls = JAIL_SYNC, /* it is open */
};

/* That of a server has its connection and a temporary file; OpenSSL looks for roots as it needs them. */
static const struct jail imap_jail = {
	.calls = JAIL_FILES | JAIL_SYNC,
	.paths = { { "/etc/ssl", JAIL_READ }, { "/usr/lib/ssl", JAIL_READ },
	    { "/usr/share/ca-certificates", JAIL_READ }, { "/usr/local/share/ca-certificates", JAIL_READ } },
};

struct words {
	const char *what, *source, *user, *master;
	bool insecure;
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

struct files {
	int source, spool;
	bool directory;
};

static int
read_files(struct import *im, void *source, struct err *e)
{
	const struct files *f = source;

	if (become_owner(f->source, e) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    jail_enter(f->directory ? &files_jail : &file_jail, f->source, e) < 0)
		return -1;
	if (f->directory &&
	    (faccessat(f->source, "cur", F_OK, 0) == 0 || faccessat(f->source, "new", F_OK, 0) == 0))
		return import_maildir(im, f->source, e);
	return import_mbox(im, f->source, f->spool, e);
}

static int
read_server(struct import *im, void *source, struct err *e)
{
	return jail_become("nobody", NULL, e) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
		       jail_enter(&imap_jail, AT_FDCWD, e) < 0
		   ? -1
		   : import_imap(im, source, e);
}

typedef int read_fn(struct import *im, void *source, struct err *e);

/* In the child; gives the exit status. An import that is killed is dead as a whole. */
static int
child(struct import *im, read_fn *read, void *source, pid_t parent)
{
	struct err e = { 0 };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		return EX_SOFTWARE;
	buf_init(&im->name, 1 << 16);
	if (read(im, source, &e) < 0) {
		if (im->progress)
			fputc('\n', stderr);
		return ctl_fail(&e);
	}
	tell(im);
	return fflush(stdout) != 0 ? EX_IOERR : im->failed > 0 ? EX_DATAERR : 0;
}

static int
run_child(struct import *im, read_fn *read, void *source)
{
	pid_t parent = getpid(), pid;
	int status;

	fflush(stdout);
	if ((pid = fork()) == 0)
		_exit(child(im, read, source, parent));
	if (pid < 0)
		return ctl_misuse("fork: %s", strerror(errno)), EX_OSERR;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EX_OSERR;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}

/* ---- sources */

static int
open_spool(struct err *e)
{
	FILE *f = tmpfile();
	int fd = f == NULL ? -1 : fcntl(fileno(f), F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		err_set(e, ERR_TEMP, "temporary file: %m");
	if (f != NULL)
		fclose(f);
	return fd;
}

static int
from_files(struct import *im, const struct words *w, struct err *e)
{
	struct files f = { .source = open(w->source, O_RDONLY | O_NONBLOCK | O_CLOEXEC) };
	struct stat st;
	int rc;

	if (f.source < 0 || fstat(f.source, &st) < 0)
		rc = err_set(e, ERR_PERM, "%s: %m", w->source);
	else if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		rc = err_set(e, ERR_PERM, "%s: neither a file nor a directory", w->source);
	else
		rc = (f.spool = open_spool(e)) < 0 ? -1 : 0;
	if (rc == 0) {
		f.directory = S_ISDIR(st.st_mode);
		rc = run_child(im, read_files, &f);
		close(f.spool);
	}
	if (f.source >= 0)
		close(f.source);
	return rc;
}

static int
open_server(
    struct import_imap *from, struct buf *password, struct arena *a, const struct words *w, struct err *e)
{
	if (imap_url_parse(span_str(w->source), &from->url, a, e) < 0)
		return -1;
	if (w->user == NULL)
		return err_set(e, ERR_PERM, "whose mailboxes? --user NAME");
	if (secret_read("Password there", false, password, e) < 0 ||
	    (from->tls = tls_client(!w->insecure, e)) == NULL)
		return -1;
	from->password = buf_span(password);
	from->user = w->user;
	from->master = w->master;
	from->insecure = w->insecure;
	if ((from->spool = open_spool(e)) < 0)
		return -1;
	return from->fd = imapc_connect(&from->url, e);
}

static int
from_server(struct import *im, const struct words *w, struct err *e)
{
	struct import_imap from = { .fd = -1, .spool = -1 };
	struct arena *a = arena_new(1 << 20);
	struct buf password;
	int rc;

	buf_init(&password, 4096);
	rc = open_server(&from, &password, a, w, e);
	if (rc >= 0)
		rc = run_child(im, read_server, &from);
	if (from.fd >= 0)
		close(from.fd);
	if (from.spool >= 0)
		close(from.spool);
	if (from.tls != NULL)
		tls_free((struct tls_ctx *)(uintptr_t)from.tls);
	buf_wipe(&password);
	arena_free(a);
	return rc;
}

/* ---- the command */

static int
take_words(struct words *w, int argc, char **argv)
{
	bool missing = false;
	const char *v;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--insecure") == 0)
			w->insecure = true;
		else if ((v = option(argc, argv, &i, "--user", &missing)) != NULL)
			w->user = v;
		else if ((v = option(argc, argv, &i, "--master-user", &missing)) != NULL)
			w->master = v;
		else if (argv[i][0] == '-')
			return ctl_misuse("import: what is `%s`?", argv[i]);
		else if (w->what == NULL)
			w->what = argv[i];
		else if (w->source == NULL)
			w->source = argv[i];
		else
			return ctl_misuse("import: what is `%s`?", argv[i]);
	}
	if (missing || w->source == NULL)
		return ctl_misuse(
		    "import USER[/MAILBOX] FILE|DIRECTORY|imap[s]://HOST[:PORT]/ --user NAME [--master-user NAME] [--insecure]");
	return 0;
}

int
ctl_import(struct ctl *c, int argc, char **argv)
{
	struct import im = { .c = c, .progress = isatty(STDERR_FILENO) != 0 };
	struct words w = { 0 };
	struct place p = { 0 };
	struct err e = { 0 };
	int rc = take_words(&w, argc, argv);

	if (rc != 0)
		return rc;
	rc = -1;
	if (place_find(c, w.what, &p, &e) == 0) {
		im.into = p.mailbox;
		im.ch = place_open(c, &p, &e);
	}
	if (im.ch != NULL)
		rc = strstr(w.source, "://") != NULL ? from_server(&im, &w, &e) : from_files(&im, &w, &e);
	ipc_free(im.ch);
	place_free(&p);
	return rc < 0 ? ctl_fail(&e) : rc;
}
