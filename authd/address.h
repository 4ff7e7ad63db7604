/*
 * address.h - an address as authd compares it.
 *
 * We own the hosts that we receive for, so we may say that their local parts ignore ASCII case (RFC
 * 5321, 2.4): the key is all lower case. The canonical form keeps the case of the local part, for what goes
 * to other hosts.
 */
#ifndef AUTHD_ADDRESS_H
#define AUTHD_ADDRESS_H

#include "base/base.h"

enum { ADDRESS_MAX = 1024 };

struct address {
	struct span canon;         /* local@domain, the domain in lower case as A-labels */
	struct span key;           /* the same in lower case */
	struct span local, domain; /* of the key; the domain is empty when there was none */
};

/*
 * Take an address without brackets apart. One without @ gets `home` as its domain (none if that is empty).
 * The result is in `a`. 0, or -1 with ERR_PEER.
 */
int address_of(struct span in, struct span home, struct arena *a, struct address *out, struct err *e);

/* user+detail: 1 with the key of user@domain and the detail as it was written, 0 if it has none. */
int address_detail(
    const struct address *in, char delimiter, struct arena *a, struct span *key, struct span *detail);

/*
 * The next address of a list "a@b, c, <d@e>"; *list is moved behind it. 1, 0 at the end, -1 with ERR_PERM for
 * what is no address: programs, files and :include: (they are not addresses, and nothing here runs or opens
 * them).
 */
int address_next(struct span *list, struct span *out, struct err *e);

/*
 * Is the item of a list a mailbox of a shared tree, "Shared/TREE[/MAILBOX]" or the same in quotes (for commas)? Then
 * *item is it without them. An address with such a local part is written with its domain.
 */
#define SHARED_PREFIX "Shared/"
bool shared_target(struct span *item, struct arena *a);

#endif
