/*
 * catalogue.c - list.db, from which an index that is lost is rebuilt, and the rebuilding.
 *
 * list.db has the tables of index.db, each with all of its columns, but for structures (which message files
 * have, or a parser gives again), full-text and the directories of chunks (made anew). It is written whole,
 * to list.new, in one read transaction of the index, synced, and then takes its name: so there is always a
 * whole one.
 *
 * index.db is rebuilt in place, for other processes may have it open: SQLite empties it
 * (SQLITE_DBCONFIG_RESET_DATABASE, which keeps locks and readers in order even when nothing of it can be
 * read), and one transaction fills it. Killed in between it is an index without a store's row, which is
 * refused, and rebuilt by the next try. No uid is given out twice, for each mailbox gets a new UIDVALIDITY
 * (RFC 3501, 2.3.1.1).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/adopt.h"
#include "store/dir.h"
#include "store/file.h"
#include "store/inside.h"
#include "store/vfs.h"

#define LIST        "list.db"
#define LIST_NEW    "list.new"
#define MSG_COLUMNS "id, file, mid, at, length, digest, prefix, packed"
#define NUMBER(x)   NUMBER_(x)
#define NUMBER_(x)  #x

/* ---- writing it */

static int
run(struct store *st, const char *fmt, const char *name, struct err *e)
{
	char *sql = sqlite3_mprintf(fmt, name, name);
	int rc = sql == NULL ? err_set(e, ERR_TEMP, "no memory") : db_exec(st, sql, e);

	sqlite3_free(sql);
	return rc;
}

/* The names of the tables that are copied as they are; each calls `fmt` with its name twice. */
static int
each_table(struct store *st, const char *schema, const char *fmt, struct err *e)
{
	struct arena *a = arena_new(1 << 20);
	const char *names[64];
	char *sql = sqlite3_mprintf(
	    "SELECT name FROM %s.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%%' "
	    "AND name NOT IN ('msg', 'directory')",
	    schema);
	sqlite3_stmt *q = NULL;
	int n = 0, rc = sqlite3_prepare_v2(st->db, sql, -1, &q, NULL);

	while (rc == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW && n < 64)
		names[n++] = arena_cstr(a, span_str((const char *)sqlite3_column_text(q, 0)));
	sqlite3_finalize(q);
	sqlite3_free(sql);
	rc = rc == SQLITE_OK ? 0 : db_fail(st, rc, e);
	for (int i = 0; i < n && rc == 0; i++)
		rc = run(st, fmt, names[i], e);
	arena_free(a);
	return rc;
}

static int
fill_list(struct store *st, struct err *e)
{
	if (db_exec(st, "PRAGMA l.journal_mode = OFF; PRAGMA l.synchronous = OFF; BEGIN", e) < 0)
		return -1;
	if (each_table(st, "main", "CREATE TABLE l.\"%w\" AS SELECT * FROM main.\"%w\"", e) < 0 ||
	    db_exec(st,
		"CREATE TABLE l.msg AS SELECT " MSG_COLUMNS " FROM main.msg;"
		"PRAGMA l.user_version = " NUMBER(2) "; COMMIT",
		e) < 0) {
		db_exec(st, "ROLLBACK", NULL);
		return -1;
	}
	return 0;
}

/* Empty: the connection may open files, and make none. */
static int
new_list(struct err *e)
{
	int fd;

	unlinkat(AT_FDCWD, LIST_NEW, 0);
	if ((fd = file_open(AT_FDCWD, LIST_NEW, O_WRONLY | O_CREAT | O_EXCL, 0600)) < 0)
		return err_set(e, ERR_TEMP, LIST_NEW ": %m");
	close(fd);
	return 0;
}

/* list.new is whole: it is synced and becomes list.db. */
static int
name_list(struct err *e)
{
	int fd = file_open(AT_FDCWD, LIST_NEW, O_RDONLY, 0), rc = 0;

	if (fd < 0 || fsync(fd) < 0 || renameat(AT_FDCWD, LIST_NEW, AT_FDCWD, LIST) < 0)
		rc = err_set(e, ERR_TEMP, LIST ": %m");
	if (fd >= 0)
		close(fd);
	if (rc == 0 && (fd = file_open(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY, 0)) >= 0) {
		if (fsync(fd) < 0)
			rc = err_set(e, ERR_TEMP, LIST ": fsync: %m");
		close(fd);
	}
	return rc;
}

static int
modseqs(struct store *st, uint64_t *now, uint64_t *listed, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_LISTED, e);
	int rc = db_row(st, q, e);

	if (rc == 1) {
		*now = db_num(q, 0);
		*listed = db_num(q, 1);
	}
	db_done(q);
	return rc == 1 ? 0 : rc < 0 ? -1 : store_damaged(st, e, "the store has lost its own row");
}

int
store_catalogue(struct store *st, struct err *e)
{
	uint64_t now = 0, listed = 0;
	int rc;

	if (modseqs(st, &now, &listed, e) < 0)
		return -1;
	if (now == listed && faccessat(AT_FDCWD, LIST, F_OK, 0) == 0)
		return 0;
	if (new_list(e) < 0 || db_exec(st, "ATTACH '" LIST_NEW "' AS l", e) < 0)
		return -1;
	rc = fill_list(st, e);
	db_exec(st, "DETACH l", rc < 0 ? NULL : e);
	if (rc < 0 || name_list(e) < 0) {
		unlinkat(AT_FDCWD, LIST_NEW, 0);
		return -1;
	}
	if (tx_begin(st, TX_DURABLE, e) < 0)
		return -1;
	return tx_end(st, db_run(st, Q_LISTED_SET, e, B_NUM(now)), e) < 0 ? -1 : 1;
}

/* ---- rebuilding */

/* For whoever can read more of it than we. */
static void
keep_damaged(void)
{
	int in = file_open(AT_FDCWD, "index.db", O_RDONLY, 0);
	int out = in < 0 ? -1 : file_open(AT_FDCWD, "index.db.damaged", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	while (out >= 0 && copy_file_range(in, NULL, out, NULL, 1 << 20, 0) > 0)
		;
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
}

/*
 * What the head of a file says of its page size and of the WAL (https://sqlite.org/fileformat.html, 1.3) is
 * how SQLite takes its locks. If that is lost it is put there again: else nothing could be changed before all
 * others have closed the file.
 */
static int
mend_header(const struct store_opts *o, struct err *e)
{
	enum { HEADER = 100, COMPARED = 20 };
	char now[COMPARED] = "";
	size_t size = 0;
	unsigned char *image;
	int fd = file_open(AT_FDCWD, "index.db", O_RDWR, 0), rc = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_set(e, ERR_TEMP, "index.db: %m");
	if ((image = schema_image(o->boot_id, o->tree, &size, e)) == NULL)
		rc = -1;
	else if (pread(fd, now, COMPARED, 0) > 0 && memcmp(now, image, COMPARED) != 0 &&
		 pwrite(fd, image, HEADER, 0) != HEADER)
		rc = err_set(e, ERR_TEMP, "index.db: %m");
	sqlite3_free(image);
	close(fd);
	return rc;
}

/* The connection to an index of which nothing is known; the caller closes it. */
static struct store *
open_raw(struct err *e)
{
	struct store *st = mem_zero(1, sizeof *st);
	int rc = vfs_name() == NULL ? SQLITE_ERROR
				    : sqlite3_open_v2("index.db", &st->db,
					  SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
					      SQLITE_OPEN_NOFOLLOW,
					  vfs_name());

	st->msg = -1;
	if (rc == SQLITE_OK) {
		sqlite3_busy_timeout(st->db, 30000);
		return st;
	}
	db_fail(st, rc, e);
	store_close(st);
	return NULL;
}

static int
empty(struct store *st, struct err *e)
{
	int rc;

	/* Whatever this gives: the file has been looked at, and the reset keeps to the WAL. */
	sqlite3_exec(st->db, "SELECT 1 FROM sqlite_master", NULL, NULL, NULL);
	rc = sqlite3_db_config(st->db, SQLITE_DBCONFIG_RESET_DATABASE, 1, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(st->db, "VACUUM", NULL, NULL, NULL);
	sqlite3_db_config(st->db, SQLITE_DBCONFIG_RESET_DATABASE, 0, NULL);
	if (rc != SQLITE_OK)
		return db_fail(st, rc, e);
	return db_exec(st, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", e);
}

/* Is there a catalogue that is whole and of this version? It is attached as l then. */
static bool
attach_list(struct store *st)
{
	sqlite3_stmt *q = NULL;
	bool good = false;

	if (faccessat(AT_FDCWD, LIST, F_OK, 0) < 0 || db_exec(st, "ATTACH '" LIST "' AS l", NULL) < 0)
		return false;
	if (sqlite3_prepare_v2(st->db, "PRAGMA l.user_version", -1, &q, NULL) == SQLITE_OK &&
	    sqlite3_step(q) == SQLITE_ROW)
		good = sqlite3_column_int(q, 0) == STORE_VERSION;
	sqlite3_finalize(q);
	q = NULL;
	if (good && (sqlite3_prepare_v2(st->db, "PRAGMA l.quick_check(1)", -1, &q, NULL) != SQLITE_OK ||
			sqlite3_step(q) != SQLITE_ROW || !span_eq(db_text(q, 0), "ok")))
		good = false;
	sqlite3_finalize(q);
	if (!good)
		db_exec(st, "DETACH l", NULL);
	return good;
}

static int
from_list(struct store *st, struct err *e)
{
	if (db_exec(st, "DELETE FROM store; DELETE FROM mailbox; DELETE FROM subscription", e) < 0 ||
	    each_table(st, "l", "INSERT OR REPLACE INTO main.\"%w\" SELECT * FROM l.\"%w\"", e) < 0)
		return -1;
	return db_exec(st,
	    "INSERT INTO main.msg (" MSG_COLUMNS ", structure) SELECT " MSG_COLUMNS ", x'' FROM l.msg;"
	    "UPDATE store SET listed_modseq = 0, packed_to = '', scrubbed = 0",
	    e);
}

/* All that clients remember of the mailboxes is void. */
static int
new_validity(struct store *st, struct err *e)
{
	char *sql = sqlite3_mprintf(
	    "UPDATE store SET uidvalidity = max(uidvalidity, %lld), modseq = modseq + 1048576, modseq_reserved = modseq + 2097152;"
	    "UPDATE mailbox SET uidvalidity = (SELECT uidvalidity FROM store) + id, uidnext = max(uidnext, uid_reserved);"
	    "UPDATE store SET uidvalidity = (SELECT max(uidvalidity) FROM mailbox)",
	    (long long)(clock_wall_ms() / 1000));
	int rc = sql == NULL ? err_set(e, ERR_TEMP, "no memory") : db_exec(st, sql, e);

	sqlite3_free(sql);
	return rc;
}

static int
fill_index(struct store *st, const char *boot_id, bool tree, bool listed, struct err *e)
{
	int rc = db_exec(st, "BEGIN IMMEDIATE", e);

	if (rc < 0)
		return -1;
	rc = schema_fill(st->db, boot_id, tree, e);
	if (rc == 0 && listed)
		rc = from_list(st, e);
	if (rc == 0)
		rc = new_validity(st, e);
	if (rc == 0)
		rc = db_exec(st, "COMMIT", e);
	if (rc < 0)
		db_exec(st, "ROLLBACK", NULL);
	return rc;
}

static int
remake(const struct store_opts *o, uint64_t *listed_ms, struct err *e)
{
	struct store *st;
	struct stat sb;
	bool listed;
	int rc;

	if (mkdirat(AT_FDCWD, "msg", 0700) < 0 && errno != EEXIST)
		return err_set(e, ERR_TEMP, "msg: %m");
	keep_damaged();
	if (mend_header(o, e) < 0 || (st = open_raw(e)) == NULL)
		return -1;
	rc = empty(st, e);
	listed = rc == 0 && attach_list(st);
	*listed_ms = listed && fstatat(AT_FDCWD, LIST, &sb, 0) == 0 ? (uint64_t)sb.st_mtime * 1000 : 0;
	if (rc == 0)
		rc = fill_index(st, o->boot_id, o->tree, listed, e);
	store_close(st);
	return rc;
}

/* Files that no row has: the young ones came after the catalogue was written. */
static int
adopt_rest(struct store *st, uint64_t listed_ms, const struct store_parser *parser, struct err *e)
{
	struct dirent **list = NULL;
	int n, rc = 0;

	if ((n = scandirat(st->msg, ".", &list, NULL, alphasort)) < 0)
		return err_set(e, ERR_TEMP, "msg: %m");
	for (int i = 0; i < n; i++) { /* in the order of time */
		const char *name = list[i]->d_name;
		int64_t used = 1;

		if (rc == 0 && name[0] != '.')
			rc = db_one(
			    st, db_open_query(st, Q_MSG_OF_FILE, e, B_TEXT(span_str(name))), 0, &used, e);
		if (rc == 0 && used == 0)
			rc = adopt_file(st, name,
			    listed_ms == 0 || id_time_ms(span_str(name)) > listed_ms ? SPAN("INBOX")
										     : SPAN("lost+found"),
			    parser, e);
		free(list[i]);
	}
	free(list);
	return rc;
}

int
store_rebuild(const struct store_opts *o, const struct store_parser *parser,
    void (*found)(void *arg, struct span text), void *arg, uint64_t *n, struct err *e)
{
	struct store_usage used;
	struct store *st;
	uint64_t listed_ms = 0;
	int rc = -1;

	if (remake(o, &listed_ms, e) < 0 || (st = store_open(".", o, e)) == NULL)
		return -1;
	if (tx_begin(st, TX_DURABLE, e) == 0 && tx_end(st, dir_build_all(st, e), e) >= 0 &&
	    adopt_structures(st, parser, e) >= 0 && adopt_rest(st, listed_ms, parser, e) == 0 &&
	    store_check_with(st, STORE_CHECK_REPAIR, parser, found, arg, e) >= 0 &&
	    store_usage(st, &used, e) == 0) {
		*n = used.messages;
		rc = 0;
	}
	store_close(st);
	return rc;
}
