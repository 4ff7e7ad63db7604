/*
 * transact.h - one message to one server: RFC 5321, 3.3; LMTP: RFC 2033.
 *
 * What a server does not know is not asked of it:
 *   SIZE       a message larger than it takes is not begun (5.3.4; RFC 1870, 6)
 *   8BITMIME   a message with octets above 127 fails with 5.6.3: RFC 6152, 3, wants either a conversion to 7 bits, or
 *              this. Converting means to parse and change the message, which breaks signatures; servers without
 *              8BITMIME are all but gone.
 *   SMTPUTF8   addresses or header fields that need it fail with 5.6.7, 5.6.9 (RFC 6531, 3.1.1 and 3.6)
 *   DSN        NOTIFY and the like are left out (RFC 3461, 5.2.2), and the queue reports
 */
#ifndef DELIVER_TRANSACT_H
#define DELIVER_TRANSACT_H

#include "base/base.h"
#include "ipc/remote.h"

struct peer;

struct outcome {
	uint32_t index;
	enum err_kind kind;
	struct span status, text;
	bool said; /* by the server, not by us */
};

struct transaction {
	const struct remote_deliver *m;
	struct remote_target *to; /* m->targets */
	struct outcome *out;      /* one for each; kind ERR_NONE with status.n == 0: none yet */
	size_t n;
	struct arena *a;
	bool (*wanted)(void *arg); /* asked before the final dot: is there still somebody to tell? */
	void *arg;
};

/*
 * Fills all outcomes. Returns 0: the connection can be used again; -1: it can't (it may have worked all the same).
 * `again`: nothing was sent that a server could have acted on: the caller may connect anew and repeat.
 */
int transact(struct peer *p, struct transaction *t, bool *again);

#endif
