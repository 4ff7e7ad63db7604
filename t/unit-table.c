/* unit-table - lookup tables: the text form, inline, sqlite, lists of tables, files. */
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "t/tap.h"
#include "table/kind.h"
#include "table/table.h"

static const struct {
	const char *text, *key, *value; /* value NULL: not there */
} texts[] = {
	{ "a b\n", "a", "b" },
	{ "a b", "a", "b" },
	{ "a\tb c\r\n", "a", "b c" },
	{ "# a b\n\n  \nc d\n", "c", "d" },
	{ "# a b\n", "a", NULL },
	{ "A@Example.COM  X@y\n", "a@example.com", "X@y" },
	{ "root: joe, jane\n", "root", "joe, jane" },
	{ "root:\tjoe,\n\tjane\n    jim\n", "root", "joe, jane jim" },
	{ "root:joe\n", "root", "joe" },
	{ "root:joe, jane\n", "root", "joe, jane" },
	{ "root : joe\n", "root", "joe" },
	{ "root:\n  joe\n", "root", "joe" },
	{ "a b\n# in between\n\n c\n", "a", "b c" },
	{ "2001:db8::1 OK\n", "2001:db8::1", "OK" },
	{ "2001:db8::1: OK\n", "2001:db8::1", "OK" },
	{ "fe80:: OK\n", "fe80:", "OK" }, /* as the manual says: quote it */
	{ "\"fe80::\" OK\n", "fe80::", "OK" },
	{ "\"a b: c\": d\n", "a b: c", "d" },
	{ "\"a \\\" \\\\ c\" d\n", "a \" \\ c", "d" },
	{ "@example.com all@example.com\n", "@example.com", "all@example.com" },
	{ "b 1\na 2\nc 3\nd 4\n", "c", "3" },
	{ "b 1\na 2\nc 3\nd 4\n", "e", NULL },
	{ "", "a", NULL },
};

static const struct {
	const char *text, *says;
} bad_texts[] = {
	{ "  a b\n", "1: a continued line" },
	{ "# x\na b\nc\n", "3: the key c has no value" },
	{ "a b\nA c\n", "2: the key a is given already in line 1" },
	{ "a b\n\"c d\n", "2: a quote is not closed" },
	{ "\"c\"d e\n", "1: the key does not end" },
	{ ": b\n", "1: no key" },
	{ "\"\" b\n", "1: no key" },
	{ "a b\nc:\n\nd e\n", "2: the key c has no value" },
};

static void
text_form(void)
{
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct entries *s = entries_new(1 << 20);
		struct span v = { 0 };
		struct err e = { 0 };
		int rc = table_parse_text(span_str(texts[i].text), s, &e);

		tap_ok(rc == 0, "the text with %s is taken %s", texts[i].key, e.text);
		tap_ok(entries_get(s, span_str(texts[i].key), &v) == (texts[i].value != NULL) &&
			   span_eq(v, texts[i].value != NULL ? texts[i].value : ""),
		    "%s is %s", texts[i].key, texts[i].value != NULL ? texts[i].value : "not there");
		entries_free(s);
	}
	for (size_t i = 0; i < sizeof bad_texts / sizeof bad_texts[0]; i++) {
		struct entries *s = entries_new(1 << 20);
		struct err e = { 0 };

		tap_ok(table_parse_text(span_str(bad_texts[i].text), s, &e) < 0 && e.kind == ERR_PERM &&
			   strstr(e.text, bad_texts[i].says) != NULL,
		    "refused: %s (%s)", bad_texts[i].says, e.text);
		entries_free(s);
	}
}

static const struct {
	const char *setting, *key, *value;
} settings[] = {
	{ "", "a", NULL },
	{ "inline:{a=b}", "a", "b" },
	{ "inline:{a=b}", "A", "b" },
	{ "inline:{ a = b , c = d e }", "c", "d e" },
	{ "inline:{{a=b, c}, d=e}", "a", "b, c" },
	{ "inline:{{a=b, c}, d=e}", "d", "e" },
	{ "inline:{a=b=c}", "a", "b=c" },
	{ "inline:{}", "a", NULL },
	{ "inline:{a=1}, inline:{a=2, b=3}", "a", "1" },
	{ "inline:{a=1}, inline:{a=2, b=3}", "b", "3" },
	{ "inline:{a=1} inline:{b=3}", "b", "3" },
};

static const struct {
	const char *setting, *says;
} bad_settings[] = {
	{ "inline:", "without anything" },
	{ "inline:a=b", "inline: without {" },
	{ "inline:{a}", "not key=value" },
	{ "inline:{=b}", "no key" },
	{ "inline:{a=}", "no value" },
	{ "inline:{a=b", "braces" },
	{ "inline:{a=b}}", "braces" },
	{ "inline:{a=b, a=c}", "already" },
	{ "hash:/etc/aliases", "no table" },
	{ "/etc/aliases", "no table" },
	{ "file:/nonexistent", "/nonexistent: No such file" },
	{ "file:/", "not a regular file" },
	{ "sqlite:/nonexistent", "unable to open" },
	{ "sqlite:/nonexistent{tabel=x}", "unknown option tabel" },
};

static void
named(void)
{
	struct arena *a = arena_new(1 << 20);

	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
		struct err e = { 0 };
		struct span v = { 0 };
		struct table *t = table_open(span_str(settings[i].setting), &e);
		int got = t != NULL ? table_get(t, span_str(settings[i].key), a, &v, &e) : -1;

		tap_ok(got == (settings[i].value != NULL) && (got == 0 || span_eq(v, settings[i].value)),
		    "'%s': %s is %s %s", settings[i].setting, settings[i].key,
		    settings[i].value != NULL ? settings[i].value : "not there", e.text);
		table_close(t);
	}
	for (size_t i = 0; i < sizeof bad_settings / sizeof bad_settings[0]; i++) {
		struct err e = { 0 };

		tap_ok(table_open(span_str(bad_settings[i].setting), &e) == NULL &&
			   strstr(e.text, bad_settings[i].says) != NULL,
		    "'%s' is refused: %s", bad_settings[i].setting, e.text);
	}
	arena_free(a);
}

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	need(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void
files(const char *dir)
{
	struct arena *a = arena_new(1 << 20);
	char *path = arena_cstr(a, arena_printf(a, "%s/aliases", dir));
	struct err e = { 0 };
	struct table *t;
	struct span v;

	write_file(path, "a one\n");
	t = table_open(arena_printf(a, "file:%s", path), &e);
	tap_ok(t != NULL && table_get(t, SPAN("A"), a, &v, &e) == 1 && span_eq(v, "one"), "a file is read");
	write_file(path, "x y\na\n");
	tap_ok(table_get(t, SPAN("a"), a, &v, &e) == 1 && span_eq(v, "one"),
	    "its entries stay while it is open");
	tap_ok(table_open(arena_printf(a, "file:%s", path), &e) == NULL &&
		   strstr(e.text, "/aliases:2: the key a has no value") != NULL,
	    "an error is told with file and line: %s", e.text);
	table_close(t);
	unlink(path);
	arena_free(a);
}

static void
databases(const char *dir)
{
	static const struct {
		const char *options, *key, *value, *says;
	} rows[] = {
		{ "", "a", "1", NULL },
		{ "", "b", "2, 3", NULL },
		{ "", "c", NULL, NULL },
		{ "", "' OR 1=1 --", NULL, NULL },
		{ "{table=odd \"name, key=k, value=v}", "x", "y", NULL },
		{ "{query=SELECT value FROM map WHERE key = lower(?1) AND value < '3'}", "B", "2", NULL },
		{ "{{query=SELECT coalesce(value, 0) FROM map WHERE key = :key}}", "b", "2, 3", NULL },
		{ "{key=kye}", "a", NULL, "no such column" },
		{ "{table=nothing}", "a", NULL, "no such table" },
		{ "{query=DELETE FROM map WHERE key = ?1}", "a", NULL, "writes" },
		{ "{query=SELECT 1}", "a", NULL, "one parameter" },
		{ "{query=SELECT ?1; SELECT 2}", "a", NULL, "one statement" },
		{ "{{query=SELECT ?1, 2}}", "a", NULL, "one column" },
	};
	struct arena *a = arena_new(1 << 20);
	char *path = arena_cstr(a, arena_printf(a, "%s/map.db", dir));
	sqlite3 *db;

	need(sqlite3_open(path, &db) == SQLITE_OK);
	need(sqlite3_exec(db,
		 "CREATE TABLE map(key TEXT, value TEXT); CREATE TABLE \"odd \"\"name\"(k, v);"
		 "INSERT INTO map VALUES('a',1),('b',2),('b',3),('c',NULL),('c','');"
		 "INSERT INTO \"odd \"\"name\" VALUES('x','y')",
		 NULL, NULL, NULL) == SQLITE_OK);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err e = { 0 };
		struct span v = { 0 };
		struct table *t = table_open(arena_printf(a, "sqlite:%s%s", path, rows[i].options), &e);
		int got = t != NULL ? table_get(t, span_str(rows[i].key), a, &v, &e) : -1;

		if (rows[i].says != NULL)
			tap_ok(got < 0 && strstr(e.text, rows[i].says) != NULL, "%s is refused: %s",
			    rows[i].options, e.text);
		else
			tap_ok(got == (rows[i].value != NULL) && (got == 0 || span_eq(v, rows[i].value)),
			    "%s: %s is %s %s", rows[i].options, rows[i].key,
			    rows[i].value ? rows[i].value : "not there", e.text);
		table_close(t);
	}
	sqlite3_close(db);
	unlink(path);
	arena_free(a);
}

static void
endless_query(const char *dir)
{
	struct arena *a = arena_new(1 << 20);
	char *path = arena_cstr(a, arena_printf(a, "%s/slow.db", dir));
	struct err e = { 0 };
	struct table *t;
	struct span v;
	sqlite3 *db;

	need(sqlite3_open(path, &db) == SQLITE_OK);
	need(sqlite3_exec(db, "CREATE TABLE map(key, value)", NULL, NULL, NULL) == SQLITE_OK);
	t = table_open(arena_printf(a,
			   "inline:{b=1}, sqlite:%s{{query=WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
			   "SELECT i + 1 FROM n) SELECT max(i) FROM n WHERE ?1 IS NOT NULL}}, inline:{a=2}",
			   path),
	    &e);
	tap_ok(t != NULL && table_get(t, SPAN("a"), a, &v, &e) < 0 && e.kind == ERR_TEMP,
	    "a query without end is a temporary error, and the next table is not asked: %s", e.text);
	err_clear(&e);
	tap_ok(table_get(t, SPAN("b"), a, &v, &e) == 1, "the tables before it go on");
	table_close(t);
	sqlite3_close(db);
	unlink(path);
	arena_free(a);
}

int
main(void)
{
	char dir[] = "/tmp/rk-table-XXXXXX";

	need(mkdtemp(dir) != NULL);
	text_form();
	named();
	files(dir);
	databases(dir);
	endless_query(dir);
	rmdir(dir);
	return tap_done();
}
