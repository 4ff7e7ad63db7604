/*
 * table.h - one way to look things up: aliases, transports, access.
 *
 *   file:PATH              a text file, kept in memory
 *   inline:{key=value, ...}    in the setting itself
 *   sqlite:PATH{...}       a database, read only
 *
 * A setting names one table, or several separated by commas or blanks (outside of braces): they are asked
 * in order and the first that knows the key answers. Keys ignore ASCII case: they are folded to lower
 * case when loaded and when asked. Values are octets as they stand, trimmed.
 *
 * file: one entry a line,
 *
 *     # a comment, from the start of a line
 *     key value
 *     key: value, value          as in aliases(5)
 *         continued, because the line starts with a blank
 *     "a key: with blanks" value
 *
 * The key ends at the first blank; a colon at its end or behind the blanks is dropped. Where a word has
 * one colon alone, as in `root:joe`, the key ends there; with more, as in `2001:db8::1`, it does not. In
 * quotes, \" and \\ stand for " and \. Continued lines are joined by one space. A key without a value, a
 * key given twice and a NUL are errors, told as PATH:LINE. The file has at most 64 MiB.
 *
 * inline: entries separated by commas; one whose value has a comma is put in braces:
 * inline:{a=1, {b=2, 3}}. The first = ends the key.
 *
 * sqlite: the options in braces, in the same form as inline's entries, are
 *     table=T, key=K, value=V    SELECT V FROM T WHERE K = the key; default: map, key, value
 *     {query=SELECT ...}         any one statement that only reads and has one parameter, the key
 * Several rows are joined by ", ". The database is opened read only; a key is never part of the statement.
 * K is compared as the database does it: rows must be written in lower case or the column be NOCASE.
 *
 * Not thread safe; a lookup in file: or inline: cannot fail and allocates nothing.
 */
#ifndef TABLE_TABLE_H
#define TABLE_TABLE_H

#include "base/base.h"

enum { TABLE_KEY_MAX = 1024, TABLE_FILE_MAX = 64 * 1024 * 1024, TABLE_VALUE_MAX = 1024 * 1024 };

struct table;

/*
 * Open every table that the setting names; an empty setting makes a table that knows nothing. Paths are
 * taken as they are. Returns NULL with *e: ERR_PERM for what is malformed (PATH:LINE: why), ERR_TEMP for
 * what cannot be read now.
 */
struct table *table_open(struct span setting, struct err *e);
void table_close(struct table *t); /* NULL is allowed */

/*
 * 1 and *value, 0 when no table knows the key, -1 with ERR_TEMP when a table could not be asked (then the
 * tables behind it are not asked either: a lookup must not fall through because a database is busy).
 * The value lives as long as the arena, and until the table is closed. What a file holds is read when it is
 * opened: to read it again, open it anew. A key of more than TABLE_KEY_MAX octets is in no table.
 */
int table_get(struct table *t, struct span key, struct arena *a, struct span *value, struct err *e);

#endif
