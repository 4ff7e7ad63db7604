/*
 * unit-store-upgrade - an index of each older version is brought forward when it is opened, with all that is in it.
 */
#include <sqlite3.h>

#include "imap/structure.h"
#include "store/inside.h"
#include "t/mailstore.h"

enum { MESSAGES = 200 };

#define MESSAGE "Subject: old\r\n\r\nHello.\r\n"

static void
message_file(struct lab *l, const char *name, const struct id *id)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/msg/%s", name, id->s);
	need((fd = openat(l->store, path, O_WRONLY | O_CREAT, 0600)) >= 0);
	need(write(fd, MESSAGE, strlen(MESSAGE)) == (ssize_t)strlen(MESSAGE));
	close(fd);
}

static void
message_row(sqlite3 *db, uint32_t uid, const struct id *id)
{
	unsigned char digest[STORE_DIGEST];
	struct err e = { 0 };
	struct buf structure;
	sqlite3_stmt *q;

	buf_init(&structure, 1 << 20);
	need(structure_opaque((uint32_t)strlen(MESSAGE), 0, 0, &structure, &e) == 0);
	lab_digest(MESSAGE, digest);
	need(sqlite3_prepare_v2(db,
		 "INSERT INTO msg (id, file, mid, at, length, digest, prefix, structure)"
		 " VALUES (?1, ?2, '', 0, ?3, ?4, x'', ?5)",
		 -1, &q, NULL) == SQLITE_OK);
	sqlite3_bind_int64(q, 1, (int64_t)key_of(1, uid));
	sqlite3_bind_text(q, 2, id->s, -1, SQLITE_STATIC);
	sqlite3_bind_int64(q, 3, (int64_t)strlen(MESSAGE));
	sqlite3_bind_blob(q, 4, digest, sizeof digest, SQLITE_STATIC);
	sqlite3_bind_blob(q, 5, structure.p, (int)structure.n, SQLITE_STATIC);
	need(sqlite3_step(q) == SQLITE_DONE);
	sqlite3_finalize(q);
	buf_free(&structure);
}

static void
chunk_row(sqlite3 *db, uint32_t first, const unsigned char *data, uint32_t n)
{
	sqlite3_stmt *q;

	need(sqlite3_prepare_v2(
		 db, "INSERT INTO chunk (id, modseq, data) VALUES (?1, 5, ?2)", -1, &q, NULL) == SQLITE_OK);
	sqlite3_bind_int64(q, 1, (int64_t)key_of(1, first));
	sqlite3_bind_blob(q, 2, data, (int)(n * CHUNK_RECORD), SQLITE_STATIC);
	need(sqlite3_step(q) == SQLITE_DONE);
	sqlite3_finalize(q);
}

/* Uids 1 to 200, each third \Seen, in two chunks. */
static void
old_messages(struct lab *l, sqlite3 *db, const char *name)
{
	unsigned char data[CHUNK_RECORDS * CHUNK_RECORD];
	uint32_t n = 0;

	for (uint32_t uid = 1; uid <= MESSAGES; uid++) {
		struct store_rec r = { .uid = uid,
			.flags = uid % 3 == 0 ? STORE_SEEN : 0,
			.keywords = uid == 7,
			.modseq = 5,
			.created = 5,
			.size = strlen(MESSAGE) };
		struct id id = id_new();

		message_file(l, name, &id);
		message_row(db, uid, &id);
		rec_encode(&r, data + (size_t)n++ * CHUNK_RECORD);
		if (n == CHUNK_RECORDS || uid == MESSAGES) {
			chunk_row(db, uid - n + 1, data, n);
			n = 0;
		}
	}
}

/* A store as version `version` made it: its tables, INBOX with one keyword and its messages. */
static void
old_store(struct lab *l, const char *name, int version)
{
	char path[64];
	sqlite3 *db;
	int fd;

	need(mkdirat(l->store, name, 0700) == 0);
	snprintf(path, sizeof path, "%s/msg", name);
	need(mkdirat(l->store, path, 0700) == 0);
	snprintf(path, sizeof path, "%s/index.db", name);
	need(fchdir(l->store) == 0);
	need(sqlite3_open(path, &db) == SQLITE_OK);
	need(sqlite3_exec(db, schema_start, NULL, NULL, NULL) == SQLITE_OK);
	for (int i = 0; i < version; i++)
		need(sqlite3_exec(db, schema_steps[i], NULL, NULL, NULL) == SQLITE_OK);
	need(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK); /* schema_start began */
	old_messages(l, db, name);
	need(
	    sqlite3_exec(db,
		"INSERT INTO store (id, boot, modseq, modseq_reserved, uidvalidity, bytes, messages)"
		" VALUES (1, 'boot-1', 5, 70000, 1700000000, 4800, 200);"
		"INSERT INTO mailbox (id, name, uidvalidity, uidnext, uid_reserved, recent_uid, exist, recent, unseen,"
		" deleted, bytes, highestmodseq, purged_modseq, special, noselect, deleted_ms, keywords)"
		" VALUES (1, 'INBOX', 1700000000, 201, 1025, 201, 200, 0, 134, 0, 4800, 5, 0, 0, 0, 0, x'6100');"
		"COMMIT; PRAGMA journal_mode = WAL",
		NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
	snprintf(path, sizeof path, "%s/index.db-wal", name);
	if ((fd = openat(l->store, path, O_WRONLY | O_CREAT, 0600)) >= 0)
		close(fd);
}

static int
version_now(const char *name)
{
	char path[64];
	sqlite3 *db;
	sqlite3_stmt *q;
	int version;

	snprintf(path, sizeof path, "%s/index.db", name);
	need(sqlite3_open(path, &db) == SQLITE_OK);
	need(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &q, NULL) == SQLITE_OK);
	need(sqlite3_step(q) == SQLITE_ROW);
	version = sqlite3_column_int(q, 0);
	sqlite3_finalize(q);
	sqlite3_close(db);
	return version;
}

static void
from(struct lab *l, int version)
{
	struct store_opts o = { .boot_id = "boot-1", .create = true };
	struct store_mailbox m = { 0 };
	struct store_view *v;
	struct err e = { 0 };
	struct store *st;
	char name[32];

	snprintf(name, sizeof name, "v%d", version);
	old_store(l, name, version);
	st = store_open(name, &o, &e);
	tap_ok(st != NULL, "version %d: opened %s", version, e.text);
	if (st == NULL)
		return;
	tap_ok(version_now(name) == STORE_VERSION, "it is of version %d now", STORE_VERSION);
	tap_ok(store_mailbox(st, SPAN("INBOX"), &m, l->a, &e) == 1 && m.uidnext == 201 &&
		   m.uidvalidity == 1700000000,
	    "its mailbox is there");
	v = store_view_open(st, m.id, true, &e);
	tap_ok(v != NULL && v->n == MESSAGES && v->keywords == 1, "with its messages and its keyword");
	tap_ok(v != NULL && lab_rec(v, 2)->flags == STORE_SEEN && lab_rec(v, 199)->uid == 200 &&
		   store_keyword_has(v, lab_rec(v, 6), 0) && !store_keyword_has(v, lab_rec(v, 7), 0),
	    "and with their flags");
	tap_ok(span_eq(lab_read(st, v, 150, l->a), MESSAGE), "and octets");
	store_view_close(v);
	tap_ok(lab_check(st) == 0, "nothing is wrong with it");
	store_close(st);
}

int
main(void)
{
	struct lab l;

	need(sodium_init() >= 0 && freopen("/dev/null", "w", stderr) != NULL);
	lab_enter(&l);
	for (int version = 1; version < STORE_VERSION; version++)
		from(&l, version);
	lab_leave(&l);
	return tap_done();
}
