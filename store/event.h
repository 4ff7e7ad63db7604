/*
 * event.h - what happened lately to the names of mailboxes, to subscriptions and to annotations, for those who want to be
 * told (NOTIFY, RFC 5465; unsolicited METADATA, RFC 5464, 4.4.2). What happens to messages is known by modification
 * sequences instead.
 *
 * The table `event` has the last STORE_EVENTS of an owner, each written in the transaction that did it, with that one's
 * modseq.
 */
#ifndef STORE_EVENT_H
#define STORE_EVENT_H

#include "store/store.h"

enum { STORE_EVENTS = 256 };

enum store_event_kind {
	STORE_EVENT_NAME = 1,    /* made, deleted, or made selectable: `name` */
	STORE_EVENT_RENAMED = 2, /* `name` was `other`; mailboxes below it moved with it */
	STORE_EVENT_SUBSCRIPTION = 3,
	STORE_EVENT_ANNOTATION = 4, /* entry `other` of `mailbox` (0: the server) of `who` */
};

struct store_event {
	enum store_event_kind kind;
	uint64_t mailbox; /* of an annotation */
	struct span name, other, who;
	struct span by; /* the session that did it: store_acts_for() */
};

/*
 * What happened after `modseq`, in that order, in the arena. *whole: nothing is missing; else some of it was so long ago
 * that it is forgotten.
 */
int store_events(struct store *st, uint64_t modseq, struct store_event **out, size_t *n, bool *whole,
    struct arena *a, struct err *e);

/* All that this store does from here on is done by that session (at most 63 octets; longer is cut). */
void store_acts_for(struct store *st, struct span session);

/*
 * What became of the messages of a mailbox after `modseq`: came or went, or changed their flags? At the price of what did,
 * and of a look at the last message.
 */
struct store_stir {
	bool messages, flags;
};
int store_stir(struct store *st, uint64_t mailbox, uint64_t modseq, struct store_stir *out, struct err *e);

#endif
