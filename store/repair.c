#include "store/repair.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/check.h"
#include "store/inside.h"

__attribute__((format(printf, 2, 3))) static void
tell(struct repair_tell *t, const char *fmt, ...)
{
	char text[300];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	t->n++;
	t->found(t->arg, span_of(text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1));
}

/* ---- packs */

/* Each row of a table of packs that cannot be decoded: dropped by `drop`. */
static int
bad_packs(struct store *st, enum query each, enum query drop, const char *what, struct repair_tell *t,
    struct err *e)
{
	struct store_rec rec[CHUNK_RECORDS];
	int64_t id = 0;
	uint32_t n;
	int rc;

	for (;;) {
		sqlite3_stmt *q = db_open_query(st, each, e, B_NUM(id));
		struct err bad = { 0 };
		bool good = true;

		if ((rc = db_row(st, q, e)) == 1) {
			id = (int64_t)db_num(q, 0);
			good = recs_decode(st, db_blob(q, 1), rec, CHUNK_RECORDS, &n, &bad) == 0 &&
			       (each != Q_CHUNK_EACH || rec[0].uid >= (uint32_t)id);
		}
		db_done(q);
		if (rc != 1)
			return rc;
		if (good)
			continue;
		tell(t, "%s %lld cannot be read", what, (long long)id);
		if (t->mend && db_run(st, drop, e, B_NUM(id)) < 0)
			return -1;
	}
}

int
repair_packs(struct store *st, struct repair_tell *t, struct err *e)
{
	if (bad_packs(st, Q_CHUNK_EACH, Q_CHUNK_DROP, "pack of records", t, e) < 0)
		return -1;
	return bad_packs(st, Q_GONE_EACH, Q_GONE_DROP, "pack of expunged records", t, e);
}

/* ---- rows */

/* Uids of a mailbox that are expunged and not purged, sorted. */
struct gone_uids {
	uint64_t mailbox;
	uint32_t *p;
	size_t n, cap;
};

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int
load_gone(struct store *st, struct gone_uids *g, uint64_t mailbox, struct err *e)
{
	struct store_rec rec[CHUNK_RECORDS];
	sqlite3_stmt *q;
	uint32_t n;
	int rc;

	g->mailbox = mailbox;
	g->n = 0;
	q = db_open_query(st, Q_GONE_SINCE, e, B_NUM(mailbox), B_NUM(0));
	while ((rc = db_row(st, q, e)) == 1) {
		struct err bad = { 0 };

		if (recs_decode(st, db_blob(q, 2), rec, CHUNK_RECORDS, &n, &bad) < 0)
			continue;
		if (g->n + n > g->cap) {
			g->cap = g->cap * 2 + CHUNK_RECORDS;
			g->p = mem_resize(g->p, g->cap * sizeof *g->p);
		}
		for (uint32_t i = 0; i < n; i++)
			g->p[g->n++] = rec[i].uid;
	}
	db_done(q);
	if (g->n > 0)
		qsort(g->p, g->n, sizeof *g->p, by_number);
	return rc;
}

static bool
is_gone(const struct gone_uids *g, uint32_t uid)
{
	return g->n > 0 && bsearch(&uid, g->p, g->n, sizeof uid, by_number) != NULL;
}

/* Where a message without a record goes. */
static struct mbox *
home(struct store *st, uint64_t mailbox, struct err *e)
{
	struct err none = { 0 };
	struct mbox *m = mbox_open(st, mailbox, &none);
	int64_t id;

	if (m != NULL && !m->noselect)
		return m;
	if (db_one(st, db_open_query(st, Q_MAILBOX_SELECTED, e, B_TEXT(SPAN("lost+found"))), 0, &id, e) < 0)
		return NULL;
	if (id == 0 && (id = mailbox_new(st, SPAN("lost+found"), STORE_USE_NONE, e)) < 0)
		return NULL;
	return mbox_open(st, (uint64_t)id, e);
}

/* A record is made, with a new uid: the old one may have been given to none, but nobody knows its flags. */
static int
bring_in(struct store *st, const struct check_row *row, struct err *e)
{
	struct store_rec rec = { .uid = (uint32_t)row->key,
		.date_ms = (int64_t)id_time_ms(id_span(&row->file)) };
	struct mbox from = { .id = row->key >> 32 }, *to = home(st, row->key >> 32, e);
	uint32_t src, dst;
	int64_t prefix;

	if (to == NULL ||
	    db_one(st, db_open_query(st, Q_MSG_PREFIX_SIZE, e, B_NUM(row->key)), 0, &prefix, e) < 0)
		return -1;
	rec.size = row->length + (uint64_t)prefix;
	if (copy_records(st, &from, to, &rec, 1, &src, &dst, e) < 0)
		return -1;
	return db_run(st, Q_MSG_DROP, e, B_NUM(row->key));
}

int
repair_rows(struct store *st, struct repair_tell *t, struct err *e)
{
	struct gone_uids gone = { 0 };
	struct check_row row = { 0 };
	struct chunk c = { 0 };
	struct store_rec *r = NULL;
	uint64_t last = UINT64_MAX;
	int rc, has;

	/* Those that are brought in come behind all others of their mailbox, and have records: they are passed over. */
	while ((rc = check_next_row(st, row.key, &row, e)) == 1) {
		uint64_t mailbox = row.key >> 32;

		if (mailbox != last || c.key >> 32 != mailbox)
			c.n = 0;
		if (mailbox != last && load_gone(st, &gone, mailbox, e) < 0)
			break;
		last = mailbox;
		if ((has = chunk_seek(st, mailbox, (uint32_t)row.key, &c, &r, e)) < 0)
			break;
		if (has == 1 || is_gone(&gone, (uint32_t)row.key))
			continue;
		tell(t, "mailbox %llu: message %u has no record", (unsigned long long)mailbox,
		    (uint32_t)row.key);
		if (!t->mend)
			continue;
		c.n = 0;
		if (bring_in(st, &row, e) < 0 || mbox_write_all(st, e) < 0)
			break;
	}
	free(gone.p);
	return e->kind == ERR_NONE ? 0 : -1;
}

int
repair_drop(struct store *st, uint64_t key, struct err *e)
{
	struct err none = { 0 };
	struct mbox *m = mbox_open(st, key >> 32, &none);
	uint32_t uid = (uint32_t)key, n = 0;

	if (m != NULL && expunge_uids(st, m, &uid, 1, &n, e) < 0)
		return -1;
	if (n > 0 && db_run(st, Q_GONE_BACK_OF, e, B_NUM(m->id), B_NUM(m->highestmodseq)) < 0)
		return -1;
	if (db_run(st, Q_DELIVERED_FORGET, e, B_NUM(key)) < 0)
		return -1;
	return db_run(st, Q_MSG_DROP, e, B_NUM(key));
}
