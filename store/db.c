/* db.c - statements, rows and errors of SQLite. */
#include "store/db.h"

#include "store/inside.h"

static const char *const sql[QUERIES] = {
#define QUERY(name, text) [Q_##name] = text,
#include "store/queries.def"
#undef QUERY
};

int
db_fail(struct store *st, int rc, struct err *e)
{
	const char *why = st->db != NULL ? sqlite3_errmsg(st->db) : sqlite3_errstr(rc);

	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return store_fail(st, STORE_BUSY, e, ERR_TEMP, "the index is busy");
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
		return store_fail(st, STORE_DAMAGED, e, ERR_PERM,
		    "the index of this store is damaged (%s): `rookery store check` tells more", why);
	case SQLITE_FULL:
		return store_fail(st, STORE_OTHER, e, ERR_TEMP, "no space left for the index");
	default:
		return store_fail(st, STORE_OTHER, e, ERR_TEMP, "index: %s (%d)", why, rc);
	}
}

static sqlite3_stmt *
statement(struct store *st, enum query q, struct err *e)
{
	int rc;

	if (st->stmt[q] != NULL)
		return st->stmt[q];
	rc = sqlite3_prepare_v3(st->db, sql[q], -1, SQLITE_PREPARE_PERSISTENT, &st->stmt[q], NULL);
	if (rc != SQLITE_OK)
		db_fail(st, rc, e);
	return st->stmt[q];
}

static int
bind(sqlite3_stmt *s, int i, const struct bind *b)
{
	static const char none[] = "";
	const char *p = b->s.p != NULL ? b->s.p : none;

	switch (b->type) {
	case BIND_NULL:
		return sqlite3_bind_null(s, i);
	case BIND_NUM:
		return sqlite3_bind_int64(s, i, b->num);
	case BIND_TEXT:
		return sqlite3_bind_text64(s, i, p, b->s.n, SQLITE_STATIC, SQLITE_UTF8);
	case BIND_BLOB:
		return sqlite3_bind_blob64(s, i, p, b->s.n, SQLITE_STATIC);
	}
	return SQLITE_MISUSE;
}

sqlite3_stmt *
db_open_query_(struct store *st, enum query q, struct err *e, const struct bind *b, size_t n)
{
	sqlite3_stmt *s = statement(st, q, e);
	int rc;

	if (s == NULL)
		return NULL;
	need(!sqlite3_stmt_busy(s));
	for (size_t i = 0; i < n; i++)
		if ((rc = bind(s, (int)i + 1, &b[i])) != SQLITE_OK) {
			db_fail(st, rc, e);
			return NULL;
		}
	return s;
}

int
db_row(struct store *st, sqlite3_stmt *q, struct err *e)
{
	int rc;

	if (q == NULL)
		return -1;
	if ((rc = sqlite3_step(q)) == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		db_fail(st, rc, e); /* before the reset, which may change the message */
	sqlite3_reset(q);
	return rc == SQLITE_DONE ? 0 : -1;
}

void
db_done(sqlite3_stmt *q)
{
	if (q != NULL)
		sqlite3_reset(q);
}

int
db_run_(struct store *st, enum query q, struct err *e, const struct bind *b, size_t n)
{
	sqlite3_stmt *s = db_open_query_(st, q, e, b, n);
	int rc = db_row(st, s, e);

	if (rc > 0)
		db_done(s);
	return rc < 0 ? -1 : 0;
}

int
db_any(struct store *st, sqlite3_stmt *q, struct err *e)
{
	int rc = db_row(st, q, e);

	db_done(q);
	return rc;
}

int
db_one(struct store *st, sqlite3_stmt *q, int64_t none, int64_t *out, struct err *e)
{
	int rc = db_row(st, q, e);

	if (rc < 0)
		return -1;
	*out = rc == 1 ? sqlite3_column_int64(q, 0) : none;
	db_done(q);
	return 0;
}

uint64_t
db_num(sqlite3_stmt *q, int column)
{
	int64_t v = sqlite3_column_int64(q, column);

	return v < 0 ? 0 : (uint64_t)v;
}

uint32_t
db_num32(sqlite3_stmt *q, int column)
{
	uint64_t v = db_num(q, column);

	return v > UINT32_MAX ? 0 : (uint32_t)v;
}

struct span
db_text(sqlite3_stmt *q, int column)
{
	const void *p = sqlite3_column_text(q, column);

	return span_of(p, (size_t)sqlite3_column_bytes(q, column));
}

struct span
db_blob(sqlite3_stmt *q, int column)
{
	const void *p = sqlite3_column_blob(q, column);

	return span_of(p, (size_t)sqlite3_column_bytes(q, column));
}

int
db_changes(struct store *st)
{
	return sqlite3_changes(st->db);
}

int
db_exec(struct store *st, const char *text, struct err *e)
{
	int rc = sqlite3_exec(st->db, text, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_fail(st, rc, e);
}
