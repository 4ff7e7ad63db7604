/* sqlite.c - sqlite:PATH{...}: one prepared statement, one bound parameter, nothing that writes. */
#include <sqlite3.h>
#include <stdlib.h>

#include "table/kind.h"
#include "table/table.h"

/* How long another's lock is waited for, and after how many steps of SQLite a query is given up. */
enum { BUSY_MS = 200, STEPS = 1000, STEPS_OF_QUERY = 10000 };

struct sqlite_table {
	sqlite3 *db;
	sqlite3_stmt *get;
	int steps; /* thousands of instructions that this query has run */
};

/* Called every STEPS instructions: a query of more than ten million is a table without an index, or worse. */
static int
too_slow(void *arg)
{
	struct sqlite_table *t = arg;

	return ++t->steps > STEPS_OF_QUERY;
}

/* "name" with quotes doubled, as SQL wants identifiers. */
static void
identifier(struct buf *out, struct err *e, struct span name)
{
	buf_byte(out, e, '"');
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '"')
			buf_byte(out, e, '"');
		buf_byte(out, e, name.p[i]);
	}
	buf_byte(out, e, '"');
}

struct options {
	struct span table, key, value, query;
};

static int
parse_options(struct span in, struct options *o, struct err *e)
{
	struct span name, value;
	int got;

	*o = (struct options){ SPAN("map"), SPAN("key"), SPAN("value"), SPAN("") };
	while ((got = table_next_pair(&in, &name, &value, e)) > 0) {
		if (span_ieq(name, "table"))
			o->table = value;
		else if (span_ieq(name, "key"))
			o->key = value;
		else if (span_ieq(name, "value"))
			o->value = value;
		else if (span_ieq(name, "query"))
			o->query = value;
		else
			return err_set(e, ERR_PERM,
			    "unknown option %.*s: there are table, key, value and query",
			    SPAN_ARG(span_head(name, 100)));
	}
	return got;
}

static void
query_text(const struct options *o, struct buf *out, struct err *e)
{
	if (o->query.n > 0) {
		buf_add(out, e, o->query);
		return;
	}
	buf_str(out, e, "SELECT ");
	identifier(out, e, o->value);
	buf_str(out, e, " FROM ");
	identifier(out, e, o->table);
	buf_str(out, e, " WHERE ");
	identifier(out, e, o->key);
	buf_str(out, e, " = ?1");
}

static int
fail(sqlite3 *db, enum err_kind kind, struct err *e)
{
	return err_set(e, kind, "%s", sqlite3_errmsg(db));
}

static int
prepare(struct sqlite_table *t, struct span sql, struct err *e)
{
	const char *tail = NULL;

	if (sqlite3_prepare_v3(t->db, sql.p, (int)sql.n, SQLITE_PREPARE_PERSISTENT, &t->get, &tail) !=
	    SQLITE_OK)
		return fail(t->db, ERR_PERM, e);
	if (t->get == NULL || span_trim_ws(span_from(sql, (size_t)(tail - sql.p))).n > 0)
		return err_set(e, ERR_PERM, "the query is not one statement");
	if (!sqlite3_stmt_readonly(t->get))
		return err_set(e, ERR_PERM, "the query writes");
	if (sqlite3_bind_parameter_count(t->get) != 1)
		return err_set(e, ERR_PERM, "the query has not one parameter, the key");
	if (sqlite3_column_count(t->get) != 1)
		return err_set(e, ERR_PERM, "the query gives not one column");
	return 0;
}

static void
table_sqlite_close(void *state)
{
	struct sqlite_table *t = state;

	sqlite3_finalize(t->get);
	sqlite3_close(t->db);
	free(t);
}

static int
open_database(struct sqlite_table *t, const char *path, struct err *e)
{
	/*
	 * A confined service has registered a VFS that needs no look at the directories above: see
	 * store/vfs.c.
	 */
	const char *vfs = sqlite3_vfs_find("rookery") != NULL ? "rookery" : NULL;

	if (sqlite3_open_v2(path, &t->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, vfs) != SQLITE_OK)
		return fail(t->db, ERR_TEMP, e);
	sqlite3_db_config(t->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(t->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(
	    t->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL); /* a column misspelt is an error, not a text */
	sqlite3_busy_timeout(t->db, BUSY_MS);
	sqlite3_limit(t->db, SQLITE_LIMIT_LENGTH, TABLE_VALUE_MAX);
	sqlite3_limit(t->db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_progress_handler(t->db, STEPS, too_slow, t);
	return 0;
}

static void *
table_sqlite_open(struct span where, struct err *e)
{
	struct arena *a = arena_new(1024 * 1024);
	ssize_t brace = span_chr(where, '{');
	struct span path = brace >= 0 ? span_trim(span_head(where, (size_t)brace)) : where;
	struct sqlite_table *t = mem_zero(1, sizeof *t);
	struct options o;
	struct span in = { 0 };
	struct buf sql;
	int rc = 0;

	buf_init(&sql, 65536);
	if (brace >= 0)
		in = (struct span){ where.p + brace + 1, where.n - (size_t)brace - 2 };
	if (brace >= 0 && where.p[where.n - 1] != '}')
		rc = err_set(e, ERR_PERM, "something behind the braces");
	else if ((rc = parse_options(in, &o, e)) == 0)
		query_text(&o, &sql, e);
	if (rc == 0 && open_database(t, arena_cstr(a, path), e) == 0)
		rc = prepare(t, buf_span(&sql), e);
	else
		rc = -1;
	if (rc < 0) {
		err_prefix(e, "sqlite:%.*s: ", SPAN_ARG(path));
		table_sqlite_close(t);
		t = NULL;
	}
	buf_free(&sql);
	arena_free(a);
	return t;
}

/* Rows joined by ", "; NULL and empty values are no values. */
static int
collect(struct sqlite_table *t, struct buf *out, struct err *e)
{
	int rc;

	while ((rc = sqlite3_step(t->get)) == SQLITE_ROW) {
		const void *p = sqlite3_column_text(t->get, 0);
		struct span v = span_trim_ws(span_of(p, (size_t)sqlite3_column_bytes(t->get, 0)));

		if (v.n == 0)
			continue;
		if ((out->n > 0 && buf_str(out, e, ", ") < 0) || buf_add(out, e, v) < 0)
			return -1;
	}
	return rc == SQLITE_DONE ? out->n > 0 : fail(t->db, ERR_TEMP, e);
}

static int
table_sqlite_get(void *state, struct span key, struct arena *a, struct span *value, struct err *e)
{
	struct sqlite_table *t = state;
	struct buf out;
	int rc;

	t->steps = 0;
	buf_init(&out, TABLE_VALUE_MAX);
	if (sqlite3_bind_text(t->get, 1, key.p, (int)key.n, SQLITE_STATIC) != SQLITE_OK)
		rc = fail(t->db, ERR_TEMP, e);
	else
		rc = collect(t, &out, e);
	sqlite3_reset(t->get);
	sqlite3_clear_bindings(t->get);
	if (rc > 0)
		*value = arena_dup(a, buf_span(&out));
	else if (rc < 0 && e != NULL)
		e->kind = ERR_TEMP;
	buf_free(&out);
	return rc;
}

/* Reloaded by opening anew: the file may have been replaced, which an open database does not see. */
const struct table_kind table_sqlite = {
	"sqlite",
	table_sqlite_open,
	table_sqlite_get,
	table_sqlite_close,
};
