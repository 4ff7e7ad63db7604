/*
 * uidl.c - unique ids of POP3 that came with a message from another server (RFC 1939, 7): so that nobody downloads a
 * mailbox again because it moved. Messages of our own have none here: pop3d makes theirs of numbers.
 */
#include "store/inside.h"

bool
store_uidl_valid(struct span text)
{
	if (text.n == 0 || text.n > STORE_UIDL_MAX)
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < 0x21 || text.p[i] > 0x7e)
			return false;
	return true;
}

static int
set_all(struct store *st, uint64_t mailbox, const struct store_uidl *u, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (!store_uidl_valid(u[i].text))
			return store_fail(st, STORE_CANNOT, e, ERR_PERM,
			    "a unique id has 1 to %d characters that can be seen", STORE_UIDL_MAX);
		if (db_run(st, Q_UIDL_SET, e, B_NUM(key_of(mailbox, u[i].uid)), B_TEXT(u[i].text)) < 0)
			return -1;
	}
	return 0;
}

int
store_uidl_set(struct store *st, uint64_t mailbox, const struct store_uidl *u, size_t n, struct err *e)
{
	if (tx_begin(st, TX_DURABLE, e) < 0)
		return -1;
	return tx_end(st, set_all(st, mailbox, u, n, e), e);
}

int
store_uidl_list(
    struct store *st, uint64_t mailbox, struct store_uidl **out, size_t *n, struct arena *a, struct err *e)
{
	struct bind from = B_NUM(key_of(mailbox, 0)), to = B_NUM(key_of(mailbox, UINT32_MAX));
	sqlite3_stmt *q;
	int64_t count = 0;
	size_t i = 0;
	int rc;

	if (tx_begin(st, TX_READ, e) < 0)
		return -1;
	rc = db_one(st, db_open_query(st, Q_UIDL_COUNT, e, from, to), 0, &count, e);
	*out = arena_array(a, (size_t)count, sizeof **out);
	q = rc < 0 ? NULL : db_open_query(st, Q_UIDL_ALL, e, from, to);
	while (rc >= 0 && i < (size_t)count && (rc = db_row(st, q, e)) == 1)
		(*out)[i++] = (struct store_uidl){ (uint32_t)db_num(q, 0), arena_dup(a, db_text(q, 1)) };
	db_done(q);
	*n = i;
	return tx_end(st, rc < 0 ? -1 : 0, e);
}
