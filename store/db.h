/*
 * db.h - statements of queries.def on the index, with its errors as ours.
 *
 *	if (db_run(st, Q_SUBSCRIBE, e, B_TEXT(name)) < 0)		no rows wanted
 *		return -1;
 *	q = db_open_query(st, Q_MAILBOX_ID, e, B_NUM(id));		rows: 1, 0 at the end, -1
 *	if ((rc = db_row(st, q, e)) == 1)
 *		use(db_num(q, 0));
 *	db_done(q);							at any time
 *
 * Spans of a row live until the next db_row or db_done of its query; bound spans until then as well.
 */
#ifndef STORE_DB_H
#define STORE_DB_H

#include <sqlite3.h>

#include "base/base.h"

struct store;

enum query {
#define QUERY(name, sql) Q_##name,
#include "store/queries.def"
#undef QUERY
	QUERIES
};

struct bind {
	enum { BIND_NULL, BIND_NUM, BIND_TEXT, BIND_BLOB } type;
	int64_t num;
	struct span s;
};
#define B_NUM(v)  ((struct bind){ BIND_NUM, (int64_t)(v), { 0 } })
#define B_TEXT(v) ((struct bind){ BIND_TEXT, 0, (v) })
#define B_BLOB(v) ((struct bind){ BIND_BLOB, 0, (v) })
#define B_NULL    ((struct bind){ 0 })

#define db_open_query(st, q, e, ...)                                                                         \
	db_open_query_((st), (q), (e), (const struct bind[]){ __VA_ARGS__ },                                 \
	    sizeof((const struct bind[]){ __VA_ARGS__ }) / sizeof(struct bind))
#define db_run(st, q, e, ...)                                                                                \
	db_run_((st), (q), (e), (const struct bind[]){ __VA_ARGS__ },                                        \
	    sizeof((const struct bind[]){ __VA_ARGS__ }) / sizeof(struct bind))

/* A query bound and ready for db_row, or NULL. One query can't be open twice at a time. */
sqlite3_stmt *db_open_query_(struct store *st, enum query q, struct err *e, const struct bind *b, size_t n);
int db_row(struct store *st, sqlite3_stmt *q, struct err *e); /* q may be NULL: -1 */
void db_done(sqlite3_stmt *q);
int db_run_(struct store *st, enum query q, struct err *e, const struct bind *b, size_t n);

/* The number in the first column of the only row of a query, `none` if it has no row. -1 on failure. */
int db_one(struct store *st, sqlite3_stmt *q, int64_t none, int64_t *out, struct err *e);
/* Has it a row? 1, 0, -1. */
int db_any(struct store *st, sqlite3_stmt *q, struct err *e);

uint64_t db_num(sqlite3_stmt *q, int column);   /* negative values as 0 */
uint32_t db_num32(sqlite3_stmt *q, int column); /* what does not fit as 0 */
struct span db_text(sqlite3_stmt *q, int column);
struct span db_blob(sqlite3_stmt *q, int column);

int db_changes(struct store *st); /* rows that the last db_run changed */

/* SQL text that is run once (schema, pragmas). */
int db_exec(struct store *st, const char *sql, struct err *e);

/* *e from the last error of SQLite; -1. */
int db_fail(struct store *st, int rc, struct err *e);

#endif
