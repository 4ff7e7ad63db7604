/*
 * expire.c - retention: messages leave a mailbox some time after they came into it.
 *
 * Messages stand in the order in which they came, so the old ones are at the beginning. A clock that was
 * wrong for a while may have put younger ones between them: those behind the first chunk that has no old one
 * wait until it has.
 */
#include <stdlib.h>

#include "store/inside.h"

int
store_expire_of(struct store *st, uint64_t mailbox, uint64_t *ms, struct err *e)
{
	int64_t stored;

	if (db_one(st, db_open_query(st, Q_MAILBOX_EXPIRE, e, B_NUM(mailbox)), 0, &stored, e) < 0)
		return -1;
	*ms = stored < 0 ? UINT64_MAX : (uint64_t)stored;
	return 0;
}

int
store_expire_set(struct store *st, uint64_t mailbox, uint64_t ms, struct err *e)
{
	int64_t stored = ms == UINT64_MAX ? -1 : ms > INT64_MAX ? INT64_MAX : (int64_t)ms;
	int rc;

	if (tx_begin(st, TX_DURABLE, e) < 0)
		return -1;
	rc = mbox_open(st, mailbox, e) == NULL
		 ? -1
		 : db_run(st, Q_MAILBOX_EXPIRE_SET, e, B_NUM(mailbox), B_NUM(stored));
	return tx_end(st, rc, e);
}

/* The uids of the old ones, at most max; the age of the first that is not. */
static int
find_old(struct store *st, uint64_t mailbox, int64_t before_ms, uint32_t *uids, uint32_t max, uint32_t *n,
    int64_t *oldest_ms, struct err *e)
{
	struct chunk c;
	uint64_t key = key_of(mailbox, 0);
	int rc;

	while ((rc = chunk_after(st, mailbox, key, &c, e)) == 1) {
		uint32_t before = *n;

		for (uint32_t i = 0; i < c.n; i++) {
			if (c.rec[i].saved_ms >= before_ms || *n == max) {
				if (c.rec[i].saved_ms < *oldest_ms)
					*oldest_ms = c.rec[i].saved_ms;
			} else {
				uids[(*n)++] = c.rec[i].uid;
			}
		}
		if (*n == max || *n == before)
			break;
		key = c.key;
	}
	return rc < 0 ? -1 : 0;
}

static int
expire(struct store *st, uint64_t mailbox, const uint32_t *uids, uint32_t n, struct store_expunged *out,
    struct err *e)
{
	struct mbox *m = mbox_open(st, mailbox, e);

	if (m == NULL || expunge_uids(st, m, uids, n, &out->n, e) < 0)
		return -1;
	if (out->n > 0)
		out->modseq = m->highestmodseq;
	return 0;
}

int
store_expire(struct store *st, uint64_t mailbox, int64_t before_ms, uint32_t max, struct store_expunged *out,
    int64_t *oldest_ms, struct err *e)
{
	uint32_t *uids = mem_zero(max, sizeof *uids), n = 0;
	int rc;

	*out = (struct store_expunged){ 0 };
	*oldest_ms = INT64_MAX;
	/* Looking needs no lock; who is gone by the time that there is one is passed over. */
	if ((rc = tx_begin(st, TX_READ, e)) == 0)
		rc = tx_end(st, find_old(st, mailbox, before_ms, uids, max, &n, oldest_ms, e), e);
	if (rc == 0 && n > 0 && (rc = tx_begin(st, TX_DURABLE, e)) == 0)
		rc = tx_end(st, expire(st, mailbox, uids, n, out, e), e);
	free(uids);
	return rc;
}
