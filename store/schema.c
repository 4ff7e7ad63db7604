/*
 * schema.c - the tables of index.db, and how those of older versions are brought forward: a new index is made by the same
 * steps, so that both are the same.
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
#include "base/log.h"
#include "store/dir.h"
#include "store/inside.h"

#define TEXT_OF(x)  TEXT_OF_(x)
#define TEXT_OF_(x) #x

/*
 * Measured (bench/store-bench.c): 8192 loads 100,000 records in 0.75 instead of 0.8 ms, but writes twice as
 * much.
 */
#define PAGE_SIZE 4096

/*
 * msg and chunk are keyed by one integer because SQLite keeps rows of such tables in the leaves up to a page
 * each, but those of a table WITHOUT ROWID only up to a quarter of one; the order is the same.
 */
static const char version_1[] =
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
    "PRAGMA user_version = 1;";

/*
 * 2: what sharing, quotas, undelete, retention, object ids and annotations need. acl.who: a login, "group:NAME",
 * "anyone" or "owner", with "-" in front for rights that are taken away.
 */
/* A table a paragraph. */
/* clang-format off */
static const char version_2[] =
    "CREATE TABLE acl ("
    " mailbox INTEGER NOT NULL,"
    " who TEXT NOT NULL,"
    " rights INTEGER NOT NULL," /* or of enum store_right */
    " account TEXT NOT NULL," /* whose login it is: the name of his store, which is never given out again */
    " PRIMARY KEY (mailbox, who)) WITHOUT ROWID;"
    /* How often ACLs were changed, and what authd was told last: acl.h. */
    "ALTER TABLE store ADD COLUMN acl INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE store ADD COLUMN acl_told INTEGER NOT NULL DEFAULT 0;"
    /* \\Seen of readers who are not the owner: seen.h. */
    "CREATE TABLE seen ("
    " id INTEGER PRIMARY KEY,"
    " mailbox INTEGER NOT NULL,"
    " reader TEXT NOT NULL,"
    " uids BLOB NOT NULL,"      /* ranges */
    " n INTEGER NOT NULL,"      /* how many of them were there... */
    " modseq INTEGER NOT NULL," /* ... at this HIGHESTMODSEQ */
    " UNIQUE (mailbox, reader));"

    /* Unique ids of POP3 that messages brought along. */
    "CREATE TABLE uidl ("
    " id INTEGER PRIMARY KEY," /* key_of(mailbox, uid) */
    " text TEXT NOT NULL);"

    /* What an import has brought: store_taken(). */
    "CREATE TABLE taken ("
    " mailbox INTEGER NOT NULL,"
    " key BLOB NOT NULL,"
    " PRIMARY KEY (mailbox, key)) WITHOUT ROWID;"

    /* Limits of folder trees; how many there are; of which threshold the owner was warned. */
    "CREATE TABLE tree ("
    " mailbox INTEGER PRIMARY KEY,"
    " bytes INTEGER NOT NULL,"
    " messages INTEGER NOT NULL);"
    "ALTER TABLE store ADD COLUMN trees INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE store ADD COLUMN warned INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE store ADD COLUMN limit_bytes INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE store ADD COLUMN limit_messages INTEGER NOT NULL DEFAULT 0;"

    /* Retention; what a deleted mailbox was called. */
    "ALTER TABLE mailbox ADD COLUMN expire_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE mailbox ADD COLUMN old_name TEXT;"

    /* 1: moved, or undeleted: not to come back. */
    "ALTER TABLE gone ADD COLUMN back INTEGER NOT NULL DEFAULT 0;"

    /* 1: its file is compressed. */
    "ALTER TABLE msg ADD COLUMN packed INTEGER NOT NULL DEFAULT 0;"

    /* The last file that was looked at to be compressed. */
    "ALTER TABLE store ADD COLUMN packed_to TEXT NOT NULL DEFAULT '';"

    /* The last key that the scrub has read, when it began; modseq of the catalogue. */
    "ALTER TABLE store ADD COLUMN scrubbed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE store ADD COLUMN scrubbed_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE store ADD COLUMN listed_modseq INTEGER NOT NULL DEFAULT 0;"

    /* Object ids (RFC 8474): object.c. */
    "CREATE TABLE object ("
    " msg INTEGER PRIMARY KEY," /* key_of(mailbox, uid) */
    " email INTEGER NOT NULL,"
    " thread INTEGER NOT NULL);"
    "CREATE TABLE thread ("
    " ref INTEGER PRIMARY KEY," /* digest of a message id */
    " thread INTEGER NOT NULL);"

    /* What the chunks of a mailbox hold: see dir.h. */
    "CREATE TABLE directory ("
    " id INTEGER PRIMARY KEY," /* key_of(mailbox, uid of its first entry) */
    " modseq INTEGER NOT NULL,"
    " data BLOB NOT NULL);"

    /* Annotations (RFC 5464): annotation.h; what happened lately: event.h. */
    "CREATE TABLE annotation ("
    " mailbox INTEGER NOT NULL,"
    " who TEXT NOT NULL," /* empty: shared */
    " entry TEXT NOT NULL,"
    " value BLOB NOT NULL,"
    " PRIMARY KEY (mailbox, who, entry)) WITHOUT ROWID;"
    "CREATE TABLE event ("
    " id INTEGER PRIMARY KEY," /* the last STORE_EVENTS */
    " modseq INTEGER NOT NULL,"
    " kind INTEGER NOT NULL," /* enum store_event_kind */
    " mailbox INTEGER NOT NULL,"
    " name TEXT NOT NULL,"
    " other TEXT NOT NULL,"
    " who TEXT NOT NULL,"
    " session TEXT NOT NULL);"
    /* Names without a mailbox, and the UIDVALIDITY that they had: vacated.c. */
    "CREATE TABLE vacated ("
    " name TEXT PRIMARY KEY,"
    " uidvalidity INTEGER NOT NULL,"
    " mailbox INTEGER NOT NULL) WITHOUT ROWID;" /* whose it was */

    /* Keywords of a mailbox beyond 64, and the combinations of them that records have: words.h. */
    "ALTER TABLE mailbox ADD COLUMN words INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE mailbox ADD COLUMN word_sets INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE keyword ("
    " mailbox INTEGER NOT NULL,"
    " n INTEGER NOT NULL," /* from 64 on */
    " name TEXT NOT NULL,"
    " PRIMARY KEY (mailbox, n)) WITHOUT ROWID;"
    "CREATE TABLE keyword_set ("
    " mailbox INTEGER NOT NULL,"
    " n INTEGER NOT NULL," /* from 1 on */
    " members BLOB NOT NULL," /* numbers of two octets, ascending */
    " PRIMARY KEY (mailbox, n), UNIQUE (mailbox, members)) WITHOUT ROWID;"

    "PRAGMA user_version = 2;";
/* clang-format on */

const char schema_start[] = "PRAGMA page_size = " TEXT_OF(PAGE_SIZE) "; PRAGMA auto_vacuum = NONE; BEGIN;";

const char *const schema_steps[STORE_VERSION] = { version_1, version_2 };

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

static int
version_of(struct store *st, int *version, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_VERSION, e);
	int rc = db_row(st, q, e);

	if (rc == 1)
		*version = sqlite3_column_int(q, 0);
	db_done(q);
	if (rc == 1 && *version > STORE_VERSION)
		rc = store_fail(st, STORE_OTHER, e, ERR_PERM,
		    "index.db is of version %d; this program knows %d", *version, STORE_VERSION);
	return rc < 0 ? -1 : 0;
}

/* Step by step, in one transaction; another process may have been first. */
static int
upgrade(struct store *st, struct err *e)
{
	int version = 0, from, rc;

	if (tx_begin_upgrade(st, e) < 0)
		return -1;
	rc = version_of(st, &version, e);
	from = version;
	for (; rc == 0 && version < STORE_VERSION; version++)
		rc = db_exec(st, schema_steps[version], e);
	if (rc == 0)
		rc = state_read(st, e);
	if (rc == 0 && from < 2)
		rc = object_fill(st, e) < 0 || dir_build_all(st, e) < 0 ? -1 : 0;
	rc = tx_end(st, rc, e);
	if (rc == 0 && from < version)
		log_event(LOG_INFO, "store.upgraded", KV_U("from", from), KV_U("to", version));
	return rc;
}

int
schema_ready(struct store *st, const char *boot_id, struct err *e)
{
	sqlite3_stmt *q;
	bool same = false;
	int version = 0, rc;

	if (version_of(st, &version, e) < 0 || (version < STORE_VERSION && upgrade(st, e) < 0))
		return -1;
	if (boot_id == NULL)
		return 0;
	q = db_open_query(st, Q_BOOT, e);
	if ((rc = db_row(st, q, e)) == 1)
		same = span_eq(db_text(q, 0), boot_id);
	db_done(q);
	if (rc < 0)
		return -1;
	return same ? 0 : boot_anew(st, boot_id, e);
}
