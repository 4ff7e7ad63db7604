/*
 * address.h - address lists of headers: RFC 5322, 3.4 and 4.4, with the UTF-8 of RFC 6532.
 *
 * For showing (ENVELOPE) and searching, so tolerant: what cannot be an address is given as one without a
 * host rather than dropped, comments may stand anywhere, a trailing comment is the name when there is no
 * other ("a@b (Name)"). Linear, not recursive; comments may nest to any depth. Safe on any input
 * (t/unit-address.c, fuzz/address.c).
 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include "base/base.h"

enum { ADDRESSES_MAX = 10000 };

enum address_kind {
	ADDRESS_MAILBOX,
	ADDRESS_GROUP,     /* a group starts; its name is in `mailbox` */
	ADDRESS_GROUP_END, /* it ends; all spans are empty */
};

/*
 * Quotes and backslashes are removed, blanks between words are one space. Encoded words are left encoded.
 * Absent parts have p == NULL; an empty local part in quotes has n == 0 and p != NULL.
 */
struct address {
	struct address *next;
	enum address_kind kind;
	struct span name;    /* display name, or the comment behind the address */
	struct span route;   /* "@a,@b" of the obsolete source route (RFC 5322, 4.4) */
	struct span mailbox; /* left of the @ */
	struct span host;    /* right of it: a domain, or a literal with its brackets */
};

/*
 * The addresses of an unfolded or folded value, in order; NULL when there are none. Spans and structs are
 * in `a` or borrow from value. Addresses past ADDRESSES_MAX are left out, which sets *cut (may be NULL).
 */
struct address *address_parse(struct span value, struct arena *a, bool *cut);

#endif
