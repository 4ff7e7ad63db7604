/*
 * fts_index.c - putting texts into the index.
 *
 * Each mailbox is walked by ascending uids, from where it was left. A batch of messages is a transaction: numbers of texts,
 * runs, and where to go on are true together, whenever the process ends. Two processes may do this at a time: each
 * batch begins with what is there.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/fts_inside.h"
#include "store/inside.h"

enum {
	BATCH = 256,            /* messages of a transaction at most */
	BATCH_OCTETS = 4 << 20, /* and no further one after so much text */
	GAP = 16,               /* uids without a message that a run steps over */
	ROOM = 64 << 20,        /* free space a step may need */
	MATES = 16              /* messages with the same file that are asked for its text */
};

struct indexing {
	struct fts *f;
	const struct fts_limits *limits;
	struct fts_progress *out;
	struct arena *a;
	uint64_t until_ms; /* of clock_mono_ms */
	uint64_t modseq;

	/* The mailbox. */
	struct store_view *view;
	uint32_t done;
	uint64_t next; /* f->next as we left it: another's change shows */

	/* The batch. */
	struct fts_run run; /* being made; n == 0: none */
	uint64_t octets;
	sqlite3_stmt *put[2]; /* into h_K, b_K */
	uint64_t shard;       /* K of these */

	struct fts_text text; /* of the message */
};

/* ---- numbers of texts, and runs */

static int
write_run(struct indexing *x, struct err *e)
{
	struct fts_run *r = &x->run;

	if (r->n == 0)
		return 0;
	return fts_exec(x->f, e, "INSERT OR REPLACE INTO run (id, n, doc) VALUES (%llu, %u, %llu)",
	    (unsigned long long)key_of(x->f->mailbox, r->first), r->n, (unsigned long long)r->doc);
}

/* Is there a message between the end of the run and the one at this index of the view? */
static bool
adjacent(const struct indexing *x, uint32_t index)
{
	const struct fts_run *r = &x->run;

	if (r->n == 0)
		return false;
	if (store_rec(x->view, index)->uid == r->first + r->n)
		return true;
	return index > 0 && store_rec(x->view, index - 1)->uid < r->first + r->n;
}

/*
 * The number of a new text. A few are left out so that a run can step over uids without a message; but no more than
 * that, and only where the numbers behind the run are nobody's.
 */
static uint64_t
new_number(struct indexing *x, uint32_t index, bool *joins)
{
	const struct fts_run *r = &x->run;
	uint32_t uid = store_rec(x->view, index)->uid;
	uint64_t doc = x->f->next;

	*joins = r->doc + r->n == doc && adjacent(x, index) && uid - (r->first + r->n) <= GAP;
	if (*joins)
		doc += uid - (r->first + r->n);
	x->f->next = doc + 1;
	return doc;
}

/* The message has this text, which joins the run. */
static int
give(struct indexing *x, uint32_t uid, uint64_t doc, bool joins, struct err *e)
{
	struct fts_run *r = &x->run;

	if (joins && doc / x->f->shard_texts == r->doc / x->f->shard_texts) {
		r->n = uid - r->first + 1;
		return 0;
	}
	if (write_run(x, e) < 0)
		return -1;
	*r = (struct fts_run){ uid, 1, doc };
	return 0;
}

/* ---- one text into its shard */

static void
close_shard(struct indexing *x)
{
	for (size_t i = 0; i < 2; i++) {
		sqlite3_finalize(x->put[i]);
		x->put[i] = NULL;
	}
}

static int
make_shard(struct fts *f, uint64_t shard, struct err *e)
{
	static const char tables[] = "hb";

	for (size_t i = 0; i < 2; i++)
		if (fts_exec(f, e,
			"CREATE VIRTUAL TABLE IF NOT EXISTS %c_%llu USING fts5(t, content='', columnsize=0, detail=none,"
			" tokenize='trigram case_sensitive 1')",
			tables[i], (unsigned long long)shard) < 0)
			return -1;
	return fts_exec(
	    f, e, "INSERT OR IGNORE INTO shard (id, merged) VALUES (%llu, 0)", (unsigned long long)shard);
}

static int
open_shard(struct indexing *x, uint64_t shard, struct err *e)
{
	if (x->put[0] != NULL && x->put[1] != NULL && x->shard == shard)
		return 0;
	close_shard(x);
	x->shard = shard;
	if (make_shard(x->f, shard, e) < 0)
		return -1;
	x->put[0] = fts_query(
	    x->f, e, "INSERT INTO h_%llu (rowid, t) VALUES (?1, ?2)", (unsigned long long)shard);
	x->put[1] = fts_query(
	    x->f, e, "INSERT INTO b_%llu (rowid, t) VALUES (?1, ?2)", (unsigned long long)shard);
	return x->put[0] != NULL && x->put[1] != NULL ? 0 : -1;
}

static int
put_text(struct indexing *x, uint64_t doc, struct err *e)
{
	if (open_shard(x, doc / x->f->shard_texts, e) < 0)
		return -1;
	fts_text_end(&x->text);
	for (size_t i = 0; i < 2; i++) {
		struct buf *b = &x->text.part[i];
		int rc;

		if (b->n == 0)
			continue;
		sqlite3_bind_int64(x->put[i], 1, (int64_t)doc);
		sqlite3_bind_text64(x->put[i], 2, b->p, b->n, SQLITE_STATIC, SQLITE_UTF8);
		rc = fts_row(x->f, x->put[i], e);
		sqlite3_reset(x->put[i]);
		sqlite3_clear_bindings(x->put[i]);
		if (rc < 0)
			return -1;
		x->octets += b->n;
	}
	return 0;
}

/* ---- one message */

/* The text of another message with the same file. 1, 0, -1. */
static int
text_of(struct fts *f, uint64_t key, uint64_t *doc, struct err *e)
{
	sqlite3_stmt *q = fts_query(f, e,
	    "SELECT id, n, doc FROM run WHERE id <= %llu ORDER BY id DESC LIMIT 1", (unsigned long long)key);
	int rc = fts_row(f, q, e);

	if (rc == 1) {
		uint64_t first = db_num(q, 0);

		rc = first >> 32 == key >> 32 && key - first < db_num(q, 1);
		*doc = db_num(q, 2) + (key - first);
	}
	sqlite3_finalize(q);
	return rc;
}

static int
text_of_mates(struct indexing *x, const struct store_msg *m, uint64_t *doc, struct err *e)
{
	struct store *st = x->f->st;
	uint64_t mate[MATES], own = key_of(x->f->mailbox, m->uid);
	size_t n = 0;
	sqlite3_stmt *q = db_open_query(
	    st, Q_MSG_MATES, e, B_TEXT(id_span(&m->file)), B_NUM(m->offset), B_NUM(MATES));
	int rc;

	while ((rc = db_row(st, q, e)) == 1 && n < MATES)
		mate[n++] = db_num(q, 0);
	db_done(q);
	for (size_t i = 0; i < n && rc == 0; i++)
		if (mate[i] != own)
			rc = text_of(x->f, mate[i], doc, e);
	return rc;
}

/* A message that can't be read, or has too much text, has no run: searches look into it. */
static int
add_message(struct indexing *x, const struct store_msg *m, uint32_t index, struct err *e)
{
	struct err why = { 0 };
	uint64_t doc = 0;
	const struct fts_run *r = &x->run;
	bool joins;
	int known = text_of_mates(x, m, &doc, e);

	if (known < 0)
		return -1;
	/* The text in turn for the uid in turn: else a uid would be given a text that is not its. */
	joins = known == 1 && r->n > 0 && m->uid == r->first + r->n && doc == r->doc + r->n;
	if (known == 0) {
		if (fts_text_read(&x->text, x->f->st, m, &why) < 0 || x->text.over) {
			x->out->skipped++;
			return 0;
		}
		doc = new_number(x, index, &joins);
		if (put_text(x, doc, e) < 0)
			return -1;
	}
	x->out->indexed++;
	return give(x, m->uid, doc, joins, e);
}

/* ---- batches */

/* The run that ends with the last message tried may go on. */
static void
take_up_run(struct indexing *x)
{
	x->run.n = 0;
	if (x->f->runs > 0)
		x->run = x->f->run[x->f->runs - 1];
}

/* What there is now: another process may have gone on. */
static int
take_up(struct indexing *x, struct err *e)
{
	uint64_t done, next;

	if (fts_number(x->f, 0, &next, e, "SELECT next FROM meta") < 0 ||
	    fts_number(x->f, 0, &done, e, "SELECT done FROM mailbox WHERE id = %llu AND uidvalidity = %u",
		(unsigned long long)x->view->mailbox, x->view->uidvalidity) < 0)
		return -1;
	if (x->f->mailbox == x->view->mailbox && next == x->next && done == x->done)
		return 0;
	x->done = (uint32_t)done;
	x->f->next = next;
	if (fts_runs_load(x->f, x->view->mailbox, x->view->uidvalidity, e) < 0)
		return -1;
	take_up_run(x);
	return 0;
}

/* Of the records from `index` on, those that have no text yet; *to is behind the last that was looked at. */
static int
wanted(struct indexing *x, uint32_t index, uint32_t *uids, uint32_t *indexes, size_t *n, uint32_t *to,
    struct err *e)
{
	uint32_t count = x->view->n - index < BATCH ? x->view->n - index : BATCH;

	*n = 0;
	*to = index + count;
	store_view_trim(x->view);
	if (store_view_load(x->view, index > 0 ? index - 1 : 0, index > 0 ? count + 1 : count, e) < 0)
		return -1;
	for (uint32_t i = index; i < *to; i++)
		if (fts_run_of(x->f, store_rec(x->view, i)->uid) == NULL) {
			indexes[*n] = i;
			uids[(*n)++] = store_rec(x->view, i)->uid;
		}
	return 0;
}

/* Messages until the batch is full; x->done becomes the last uid that was tried. */
static int
add_messages(struct indexing *x, struct err *e)
{
	uint32_t uids[BATCH], indexes[BATCH], index = 0, to;
	struct store_fetch *in;
	struct store_msg m;
	size_t n, i = 0;
	int rc;

	if (store_view_from(x->view, x->done + 1, &index, e) < 0 ||
	    wanted(x, index, uids, indexes, &n, &to, e) < 0)
		return -1;
	in = store_fetch_open(x->view, uids, n, STORE_WANT_STRUCTURE);
	while ((rc = store_fetch_next(in, &m, e)) == 1) {
		while (uids[i] != m.uid) /* purged */
			i++;
		if ((rc = add_message(x, &m, indexes[i], e)) < 0)
			break;
		if (x->octets >= BATCH_OCTETS) {
			to = indexes[i] + 1;
			break;
		}
	}
	store_fetch_close(in);
	if (rc < 0)
		return -1;
	x->done = to == x->view->n ? x->view->uidnext - 1 : store_rec(x->view, to - 1)->uid;
	return 0;
}

static int
write_batch(struct indexing *x, struct err *e)
{
	struct fts *f = x->f;

	if (write_run(x, e) < 0 || fts_exec(f, e, "UPDATE meta SET next = %llu, modseq = max(modseq, %llu)",
				       (unsigned long long)f->next, (unsigned long long)x->modseq) < 0)
		return -1;
	return fts_exec(f, e, "INSERT OR REPLACE INTO mailbox (id, uidvalidity, done) VALUES (%llu, %u, %u)",
	    (unsigned long long)x->view->mailbox, x->view->uidvalidity, x->done);
}

/* The transaction is over, and with it what f knows of runs; the next batch of the mailbox needs them no more. */
static int
end_batch(struct indexing *x, int rc, struct err *e)
{
	close_shard(x);
	if (rc == 0)
		rc = fts_exec(x->f, e, "COMMIT");
	if (rc < 0) {
		sqlite3_exec(x->f->db, "ROLLBACK", NULL, NULL, NULL);
		x->f->mailbox = 0;
		return -1;
	}
	x->next = x->f->next;
	x->out->octets += x->octets;
	return 0;
}

static int
batch(struct indexing *x, struct err *e)
{
	int rc;

	x->octets = 0;
	if (fts_exec(x->f, e, "BEGIN IMMEDIATE") < 0)
		return -1;
	rc = take_up(x, e);
	if (rc == 0)
		rc = add_messages(x, e);
	if (rc == 0)
		rc = write_batch(x, e);
	return end_batch(x, rc, e);
}

/* ---- a mailbox, all mailboxes */

/* 1: out of time; 0; -1. */
static int
walk(struct indexing *x, uint64_t mailbox, struct err *e)
{
	struct store_usage now = { 0 };
	int rc = 0;

	x->view = store_view_open(x->f->st, mailbox, true, e);
	if (x->view == NULL) {
		if (store_why(x->f->st) != STORE_NONEXISTENT && store_why(x->f->st) != STORE_CANNOT)
			return -1;
		err_clear(e); /* deleted a moment ago */
		return 0;
	}
	rc = store_usage(x->f->st, &now, e);
	x->modseq = now.modseq;
	x->done = 0;
	x->f->mailbox = 0;
	while (rc == 0 && (x->f->mailbox == 0 || x->done + 1 < x->view->uidnext)) {
		rc = batch(x, e);
		if (rc == 0 && clock_mono_ms() >= x->until_ms)
			rc = 1;
	}
	store_view_close(x->view);
	x->view = NULL;
	return rc;
}

/* Where indexing goes on in a mailbox; runs of another life of its name are dropped. */
static int
progress(struct fts *f, const struct store_mailbox *m, uint32_t *done, struct err *e)
{
	sqlite3_stmt *q = fts_query(
	    f, e, "SELECT uidvalidity, done FROM mailbox WHERE id = %llu", (unsigned long long)m->id);
	int rc = fts_row(f, q, e);
	bool same = rc == 1 && db_num32(q, 0) == m->uidvalidity;

	*done = same ? db_num32(q, 1) : 0;
	sqlite3_finalize(q);
	if (rc <= 0 || same)
		return rc < 0 ? -1 : 0;
	if (fts_exec(f, e, "BEGIN IMMEDIATE") < 0)
		return -1;
	if (fts_exec(f, e, "DELETE FROM run WHERE id BETWEEN %llu AND %llu",
		(unsigned long long)key_of(m->id, 0), (unsigned long long)key_of(m->id, UINT32_MAX)) < 0 ||
	    fts_exec(f, e, "DELETE FROM mailbox WHERE id = %llu", (unsigned long long)m->id) < 0) {
		sqlite3_exec(f->db, "ROLLBACK", NULL, NULL, NULL);
		return -1;
	}
	return fts_exec(f, e, "COMMIT");
}

static bool
indexable(const struct store_mailbox *m)
{
	return m->id != 0 && !m->noselect;
}

static uint64_t
messages_of(const struct store_mailbox *m, size_t n)
{
	uint64_t all = 0;

	for (size_t i = 0; i < n; i++)
		all += indexable(&m[i]) ? m[i].exists : 0;
	return all;
}

static int
walk_all(struct indexing *x, struct err *e)
{
	struct store_mailbox *m;
	size_t n;
	int rc = 0;

	if (store_list(x->f->st, &m, &n, x->a, e) < 0)
		return -1;
	if (messages_of(m, n) < x->limits->messages_min)
		return 0;
	for (size_t i = 0; i < n && rc == 0; i++) {
		uint32_t done;

		if (!indexable(&m[i]))
			continue;
		rc = progress(x->f, &m[i], &done, e);
		if (rc == 0 && done + 1 < m[i].uidnext)
			rc = walk(x, m[i].id, e);
	}
	return rc;
}

int
fts_index(struct fts *f, const struct fts_limits *limits, struct fts_progress *out, struct err *e)
{
	struct indexing x = {
		.f = f, .limits = limits, .out = out, .until_ms = clock_mono_ms() + limits->step_ms
	};
	struct err full = { 0 };
	int rc;

	need(!f->reading);
	*out = (struct fts_progress){ 0 };
	if (store_space(f->st, ROOM, limits->space_min, &full) < 0) {
		out->full = true;
		return 0;
	}
	x.text.max = limits->text_max;
	x.a = arena_new(64 << 20);
	for (size_t i = 0; i < 2; i++)
		buf_init(&x.text.part[i], SIZE_MAX / 2); /* bounded by text.max */
	rc = walk_all(&x, e);
	if (rc == 0)
		rc = fts_merge(f, x.until_ms, e);
	for (size_t i = 0; i < 2; i++)
		buf_free(&x.text.part[i]);
	arena_free(x.a);
	f->mailbox = 0;
	return rc;
}
