/*
 * mailimport_mbox.c - an mbox file, or a directory of them, and of directories: FILE.mbox, or FILE, is a
 * mailbox.
 *
 * A file is read twice: to learn what is in it, and then for the octets of messages that are missing here. A
 * message is known by a digest of its octets, and by how many with the same stand in front of it: its place
 * and its flags may change.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/utf8.h"
#include "ctl/mailimport.h"
#include "ctl/mbox.h"

enum { PIECE = 64 * 1024, NAMES_MAX = 1 << 16, DEPTH_MAX = 32 };
#define FILE_MAX ((size_t)8 << 30) /* memory for a file: some 200 octets a message */

struct message {
	struct import_item it;
	uint64_t at;
};

struct reader {
	struct import *im;
	int fd, spool;
	uint64_t spooled;
	struct span file; /* for complaints */
	struct arena *a;
	struct message *m;
	size_t n, room;
	struct mbox mbox; /* of the first reading */
	crypto_generichash_state digest;
};

/* ---- reading */

static int
feed(int fd, uint64_t at, struct mbox *p, struct err *e)
{
	char *piece = mem_zero(1, PIECE);
	int rc = 0;

	while (rc == 0) {
		ssize_t n = pread(fd, piece, PIECE, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = err_set(e, ERR_TEMP, "reading: %m");
		if (n <= 0)
			break;
		at += (uint64_t)n;
		rc = mbox_feed(p, span_of(piece, (size_t)n), e);
	}
	if (rc == 0)
		rc = mbox_end(p, e);
	free(piece);
	return rc < 0 ? -1 : 0;
}

static int
put_digest(void *arg, struct span s, struct err *e)
{
	struct reader *r = arg;

	(void)e;
	crypto_generichash_update(&r->digest, (const unsigned char *)s.p, s.n);
	return 0;
}

static int
end_learn(void *arg, const struct mbox_message *got, struct err *e)
{
	struct reader *r = arg;
	struct message *m;

	(void)e;
	if (r->n == r->room) {
		r->room = r->room == 0 ? 1024 : r->room * 2;
		r->m = mem_resize(r->m, r->room * sizeof *r->m);
	}
	m = &r->m[r->n];
	*m = (struct message){ .at = got->at,
		.it = { .uid = got->uid, .flags = got->flags, .date_ms = got->date * 1000 } };
	m->it.keywords = arena_dup(r->a, buf_span(&r->mbox.keywords));
	crypto_generichash_final(&r->digest, m->it.key, IMPORT_KEY);
	crypto_generichash_init(&r->digest, NULL, 0, IMPORT_KEY);
	r->n += !got->internal;
	return 0;
}

static int
put_spool(void *arg, struct span s, struct err *e)
{
	struct reader *r = arg;

	while (s.n > 0) {
		ssize_t n = pwrite(r->spool, s.p, s.n, (off_t)r->spooled);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(e, ERR_TEMP, "temporary file: %m");
		r->spooled += (uint64_t)n;
		s = span_from(s, (size_t)n);
	}
	return 0;
}

static int
end_spool(void *arg, const struct mbox_message *m, struct err *e)
{
	(void)arg;
	(void)m;
	(void)e;
	return 1;
}

static int
begin_batch(void *arg, const struct import_item *it, size_t n, struct err *e)
{
	struct reader *r = arg;

	(void)it;
	(void)n;
	r->spooled = 0;
	return ftruncate(r->spool, 0) < 0 ? err_set(e, ERR_TEMP, "temporary file: %m") : 0;
}

static int
open_message(void *arg, struct import_item *it, struct import_octets *out, struct err *e)
{
	struct reader *r = arg;
	const struct message *m = it->what;
	struct mbox p = { .put = put_spool, .end = end_spool, .arg = r };
	uint64_t from = r->spooled;
	int rc;

	mbox_init(&p);
	rc = feed(r->fd, m->at, &p, e);
	mbox_free(&p);
	if (rc < 0)
		return -1;
	*out = (struct import_octets){ .at = from, .length = r->spooled - from, .lf = true };
	out->fd = fcntl(r->spool, F_DUPFD_CLOEXEC, 0);
	return out->fd >= 0 ? 1 : err_set(e, ERR_TEMP, "temporary file: %m");
}

/* ---- a file */

static int
by_key(const void *a, const void *b)
{
	const struct message *const *x = a, *const *y = b;
	int d = memcmp((*x)->it.key, (*y)->it.key, IMPORT_KEY);

	return d != 0 ? d : (*x)->at < (*y)->at ? -1 : 1;
}

/* Messages with the same octets are told apart by their number. */
static void
name_all(struct reader *r)
{
	struct message **by = mem_zero(r->n + 1, sizeof *by);
	unsigned char key[IMPORT_KEY] = { 0 };
	unsigned same = 0;

	for (size_t i = 0; i < r->n; i++)
		by[i] = &r->m[i];
	qsort(by, r->n, sizeof *by, by_key);
	for (size_t i = 0; i < r->n; i++) {
		struct span number;

		same = i > 0 && memcmp(key, by[i]->it.key, IMPORT_KEY) == 0 ? same + 1 : 0;
		memcpy(key, by[i]->it.key, IMPORT_KEY);
		number = arena_printf(r->a, "%u", same);
		import_key(by[i]->it.key, "mbox", span_of(key, IMPORT_KEY), number);
	}
	free(by);
}

static int
send_all(struct reader *r, struct span name, struct err *e)
{
	struct import_box box = { .name = name, .uidvalidity = r->mbox.uidvalidity };
	uint32_t next = r->mbox.uidlast + 1;

	for (size_t i = 0; i < r->n && box.uidvalidity != 0; i++) {
		if (r->m[i].it.uid == 0)
			r->m[i].it.uid = next;
		if (next <= r->m[i].it.uid && r->m[i].it.uid < UINT32_MAX)
			next = r->m[i].it.uid + 1;
	}
	if (box.uidvalidity != 0)
		box.uidnext = next;
	name_all(r);
	if (import_mailbox(r->im, &box, e) < 0)
		return -1;
	for (size_t i = 0; i < r->n; i++) {
		r->m[i].it.what = &r->m[i];
		if (import_message(r->im, &r->m[i].it, e) < 0)
			return -1;
	}
	return import_mailbox_end(r->im, e);
}

static int
read_file(struct reader *r, int fd, struct span name, struct err *e)
{
	struct stat st;
	int rc;

	r->fd = fd;
	r->n = 0;
	arena_reset(r->a);
	r->mbox = (struct mbox){ .put = put_digest, .end = end_learn, .arg = r };
	mbox_init(&r->mbox);
	crypto_generichash_init(&r->digest, NULL, 0, IMPORT_KEY);
	rc = feed(fd, 0, &r->mbox, e);
	if (r->mbox.garbage)
		import_bad(
		    r->im, r->file, 1, "what stands in front of the first \"From \" line is no message");
	if (rc == 0 && (r->n > 0 || (fstat(fd, &st) == 0 && st.st_size == 0)))
		rc = send_all(r, name, e);
	mbox_free(&r->mbox);
	return rc;
}

/* ---- directories */

static int
is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_directory(struct reader *r, int dir, struct span below, int depth, struct err *e);

static int
read_entry(struct reader *r, int dir, const char *entry, struct span below, int depth, struct err *e)
{
	int fd = openat(dir, entry, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), rc = 0;
	struct span level = span_str(entry);
	struct buf name;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		import_bad(r->im, level, 0, "%s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return 0;
	}
	if (S_ISREG(st.st_mode) && span_ends(level, ".mbox") && level.n > 5)
		level.n -= 5;
	buf_init(&name, NAMES_MAX);
	if (buf_add(&name, e, below) < 0 || (below.n > 0 && buf_byte(&name, e, '/') < 0) ||
	    utf8_repair(level, &name, e) < 0)
		rc = -1;
	r->file = span_str(entry);
	if (rc == 0 && S_ISREG(st.st_mode))
		rc = read_file(r, fd, buf_span(&name), e);
	else if (rc == 0 && S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
		rc = read_directory(r, fd, buf_span(&name), depth + 1, e);
	buf_free(&name);
	close(fd);
	return rc;
}

static int
read_directory(struct reader *r, int dir, struct span below, int depth, struct err *e)
{
	struct dirent **entry = NULL;
	int n = scandirat(dir, ".", &entry, is_visible, by_name), rc = 0;

	if (n < 0)
		return err_set(e, ERR_PERM, "source: %m");
	for (int i = 0; i < n; i++) {
		if (rc == 0)
			rc = read_entry(r, dir, entry[i]->d_name, below, depth, e);
		free(entry[i]);
	}
	free(entry);
	return rc;
}

int
import_mbox(struct import *im, int source, int spool, struct err *e)
{
	struct reader r = { .im = im, .spool = spool, .file = SPAN("mbox"), .a = arena_new(FILE_MAX) };
	struct stat st;
	int rc;

	im->begin = begin_batch;
	im->open = open_message;
	im->arg = &r;
	if (fstat(source, &st) < 0)
		rc = err_set(e, ERR_PERM, "source: %m");
	else if (S_ISDIR(st.st_mode))
		rc = read_directory(&r, source, (struct span){ 0 }, 0, e);
	else
		rc = read_file(&r, source, SPAN("INBOX"), e);
	if (rc == 0 && im->mailboxes == 0 && im->failed == 0)
		rc = err_set(e, ERR_PERM, "neither a Maildir nor mbox files");
	arena_free(r.a);
	free(r.m);
	return rc;
}
