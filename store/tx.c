/* tx.c - transactions: what they read first, and write last. */
#include <unistd.h>

#include "store/dir.h"
#include "store/inside.h"

int
state_read(struct store *st, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_STATE, e);
	int rc = db_row(st, q, e);

	if (rc == 1) {
		st->state.modseq = db_num(q, 0);
		st->state.modseq_reserved = db_num(q, 1);
		st->state.uidvalidity = db_num32(q, 2);
		st->state.bytes = db_num(q, 3);
		st->state.messages = db_num(q, 4);
		st->state.trees = db_num(q, 5);
		st->state.warned = db_num32(q, 6);
		st->state.limit_bytes = db_num(q, 7);
		st->state.limit_messages = db_num(q, 8);
		st->state.dirty = false;
	}
	db_done(q);
	return rc == 0 ? store_damaged(st, e, "the store has lost its own row") : rc < 0 ? -1 : 0;
}

static int
write_state(struct store *st, struct err *e)
{
	struct state *s = &st->state;

	quota_note(st);
	if (!s->dirty)
		return 0;
	if (st->tx == TX_DURABLE && s->modseq_reserved < s->modseq)
		s->modseq_reserved = s->modseq;
	s->dirty = false;
	return db_run(st, Q_STATE_SET, e, B_NUM(s->modseq), B_NUM(s->modseq_reserved), B_NUM(s->uidvalidity),
	    B_NUM(s->bytes), B_NUM(s->messages), B_NUM(s->trees), B_NUM(s->warned), B_NUM(s->limit_bytes),
	    B_NUM(s->limit_messages));
}

/* FULL: SQLite syncs the WAL before a commit shows. NORMAL: only before a checkpoint. */
static int
set_synchronous(struct store *st, bool full, struct err *e)
{
	if (st->full == full)
		return 0;
	if (db_exec(st, full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", e) < 0)
		return -1;
	st->full = full;
	return 0;
}

static int
begin_write(struct store *st, enum tx_kind kind, struct err *e)
{
	if (set_synchronous(st, kind == TX_DURABLE, e) < 0 || db_run(st, Q_BEGIN_WRITE, e) < 0)
		return -1;
	st->tx = kind;
	st->tx_modseq = 0;
	return 0;
}

int
tx_begin_upgrade(struct store *st, struct err *e)
{
	need(st->tx == TX_NONE);
	st->state = (struct state){ 0 };
	return begin_write(st, TX_DURABLE, e);
}

int
tx_begin(struct store *st, enum tx_kind kind, struct err *e)
{
	if (kind == TX_READ && st->tx != TX_NONE) {
		if (st->tx != TX_READ && mbox_write_all(st, e) < 0)
			return -1;
		st->depth++;
		return 0;
	}
	need(st->tx == TX_NONE);
	if (kind == TX_READ) {
		if (db_run(st, Q_BEGIN, e) < 0)
			return -1;
		st->tx = kind;
		return 0;
	}
	if (begin_write(st, kind, e) < 0)
		return -1;
	if (state_read(st, e) < 0) {
		tx_rollback(st);
		return -1;
	}
	return 0;
}

static void
forget(struct store *st)
{
	mbox_forget_all(st);
	dir_forget(st);
	st->nlinks = 0;
	st->owed = false;
	st->tx = TX_NONE;
	st->depth = 0;
}

int
tx_commit(struct store *st, struct err *e)
{
	if (st->depth > 0) {
		st->depth--;
		return 0;
	}
	need(st->tx != TX_NONE);
	if (st->tx != TX_READ && (mbox_write_all(st, e) < 0 || write_state(st, e) < 0)) {
		tx_rollback(st);
		return -1;
	}
	if (db_run(st, Q_COMMIT, e) < 0) {
		tx_rollback(st);
		return -1;
	}
	if (st->owed)
		st->unsynced = true;
	forget(st);
	return 0;
}

/*
 * SQLite may have rolled back by itself (no space, I/O error); then its ROLLBACK fails, and that is fine.
 * Links whose rows will never be are removed; if this process dies before, the check finds them.
 */
void
tx_rollback(struct store *st)
{
	if (st->depth > 0) {
		st->depth--;
		return;
	}
	for (enum query q = 0; q < QUERIES; q++)
		db_done(st->stmt[q]);
	if (sqlite3_get_autocommit(st->db) == 0)
		db_run(st, Q_ROLLBACK, NULL);
	for (size_t i = 0; i < st->nlinks; i++)
		unlinkat(st->msg, st->links[i].s, 0);
	forget(st);
}

int
tx_end(struct store *st, int rc, struct err *e)
{
	if (rc >= 0)
		return tx_commit(st, e) < 0 ? -1 : rc;
	tx_rollback(st);
	return -1;
}

void
tx_linked(struct store *st, const struct id *file)
{
	if (st->nlinks == st->links_cap) {
		st->links_cap = st->links_cap != 0 ? st->links_cap * 2 : 16;
		st->links = mem_resize(st->links, st->links_cap * sizeof *st->links);
	}
	st->links[st->nlinks++] = *file;
}

int
store_read_begin(struct store *st, struct err *e)
{
	return tx_begin(st, TX_READ, e);
}

void
store_read_end(struct store *st)
{
	struct err ignored = { 0 };

	if (st->tx != TX_NONE) /* a failure between has ended it already */
		tx_commit(st, &ignored);
}
