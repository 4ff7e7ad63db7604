/*
 * backup.c - `rookery backup`: copies of stores, while they are used.
 *
 *	DIR/OWNER/TIME.index   a copy of the index as of one moment; TIME as 20260131T120000Z
 *	DIR/OWNER/TIME.files   the message files it names, a line each
 *	DIR/OWNER/msg/ID       the message files; those that are there are not copied again, for they never change
 *
 * TIME.index gets its name last, when all is on disk: a backup that was broken off is none, and the next goes on where it
 * ended. What no TIME.files names any more goes with --keep.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ctl/backup.h"

struct backup {
	struct ctl *c;
	struct json j;
	int dir; /* of all */
	unsigned keep;

	/* Of the owner. */
	int own, msg;
	struct ipc *ch;
	int index;        /* the copy, as it came; -1 */
	struct buf names; /* of message files */
	uint64_t files, copied, octets, lost;
};

int
backup_octets(int from, int dir, const char *name, uint64_t *octets, struct err *e)
{
	char tmp[BACKUP_NAME_MAX + 8], piece[64 * 1024];
	off_t at = 0;
	ssize_t n;
	int to, rc = 0;

	snprintf(tmp, sizeof tmp, "%s.new", name);
	if ((to = openat(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600)) < 0)
		return err_set(e, ERR_PERM, "%s: %m", tmp);
	while (rc == 0 && (n = pread(from, piece, sizeof piece, at)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || write(to, piece, (size_t)n) != n)
			rc = err_set(e, ERR_TEMP, "%s: %m", tmp);
		at += n;
	}
	if (rc == 0 && fdatasync(to) < 0)
		rc = err_set(e, ERR_TEMP, "%s: %m", tmp);
	close(to);
	if (rc == 0 && renameat(dir, tmp, dir, name) < 0)
		rc = err_set(e, ERR_TEMP, "%s: %m", name);
	if (rc < 0)
		unlinkat(dir, tmp, 0);
	*octets += (uint64_t)at;
	return rc;
}

/* ---- one owner */

static int
open_directories(struct backup *b, const char *owner, struct err *e)
{
	b->own = b->msg = -1;
	if ((mkdirat(b->dir, owner, 0700) < 0 && errno != EEXIST) ||
	    (b->own = openat(b->dir, owner, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0 ||
	    (mkdirat(b->own, "msg", 0700) < 0 && errno != EEXIST) ||
	    (b->msg = openat(b->own, "msg", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return err_set(e, ERR_PERM, "%s: %m", owner);
	return 0;
}

static int
take_snapshot(void *arg, struct ipc_in *in, struct err *e)
{
	struct backup *b = arg;
	struct upkeep_files f;
	struct upkeep_copy m;

	if (in->number == upkeep_files_no)
		return ipc_body(in, upkeep_files, &f, e) < 0 ? -1 : buf_add(&b->names, e, f.names);
	if (ipc_body(in, upkeep_copy, &m, e) < 0)
		return -1;
	if (b->index >= 0)
		close(b->index);
	b->index = m.index;
	return 0;
}

static int
take_file(void *arg, struct ipc_in *in, struct err *e)
{
	struct upkeep_file m;
	int *fd = arg;

	if (ipc_body(in, upkeep_file, &m, e) < 0)
		return -1;
	if (*fd >= 0)
		close(*fd);
	*fd = m.octets;
	return 0;
}

/* A message file that the backup has not yet. */
static int
fetch(struct backup *b, struct span name, const char *text, struct err *e)
{
	struct upkeep_fetch m = { name };
	struct upkeep_done done;
	int fd = -1, rc = stores_ask(b->ch, upkeep_fetch, &m, take_file, &fd, &done, e);

	if (rc == 0 && fd < 0)
		b->lost++; /* purged after the copy was made: it had been deleted long before */
	else if (rc == 0 && (rc = backup_octets(fd, b->msg, text, &b->octets, e)) == 0)
		b->copied++;
	if (fd >= 0)
		close(fd);
	return rc;
}

static int
fetch_all(struct backup *b, struct err *e)
{
	struct span rest = buf_span(&b->names);

	while (rest.n > 0) {
		struct span name = span_cut(&rest, '\n');
		char text[BACKUP_NAME_MAX];

		if (!id_valid(name))
			return err_set(e, ERR_PEER, "a message file of a name that is none");
		memcpy(text, name.p, name.n);
		text[name.n] = '\0';
		b->files++;
		if (faccessat(b->msg, text, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && fetch(b, name, text, e) < 0)
			return -1;
	}
	if (fsync(b->msg) < 0)
		return err_set(e, ERR_TEMP, "msg: %m");
	return 0;
}

static int
write_names(struct backup *b, const char *name, struct err *e)
{
	int fd = openat(b->own, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600), rc = 0;
	struct span rest = buf_span(&b->names);

	if (fd < 0)
		return err_set(e, ERR_PERM, "%s: %m", name);
	while (rest.n > 0 && rc == 0) {
		ssize_t n = write(fd, rest.p, rest.n);

		if (n <= 0 && errno != EINTR)
			rc = err_set(e, ERR_TEMP, "%s: %m", name);
		else if (n > 0)
			rest = span_from(rest, (size_t)n);
	}
	if (rc == 0 && fdatasync(fd) < 0)
		rc = err_set(e, ERR_TEMP, "%s: %m", name);
	close(fd);
	return rc;
}

/* Under its name the copy is a backup. */
static int
put_in_place(struct backup *b, struct err *e)
{
	char time_text[32], name[64];
	time_t now = time(NULL);
	uint64_t octets = 0;
	struct tm tm;

	strftime(time_text, sizeof time_text, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
	snprintf(name, sizeof name, "%s.files", time_text);
	if (write_names(b, name, e) < 0)
		return -1;
	snprintf(name, sizeof name, "%s.index", time_text);
	if (backup_octets(b->index, b->own, name, &octets, e) < 0)
		return -1;
	if (fsync(b->own) < 0)
		return err_set(e, ERR_TEMP, "%s: %m", name);
	return 0;
}

static void
tell(struct backup *b, const char *owner)
{
	if (!b->c->json) {
		printf("%s: %llu message files, %llu of them new (%llu octets)\n", owner,
		    (unsigned long long)b->files, (unsigned long long)b->copied,
		    (unsigned long long)b->octets);
		return;
	}
	json_object(&b->j, NULL);
	json_str(&b->j, "owner", owner);
	json_number(&b->j, "files", b->files);
	json_number(&b->j, "copied", b->copied);
	json_number(&b->j, "octets", b->octets);
	json_close(&b->j);
}

static int
back_up(void *arg, const char *owner, struct err *e)
{
	struct backup *b = arg;
	struct upkeep_snapshot m;
	struct upkeep_done done;
	int rc = -1;

	b->index = -1;
	b->files = b->copied = b->octets = b->lost = 0;
	buf_init(&b->names, (size_t)1 << 30);
	if (open_directories(b, owner, e) == 0 && (b->ch = owner_open(b->c, owner, false, e)) != NULL &&
	    stores_ask(b->ch, upkeep_snapshot, &m, take_snapshot, b, &done, e) == 0 && fetch_all(b, e) == 0 &&
	    put_in_place(b, e) == 0)
		rc = b->keep > 0 ? backup_thin(b->own, b->msg, b->keep, e) : 0;
	if (rc == 0)
		tell(b, owner);
	if (b->index >= 0)
		close(b->index);
	if (b->own >= 0)
		close(b->own);
	if (b->msg >= 0)
		close(b->msg);
	ipc_free(b->ch);
	b->ch = NULL;
	buf_free(&b->names);
	return rc;
}

/* ---- the command */

struct words {
	const char *who, *dir;
	unsigned keep;
};

static int
take_words(struct words *w, int argc, char **argv)
{
	bool missing = false;
	uint32_t n;

	for (int i = 1; i < argc; i++) {
		const char *v = option(argc, argv, &i, "--keep", &missing);

		if (v != NULL && !missing) {
			if (span_u32(span_str(v), &n, NULL) < 0 || n == 0)
				return ctl_misuse("--keep %s: how many backups, 1 at least", v);
			w->keep = n;
		} else if (w->who == NULL && (argv[i][0] != '-' || strcmp(argv[i], "--all") == 0)) {
			w->who = argv[i];
		} else if (w->dir == NULL && argv[i][0] != '-') {
			w->dir = argv[i];
		} else {
			return ctl_misuse("backup: what is `%s`?", argv[i]);
		}
	}
	return w->dir == NULL || missing ? ctl_misuse("backup USER|--all DIRECTORY [--keep N]") : 0;
}

int
ctl_backup(struct ctl *c, int argc, char **argv)
{
	struct backup b = { .c = c, .dir = -1 };
	struct words w = { 0 };
	struct place p = { 0 };
	struct err e = { 0 };
	int rc = take_words(&w, argc, argv);

	if (rc != 0)
		return rc;
	b.keep = w.keep;
	if ((mkdir(w.dir, 0700) < 0 && errno != EEXIST) ||
	    (b.dir = open(w.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		err_set(&e, ERR_PERM, "%s: %m", w.dir);
		return ctl_fail(&e);
	}
	json_begin(&b.j, stdout);
	if (c->json)
		json_array(&b.j, NULL);
	if (strcmp(w.who, "--all") == 0)
		rc = stores_each(c, back_up, &b, &e);
	else if ((rc = place_find(c, w.who, &p, &e)) == 0)
		rc = back_up(&b, p.owner, &e);
	if (c->json)
		json_close(&b.j);
	place_free(&p);
	close(b.dir);
	return rc < 0 ? ctl_fail(&e) : 0;
}
