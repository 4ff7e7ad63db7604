/* fts_sweep.c - letting go what no message has any more; how far the index is. */
#include <stdlib.h>

#include "base/mem.h"
#include "store/fts_inside.h"
#include "store/inside.h"

enum { PIECE = 1024 }; /* records looked at a time */

struct sweep {
	struct fts *f;
	struct store_mailbox *mailboxes; /* that are there */
	size_t n;
	uint64_t next;
	uint8_t *live; /* a bit a text */
};

/* ---- what is there */

/* The texts of messages that are in a mailbox. In a reading transaction. */
static int
mark_view(struct sweep *s, struct store_view *v, struct err *e)
{
	for (uint32_t from = 0, n; from < v->n; from += n) {
		n = v->n - from < PIECE ? v->n - from : PIECE;
		store_view_trim(v);
		if (store_view_load(v, from, n, e) < 0)
			return -1;
		for (uint32_t i = from; i < from + n; i++) {
			uint32_t uid = store_rec(v, i)->uid;
			const struct fts_run *r = fts_run_of(s->f, uid);
			uint64_t doc = r != NULL ? r->doc + (uid - r->first) : 0;

			if (r != NULL && doc < s->next)
				s->live[doc / 8] |= (uint8_t)(1U << doc % 8);
		}
	}
	return 0;
}

static int
mark_mailbox(struct sweep *s, const struct store_mailbox *m, struct err *e)
{
	struct store_view *v;
	int rc;

	if (m->id == 0 || m->noselect)
		return 0;
	if (fts_runs_load(s->f, m->id, m->uidvalidity, e) < 0)
		return -1;
	if (s->f->runs == 0)
		return 0;
	if ((v = store_view_open(s->f->st, m->id, true, e)) == NULL) {
		if (store_why(s->f->st) != STORE_NONEXISTENT && store_why(s->f->st) != STORE_CANNOT)
			return -1;
		err_clear(e);
		return 0;
	}
	rc = mark_view(s, v, e);
	store_view_close(v);
	return rc;
}

static int
mark(struct sweep *s, struct err *e)
{
	int rc = fts_begin(s->f, e);

	s->next = s->f->next;
	s->live = mem_zero(s->next / 8 + 1, 1);
	for (size_t i = 0; i < s->n && rc == 0; i++)
		rc = mark_mailbox(s, &s->mailboxes[i], e);
	fts_end(s->f);
	return rc;
}

/* ---- what is not */

static bool
is_there(const struct sweep *s, uint64_t id, uint32_t uidvalidity)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->mailboxes[i].id == id)
			return s->mailboxes[i].uidvalidity == uidvalidity;
	return false;
}

/* Rows and runs of mailboxes that are no more, one after the other. 1: there was one. */
static int
drop_mailbox(struct sweep *s, struct err *e)
{
	sqlite3_stmt *q = fts_query(s->f, e, "SELECT id, uidvalidity FROM mailbox");
	uint64_t id = 0;
	int rc;

	while ((rc = fts_row(s->f, q, e)) == 1) {
		id = db_num(q, 0);
		if (!is_there(s, id, db_num32(q, 1)))
			break;
	}
	sqlite3_finalize(q);
	if (rc <= 0)
		return rc;
	if (fts_exec(s->f, e, "DELETE FROM run WHERE id BETWEEN %llu AND %llu",
		(unsigned long long)key_of(id, 0), (unsigned long long)key_of(id, UINT32_MAX)) < 0 ||
	    fts_exec(s->f, e, "DELETE FROM mailbox WHERE id = %llu", (unsigned long long)id) < 0)
		return -1;
	return 1;
}

/*
 * What had its text there has none now: indexing goes back to the first of these messages. Numbers go on behind the
 * shard, so that one that is there was never dropped.
 */
static int
drop_shard(struct fts *f, uint64_t shard, struct err *e)
{
	unsigned long long k = shard, first = shard * f->shard_texts, last = first + f->shard_texts - 1;

	if (fts_exec(f, e,
		"UPDATE mailbox SET done = min(done, ifnull((SELECT min(run.id) FROM run WHERE"
		" run.id BETWEEN mailbox.id << 32 AND (mailbox.id << 32) + 4294967295"
		" AND run.doc BETWEEN %llu AND %llu) & 4294967295, done + 1) - 1)",
		first, last) < 0 ||
	    fts_exec(f, e, "DELETE FROM run WHERE doc BETWEEN %llu AND %llu", first, last) < 0 ||
	    fts_exec(f, e, "UPDATE meta SET next = max(next, %llu)", last + 1) < 0)
		return -1;
	if (fts_exec(f, e, "DROP TABLE h_%llu", k) < 0 || fts_exec(f, e, "DROP TABLE b_%llu", k) < 0)
		return -1;
	return fts_exec(f, e, "DELETE FROM shard WHERE id = %llu", k);
}

static uint64_t
garbage(const struct sweep *s, uint64_t shard, uint64_t *live)
{
	uint64_t size = s->f->shard_texts, from = shard * size,
		 to = from + size < s->next ? from + size : s->next;

	*live = 0;
	for (uint64_t i = from; i < to; i++)
		*live += s->live[i / 8] >> i % 8 & 1;
	return to > from ? to - from - *live : 0;
}

/* In a transaction that writes. */
static int
drop_shards(struct sweep *s, uint64_t garbage_min, struct err *e)
{
	uint64_t last, live;
	int dropped = 0;

	if (fts_number(s->f, 0, &last, e, "SELECT max(id) FROM shard") < 0)
		return -1;
	for (uint64_t k = 0; k <= last; k++) {
		uint64_t there, dead = garbage(s, k, &live);

		if (dead <= live || dead < garbage_min)
			continue;
		if (fts_number(s->f, 0, &there, e, "SELECT count(*) FROM shard WHERE id = %llu",
			(unsigned long long)k) < 0)
			return -1;
		if (there == 0)
			continue;
		if (drop_shard(s->f, k, e) < 0)
			return -1;
		dropped++;
	}
	return dropped;
}

int
fts_sweep(struct fts *f, uint64_t garbage_min, struct err *e)
{
	struct arena *a = arena_new(64 << 20);
	struct sweep s = { .f = f };
	int rc = store_list(f->st, &s.mailboxes, &s.n, a, e), dropped = -1;

	if (rc == 0)
		rc = mark(&s, e);
	if (rc == 0 && (rc = fts_exec(f, e, "BEGIN IMMEDIATE")) == 0) {
		while ((rc = drop_mailbox(&s, e)) == 1)
			continue;
		if (rc == 0)
			rc = dropped = drop_shards(&s, garbage_min, e);
		if (rc >= 0)
			rc = fts_exec(f, e, "COMMIT");
		if (rc < 0)
			sqlite3_exec(f->db, "ROLLBACK", NULL, NULL, NULL);
	}
	f->mailbox = 0;
	free(s.live);
	arena_free(a);
	return rc < 0 ? -1 : dropped;
}

static int
clear(struct fts *f, struct err *e)
{
	uint64_t shard;

	for (;;) {
		if (fts_number(f, UINT64_MAX, &shard, e, "SELECT id FROM shard LIMIT 1") < 0)
			return -1;
		if (shard == UINT64_MAX)
			break;
		if (drop_shard(f, shard, e) < 0)
			return -1;
	}
	return fts_exec(f, e, "DELETE FROM run") < 0 ? -1 : fts_exec(f, e, "DELETE FROM mailbox");
}

int
fts_clear(struct fts *f, struct err *e)
{
	int rc;

	need(!f->reading);
	if (fts_exec(f, e, "BEGIN IMMEDIATE") < 0)
		return -1;
	if ((rc = clear(f, e)) == 0)
		rc = fts_exec(f, e, "COMMIT");
	if (rc < 0)
		sqlite3_exec(f->db, "ROLLBACK", NULL, NULL, NULL);
	f->mailbox = 0;
	return rc;
}

/* ---- how far it is */

/* Numbers that were given out of shards that are there. */
static int
texts_kept(struct fts *f, struct fts_status *out, struct err *e)
{
	uint64_t next;
	sqlite3_stmt *q;
	int rc;

	if (fts_number(f, 1, &next, e, "SELECT next FROM meta") < 0)
		return -1;
	q = fts_query(f, e, "SELECT id FROM shard");
	while ((rc = fts_row(f, q, e)) == 1) {
		uint64_t from = db_num(q, 0) * f->shard_texts, to = from + f->shard_texts;

		from = from == 0 ? 1 : from;
		to = to < next ? to : next;
		out->texts += to > from ? to - from : 0;
		out->shards++;
	}
	sqlite3_finalize(q);
	return rc;
}

int
fts_status(struct fts *f, struct fts_status *out, struct arena *a, struct err *e)
{
	struct sweep s = { .f = f };
	uint64_t pages, size, covered;

	*out = (struct fts_status){ 0 };
	if (store_list(f->st, &s.mailboxes, &s.n, a, e) < 0)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		const struct store_mailbox *m = &s.mailboxes[i];

		if (m->id == 0 || m->noselect)
			continue;
		out->messages += m->exists;
		if (fts_number(f, 0, &covered, e,
			"SELECT sum(n) FROM run WHERE id BETWEEN %llu AND %llu AND"
			" (SELECT uidvalidity FROM mailbox WHERE id = %llu) = %u",
			(unsigned long long)key_of(m->id, 0), (unsigned long long)key_of(m->id, UINT32_MAX),
			(unsigned long long)m->id, m->uidvalidity) < 0)
			return -1;
		out->covered += covered;
	}
	if (texts_kept(f, out, e) < 0 || fts_number(f, 0, &pages, e, "PRAGMA page_count") < 0 ||
	    fts_number(f, 0, &size, e, "PRAGMA page_size") < 0)
		return -1;
	out->octets = pages * size;
	return 0;
}
