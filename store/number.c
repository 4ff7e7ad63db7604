/*
 * number.c - UIDs, modification sequences and UIDVALIDITY: none is ever given out twice.
 *
 * A reader may see a message, and its uid and modseq, as soon as it is committed; a power cut may take an
 * unsynced commit back. So an unsynced transaction gives out numbers only of a block whose end was written by
 * a durable one (invariants 1 and 2 of schema.c); after a start of the machine schema_ready() goes on behind
 * that end.
 */

#include "base/clock.h"
#include "store/inside.h"

uint64_t
number_modseq(struct store *st)
{
	need(st->tx == TX_DURABLE || st->tx == TX_UNSYNCED);
	if (st->tx_modseq == 0) {
		st->tx_modseq = ++st->state.modseq;
		st->state.dirty = true;
	}
	need(st->tx == TX_DURABLE || st->tx_modseq <= st->state.modseq_reserved);
	return st->tx_modseq;
}

static int
reserve(struct store *st, uint64_t mailbox, struct err *e)
{
	struct mbox *m;

	if (tx_begin(st, TX_DURABLE, e) < 0)
		return -1;
	if ((m = mbox_open(st, mailbox, e)) == NULL)
		return tx_end(st, -1, e);
	m->uid_reserved = m->uidnext < UINT32_MAX - UID_BLOCK ? m->uidnext + UID_BLOCK : UINT32_MAX;
	m->dirty = true;
	st->state.modseq_reserved = st->state.modseq + MODSEQ_BLOCK;
	st->state.dirty = true;
	return tx_end(st, 0, e);
}

static bool
used_up(const struct store *st, const struct mbox *m)
{
	return m->uidnext >= m->uid_reserved ||
	       (st->tx_modseq == 0 && st->state.modseq >= st->state.modseq_reserved);
}

int
number_ready(struct store *st, uint64_t mailbox, struct mbox **m, struct err *e)
{
	if ((*m = mbox_open(st, mailbox, e)) == NULL)
		return -1;
	if (st->tx != TX_UNSYNCED || !used_up(st, *m))
		return 0;
	/* Between these another process may use the block up as well: then try again. */
	for (int tries = 0; tries < 16; tries++) {
		if (tx_commit(st, e) < 0 || reserve(st, mailbox, e) < 0 || tx_begin(st, TX_UNSYNCED, e) < 0 ||
		    (*m = mbox_open(st, mailbox, e)) == NULL)
			return -1;
		if (!used_up(st, *m))
			return 0;
	}
	return store_fail(
	    st, STORE_BUSY, e, ERR_TEMP, "numbers are used up faster than they can be reserved");
}

uint32_t
number_uidvalidity(struct store *st)
{
	uint64_t now = clock_wall_ms() / 1000;

	if (now > st->state.uidvalidity && now < UINT32_MAX)
		st->state.uidvalidity = (uint32_t)now;
	else
		st->state.uidvalidity++;
	st->state.dirty = true;
	return st->state.uidvalidity;
}
