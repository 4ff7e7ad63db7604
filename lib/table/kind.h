/*
 * kind.h - what a kind of table is to table.c, and what the kinds share.
 *
 * A new kind is a file with one `struct table_kind`, and a row in table.c.
 */
#ifndef TABLE_KIND_H
#define TABLE_KIND_H

#include "base/base.h"

struct table_kind {
	const char *name;
	/* `where` is the setting behind "name:"; gives the state that the other functions get, or NULL with
	 * *e. */
	void *(*open)(struct span where, struct err *e);
	/* The key is folded. As table_get(). */
	int (*get)(void *state, struct span key, struct arena *a, struct span *value, struct err *e);
	void (*close)(void *state);
};

extern const struct table_kind table_file, table_inline, table_sqlite;

/*
 * entries.c: key/value pairs in memory, sorted once they are complete. What is added is copied into the
 * arena of the set; keys are folded.
 */
struct entries;

struct entries *entries_new(size_t max); /* max: octets of text in all */
void entries_free(struct entries *s);
void entries_add(struct entries *s, struct span key, struct span value, uint32_t line);
/* Sort, and find keys given twice: 0, or -1 with ERR_PERM "line N: ..."; call before the first get. */
int entries_done(struct entries *s, struct err *e);
int entries_get(const struct entries *s, struct span key, struct span *value); /* 1 or 0 */

/*
 * file.c: add what the text of a file: table holds. Pure; linear in text.n. Returns 0, or -1 with
 * ERR_PERM, "N: why" for line N.
 */
int table_parse_text(struct span text, struct entries *out, struct err *e);

/*
 * inline.c: the next entry of {k=v, {k=v, w}}, *rest being what is between the outer braces. Returns 1, 0
 * at the end, -1 with ERR_PERM.
 */
int table_next_pair(struct span *rest, struct span *key, struct span *value, struct err *e);

/* The octets before the first of `stop` that is outside of braces, -1 if braces do not match. */
ssize_t table_outside(struct span s, const char *stop);

#endif
