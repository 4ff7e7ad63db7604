/* store.c - opening, closing, syncing. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/file.h"
#include "store/inside.h"
#include "store/vfs.h"

enum {
	BUSY_MS = 10000,
	CACHE_KIB = 512,
	MAP_MIB = 256,
	WAL_PAGES = 300,
	WAL_PAGES_LEFT = 100,
	WAL_LIMIT = 4 << 20
};

/* ---- failing */

int
store_fail(struct store *st, enum store_why why, struct err *e, enum err_kind kind, const char *fmt, ...)
{
	char text[sizeof((struct err *)0)->text];
	va_list ap;

	st->why = why;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return err_set(e, kind, "%s", text);
}

int
store_damaged(struct store *st, struct err *e, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return store_fail(st, STORE_DAMAGED, e, ERR_PERM,
	    "the index of this store is damaged (%s): `rookery store check` tells more", text);
}

enum store_why
store_why(const struct store *st)
{
	return st->why;
}

/* ---- opening */

/* The owner's directory, made if that is wanted. */
static int
open_directory(const char *path, bool create, struct err *e)
{
	int fd, parent;

	if (create && strcmp(path, ".") != 0) {
		if ((parent = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
			return err_set(e, ERR_TEMP, "store: %m");
		fd = store_make(parent, span_str(path), e);
		close(parent);
		return fd;
	}
	if ((fd = file_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0)) < 0)
		return err_set(e, ERR_TEMP, "store/%s: %m", path);
	return fd;
}

/* A power cut while the store was made may have left index.db alone. */
static int
open_messages(int dir, bool create)
{
	int fd = file_open(dir, "msg", O_RDONLY | O_DIRECTORY, 0);

	if (fd >= 0 || errno != ENOENT || !create)
		return fd;
	if (mkdirat(dir, "msg", 0700) < 0 || fsync(dir) < 0)
		return -1;
	return file_open(dir, "msg", O_RDONLY | O_DIRECTORY, 0);
}

/*
 * After each commit that made the WAL longer. Checkpoints are ours, not SQLite's, because it would make one
 * whenever the last connection is closed: two syncs for each message to a reader whose store is not open
 * already. A WAL that is left behind is read again by who opens the store next: 1.2 MB at most, a third of a
 * millisecond on average. A checkpoint that fails, or that a reader keeps from its end, is made again later:
 * the WAL has everything.
 */
static int
wal_grew(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct store *st = arg;

	(void)name;
	st->wal_pages = pages;
	if (pages >= WAL_PAGES)
		sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return SQLITE_OK;
}

static int
open_index(struct store *st, const char *path, const struct store_opts *o, struct err *e)
{
	char name[OWNER_MAX + sizeof "/index.db"];
	char pragmas[240];
	int rc;

	if (vfs_name() == NULL)
		return store_fail(st, STORE_OTHER, e, ERR_TEMP, "SQLite has no VFS of Unix");
	rc = strcmp(path, ".") == 0 ? snprintf(name, sizeof name, "index.db")
				    : snprintf(name, sizeof name, "%s/index.db", path);
	if (rc < 0 || (size_t)rc >= sizeof name)
		return store_fail(st, STORE_OTHER, e, ERR_PERM, "the name of the store is too long");
	rc = sqlite3_open_v2(
	    name, &st->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, vfs_name());
	if (rc != SQLITE_OK)
		return db_fail(st, rc, e);
	sqlite3_extended_result_codes(st->db, 1);
	sqlite3_db_config(st->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_wal_hook(st->db, wal_grew, st);
	sqlite3_busy_timeout(st->db, o->busy_ms != 0 ? (int)o->busy_ms : BUSY_MS);
	snprintf(pragmas, sizeof pragmas,
	    "PRAGMA temp_store = MEMORY; PRAGMA secure_delete = OFF; PRAGMA synchronous = NORMAL;"
	    "PRAGMA cache_size = -%u; PRAGMA mmap_size = %d; PRAGMA journal_size_limit = %d",
	    o->cache_kib != 0 ? o->cache_kib : CACHE_KIB, o->unmapped ? 0 : MAP_MIB << 20, WAL_LIMIT);
	return db_exec(st, pragmas, e);
}

void
store_prepare(void)
{
	sqlite3_initialize();
	vfs_name();
}

struct store *
store_open(const char *path, const struct store_opts *o, struct err *e)
{
	struct store *st = mem_zero(1, sizeof *st);
	int dir = open_directory(path, o->create, e);

	st->msg = -1;
	st->tree = o->tree;
	st->inherit = o->inherit || o->tree;
	if (o->quota_bytes != 0 || o->quota_messages != 0)
		store_quota(st, o->quota_bytes, o->quota_messages);
	if (dir < 0)
		goto fail;
	if (o->create && schema_make(dir, o->boot_id, o->tree, e) < 0)
		goto fail;
	if ((st->msg = open_messages(dir, o->create)) < 0) {
		err_set(e, ERR_TEMP, "store/%s/msg: %m", path);
		goto fail;
	}
	if (open_index(st, path, o, e) < 0 || schema_ready(st, o->boot_id, e) < 0)
		goto fail;
	close(dir);
	return st;
fail:
	if (dir >= 0)
		close(dir);
	store_close(st);
	return NULL;
}

void
store_close(struct store *st)
{
	if (st == NULL)
		return;
	store_batch_drop(st);
	for (enum query q = 0; q < QUERIES; q++)
		sqlite3_finalize(st->stmt[q]);
	if (st->wal_pages > WAL_PAGES_LEFT) {
		sqlite3_busy_timeout(st->db, 0);
		sqlite3_wal_checkpoint_v2(st->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	}
	sqlite3_close(st->db);
	if (st->msg >= 0)
		close(st->msg);
	free(st->links);
	free(st->dir);
	store_reader_set(st, (struct span){ 0 });
	free(st);
}

/* ---- syncing */

/*
 * The WAL. If it can't be synced, asking again would prove nothing, for the kernel may have dropped what it
 * could not write; but a checkpoint writes all of it once more, into the index, and syncs that.
 */
static int
sync_index(struct store *st, struct err *e)
{
	sqlite3_file *f = NULL;
	int rc = sqlite3_file_control(st->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &f);

	if (rc == SQLITE_OK && f != NULL && f->pMethods != NULL)
		rc = f->pMethods->xSync(f, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
	if (rc != SQLITE_OK)
		rc = sqlite3_wal_checkpoint_v2(st->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	return rc == SQLITE_OK ? 0 : db_fail(st, rc, e);
}

int
store_sync(struct store *st, struct err *e)
{
	need(st->tx == TX_NONE);
	if (st->lost)
		return store_fail(st, STORE_OTHER, e, ERR_TEMP, "an earlier sync failed");
	if (!st->unsynced)
		return 0;
	if (fsync(st->msg) < 0) { /* invariant 7: the files first */
		st->lost = true;
		return store_fail(st, STORE_OTHER, e, ERR_TEMP, "msg: fsync: %m");
	}
	if (sync_index(st, e) < 0) {
		st->lost = true;
		return -1;
	}
	st->unsynced = false;
	return 0;
}

void
store_synced(struct store *st)
{
	st->unsynced = false;
}

bool
store_unsynced(const struct store *st)
{
	return st->unsynced;
}

/* ---- the disk */

int
store_space(struct store *st, uint64_t bytes, uint64_t keep, struct err *e)
{
	struct statvfs v;
	uint64_t free;

	if (fstatvfs(st->msg, &v) < 0)
		return store_fail(st, STORE_OTHER, e, ERR_TEMP, "msg: %s", strerror(errno));
	free = v.f_bavail * v.f_frsize;
	if (free < keep || free - keep < bytes)
		return store_fail(st, STORE_OTHER, e, ERR_TEMP, "less than spool_free_min would be free");
	return 0;
}
