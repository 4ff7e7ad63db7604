/*
 * export.c - `rookery export`: mailboxes as Maildir++ (as Dovecot reads it) or mbox, with flags, dates and UIDs.
 *
 *	maildir  DIR/{cur,new,tmp}, DIR/.Folder.Sub/{cur,new,tmp}; dovecot-uidlist, dovecot-keywords, subscriptions
 *	mbox     DIR/Folder/Sub.mbox, DIR/INBOX.mbox: mboxrd, with X-UID, Status, X-Status, X-Keywords
 *
 * Lines end in LF in both, as their readers want it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/export.h"

struct export
{
	struct ctl *c;
	const struct export_format *format;
	void *out; /* the format's */
	uint64_t messages, mailboxes;
};

int
export_text(const struct upkeep_message *m, int (*put)(void *arg, struct span piece, struct err *e),
    void *arg, struct err *e)
{
	struct lines l = { .put = put, .arg = arg };
	char piece[64 * 1024];
	uint64_t at = m->at, left = m->length;

	if (lines_add(&l, m->prefix, e) < 0)
		return -1;
	while (left > 0) {
		ssize_t n = pread(
		    m->octets, piece, left < sizeof piece ? (size_t)left : sizeof piece, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(
			    e, ERR_TEMP, "a message file: %s", n < 0 ? strerror(errno) : "too short");
		if (lines_add(&l, span_of(piece, (size_t)n), e) < 0)
			return -1;
		at += (uint64_t)n;
		left -= (uint64_t)n;
	}
	return lines_end(&l, e);
}

/* CR LF becomes LF; a CR elsewhere stays. */
int
lines_add(struct lines *l, struct span s, struct err *e)
{
	while (s.n > 0) {
		ssize_t cr = span_chr(s, '\r');
		size_t n = cr < 0 ? s.n : (size_t)cr;

		if (l->cr && s.p[0] != '\n' && l->put(l->arg, SPAN("\r"), e) < 0)
			return -1;
		l->cr = false;
		if (n > 0 && l->put(l->arg, span_head(s, n), e) < 0)
			return -1;
		l->cr = cr >= 0;
		s = span_from(s, n + (cr >= 0));
	}
	return 0;
}

int
lines_end(struct lines *l, struct err *e)
{
	return l->cr ? l->put(l->arg, SPAN("\r"), e) : 0;
}

int
export_write(int fd, struct span s, struct err *e)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(e, ERR_TEMP, "writing: %m");
		s = span_from(s, (size_t)n);
	}
	return 0;
}

static int
take(void *arg, struct ipc_in *in, struct err *e)
{
	struct export *x = arg;
	struct upkeep_mailbox box;
	struct upkeep_message m;
	int rc;

	if (in->number == upkeep_mailbox_no) {
		if (ipc_body(in, upkeep_mailbox, &box, e) < 0)
			return -1;
		x->mailboxes++;
		return x->format->mailbox(x->out, &box, e);
	}
	if (ipc_body(in, upkeep_message, &m, e) < 0)
		return -1;
	if (m.octets < 0)
		return err_set(e, ERR_PEER, "a message without its octets");
	x->messages++;
	rc = x->format->message(x->out, &m, e);
	close(m.octets);
	return rc;
}

/* ---- the command */

struct words {
	const char *what, *dir, *format;
};

static int
take_words(struct words *w, int argc, char **argv)
{
	bool missing = false;

	w->format = "maildir";
	for (int i = 1; i < argc; i++) {
		const char *v = option(argc, argv, &i, "--format", &missing);

		if (v != NULL)
			w->format = v;
		else if (w->what == NULL && argv[i][0] != '-')
			w->what = argv[i];
		else if (w->dir == NULL && argv[i][0] != '-')
			w->dir = argv[i];
		else
			return ctl_misuse("export: what is `%s`?", argv[i]);
	}
	if (w->dir == NULL || missing)
		return ctl_misuse("export USER[/MAILBOX] DIRECTORY [--format maildir|mbox]");
	return 0;
}

/* A directory that is new or empty: nothing is ever mixed with what is there. */
static int
new_directory(const char *path, struct err *e)
{
	int fd;

	if (mkdir(path, 0700) < 0 && (errno != EEXIST || rmdir(path) < 0 || mkdir(path, 0700) < 0))
		return err_set(e, ERR_PERM, "%s: %s", path,
		    errno == ENOTEMPTY || errno == EEXIST ? "is not empty" : strerror(errno));
	if ((fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return err_set(e, ERR_PERM, "%s: %m", path);
	return fd;
}

static void
tell(const struct export *x)
{
	struct json j;

	if (!x->c->json) {
		printf("%llu messages of %llu mailboxes\n", (unsigned long long)x->messages,
		    (unsigned long long)x->mailboxes);
		return;
	}
	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_number(&j, "messages", x->messages);
	json_number(&j, "mailboxes", x->mailboxes);
	json_close(&j);
}

static int
run(struct export *x, const struct words *w, struct err *e)
{
	struct upkeep_export m = { 0 };
	struct upkeep_done done;
	struct place p = { 0 };
	struct ipc *ch = NULL;
	int rc = -1, dir;

	if (place_find(x->c, w->what, &p, e) == 0 && (ch = owner_open(x->c, p.owner, false, e)) != NULL &&
	    (dir = new_directory(w->dir, e)) >= 0) {
		m.name = p.mailbox;
		x->out = x->format->begin(dir);
		rc = stores_ask(ch, upkeep_export, &m, take, x, &done, e);
		if (x->format->end(x->out, rc == 0 ? e : &(struct err){ 0 }) < 0)
			rc = -1;
	}
	ipc_free(ch);
	place_free(&p);
	return rc;
}

int
ctl_export(struct ctl *c, int argc, char **argv)
{
	struct export x = { .c = c };
	struct words w = { 0 };
	struct err e = { 0 };
	int rc = take_words(&w, argc, argv);

	if (rc != 0)
		return rc;
	if (strcmp(w.format, "maildir") == 0)
		x.format = &export_maildir;
	else if (strcmp(w.format, "mbox") == 0)
		x.format = &export_mbox;
	else
		return ctl_misuse("--format %s: maildir or mbox", w.format);
	if (run(&x, &w, &e) < 0)
		return ctl_fail(&e);
	tell(&x);
	return 0;
}
