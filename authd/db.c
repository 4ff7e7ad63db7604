/* db.c - accounts.db. The statements are one table; every function binds, steps, copies, resets. */
#include <stdlib.h>

#include "authd/db_inside.h"

#include "base/clock.h"
#include "base/id.h"
#include "store/vfs.h"

enum { VERSION = 2, APPLICATION = 0x526f6f6b /* "Rook" */, OWNER_MAX = 128 };

/* One step for each version: from what is in the file to the next. */
static const char *const upgrades[VERSION] = {
	"CREATE TABLE domain(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"
	"CREATE TABLE account(id INTEGER PRIMARY KEY, addr TEXT NOT NULL UNIQUE, owner TEXT NOT NULL UNIQUE,"
	" hash TEXT NOT NULL, name TEXT NOT NULL, quota_bytes INTEGER NOT NULL,"
	" quota_messages INTEGER NOT NULL,"
	" enabled INTEGER NOT NULL, created INTEGER NOT NULL) STRICT;"
	/* With a rowid: without one, targets stand in the tree of keys, and a search reads those it passes
	   by. */
	"CREATE TABLE alias(id INTEGER PRIMARY KEY, addr TEXT NOT NULL UNIQUE, targets TEXT NOT NULL) STRICT;"
	"CREATE TABLE past_owner(owner TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;"
	"CREATE TABLE usage(owner TEXT PRIMARY KEY, bytes INTEGER NOT NULL, messages INTEGER NOT NULL)"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;",

	/* 2: groups; trees under Shared/; what the stores said of their ACLs. */
	"CREATE TABLE grp(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"
	"CREATE TABLE member(grp INTEGER NOT NULL, who TEXT NOT NULL, PRIMARY KEY(grp, who))"
	" STRICT, WITHOUT ROWID;"
	"CREATE INDEX member_who ON member(who);"
	"CREATE TABLE tree(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, owner TEXT NOT NULL UNIQUE,"
	" created INTEGER NOT NULL) STRICT;"
	"CREATE TABLE share(owner TEXT NOT NULL, who TEXT NOT NULL, PRIMARY KEY(owner, who))"
	" STRICT, WITHOUT ROWID;"
	"CREATE INDEX share_who ON share(who);"
	"CREATE TABLE post(owner TEXT NOT NULL, folder TEXT NOT NULL, PRIMARY KEY(owner, folder))"
	" STRICT, WITHOUT ROWID;",
};

static const char session_sql[] =
    "CREATE TEMP TABLE config_domain(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TEMP TABLE used(owner TEXT PRIMARY KEY, bytes INTEGER, messages INTEGER, dirty INTEGER)"
    " WITHOUT ROWID;"
    "INSERT INTO used SELECT owner, bytes, messages, 0 FROM usage;";

static const char *const sql[STATEMENTS] = {
#define STATEMENT(name, text) text,
#include "authd/statements.def"
#undef STATEMENT
};

/* ---- opening */

int
dbi_fail(struct db *d, struct err *e)
{
	return err_set(e, ERR_TEMP, "accounts.db: %s", sqlite3_errmsg(d->h));
}

static int
exec(struct db *d, const char *text, struct err *e)
{
	return sqlite3_exec(d->h, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : dbi_fail(d, e);
}

static int
pragma_number(struct db *d, const char *text, int *out, struct err *e)
{
	sqlite3_stmt *st;
	int rc;

	if (sqlite3_prepare_v2(d->h, text, -1, &st, NULL) != SQLITE_OK)
		return dbi_fail(d, e);
	rc = sqlite3_step(st);
	*out = rc == SQLITE_ROW ? sqlite3_column_int(st, 0) : 0;
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? 0 : dbi_fail(d, e);
}

static int
upgrade(struct db *d, struct err *e)
{
	struct arena *a = arena_new(4096);
	struct span mark;
	int version = 0, app = 0, rc = 0;

	if (pragma_number(d, "PRAGMA user_version", &version, e) < 0 ||
	    pragma_number(d, "PRAGMA application_id", &app, e) < 0)
		rc = -1;
	else if (version > VERSION)
		rc = err_set(
		    e, ERR_PERM, "accounts.db has format %d, and this program knows %d", version, VERSION);
	else if (app != APPLICATION && (app != 0 || version != 0))
		rc = err_set(e, ERR_PERM, "accounts.db is not a file of this program");
	for (; rc == 0 && version < VERSION; version++) {
		mark = arena_printf(a, "PRAGMA user_version = %d; PRAGMA application_id = %d; COMMIT",
		    version + 1, APPLICATION);
		rc = exec(d, "BEGIN IMMEDIATE", e);
		if (rc == 0)
			rc = exec(d, upgrades[version], e);
		if (rc == 0)
			rc = exec(d, mark.p, e);
	}
	arena_free(a);
	return rc;
}

static int
prepare_all(struct db *d, struct err *e)
{
	for (int i = 0; i < STATEMENTS; i++)
		if (sqlite3_prepare_v3(d->h, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &d->st[i], NULL) !=
		    SQLITE_OK)
			return dbi_fail(d, e);
	return 0;
}

static int
open_it(struct db *d, const char *path, struct err *e)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

	if (sqlite3_open_v2(path, &d->h, flags, vfs_name()) != SQLITE_OK)
		return dbi_fail(d, e);
	sqlite3_busy_timeout(d->h, 1000);
	sqlite3_db_config(d->h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(d->h, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	if (exec(d,
		"PRAGMA temp_store = MEMORY; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		"PRAGMA trusted_schema = OFF; PRAGMA cache_size = -16384",
		e) < 0)
		return -1;
	if (upgrade(d, e) < 0 || exec(d, session_sql, e) < 0)
		return -1;
	return prepare_all(d, e);
}

struct db *
db_open(const char *path, struct err *e)
{
	struct db *d = mem_zero(1, sizeof *d);

	if (open_it(d, path, e) == 0)
		return d;
	db_close(d);
	return NULL;
}

void
db_close(struct db *d)
{
	if (d == NULL)
		return;
	if (d->st[STATEMENTS - 1] != NULL)
		db_usage_flush(d, NULL);
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(d->st[i]);
	sqlite3_close(d->h);
	free(d);
}

/* ---- what every function is made of */

sqlite3_stmt *
dbi_start(struct db *d, enum statement which, struct span key)
{
	sqlite3_bind_text(d->st[which], 1, key.p != NULL ? key.p : "", (int)key.n, SQLITE_STATIC);
	return d->st[which];
}

void
dbi_bind(sqlite3_stmt *st, int at, struct span text)
{
	sqlite3_bind_text(st, at, text.p != NULL ? text.p : "", (int)text.n, SQLITE_STATIC);
}

/* 1 a row, 0 none, -1; the statement stays at the row until dbi_finish(). */
int
dbi_step(struct db *d, sqlite3_stmt *st, struct err *e)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : dbi_fail(d, e);
}

int
dbi_finish(sqlite3_stmt *st, int rc)
{
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return rc;
}

/* A statement without rows: 0 or -1. */
int
dbi_run(struct db *d, sqlite3_stmt *st, struct err *e)
{
	return dbi_finish(st, dbi_step(d, st, e)) < 0 ? -1 : 0;
}

struct span
dbi_text(sqlite3_stmt *st, int i, struct arena *a)
{
	const void *p = sqlite3_column_text(st, i);

	return arena_dup(a, span_of(p, (size_t)sqlite3_column_bytes(st, i)));
}

uint64_t
dbi_u64(sqlite3_stmt *st, int i)
{
	return (uint64_t)sqlite3_column_int64(st, i);
}

/* SQLite has signed numbers: what does not fit is as good as no end. */
static sqlite3_int64
fits(uint64_t v)
{
	return v > INT64_MAX ? INT64_MAX : (sqlite3_int64)v;
}

/* ---- lookups */

void
db_view_begin(struct db *d)
{
	d->viewing = sqlite3_get_autocommit(d->h) != 0 && dbi_run(d, d->st[S_VIEW], NULL) == 0;
}

void
db_view_end(struct db *d)
{
	if (d->viewing)
		dbi_run(d, d->st[S_COMMIT], NULL);
	d->viewing = false;
}

int
dbi_exists(struct db *d, sqlite3_stmt *st, struct err *e)
{
	return dbi_finish(st, dbi_step(d, st, e));
}

static int
exists(struct db *d, enum statement which, struct span key, struct err *e)
{
	return dbi_exists(d, dbi_start(d, which, key), e);
}

int
db_is_domain(struct db *d, struct span name, struct err *e)
{
	return exists(d, S_IS_DOMAIN, name, e);
}

int
db_domain_in_config(struct db *d, struct span name, struct err *e)
{
	return exists(d, S_DOMAIN_IN_CONFIG, name, e);
}

static int
one_text(struct db *d, sqlite3_stmt *st, struct arena *a, struct span *out, struct err *e)
{
	int rc = dbi_step(d, st, e);

	if (rc > 0 && sqlite3_column_type(st, 0) == SQLITE_NULL)
		rc = 0;
	if (rc > 0)
		*out = dbi_text(st, 0, a);
	return dbi_finish(st, rc);
}

int
db_default_domain(struct db *d, struct arena *a, struct span *name, struct err *e)
{
	return one_text(d, d->st[S_DEFAULT_DOMAIN], a, name, e);
}

static int
one_account(struct db *d, sqlite3_stmt *st, struct arena *a, struct account *out, struct err *e)
{
	int rc = dbi_step(d, st, e);

	if (rc > 0)
		*out = (struct account){
			.addr = dbi_text(st, 0, a),
			.owner = dbi_text(st, 1, a),
			.hash = dbi_text(st, 2, a),
			.name = dbi_text(st, 3, a),
			.quota_bytes = dbi_u64(st, 4),
			.quota_messages = dbi_u64(st, 5),
			.enabled = sqlite3_column_int(st, 6) != 0,
			.created = dbi_u64(st, 7),
			.used_bytes = dbi_u64(st, 8),
			.used_messages = dbi_u64(st, 9),
		};
	return dbi_finish(st, rc);
}

int
db_account(struct db *d, struct span addr, struct arena *a, struct account *out, struct err *e)
{
	return one_account(d, dbi_start(d, S_ACCOUNT, addr), a, out, e);
}

int
db_first_account(struct db *d, struct arena *a, struct account *out, struct err *e)
{
	return one_account(d, d->st[S_FIRST_ACCOUNT], a, out, e);
}

int
db_alias(struct db *d, struct span addr, struct arena *a, struct span *targets, struct err *e)
{
	return one_text(d, dbi_start(d, S_ALIAS, addr), a, targets, e);
}

/* ---- lists */

/* "@domain", which the end of an address is compared with. */
static struct span
at_domain(struct arena *a, struct span domain)
{
	return domain.n > 0 ? arena_printf(a, "@%.*s", SPAN_ARG(domain)) : domain;
}

int
db_next_account(
    struct db *d, struct span after, struct span domain, struct arena *a, struct account *out, struct err *e)
{
	sqlite3_stmt *st = dbi_start(d, S_NEXT_ACCOUNT, after);

	dbi_bind(st, 2, at_domain(a, domain));
	return one_account(d, st, a, out, e);
}

int
db_next_alias(
    struct db *d, struct span after, struct span domain, struct arena *a, struct alias *out, struct err *e)
{
	sqlite3_stmt *st = dbi_start(d, S_NEXT_ALIAS, after);
	int rc;

	dbi_bind(st, 2, at_domain(a, domain));
	rc = dbi_step(d, st, e);
	if (rc > 0) {
		out->addr = dbi_text(st, 0, a);
		out->targets = dbi_text(st, 1, a);
	}
	return dbi_finish(st, rc);
}

int
db_next_domain(struct db *d, struct span after, struct arena *a, struct span *name, struct err *e)
{
	return one_text(d, dbi_start(d, S_NEXT_DOMAIN, after), a, name, e);
}

/* ---- changes */

int
db_begin(struct db *d, struct err *e)
{
	return dbi_run(d, d->st[S_BEGIN], e);
}

int
db_commit(struct db *d, struct err *e)
{
	return dbi_run(d, d->st[S_COMMIT], e);
}

void
db_rollback(struct db *d)
{
	if (!sqlite3_get_autocommit(d->h))
		dbi_run(d, d->st[S_ROLLBACK], NULL);
}

static bool
owner_octet(char c)
{
	return (c >= 'a' && c <= 'z') || ascii_isdigit(c) || strchr("._@+-", c) != NULL;
}

static bool
owner_valid(struct span s)
{
	if (s.n == 0 || s.n > OWNER_MAX || !ascii_isalnum(s.p[0]))
		return false; /* no name that starts with a dot, or looks like an option */
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\0' || !owner_octet(s.p[i]))
			return false;
	return true;
}

/* The address, with a number behind it where a deleted account had that owner; else an id. */
static int
new_owner(struct db *d, struct span addr, struct arena *a, struct span *out, struct err *e)
{
	int taken;

	*out = addr;
	for (int i = 2; i < 100 && owner_valid(*out); i++) {
		taken = exists(d, S_OWNER_TAKEN, *out, e);
		if (taken <= 0)
			return taken;
		*out = arena_printf(a, "%.*s-%d", SPAN_ARG(addr), i);
	}
	*out = arena_printf(a, "u-%s", id_new().s);
	return 0;
}

int
db_account_add(struct db *d, struct arena *a, struct account *acct, struct err *e)
{
	sqlite3_stmt *st;

	if (new_owner(d, acct->addr, a, &acct->owner, e) < 0)
		return -1;
	acct->created = clock_wall_ms() / 1000;
	st = dbi_start(d, S_ACCOUNT_ADD, acct->addr);
	dbi_bind(st, 2, acct->owner);
	dbi_bind(st, 3, acct->hash);
	dbi_bind(st, 4, acct->name);
	sqlite3_bind_int64(st, 5, fits(acct->quota_bytes));
	sqlite3_bind_int64(st, 6, fits(acct->quota_messages));
	sqlite3_bind_int(st, 7, acct->enabled);
	sqlite3_bind_int64(st, 8, fits(acct->created));
	if (dbi_run(d, st, e) < 0)
		return -1;
	return sqlite3_changes(d->h) == 1
		   ? 0
		   : err_set(e, ERR_PERM, "the account %.*s exists already", SPAN_ARG(acct->addr));
}

int
db_account_change(struct db *d, const struct account *acct, struct err *e)
{
	sqlite3_stmt *st = dbi_start(d, S_ACCOUNT_CHANGE, acct->addr);

	dbi_bind(st, 2, acct->hash);
	dbi_bind(st, 3, acct->name);
	sqlite3_bind_int64(st, 4, fits(acct->quota_bytes));
	sqlite3_bind_int64(st, 5, fits(acct->quota_messages));
	sqlite3_bind_int(st, 6, acct->enabled);
	return dbi_run(d, st, e);
}

int
dbi_change(struct db *d, sqlite3_stmt *st, struct err *e)
{
	if (dbi_run(d, st, e) < 0)
		return -1;
	return sqlite3_changes(d->h) > 0;
}

static int
change(struct db *d, enum statement which, struct span key, struct err *e)
{
	return dbi_change(d, dbi_start(d, which, key), e);
}

int
db_account_delete(struct db *d, struct span addr, struct err *e)
{
	if (change(d, S_OWNER_PAST, addr, e) < 0 || change(d, S_GROUP_LEAVE_ALL, addr, e) < 0 ||
	    change(d, S_USAGE_DELETE, addr, e) < 0 || change(d, S_USED_DELETE, addr, e) < 0)
		return -1;
	return change(d, S_ACCOUNT_DELETE, addr, e);
}

int
db_alias_put(struct db *d, struct span addr, struct span targets, struct err *e)
{
	sqlite3_stmt *st = dbi_start(d, S_ALIAS_PUT, addr);

	dbi_bind(st, 2, targets);
	return dbi_run(d, st, e);
}

int
db_alias_delete(struct db *d, struct span addr, struct err *e)
{
	return change(d, S_ALIAS_DELETE, addr, e);
}

int
db_domain_add(struct db *d, struct span name, struct err *e)
{
	return change(d, S_DOMAIN_ADD, name, e);
}

int
db_domain_delete(struct db *d, struct span name, struct err *e)
{
	return change(d, S_DOMAIN_DELETE, name, e);
}

int
db_domain_used(struct db *d, struct span name, uint64_t *count, struct err *e)
{
	struct arena *a = arena_new(4096);
	sqlite3_stmt *st = dbi_start(d, S_DOMAIN_USED, at_domain(a, name));
	int rc = dbi_step(d, st, e);

	*count = rc > 0 ? dbi_u64(st, 0) : 0;
	dbi_finish(st, rc);
	arena_free(a);
	return rc < 0 ? -1 : 0;
}

int
db_config_domains(struct db *d, struct span list, struct err *e)
{
	struct span name;

	if (dbi_run(d, d->st[S_CONFIG_CLEAR], e) < 0)
		return -1;
	while (list.n > 0) {
		size_t n = 0;

		while (n < list.n && strchr(", \t\r\n", list.p[n]) == NULL)
			n++;
		name = span_head(list, n);
		list = span_from(list, n + 1);
		if (name.n > 0 && change(d, S_CONFIG_ADD, name, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- usage */

int
db_usage_set(struct db *d, struct span owner, uint64_t bytes, uint64_t messages, struct err *e)
{
	sqlite3_stmt *st = dbi_start(d, S_USAGE_SET, owner);

	sqlite3_bind_int64(st, 2, fits(bytes));
	sqlite3_bind_int64(st, 3, fits(messages));
	return dbi_run(d, st, e);
}

int
db_usage_flush(struct db *d, struct err *e)
{
	if (db_begin(d, e) < 0)
		return -1;
	if (dbi_run(d, d->st[S_USAGE_WRITE], e) < 0 || dbi_run(d, d->st[S_USAGE_CLEAN], e) < 0 ||
	    db_commit(d, e) < 0) {
		db_rollback(d);
		return -1;
	}
	return 0;
}
