/* shares.h - telling authd with whom an owner shares: what a store's ACLs say (authd_shared, a hint there). */
#ifndef IPC_SHARES_H
#define IPC_SHARES_H

#include "ipc/ipc.h"

/*
 * On a channel to authd, which is the caller's. who: identifiers that may see something of the owner's; post: mailboxes
 * that anyone may post to.
 */
int shares_tell(struct ipc *ch, struct span owner, const struct span *who, size_t nwho,
    const struct span *post, size_t npost, struct err *e);

#endif
