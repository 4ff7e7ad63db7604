/*
 * purge.c - forget what was expunged or deleted long ago, and its files (invariants 4 and 5 of schema.c).
 *
 * Files are removed after the transaction that took their last row is durable; a crash between leaves
 * garbage, which store_check finds.
 */
#include <stdlib.h>
#include <unistd.h>

#include "store/inside.h"

struct purge {
	struct store *st;
	uint32_t left;   /* messages that may still be purged in this step */
	struct id *file; /* without a row when the transaction is done */
	size_t n, cap;
	uint64_t messages; /* dropped */
};

static void
note_file(struct purge *p, struct id file)
{
	if (p->n == p->cap) {
		p->cap = p->cap != 0 ? p->cap * 2 : 64;
		p->file = mem_resize(p->file, p->cap * sizeof *p->file);
	}
	p->file[p->n++] = file;
}

/* Drop the row of a message; its file too, if this was the last. */
static int
drop_message(struct purge *p, uint64_t key, struct err *e)
{
	struct store *st = p->st;
	sqlite3_stmt *q = db_open_query(st, Q_MSG_FILE, e, B_NUM(key));
	struct id file = { 0 };
	int64_t used = 0;
	int rc = db_row(st, q, e);

	if (rc == 1)
		file = id_from(db_text(q, 0));
	db_done(q);
	if (rc <= 0)
		return rc;
	if (db_run(st, Q_MSG_DROP, e, B_NUM(key)) < 0 || db_run(st, Q_UIDL_DROP, e, B_NUM(key)) < 0 ||
	    db_run(st, Q_OBJECT_DROP, e, B_NUM(key)) < 0 ||
	    db_one(st, db_open_query(st, Q_MSG_OF_FILE, e, B_TEXT(id_span(&file))), 0, &used, e) < 0)
		return -1;
	if (used == 0 && file.s[0] != '\0')
		note_file(p, file);
	p->messages++;
	if (p->left > 0)
		p->left--;
	return 0;
}

static int
drop_records(struct purge *p, uint64_t mailbox, const struct store_rec *rec, uint32_t n, struct err *e)
{
	for (uint32_t i = 0; i < n; i++)
		if (drop_message(p, key_of(mailbox, rec[i].uid), e) < 0)
			return -1;
	return 0;
}

/* One pack of expunged records; 1; 0 there is none so old. */
static int
purge_gone(struct purge *p, uint64_t before_ms, struct err *e)
{
	struct store *st = p->st;
	struct store_rec rec[CHUNK_RECORDS];
	sqlite3_stmt *q = db_open_query(st, Q_GONE_OLDEST, e);
	uint64_t id, modseq, mailbox;
	uint32_t n = 0;
	struct mbox *m;
	struct err ignored = { 0 };
	int rc = db_row(st, q, e);

	if (rc == 1 && db_num(q, 4) >= before_ms)
		rc = 0;
	if (rc == 1 && recs_decode(st, db_blob(q, 2), rec, CHUNK_RECORDS, &n, e) < 0)
		rc = -1;
	if (rc == 1) {
		id = db_num(q, 0);
		modseq = db_num(q, 1);
		mailbox = db_num(q, 3);
	}
	db_done(q);
	if (rc != 1)
		return rc;
	if (drop_records(p, mailbox, rec, n, e) < 0 || db_run(st, Q_GONE_DROP, e, B_NUM(id)) < 0)
		return -1;
	if ((m = mbox_open(st, mailbox, &ignored)) != NULL && m->purged_modseq < modseq) {
		m->purged_modseq = modseq;
		m->dirty = true;
	}
	return m != NULL || st->why == STORE_NONEXISTENT ? 1 : -1;
}

/* The mailbox itself, and what belongs to it alone. */
static int
forget(struct store *st, uint64_t mailbox, struct err *e)
{
	if (acl_drop(st, mailbox, e) < 0 || annotations_forget(st, mailbox, e) < 0 || db_run(st, Q_KEYWORD_FORGET, e, B_NUM(mailbox)) < 0 ||
	    db_run(st, Q_KEYWORD_SET_FORGET, e, B_NUM(mailbox)) < 0)
		return -1;
	return db_run(st, Q_MAILBOX_FORGET, e, B_NUM(mailbox));
}

/* What was expunged from a deleted mailbox before it was deleted is gone with it. */
static int
purge_last(struct purge *p, uint64_t mailbox, struct err *e)
{
	struct store *st = p->st;
	struct store_rec rec[CHUNK_RECORDS];
	sqlite3_stmt *q = db_open_query(st, Q_GONE_OF, e, B_NUM(mailbox));
	uint64_t id = 0;
	uint32_t n = 0;
	int rc = db_row(st, q, e);

	if (rc == 1)
		id = db_num(q, 0);
	if (rc == 1 && recs_decode(st, db_blob(q, 2), rec, CHUNK_RECORDS, &n, e) < 0)
		rc = -1;
	db_done(q);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return forget(st, mailbox, e) < 0 ? -1 : 1;
	return drop_records(p, mailbox, rec, n, e) < 0 || db_run(st, Q_GONE_DROP, e, B_NUM(id)) < 0 ? -1 : 1;
}

/* One chunk of a deleted mailbox, or its row when it is empty; 1; 0 there is none so old. */
static int
purge_mailbox(struct purge *p, uint64_t before_ms, struct err *e)
{
	struct store *st = p->st;
	sqlite3_stmt *q = db_open_query(st, Q_MAILBOX_DELETED, e, B_NUM(before_ms));
	struct chunk c;
	uint64_t id = 0;
	int rc = db_row(st, q, e);

	if (rc == 1)
		id = db_num(q, 0);
	db_done(q);
	if (rc != 1)
		return rc;
	if (db_run(st, Q_MAILBOX_BROKEN, e, B_NUM(id)) < 0 ||
	    (rc = chunk_after(st, id, key_of(id, 0), &c, e)) < 0) /* half of it can't be undeleted */
		return -1;
	if (rc == 0)
		return purge_last(p, id, e);
	if (drop_records(p, id, c.rec, c.n, e) < 0)
		return -1;
	c.n = 0;
	c.dirty = true;
	return chunk_write(st, &c, e) < 0 ? -1 : 1;
}

/* Delivery ids sort by the time in them. */
static int
purge_delivered(struct purge *p, uint64_t before_ms, struct err *e)
{
	struct store *st = p->st;
	sqlite3_stmt *q = db_open_query(st, Q_DELIVERED_OLDEST, e);
	struct id mid = { 0 };
	uint32_t rcpt = 0;
	int rc = db_row(st, q, e);

	if (rc == 1) {
		mid = id_from(db_text(q, 0));
		rcpt = db_num32(q, 1);
	}
	db_done(q);
	if (rc != 1 || id_time_ms(id_span(&mid)) >= before_ms)
		return rc < 0 ? -1 : 0;
	if (p->left > 0)
		p->left--;
	return db_run(st, Q_DELIVERED_DROP, e, B_TEXT(id_span(&mid)), B_NUM(rcpt)) < 0 ? -1 : 1;
}

static int
step(struct purge *p, uint64_t before_ms, uint64_t delivered_before_ms, struct err *e)
{
	int rc = 1;

	while (p->left > 0 && (rc = purge_gone(p, before_ms, e)) == 1)
		;
	while (rc >= 0 && p->left > 0 && (rc = purge_mailbox(p, before_ms, e)) == 1)
		;
	while (rc >= 0 && p->left > 0 && (rc = purge_delivered(p, delivered_before_ms, e)) == 1)
		;
	return rc < 0 ? -1 : p->left == 0;
}

static void
sooner(uint64_t *due, int64_t from, uint64_t keep_ms)
{
	if (from > 0 && (uint64_t)from + keep_ms < *due)
		*due = (uint64_t)from + keep_ms;
}

int
store_purge_due(struct store *st, uint64_t keep_ms, uint64_t ids_ms, uint64_t *due, struct err *e)
{
	sqlite3_stmt *q;
	int64_t gone, deleted;
	int rc;

	*due = UINT64_MAX;
	if (db_one(st, db_open_query(st, Q_GONE_FIRST, e), 0, &gone, e) < 0 ||
	    db_one(st, db_open_query(st, Q_MAILBOX_DELETED_FIRST, e), 0, &deleted, e) < 0)
		return -1;
	sooner(due, gone, keep_ms);
	sooner(due, deleted, keep_ms);
	q = db_open_query(st, Q_DELIVERED_OLDEST, e);
	if ((rc = db_row(st, q, e)) == 1)
		sooner(due, (int64_t)id_time_ms(db_text(q, 0)), ids_ms);
	db_done(q);
	return rc < 0 ? -1 : 0;
}

int
store_purge(struct store *st, uint64_t before_ms, uint64_t delivered_before_ms, uint32_t max, struct err *e)
{
	struct store_purged ignored;

	return store_purge_step(st, before_ms, delivered_before_ms, max, &ignored, e);
}

int
store_purge_step(struct store *st, uint64_t before_ms, uint64_t delivered_before_ms, uint32_t max,
    struct store_purged *out, struct err *e)
{
	struct purge p = { .st = st, .left = max };
	int rc = -1;

	if (before_ms > INT64_MAX)
		before_ms = INT64_MAX;
	if (tx_begin(st, TX_DURABLE, e) == 0)
		rc = tx_end(st, step(&p, before_ms, delivered_before_ms, e), e);
	for (size_t i = 0; rc >= 0 && i < p.n; i++)
		unlinkat(st->msg, p.file[i].s, 0);
	*out = (struct store_purged){ p.messages, rc < 0 ? 0 : p.n };
	free(p.file);
	return rc;
}
