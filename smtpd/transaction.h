/*
 * transaction.h - one mail transaction: from MAIL to the end of the data, or RSET (RFC 5321, 4.1.1).
 *
 * Recipients are kept as they go into the spool file's trailer. Each final target is there once, however many
 * addresses led to it: local ones are compared by owner and folder, remote ones by address.
 */
#ifndef SMTPD_TRANSACTION_H
#define SMTPD_TRANSACTION_H

#include "ipc/authd.h"
#include "smtp/data.h"
#include "spool/spool.h"

struct transaction {
	struct arena *a; /* emptied when the transaction ends */
	bool open;       /* MAIL was accepted */
	struct id mid;
	int file; /* the queue's, borrowed from peers */

	/* MAIL */
	struct span from, ret, envid;
	bool utf8;
	uint64_t declared; /* SIZE; 0: not said */

	/* RCPT */
	struct span *asked;       /* addresses as accepted, one for each RCPT answered 250 */
	struct spool_rcpt *rcpts; /* final targets */
	size_t nasked, asked_cap, nrcpts, rcpts_cap;
	struct buf targets;          /* list of queue_target, one for each of rcpts */
	struct authd_target *finals; /* one for each of rcpts */
	size_t finals_cap;
	uint32_t *seen; /* hash table of 1 + index into finals; 0: empty */
	size_t seen_cap;
	unsigned char seen_key[16];
	size_t budget; /* octets that trailer and targets may still take */

	/* DATA, BDAT */
	struct spool_writer *writer;
	struct data_lexer lexer;
	struct header_scan scan;
	uint64_t received;                /* octets of the client's text */
	uint64_t arrived_ms, deadline_ms; /* of the wall; monotonic */
	bool chunking;                    /* BDAT has begun */
	bool too_large;
	struct err failed; /* the spool can't take it; the rest of the text is read and dropped */
};

void transaction_init(struct transaction *t);
void transaction_clear(struct transaction *t); /* as after RSET; memory is kept for the next */
void transaction_done(struct transaction *t);

/* RCPT was accepted as `asked`. */
void transaction_asked(struct transaction *t, struct span asked);

/*
 * Add a final target with what RCPT gave. 0, also when it is there already; -1 when a message may not have
 * more (ERR_PEER). Copies the target; orig, orcpt and notify are in t->a already, and
 * shared by the targets of one RCPT.
 */
int transaction_target(struct transaction *t, const struct authd_target *target, struct span orig,
    struct span orcpt, struct span notify, struct err *e);

/* Before the targets of a RCPT are added; and to take them back, because it is refused after all. */
struct transaction_mark {
	size_t nrcpts, targets, budget;
};
struct transaction_mark transaction_mark(const struct transaction *t);
void transaction_back(struct transaction *t, struct transaction_mark to);

#endif
