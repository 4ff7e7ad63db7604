/*
 * mailstore.h - what the tests of the store share: a store in a directory of its own, and short forms for
 * delivering and appending.
 */
#ifndef T_MAILSTORE_H
#define T_MAILSTORE_H

#include <fcntl.h>
#include <ftw.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/id.h"
#include "store/store.h"
#include "t/tap.h"

/* A directory with spool/ and store/; the process is in store/. */
struct lab {
	char dir[64];
	int root, spool, store;
	struct arena *a;
};

static inline void
lab_enter(struct lab *l)
{
	snprintf(l->dir, sizeof l->dir, "%s/rk-unit-store-XXXXXX",
	    getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
	need(mkdtemp(l->dir) != NULL);
	need((l->root = open(l->dir, O_RDONLY | O_DIRECTORY)) >= 0);
	need(mkdirat(l->root, "spool", 0700) == 0 && mkdirat(l->root, "store", 0700) == 0);
	need((l->spool = openat(l->root, "spool", O_RDONLY | O_DIRECTORY)) >= 0);
	need((l->store = openat(l->root, "store", O_RDONLY | O_DIRECTORY)) >= 0);
	need(fchdir(l->store) == 0);
	l->a = arena_new(256 << 20);
}

static inline int
lab_remove(const char *path, const struct stat *sb, int type, struct FTW *f)
{
	(void)sb;
	(void)type;
	(void)f;
	return remove(path);
}

static inline void
lab_leave(struct lab *l)
{
	arena_free(l->a);
	close(l->spool);
	close(l->store);
	close(l->root);
	need(chdir("/") == 0);
	nftw(l->dir, lab_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static inline struct store *
lab_open(const char *owner, const char *boot)
{
	struct store_opts o = { .boot_id = boot, .create = true };
	struct err e = { 0 };
	struct store *st = store_open(owner, &o, &e);

	if (st == NULL)
		printf("# store_open: %s\n", e.text);
	need(st != NULL);
	return st;
}

/* A spool file with this message and something behind it, as a trailer would be. */
static inline struct id
lab_spool(struct lab *l, const char *message)
{
	struct id mid = id_new();
	int fd = openat(l->spool, mid.s, O_WRONLY | O_CREAT | O_EXCL, 0600);

	need(fd >= 0);
	need(write(fd, message, strlen(message)) == (ssize_t)strlen(message));
	need(write(fd, "trailer\n", 8) == 8);
	close(fd);
	return mid;
}

static inline void
lab_digest(const char *message, unsigned char *out)
{
	crypto_generichash(out, STORE_DIGEST, (const unsigned char *)message, strlen(message), NULL, 0);
}

/* Deliver within a batch. */
static inline int
lab_deliver_in(struct lab *l, struct store *st, const struct id *mid, uint32_t index, const char *message,
    const char *folder, struct store_delivered *out, struct err *e)
{
	unsigned char digest[STORE_DIGEST];
	struct store_delivery d = {
		.mid = id_span(mid),
		.index = index,
		.spool = l->spool,
		.file = mid->s,
		.size = strlen(message),
		.prefix = SPAN("Return-Path: <a@example.org>\r\n"),
		.digest = span_of(digest, sizeof digest),
		.folder = span_str(folder),
		.date_ms = 1700000000000,
		.zone = 60,
	};

	lab_digest(message, digest);
	return store_deliver(st, &d, out, e);
}

/* A batch of one. */
static inline int
lab_deliver(struct lab *l, struct store *st, const struct id *mid, uint32_t index, const char *message,
    const char *folder, struct store_delivered *out, struct err *e)
{
	int rc;

	if (store_batch_begin(st, e) < 0)
		return -1;
	rc = lab_deliver_in(l, st, mid, index, message, folder, out, e);
	if (rc < 0 && store_why(st) != STORE_OVERQUOTA && store_why(st) != STORE_NONEXISTENT) {
		store_batch_drop(st);
		return -1;
	}
	return store_batch_commit(st, e) < 0 ? -1 : rc;
}

static inline int
lab_append(struct store *st, uint64_t mailbox, const char *message, uint32_t flags,
    struct store_appended *out, struct err *e)
{
	struct store_file f;
	struct store_append m = { .file = &f, .flags = flags, .date_ms = 1600000000000, .zone = -60 };
	int rc;

	if (store_file_new(st, &f, e) < 0)
		return -1;
	rc = store_file_write(&f, span_str(message), e);
	if (rc == 0)
		rc = store_append(st, mailbox, &m, 1, out, e);
	if (rc < 0)
		store_file_drop(st, &f);
	return rc;
}

/* The id of a mailbox, or 0. */
static inline uint64_t
lab_mailbox(struct store *st, const char *name, struct arena *a)
{
	struct store_mailbox m = { 0 };
	struct err e = { 0 };

	return store_mailbox(st, span_str(name), &m, a, &e) == 1 ? m.id : 0;
}

static inline void
lab_found(void *arg, struct span text)
{
	(void)arg;
	printf("# check: %.*s\n", SPAN_ARG(text));
}

static inline int
lab_check(struct store *st)
{
	struct err e = { 0 };
	int n = store_check(st, STORE_CHECK_DIGEST, lab_found, NULL, &e);

	if (n < 0)
		printf("# check: %s\n", e.text);
	return n;
}

/* A record of a view, loaded. */
static inline const struct store_rec *
lab_rec(struct store_view *v, uint32_t index)
{
	struct err e = { 0 };

	if (store_view_load(v, index, 1, &e) < 0)
		printf("# store_view_load: %s\n", e.text);
	need(e.kind == ERR_NONE);
	return store_rec(v, index);
}

/* The octets of a message as a reader gets them; in the arena. */
static inline struct span
lab_read(struct store *st, struct store_view *v, uint32_t uid, struct arena *a)
{
	struct store_fetch *f = store_fetch_open(v, &uid, 1, STORE_WANT_STRUCTURE);
	struct store_msg m;
	struct err e = { 0 };
	struct span out = { 0 };
	char *p;
	int fd;

	if (store_fetch_next(f, &m, &e) == 1 && (fd = store_msg_open(st, &m, &e)) >= 0) {
		p = arena_alloc(a, m.prefix.n + m.length);
		memcpy(p, m.prefix.p, m.prefix.n);
		if (pread(fd, p + m.prefix.n, m.length, (off_t)m.offset) == (ssize_t)m.length)
			out = span_of(p, m.prefix.n + m.length);
		close(fd);
	}
	store_fetch_close(f);
	return out;
}

#endif
