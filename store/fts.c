/* fts.c - the file of the text index: opening, its version, damage; statements. */
#include "store/fts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "mail/charset.h"
#include "mail/text.h"
#include "store/file.h"
#include "store/fts_inside.h"
#include "store/inside.h"
#include "store/vfs.h"

enum { BUSY_WAIT_MS = 1000, WAL_PAGES = 400, RULES = FTS_VERSION << 8 | TEXT_VERSION };

static const char tables[] = "CREATE TABLE meta ("
			     " id INTEGER PRIMARY KEY CHECK (id = 1),"
			     " charsets INTEGER NOT NULL,"
			     " modseq INTEGER NOT NULL,"
			     " next INTEGER NOT NULL,"
			     " shard INTEGER NOT NULL);"
			     "CREATE TABLE mailbox ("
			     " id INTEGER PRIMARY KEY,"
			     " uidvalidity INTEGER NOT NULL,"
			     " done INTEGER NOT NULL);"
			     "CREATE TABLE run ("
			     " id INTEGER PRIMARY KEY," /* key_of(mailbox, first uid) */
			     " n INTEGER NOT NULL,"
			     " doc INTEGER NOT NULL);"
			     "CREATE TABLE shard ("
			     " id INTEGER PRIMARY KEY,"
			     " merged INTEGER NOT NULL);";

/* ---- statements */

int
fts_fail(struct fts *f, int rc, struct err *e)
{
	if (rc == SQLITE_IOERR_SHORT_READ) /* one of its files was removed, or cut short */
		f->damaged = true;
	switch (rc & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_ERROR: /* a table is missing, or not as it was made */
		f->damaged = true;
		break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(e, ERR_TEMP, "fts.db: another process is writing");
	default:
		break;
	}
	return err_set(
	    e, ERR_TEMP, "fts.db: %s (%d)", f->db != NULL ? sqlite3_errmsg(f->db) : sqlite3_errstr(rc), rc);
}

static sqlite3_stmt *
prepare(struct fts *f, struct err *e, const char *fmt, va_list ap)
{
	char *text = sqlite3_vmprintf(fmt, ap);
	sqlite3_stmt *q = NULL;
	int rc = text == NULL ? SQLITE_NOMEM : sqlite3_prepare_v2(f->db, text, -1, &q, NULL);

	if (rc != SQLITE_OK)
		fts_fail(f, rc, e);
	sqlite3_free(text);
	return q;
}

sqlite3_stmt *
fts_query(struct fts *f, struct err *e, const char *fmt, ...)
{
	sqlite3_stmt *q;
	va_list ap;

	va_start(ap, fmt);
	q = prepare(f, e, fmt, ap);
	va_end(ap);
	return q;
}

int
fts_row(struct fts *f, sqlite3_stmt *q, struct err *e)
{
	int rc;

	if (q == NULL)
		return -1;
	if ((rc = sqlite3_step(q)) == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : fts_fail(f, rc, e);
}

int
fts_exec(struct fts *f, struct err *e, const char *fmt, ...)
{
	sqlite3_stmt *q;
	va_list ap;
	int rc;

	va_start(ap, fmt);
	q = prepare(f, e, fmt, ap);
	va_end(ap);
	while ((rc = fts_row(f, q, e)) == 1)
		continue;
	sqlite3_finalize(q);
	return rc;
}

int
fts_number(struct fts *f, uint64_t none, uint64_t *out, struct err *e, const char *fmt, ...)
{
	sqlite3_stmt *q;
	va_list ap;
	int rc;

	va_start(ap, fmt);
	q = prepare(f, e, fmt, ap);
	va_end(ap);
	rc = fts_row(f, q, e);
	*out = rc == 1 ? db_num(q, 0) : none;
	sqlite3_finalize(q);
	return rc < 0 ? -1 : 0;
}

/* ---- removing */

/* No process has the file open, and none can open it now. -1 with errno: some has. */
static int
lock_alone(struct store *st)
{
	int fd = file_open(st->msg, ".", O_RDONLY | O_DIRECTORY, 0), why;

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		why = errno;
		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

int
fts_remove(struct store *st, const char *path, struct err *e)
{
	static const char *const names[] = { "fts.db-wal", "fts.db-shm", "fts.db" };
	int lock = lock_alone(st), dir, rc = 1;

	if (lock < 0)
		return errno == EWOULDBLOCK ? 0 : err_set(e, ERR_TEMP, "fts.db: lock: %m");
	if ((dir = file_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0)) < 0)
		rc = err_set(e, ERR_TEMP, "fts.db: %m");
	for (size_t i = 0; rc == 1 && i < sizeof names / sizeof names[0]; i++)
		if (unlinkat(dir, names[i], 0) < 0 && errno != ENOENT)
			rc = err_set(e, ERR_TEMP, "%s: %m", names[i]);
	if (dir >= 0)
		close(dir);
	close(lock);
	return rc;
}

/* ---- opening */

/* The path borrowed by store_open's callers is copied: who has the index closes it later. */
static struct fts *
new_index(struct store *st, const char *path)
{
	struct fts *f = mem_zero(1, sizeof *f);
	size_t n = strlen(path);

	f->st = st;
	f->lock = -1;
	f->path = mem_zero(1, n + 1);
	memcpy(f->path, path, n);
	f->name = mem_zero(1, n + sizeof "/fts.db");
	if (strcmp(path, ".") != 0) {
		memcpy(f->name, path, n);
		f->name[n] = '/';
		n++;
	} else {
		n = 0;
	}
	memcpy(f->name + n, "fts.db", sizeof "fts.db");
	return f;
}

static void
discard(struct fts *f)
{
	sqlite3_close(f->db);
	if (f->lock >= 0)
		close(f->lock);
	free(f->run);
	free(f->path);
	free(f->name);
	free(f);
}

void
fts_close(struct fts *f)
{
	struct err e = { 0 };
	struct store *st;
	char *path;

	if (f == NULL)
		return;
	fts_end(f);
	if (!f->damaged) {
		discard(f);
		return;
	}
	st = f->st;
	path = f->path;
	f->path = NULL;
	discard(f);
	if (fts_remove(st, path, &e) == 1)
		log_event(LOG_WARN, "store.fts_removed", KV_STR("store", path));
	free(path);
}

/* 0, 1: there is no file, or another process is about to remove it; -1. */
static int
open_file(struct fts *f, bool create, struct err *e)
{
	static const char pragmas[] =
	    "PRAGMA temp_store = MEMORY; PRAGMA secure_delete = OFF; PRAGMA synchronous = NORMAL;"
	    "PRAGMA cache_size = -2048;"
	    "PRAGMA journal_size_limit = 4194304";
	int rc;

	if (vfs_name() == NULL)
		return err_set(e, ERR_TEMP, "SQLite has no VFS of Unix");
	if ((f->lock = file_open(f->st->msg, ".", O_RDONLY | O_DIRECTORY, 0)) < 0)
		return err_set(e, ERR_TEMP, "fts.db: lock: %m");
	if (flock(f->lock, LOCK_SH | LOCK_NB) < 0)
		return 1;
	rc = sqlite3_open_v2(f->name, &f->db,
	    SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0) | SQLITE_OPEN_NOMUTEX |
		SQLITE_OPEN_NOFOLLOW,
	    vfs_name());
	if ((rc & 0xff) == SQLITE_CANTOPEN && !create)
		return 1;
	if (rc != SQLITE_OK)
		return fts_fail(f, rc, e);
	sqlite3_extended_result_codes(f->db, 1);
	sqlite3_busy_timeout(f->db, BUSY_WAIT_MS);
	/* Two syncs for each WAL_PAGES written, not for each time that some mail is indexed. */
	sqlite3_db_config(f->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_wal_autocheckpoint(f->db, WAL_PAGES);
	rc = sqlite3_exec(f->db, pragmas, NULL, NULL, NULL);
	if (rc == SQLITE_OK && !create) /* an indexer reads what it merges, once */
		rc = sqlite3_exec(f->db, "PRAGMA mmap_size = 268435456", NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : fts_fail(f, rc, e);
}

/* Another process may have been first. */
static int
make_tables(struct fts *f, struct err *e)
{
	uint64_t version;
	int rc = sqlite3_exec(f->db, "PRAGMA journal_mode = WAL; BEGIN IMMEDIATE", NULL, NULL, NULL);

	if (rc != SQLITE_OK)
		return fts_fail(f, rc, e);
	if (fts_number(f, 0, &version, e, "PRAGMA user_version") < 0)
		return -1;
	if (version == 0) {
		if ((rc = sqlite3_exec(f->db, tables, NULL, NULL, NULL)) != SQLITE_OK)
			return fts_fail(f, rc, e);
		if (fts_exec(f, e,
			"INSERT INTO meta (id, charsets, modseq, next, shard) VALUES (1, %u, 0, 1, %d)",
			charset_preloaded(), SHARD_TEXTS) < 0 ||
		    fts_exec(f, e, "PRAGMA user_version = %d", RULES) < 0)
			return -1;
	}
	return fts_exec(f, e, "COMMIT");
}

/* Was it made by our rules, of this store? Else it is to go, but one that is just being made. 1, 0, -1. */
static int
is_ours(struct fts *f, struct err *e)
{
	struct store_usage now = { 0 };
	uint64_t version, charsets, modseq;

	if (fts_number(f, 0, &version, e, "PRAGMA user_version") < 0)
		return -1;
	f->damaged = version != 0;
	if (version != RULES)
		return 0;
	if (fts_number(f, 0, &charsets, e, "SELECT charsets FROM meta") < 0 ||
	    fts_number(f, 0, &modseq, e, "SELECT modseq FROM meta") < 0 ||
	    fts_number(f, 0, &f->shard_texts, e, "SELECT shard FROM meta") < 0 ||
	    store_usage(f->st, &now, e) < 0)
		return -1;
	f->damaged = charsets != charset_preloaded() || modseq > now.modseq || f->shard_texts == 0;
	return !f->damaged;
}

static struct fts *
open_once(struct store *st, const char *path, bool create, bool *again, struct err *e)
{
	struct fts *f = new_index(st, path);
	uint64_t version;
	int rc = open_file(f, create, e);

	if (rc == 0 && create)
		rc = fts_number(f, 0, &version, e, "PRAGMA user_version") < 0 ? -1
		     : version == 0                                           ? make_tables(f, e)
									      : 0;
	if (rc == 0 && is_ours(f, e) == 1)
		return f;
	*again = f->damaged;
	fts_close(f);
	return NULL;
}

struct fts *
fts_open(struct store *st, const char *path, bool create, struct err *e)
{
	bool again = false;
	struct fts *f = open_once(st, path, create, &again, e);

	if (f == NULL && again && create) {
		err_clear(e);
		f = open_once(st, path, create, &again, e);
	}
	return f;
}

/* ---- runs */

void
fts_run_add(struct fts *f, struct fts_run run)
{
	if (f->runs == f->run_cap) {
		f->run_cap = f->run_cap != 0 ? f->run_cap * 2 : 64;
		f->run = mem_resize(f->run, f->run_cap * sizeof *f->run);
	}
	f->run[f->runs++] = run;
}

int
fts_runs_load(struct fts *f, uint64_t mailbox, uint32_t uidvalidity, struct err *e)
{
	sqlite3_stmt *q;
	uint64_t known;
	int rc;

	f->runs = f->at = 0;
	f->mailbox = 0;
	if (fts_number(f, 0, &known, e, "SELECT uidvalidity FROM mailbox WHERE id = %llu",
		(unsigned long long)mailbox) < 0)
		return -1;
	if (known == uidvalidity) {
		q = fts_query(f, e, "SELECT id, n, doc FROM run WHERE id BETWEEN %llu AND %llu ORDER BY id",
		    (unsigned long long)key_of(mailbox, 0), (unsigned long long)key_of(mailbox, UINT32_MAX));
		while ((rc = fts_row(f, q, e)) == 1)
			fts_run_add(
			    f, (struct fts_run){ (uint32_t)db_num(q, 0), db_num32(q, 1), db_num(q, 2) });
		sqlite3_finalize(q);
		if (rc < 0)
			return -1;
	}
	f->mailbox = mailbox;
	return 0;
}

/* Uids are mostly asked for in ascending order: the last run, or the one behind it. */
const struct fts_run *
fts_run_of(struct fts *f, uint32_t uid)
{
	size_t lo = 0, hi = f->runs;

	if (f->at < f->runs && f->run[f->at].first <= uid) {
		if (uid - f->run[f->at].first < f->run[f->at].n)
			return &f->run[f->at];
		lo = f->at;
	}
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (f->run[mid].first <= uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return NULL;
	f->at = lo - 1;
	return uid - f->run[f->at].first < f->run[f->at].n ? &f->run[f->at] : NULL;
}
