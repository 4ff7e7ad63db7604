/*
 * unit-store-upgrade - an index of each older version is brought forward when it is opened, with all that is in it.
 */
#include <sqlite3.h>

#include "store/inside.h"
#include "t/mailstore.h"

/* A store as version `version` made it: its tables, INBOX with one flag, nothing else. */
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
	need(
	    sqlite3_exec(db,
		"INSERT INTO store (id, boot, modseq, modseq_reserved, uidvalidity, bytes, messages)"
		" VALUES (1, 'boot-1', 5, 70000, 1700000000, 0, 0);"
		"INSERT INTO mailbox (id, name, uidvalidity, uidnext, uid_reserved, recent_uid, exist, recent, unseen,"
		" deleted, bytes, highestmodseq, purged_modseq, special, noselect, deleted_ms, keywords)"
		" VALUES (1, 'INBOX', 1700000000, 7, 1025, 7, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, x'6100');"
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
	tap_ok(store_mailbox(st, SPAN("INBOX"), &m, l->a, &e) == 1 && m.uidnext == 7 &&
		   m.uidvalidity == 1700000000,
	    "its mailbox is there");
	v = store_view_open(st, m.id, true, &e);
	tap_ok(v != NULL && v->n == 0 && v->keywords == 1, "with its keyword");
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
