/*
 * quota.c - limits, of the owner and of folder trees (RFC 9208).
 *
 * What the owner uses is counted in the store's own row, what a tree uses is the sum over its mailboxes' counters, both
 * in the transaction that changes them: so they are exact, and there is nothing to repair.
 */
#include "store/inside.h"

void
store_quota(struct store *st, uint64_t bytes, uint64_t messages)
{
	st->quota_bytes = bytes;
	st->quota_messages = messages;
	st->quota_told = true;
}

/* Who only looks need not ask what the limits are: they stand in the row. */
void
quota_note(struct store *st)
{
	struct state *s = &st->state;

	if (!st->quota_told || (s->limit_bytes == st->quota_bytes && s->limit_messages == st->quota_messages))
		return;
	s->limit_bytes = st->quota_bytes;
	s->limit_messages = st->quota_messages;
	s->dirty = true;
}

void
store_limits(const struct store *st, uint64_t *bytes, uint64_t *messages)
{
	*bytes = st->quota_bytes;
	*messages = st->quota_messages;
}

static bool
over(uint64_t limit, uint64_t used, uint64_t more)
{
	return limit != 0 && (used > limit || more > limit - used);
}

/* A row of TREE_* columns; its name in the arena. */
static struct store_tree
tree_of(sqlite3_stmt *q, struct arena *a)
{
	return (struct store_tree){
		.mailbox = db_num(q, 0),
		.name = arena_dup(a, db_text(q, 1)),
		.bytes = db_num(q, 2),
		.messages = db_num(q, 3),
	};
}

/* What the mailboxes of a tree hold; those that this transaction has opened are written first. */
static int
tree_used(struct store *st, struct store_tree *t, struct err *e)
{
	sqlite3_stmt *q;
	int rc;

	if (st->tx != TX_READ && mbox_write_all(st, e) < 0)
		return -1;
	q = db_open_query(st, Q_TREE_USED, e, B_TEXT(t->name));
	if ((rc = db_row(st, q, e)) == 1) {
		t->used_bytes = db_num(q, 0);
		t->used_messages = db_num(q, 1);
	}
	db_done(q);
	return rc < 0 ? -1 : 0;
}

/* The trees that a mailbox is in, in a transaction; with what they hold. */
static int
trees_of(
    struct store *st, uint64_t mailbox, struct store_tree **out, size_t *n, struct arena *a, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_TREES_OF, e, B_NUM(mailbox));
	size_t i = 0;
	int rc;

	*out = arena_array(a, STORE_DEPTH_MAX + 1, sizeof **out);
	while (i <= STORE_DEPTH_MAX && (rc = db_row(st, q, e)) == 1)
		(*out)[i++] = tree_of(q, a);
	db_done(q);
	*n = i;
	for (size_t k = 0; k < i && rc >= 0; k++)
		rc = tree_used(st, &(*out)[k], e);
	return rc < 0 ? -1 : 0;
}

static int
trees_check(struct store *st, uint64_t to, uint64_t from, uint64_t bytes, uint64_t messages, struct err *e)
{
	struct arena *a = arena_new(1 << 20);
	struct store_tree *in, *out;
	size_t n, left = 0;
	int rc = trees_of(st, to, &in, &n, a, e);

	if (rc == 0 && from != 0)
		rc = trees_of(st, from, &out, &left, a, e);
	for (size_t i = 0; i < n && rc == 0; i++) {
		bool inside = false; /* it comes from the same tree, which grows by nothing */

		for (size_t k = 0; k < left; k++)
			inside |= out[k].mailbox == in[i].mailbox;
		if (!inside && (over(in[i].bytes, in[i].used_bytes, bytes) ||
				   over(in[i].messages, in[i].used_messages, messages)))
			rc = store_fail(st, STORE_OVERQUOTA, e, ERR_TEMP, "\"%.*s\" is over its quota",
			    SPAN_ARG(span_head(in[i].name, 200)));
	}
	arena_free(a);
	return rc;
}

int
quota_check(struct store *st, uint64_t to, uint64_t from, uint64_t bytes, uint64_t messages, struct err *e)
{
	if (from == 0 && (over(st->quota_bytes, st->state.bytes, bytes) ||
			     over(st->quota_messages, st->state.messages, messages)))
		return store_fail(st, STORE_OVERQUOTA, e, ERR_TEMP, "over quota");
	return st->state.trees == 0 ? 0 : trees_check(st, to, from, bytes, messages, e);
}

int
store_usage(struct store *st, struct store_usage *out, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_STATE, e);
	int rc = db_row(st, q, e);

	if (rc == 1)
		*out = (struct store_usage){ db_num(q, 3), db_num(q, 4), db_num(q, 0), db_num(q, 7),
			db_num(q, 8) };
	db_done(q);
	return rc == 1 ? 0 : rc < 0 ? -1 : store_damaged(st, e, "the store has lost its own row");
}

int
store_room(struct store *st, uint64_t mailbox, uint64_t bytes, uint64_t messages, struct err *e)
{
	int rc;

	if (tx_begin(st, TX_READ, e) < 0)
		return -1;
	rc = state_read(st, e);
	if (rc == 0)
		rc = quota_check(st, mailbox, 0, bytes, messages, e);
	return tx_end(st, rc, e);
}

/* ---- trees */

int
store_tree_list(
    struct store *st, uint64_t mailbox, struct store_tree **out, size_t *n, struct arena *a, struct err *e)
{
	sqlite3_stmt *q;
	int64_t count = 0;
	size_t i = 0;
	int rc;

	*n = 0;
	if (tx_begin(st, TX_READ, e) < 0)
		return -1;
	if (mailbox != 0)
		return tx_end(st, trees_of(st, mailbox, out, n, a, e), e);
	rc = db_one(st, db_open_query(st, Q_TREE_COUNT, e), 0, &count, e);
	*out = arena_array(a, (size_t)count, sizeof **out);
	q = rc < 0 ? NULL : db_open_query(st, Q_TREE_ALL, e);
	while (rc >= 0 && i < (size_t)count && (rc = db_row(st, q, e)) == 1)
		(*out)[i++] = tree_of(q, a);
	db_done(q);
	for (size_t k = 0; k < i && rc >= 0; k++)
		rc = tree_used(st, &(*out)[k], e);
	*n = i;
	return tx_end(st, rc < 0 ? -1 : 0, e);
}

int
store_tree_set(struct store *st, uint64_t mailbox, uint64_t bytes, uint64_t messages, struct err *e)
{
	int64_t count = 0;
	int rc;

	if (tx_begin(st, TX_DURABLE, e) < 0)
		return -1;
	rc = mbox_open(st, mailbox, e) == NULL ? -1 : 0;
	if (rc == 0 && bytes == 0 && messages == 0)
		rc = db_run(st, Q_TREE_DROP, e, B_NUM(mailbox));
	else if (rc == 0)
		rc = db_run(st, Q_TREE_SET, e, B_NUM(mailbox), B_NUM(bytes), B_NUM(messages));
	if (rc == 0 && (rc = db_one(st, db_open_query(st, Q_TREE_COUNT, e), 0, &count, e)) == 0) {
		st->state.trees = (uint64_t)count;
		st->state.dirty = true;
	}
	return tx_end(st, rc, e);
}

/* ---- warnings */

static uint64_t
percent(uint64_t used, uint64_t limit)
{
	if (limit == 0)
		return 0;
	return used >= limit ? 100 : used > UINT64_MAX / 100 ? used / (limit / 100 + 1) : used * 100 / limit;
}

uint32_t
store_quota_level(uint64_t used_bytes, uint64_t bytes, uint64_t used_messages, uint64_t messages)
{
	uint64_t b = percent(used_bytes, bytes), m = percent(used_messages, messages);

	return (uint32_t)(b > m ? b : m);
}

uint32_t
store_quota_crossed(struct store *st, const uint32_t *percents, size_t n, struct store_usage *usage)
{
	struct state *s = &st->state;
	uint32_t level = store_quota_level(s->bytes, st->quota_bytes, s->messages, st->quota_messages),
		 warn = 0;

	need(st->tx != TX_NONE && st->tx != TX_READ);
	*usage = (struct store_usage){ s->bytes, s->messages, s->modseq, st->quota_bytes,
		st->quota_messages };
	for (size_t i = 0; i < n; i++)
		if (percents[i] <= level && percents[i] > warn)
			warn = percents[i];
	if (warn == s->warned)
		return 0;
	level = warn > s->warned ? warn : 0;
	s->warned = warn; /* below it again: the next time counts */
	s->dirty = true;
	return level;
}

/* ---- what an EXPUNGE would free */

int
store_deleted_bytes(struct store *st, const struct store_mailbox *box, uint64_t *bytes, struct err *e)
{
	uint64_t key = key_of(box->id, 0);
	struct chunk c;
	int rc = 0;

	*bytes = box->deleted > 0 && box->deleted == box->exists ? box->bytes : 0;
	if (box->deleted == 0 || box->deleted == box->exists)
		return 0;
	if (tx_begin(st, TX_READ, e) < 0)
		return -1;
	while ((rc = chunk_after(st, box->id, key, &c, e)) == 1) {
		for (uint32_t i = 0; i < c.n; i++)
			if (deleted_of(&c.rec[i]))
				*bytes += c.rec[i].size;
		key = c.key;
	}
	return tx_end(st, rc, e);
}
