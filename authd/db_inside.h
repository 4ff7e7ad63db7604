/*
 * db_inside.h - what the sources of accounts.db share: the prepared statements, and how a function of db.h is made of
 * them: bind, step, copy, reset.
 */
#ifndef AUTHD_DB_INSIDE_H
#define AUTHD_DB_INSIDE_H

#include <sqlite3.h>

#include "authd/db.h"

enum statement {
#define STATEMENT(name, text) S_##name,
#include "authd/statements.def"
#undef STATEMENT
	STATEMENTS,
};

struct db {
	sqlite3 *h;
	sqlite3_stmt *st[STATEMENTS];
	bool viewing;
};

/* *e (which may be NULL) from the last error of SQLite; -1. */
int dbi_fail(struct db *d, struct err *e);

/* A statement with its first parameter; further ones by dbi_bind. The texts are borrowed until dbi_finish. */
sqlite3_stmt *dbi_start(struct db *d, enum statement which, struct span key);
void dbi_bind(sqlite3_stmt *st, int at, struct span text);

/* 1 a row, 0 none, -1; the statement stays at the row until dbi_finish, which gives rc. */
int dbi_step(struct db *d, sqlite3_stmt *st, struct err *e);
int dbi_finish(sqlite3_stmt *st, int rc);

/* A statement without rows: 0 or -1; 1 if it changed a row, 0 if none. */
int dbi_run(struct db *d, sqlite3_stmt *st, struct err *e);
int dbi_change(struct db *d, sqlite3_stmt *st, struct err *e);

/* Is there a row? 1, 0, -1. */
int dbi_exists(struct db *d, sqlite3_stmt *st, struct err *e);

struct span dbi_text(sqlite3_stmt *st, int i, struct arena *a);
uint64_t dbi_u64(sqlite3_stmt *st, int i);

#endif
