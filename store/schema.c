/*
 * schema.c - the tables of index.db, and how a store comes to be.
 *
 * Invariants (numbers are referred to where they are kept):
 *  1. Below mailbox.uid_reserved and up to store.modseq_reserved, numbers may have been seen by readers
 * although the transaction that gave them out is not durable. These two columns only grow, and a value is
 * durable before a TX_UNSYNCED gives out a number of its block.
 *  2. When the machine was started anew (store.boot differs), uidnext and modseq go on behind these blocks.
 *  3. store.bytes and messages, and the counters of a mailbox, are changed in the transaction that changes
 * the records; they are exact.
 *  4. A record is in a chunk (the message is there) or, after it was expunged, in `gone` with the modseq of
 * that; its row in msg stays until the record is purged from `gone`. So what a view held at any modseq that
 * is not purged can be rebuilt: records created up to it that are in a chunk, or gone later.
 *  5. A file in msg/ is removed only after no row of msg names it, durably. A file that no row names is
 * garbage: of a transaction that failed, or of one that a power cut took.
 *  6. A delivery id in `delivered` is written in the transaction of its message.
 *  7. What a row of msg needs of the file is on disk before the row is; but a row that came by delivery can
 * be durable before its link (any process may sync the index). The spool file is there until store_sync, and
 * a delivery that is known already makes the link again (deliver.c: heal).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/file.h"
#include "store/inside.h"
#include "store/vfs.h"

#define TEXT_OF(x)  TEXT_OF_(x)
#define TEXT_OF_(x) #x

/* Measured (bench/store-bench.c): 8192 loads 100,000 records in 0.75 instead of 0.8 ms, but writes twice as much. */
#define PAGE_SIZE 4096

/*
 * msg and chunk are keyed by one integer because SQLite keeps rows of such tables in the leaves up to a page
 * each, but those of a table WITHOUT ROWID only up to a quarter of one; the order is the same.
 */
static const char schema[] = "PRAGMA page_size = " TEXT_OF(
    PAGE_SIZE) "; PRAGMA auto_vacuum = NONE;"
	       "BEGIN;"
	       "CREATE TABLE store ("
	       " id INTEGER PRIMARY KEY CHECK (id = 1),"
	       " boot TEXT NOT NULL,"
	       " modseq INTEGER NOT NULL,"
	       " modseq_reserved INTEGER NOT NULL,"
	       " uidvalidity INTEGER NOT NULL,"
	       " bytes INTEGER NOT NULL,"
	       " messages INTEGER NOT NULL);"
	       "CREATE TABLE mailbox ("
	       " id INTEGER PRIMARY KEY AUTOINCREMENT,"
	       " name TEXT UNIQUE," /* NULL: deleted */
	       " uidvalidity INTEGER NOT NULL,"
	       " uidnext INTEGER NOT NULL,"
	       " uid_reserved INTEGER NOT NULL,"
	       " recent_uid INTEGER NOT NULL,"
	       " exist INTEGER NOT NULL,"
	       " recent INTEGER NOT NULL,"
	       " unseen INTEGER NOT NULL,"
	       " deleted INTEGER NOT NULL,"
	       " bytes INTEGER NOT NULL,"
	       " highestmodseq INTEGER NOT NULL,"
	       " purged_modseq INTEGER NOT NULL,"
	       " special INTEGER NOT NULL," /* enum store_use */
	       " noselect INTEGER NOT NULL,"
	       " deleted_ms INTEGER NOT NULL,"
	       " keywords BLOB NOT NULL);" /* each with a NUL behind it */
	       "CREATE TABLE subscription (name TEXT PRIMARY KEY) WITHOUT ROWID;"
	       "CREATE TABLE chunk ("
	       " id INTEGER PRIMARY KEY," /* key_of(mailbox, first uid) */
	       " modseq INTEGER NOT NULL,"
	       " data BLOB NOT NULL);" /* see chunk.h */
	       "CREATE TABLE gone ("
	       " id INTEGER PRIMARY KEY,"
	       " mailbox INTEGER NOT NULL,"
	       " modseq INTEGER NOT NULL," /* of the expunge */
	       " at_ms INTEGER NOT NULL,"
	       " data BLOB NOT NULL);" /* records as in a chunk */
	       "CREATE INDEX gone_since ON gone (mailbox, modseq);"
	       "CREATE TABLE msg ("
	       " id INTEGER PRIMARY KEY," /* key_of(mailbox, uid) */
	       " file TEXT NOT NULL,"     /* name in msg/ */
	       " mid TEXT NOT NULL,"      /* queue id of the delivery, or empty */
	       " at INTEGER NOT NULL,"    /* the region in the file */
	       " length INTEGER NOT NULL,"
	       " digest BLOB NOT NULL," /* of the region: BLAKE2b, 32 octets */
	       " prefix BLOB NOT NULL,"
	       " structure BLOB NOT NULL);"
	       "CREATE INDEX msg_of_file ON msg (file);" /* files are named in the order of time: it grows at
							    its end */
	       "CREATE TABLE delivered ("
	       " mid TEXT NOT NULL,"
	       " rcpt INTEGER NOT NULL,"
	       " msg INTEGER NOT NULL," /* key_of(mailbox, uid) */
	       " PRIMARY KEY (mid, rcpt)) WITHOUT ROWID;"
	       "PRAGMA user_version = " TEXT_OF(1) ";";

_Static_assert(STORE_VERSION == 1, "the schema says which version it is");

static const struct {
	const char *name;
	enum store_use use;
} first_mailboxes[] = {
	{ "INBOX", STORE_USE_NONE },
	{ "Drafts", STORE_USE_DRAFTS },
	{ "Sent", STORE_USE_SENT },
	{ "Trash", STORE_USE_TRASH },
	{ "Junk", STORE_USE_JUNK },
	{ "Archive", STORE_USE_ARCHIVE },
};
enum { FIRST_MAILBOXES = sizeof first_mailboxes / sizeof first_mailboxes[0] };

/*
 * The index of a new store is built in memory and written as one file: one sync instead of the several that
 * SQLite makes when it creates a database, turns it to WAL and commits the schema.
 */
static int
sqlite_err(sqlite3 *db, struct err *e)
{
	return err_set(e, ERR_TEMP, "new index: %s", sqlite3_errmsg(db));
}

static int
first_rows(sqlite3 *db, const char *boot_id, struct err *e)
{
	uint64_t now = clock_wall_ms() / 1000;
	char *text;
	int rc;

	text = sqlite3_mprintf("INSERT INTO store VALUES (1, %Q, 1, %d, %lld, 0, 0)", boot_id, MODSEQ_BLOCK,
	    (long long)now + FIRST_MAILBOXES);
	rc = sqlite3_exec(db, text, NULL, NULL, NULL);
	sqlite3_free(text);
	for (int i = 0; i < FIRST_MAILBOXES && rc == SQLITE_OK; i++) {
		text = sqlite3_mprintf(
		    "INSERT INTO mailbox VALUES (%d, %Q, %lld, 1, %d, 1, 0, 0, 0, 0, 0, 1, 0, %d, "
		    "0, 0, x''); INSERT INTO subscription VALUES (%Q)",
		    i + 1, first_mailboxes[i].name, (long long)now + i + 1, i == 0 ? 1 + UID_BLOCK : 1,
		    (int)first_mailboxes[i].use, first_mailboxes[i].name);
		rc = sqlite3_exec(db, text, NULL, NULL, NULL);
		sqlite3_free(text);
	}
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : sqlite_err(db, e);
}

/* The octets of a new index; sqlite3_free them. */
static unsigned char *
new_image(const char *boot_id, size_t *size, struct err *e)
{
	/* File format write and read version (https://sqlite.org/fileformat.html, 1.3.3): 2 is WAL. */
	enum { WRITE_VERSION = 18, READ_VERSION = 19, WAL = 2 };
	unsigned char *image = NULL;
	sqlite3_int64 n = 0;
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
		SQLITE_OK ||
	    sqlite3_exec(db, schema, NULL, NULL, NULL) != SQLITE_OK)
		sqlite_err(db, e);
	else if (first_rows(db, boot_id, e) == 0 && (image = sqlite3_serialize(db, "main", &n, 0)) == NULL)
		sqlite_err(db, e);
	sqlite3_close(db);
	if (image != NULL) {
		image[WRITE_VERSION] = image[READ_VERSION] = WAL;
		*size = (size_t)n;
	}
	return image;
}

/* Write it under another name, durably, and link it to its own: a file named index.db is always whole. */
static int
write_index(int dir, const char *boot_id, struct err *e)
{
	struct id id = id_new();
	size_t size = 0;
	unsigned char *image = new_image(boot_id, &size, e);
	int fd, rc = -1;

	if (image == NULL)
		return -1;
	fd = openat(dir, id.s, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		err_set(e, ERR_TEMP, "new index: %m");
		goto out;
	}
	if (file_put(fd, image, size) < 0 || fdatasync(fd) < 0)
		err_set(e, ERR_TEMP, "new index: %m");
	else if (linkat(dir, id.s, dir, "index.db", 0) < 0 && errno != EEXIST) /* another process was first */
		err_set(e, ERR_TEMP, "new index: link: %m");
	else
		rc = 0;
	close(fd);
	if (unlinkat(dir, id.s, 0) < 0 && rc == 0)
		rc = err_set(e, ERR_TEMP, "new index: unlink: %m");
out:
	sqlite3_free(image);
	return rc;
}

int
schema_make(int dir, const char *boot_id, struct err *e)
{
	if (faccessat(dir, "index.db", F_OK, 0) == 0)
		return 0;
	if (errno != ENOENT)
		return err_set(e, ERR_TEMP, "index.db: %m");
	if (mkdirat(dir, "msg", 0700) < 0 && errno != EEXIST)
		return err_set(e, ERR_TEMP, "msg: %m");
	if (write_index(dir, boot_id, e) < 0)
		return -1;
	return fsync(dir) == 0 ? 0 : err_set(e, ERR_TEMP, "new store: fsync: %m");
}

/* Invariant 2. */
static int
boot_anew(struct store *st, const char *boot_id, struct err *e)
{
	int rc = -1;

	if (tx_begin(st, TX_DURABLE, e) < 0)
		return -1;
	if (db_run(st, Q_BOOT_UIDS, e) == 0 && db_run(st, Q_BOOT_SET, e, B_TEXT(span_str(boot_id))) == 0)
		rc = 0;
	return tx_end(st, rc, e);
}

int
schema_ready(struct store *st, const char *boot_id, struct err *e)
{
	sqlite3_stmt *q;
	bool same = false;
	int rc;

	q = db_open_query(st, Q_VERSION, e);
	if ((rc = db_row(st, q, e)) == 1 && sqlite3_column_int(q, 0) != STORE_VERSION)
		rc = store_fail(st, STORE_OTHER, e, ERR_PERM,
		    "index.db is of version %d; this program knows %d", sqlite3_column_int(q, 0),
		    STORE_VERSION);
	db_done(q);
	if (rc < 0)
		return -1;
	q = db_open_query(st, Q_BOOT, e);
	if ((rc = db_row(st, q, e)) == 1)
		same = span_eq(db_text(q, 0), boot_id);
	db_done(q);
	if (rc < 0)
		return -1;
	return same ? 0 : boot_anew(st, boot_id, e);
}
