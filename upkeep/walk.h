/* walk.h - every message of a view, a bounded piece at a time, whatever the mailbox holds. */
#ifndef UPKEEP_WALK_H
#define UPKEEP_WALK_H

#include "store/store.h"

/* Lives until it returns. -1 with *e ends the walk. */
typedef int walk_message(void *arg, const struct store_rec *rec, const struct store_msg *msg, struct err *e);

/* In the order of the mailbox, with what `what` asks for (STORE_WANT_*). Those purged meanwhile are left out. */
int walk(struct store_view *v, unsigned what, walk_message *each, void *arg, struct err *e);

#endif
