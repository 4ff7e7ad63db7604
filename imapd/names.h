/* names.h - the names of other owners' mailboxes: which owner, which mailbox of his; and back. */
#ifndef IMAPD_NAMES_H
#define IMAPD_NAMES_H

#include "imapd/session.h"

#define NAMES_USERS  "Other Users"
#define NAMES_SHARED "Shared"

/* A name as the client sends it, taken apart; spans of it. */
struct names_far {
	bool tree;
	struct span who;  /* "bob", "sales"; empty: the name is the name space itself */
	struct span rest; /* "INBOX", "Projects/2026" */
	bool decoded;     /* they are UTF-8, not what the client's wire has */
};

/* Is it in one of the two name spaces? Both are reserved to their last level: no mailbox of one's own is there. */
bool names_far(struct span wire, struct names_far *out);

/* Somebody who shares something with this login. All in the arena. */
struct names_sharer {
	struct span name;   /* what authd calls him: an address, or + and a tree */
	struct span owner;  /* the directory of the store */
	struct span addr;   /* empty for a tree */
	struct span prefix; /* UTF-8: "Other Users/bob" */
};

/* The prefix that such names have, as it is written here if there is such an owner; empty: there can be none. */
struct span names_prefix(struct session *s, const struct names_far *name);

/* Who that is: 1; 0 if there is none, or he shares nothing; -1 ERR_TEMP. */
int names_who(struct session *s, const struct names_far *name, struct names_sharer *out, struct err *e);

/* By both names, as he was told once. False: no mailbox of his has a name. */
bool names_sharer(struct session *s, struct span name, struct span owner, struct names_sharer *out);

/* All who share something, sorted by name. */
int names_sharers(struct session *s, struct names_sharer **out, size_t *n, struct err *e);

/* A name of that owner's as it goes to the client, quoted: behind the prefix, which is UTF-8; INBOX is the prefix alone. */
int names_put(struct session *s, struct span prefix, struct span wire, struct buf *out, struct err *e);

/* At the other end of a link: is that address of the account whose store this is? 1, 0, -1 ERR_TEMP. */
int names_is_owner(struct session *s, struct span addr, struct err *e);

#endif
