/* fts_find.c - looking keys up. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "store/fts_inside.h"
#include "store/inside.h"

enum {
	KEY_MAX = 4096,    /* of a longer key only the start is looked up */
	TRIGRAMS_MAX = 32, /* of a key with more, these many, spread over it */
};

int
fts_begin(struct fts *f, struct err *e)
{
	need(!f->reading);
	if (fts_exec(f, e, "BEGIN") < 0)
		return -1;
	f->reading = true;
	return fts_number(f, 0, &f->next, e, "SELECT next FROM meta");
}

void
fts_end(struct fts *f)
{
	if (f->reading)
		sqlite3_exec(f->db, "ROLLBACK", NULL, NULL, NULL);
	f->reading = false;
}

int
fts_mailbox(struct fts *f, uint64_t mailbox, uint32_t uidvalidity, struct err *e)
{
	need(f->reading);
	return fts_runs_load(f, mailbox, uidvalidity, e);
}

uint64_t
fts_covered(const struct fts *f)
{
	uint64_t all = 0;

	for (size_t i = 0; i < f->runs; i++)
		all += f->run[i].n;
	return all;
}

/* ---- a key, taken apart */

struct grams {
	struct span key;
	size_t *at; /* where each character starts, and the end */
	size_t n;   /* characters */
	bool exact; /* each stands for itself alone */
};

/* The tokenizer takes these for U+FFFD. */
static bool
mistaken(int32_t cp)
{
	return cp == 0xfffd || cp == 0xfffe || cp == 0xffff;
}

/* 1; 0 if the key has an octet that texts of the index do not have. */
static int
take_apart(struct span key, struct grams *g, struct arena *a)
{
	size_t len;

	*g = (struct grams){ .key = span_head(key, KEY_MAX), .exact = key.n <= KEY_MAX };
	g->at = arena_array(a, g->key.n + 1, sizeof *g->at);
	for (size_t i = 0; i < g->key.n; i += len) {
		int32_t cp = utf8_get(span_from(g->key, i), &len);

		if (cp == -2 && !g->exact) /* the cut of a long key */
			break;
		if (cp < 0 || cp == FTS_BORDER || cp == 0)
			return 0;
		g->exact &= !mistaken(cp);
		g->at[g->n++] = i;
		g->at[g->n] = i + len;
	}
	return 1;
}

static struct span
characters(const struct grams *g, size_t from, size_t n)
{
	return span_of(g->key.p + g->at[from], g->at[from + n] - g->at[from]);
}

/* "abc" AND "bcd" ...: a query of FTS5. */
static int
trigrams(const struct grams *g, struct buf *out, struct err *e)
{
	size_t all = g->n - 2, n = all < TRIGRAMS_MAX ? all : TRIGRAMS_MAX;

	for (size_t i = 0; i < n; i++) {
		struct span t = characters(g, n == all ? i : i * (all - 1) / (n - 1), 3);

		buf_str(out, e, i == 0 ? "\"" : " AND \"");
		for (size_t k = 0; k < t.n; k++) {
			if (t.p[k] == '"')
				buf_byte(out, e, '"');
			buf_byte(out, e, t.p[k]);
		}
		if (buf_byte(out, e, '"') < 0)
			return -1;
	}
	return 0;
}

/* ---- one table of one shard */

static int
take_rows(struct fts *f, sqlite3_stmt *q, struct fts_hits *hits, uint8_t *bits, struct err *e)
{
	int rc;

	while ((rc = fts_row(f, q, e)) == 1) {
		uint64_t doc = db_num(q, 0);

		if (doc < hits->texts)
			bits[doc / 8] |= (uint8_t)(1U << doc % 8);
	}
	sqlite3_finalize(q);
	return rc;
}

static int
by_trigrams(struct fts *f, uint64_t shard, char table, struct span query, struct fts_hits *hits,
    uint8_t *bits, struct err *e)
{
	sqlite3_stmt *q = fts_query(f, e, "SELECT rowid FROM %c_%llu WHERE %c_%llu MATCH ?1", table,
	    (unsigned long long)shard, table, (unsigned long long)shard);

	if (q != NULL)
		sqlite3_bind_text(q, 1, query.p, (int)query.n, SQLITE_STATIC);
	return take_rows(f, q, hits, bits, e);
}

/*
 * A key of one or two characters stands where a trigram begins with it: one begins with every character. The trigrams
 * that do are a range of the terms.
 */
static int
by_range(struct fts *f, uint64_t shard, char table, struct span key, struct fts_hits *hits, uint8_t *bits,
    struct err *e)
{
	char last[2 * 4 + 1];
	sqlite3_stmt *q;

	need(key.n > 0 && key.n < sizeof last);
	memcpy(last, key.p, key.n);
	last[key.n - 1]++; /* never 0xff: no octet of UTF-8 is */
	if (fts_exec(f, e,
		"CREATE VIRTUAL TABLE IF NOT EXISTS temp.v%c_%llu USING fts5vocab(main, %c_%llu, instance)",
		table, (unsigned long long)shard, table, (unsigned long long)shard) < 0)
		return -1;
	q = fts_query(f, e, "SELECT doc FROM temp.v%c_%llu WHERE term >= ?1 AND term < ?2", table,
	    (unsigned long long)shard);
	if (q != NULL) {
		sqlite3_bind_text(q, 1, key.p, (int)key.n, SQLITE_STATIC);
		sqlite3_bind_text(q, 2, last, (int)key.n, SQLITE_TRANSIENT);
	}
	return take_rows(f, q, hits, bits, e);
}

/* ---- all of them */

static int
in_shard(struct fts *f, uint64_t shard, char table, const struct grams *g, struct span query,
    struct fts_hits *hits, uint8_t *bits, struct err *e)
{
	if (g->n < 3)
		return by_range(f, shard, table, g->key, hits, bits, e);
	return by_trigrams(f, shard, table, query, hits, bits, e);
}

static int
in_shards(struct fts *f, const struct grams *g, bool headers, struct span query, struct fts_hits *hits,
    uint8_t *bits, struct err *e)
{
	sqlite3_stmt *q = fts_query(f, e, "SELECT id FROM shard ORDER BY id");
	int rc;

	while ((rc = fts_row(f, q, e)) == 1) {
		uint64_t shard = db_num(q, 0);

		if (in_shard(f, shard, 'b', g, query, hits, bits, e) < 0 ||
		    (headers && in_shard(f, shard, 'h', g, query, hits, bits, e) < 0)) {
			rc = -1;
			break;
		}
	}
	sqlite3_finalize(q);
	return rc;
}

/* One ASCII letter is in nearly every message, and the first line of it tells so. */
static bool
helps(const struct grams *g)
{
	if (g->n > 2)
		return true;
	return g->exact && (g->n == 2 || (g->n == 1 && (g->key.p[0] & 0x80) != 0));
}

int
fts_find(struct fts *f, struct span key, bool headers, struct fts_hits *out, struct arena *a, struct err *e)
{
	struct grams g;
	struct buf query;
	uint8_t *bits;
	int rc = 0;

	need(f->reading);
	*out = (struct fts_hits){ 0 };
	if (take_apart(key, &g, a) == 0 || !helps(&g))
		return 0;
	out->texts = f->next;
	out->exact = g.exact && g.n <= 3;
	out->bits = bits = arena_alloc(a, f->next / 8 + 1);
	buf_init(&query, 64 * TRIGRAMS_MAX);
	if (g.n >= 3)
		rc = trigrams(&g, &query, e);
	if (rc == 0)
		rc = in_shards(f, &g, headers, buf_span(&query), out, bits, e);
	buf_free(&query);
	return rc < 0 ? -1 : 1;
}

enum fts_says
fts_says(struct fts *f, const struct fts_hits *hits, uint32_t uid)
{
	const struct fts_run *r;
	uint64_t doc;

	if (hits->bits == NULL || (r = fts_run_of(f, uid)) == NULL)
		return FTS_UNKNOWN;
	doc = r->doc + (uid - r->first);
	if (doc >=
	    hits->texts) /* indexed after the moment of fts_begin: can't be, but costs nothing to see */
		return FTS_UNKNOWN;
	if ((hits->bits[doc / 8] >> doc % 8 & 1) == 0)
		return FTS_NO;
	return hits->exact ? FTS_YES : FTS_MAYBE;
}

/* ---- all of a mailbox */

enum { PIECE = 1024 }; /* records looked at a time */

/* A list that grows; its arrays move to the arena when it is done. */
struct list {
	uint32_t *uid;
	bool *sure;
	size_t n, cap;
};

static void
list_add(struct list *l, uint32_t uid, bool sure)
{
	if (l->n == l->cap) {
		l->cap = l->cap != 0 ? l->cap * 2 : 256;
		l->uid = mem_resize(l->uid, l->cap * sizeof *l->uid);
		l->sure = mem_resize(l->sure, l->cap * sizeof *l->sure);
	}
	l->uid[l->n] = uid;
	l->sure[l->n++] = sure;
}

/* Messages that have no run: uids first to last. */
static int
add_unknown(struct list *l, struct store_view *v, uint32_t first, uint32_t last, struct err *e)
{
	uint32_t from = 0, n;

	if (first > last)
		return 0;
	if (store_view_from(v, first, &from, e) < 0)
		return -1;
	for (; from < v->n; from += n) {
		n = v->n - from < PIECE ? v->n - from : PIECE;
		if (last - first < n)
			n = last - first + 1;
		store_view_trim(v);
		if (store_view_load(v, from, n, e) < 0)
			return -1;
		for (uint32_t i = from; i < from + n; i++) {
			uint32_t uid = store_rec(v, i)->uid;

			if (uid > last)
				return 0;
			list_add(l, uid, false);
		}
	}
	return 0;
}

/* Eight texts at a time: most have nothing. */
static void
add_hits(struct list *l, const struct fts_hits *hits, const struct fts_run *r)
{
	uint64_t end = r->doc + r->n < hits->texts ? r->doc + r->n : hits->texts;

	for (uint64_t doc = r->doc; doc < end;) {
		if (hits->bits[doc / 8] == 0) {
			doc = (doc / 8 + 1) * 8;
			continue;
		}
		if ((hits->bits[doc / 8] >> doc % 8 & 1) != 0)
			list_add(l, r->first + (uint32_t)(doc - r->doc), hits->exact);
		doc++;
	}
}

static int
add_all(struct fts *f, const struct fts_hits *hits, struct store_view *v, struct list *l, struct err *e)
{
	uint32_t next = 1;

	for (size_t i = 0; i < f->runs; i++) {
		const struct fts_run *r = &f->run[i];

		if (r->first > next && add_unknown(l, v, next, r->first - 1, e) < 0)
			return -1;
		add_hits(l, hits, r);
		next = r->first + r->n;
	}
	return add_unknown(l, v, next, UINT32_MAX, e);
}

int
fts_candidates(struct fts *f, const struct fts_hits *hits, struct store_view *v, struct fts_candidates *out,
    struct arena *a, struct err *e)
{
	struct list l = { 0 };
	int rc;

	need(f->mailbox == v->mailbox && hits->bits != NULL);
	rc = add_all(f, hits, v, &l, e);
	if (rc == 0) {
		*out = (struct fts_candidates){ arena_array(a, l.n + 1, sizeof *out->uid),
			arena_array(a, l.n + 1, sizeof *out->sure), l.n };
		memcpy(out->uid, l.uid != NULL ? l.uid : out->uid, l.n * sizeof *l.uid);
		memcpy(out->sure, l.sure != NULL ? l.sure : out->sure, l.n * sizeof *l.sure);
	}
	free(l.uid);
	free(l.sure);
	return rc;
}
