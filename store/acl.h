/*
 * acl.h - who may do what with a mailbox (RFC 4314).
 *
 * A mailbox's access control list is a set of entries (who, rights). `who` is as it stands in the table: a login,
 * "group:NAME", "anyone", or "owner" for the owner of the store, whatever his address is; with "-" in front the rights
 * are taken away from those whom the rest means (RFC 4314, 2).
 *
 * What a reader may do is the union of the entries that mean him, less the union of the negative ones. The owner has
 * all rights as long as there is no entry "owner", and l and a in any case: nobody locks himself out. Without entries
 * all others have none.
 *
 * A mailbox takes over the list of its parent when it is made (RFC 4314, 4, CREATE), keeps its own under another name
 * (RENAME), and loses it when it is deleted (DELETE). Each change is a transaction that counts store_acl_number() up,
 * so that other processes notice at the price of one lookup.
 *
 * acltext.c knows the letters and the form of identifiers, and needs no store (t/unit-acl.c, fuzz/acl.c).
 */
#ifndef STORE_ACL_H
#define STORE_ACL_H

#include "store/store.h"

enum {
	STORE_WHO_MAX = 256,     /* octets of an identifier, the "-" included */
	STORE_ENTRIES_MAX = 200, /* of one mailbox */
	STORE_OWNER_ALWAYS = STORE_MAY_LOOKUP | STORE_MAY_ADMIN, /* rights that the owner cannot lose */
};

/* ---- letters */

/*
 * Rights as letters, without + or -. "c" means k and x, "d" means e and t (RFC 4314, 2.1.1: the former of its two
 * groups, which is that of its examples). ERR_PEER with a text for BAD: an unknown letter, one in upper case.
 */
int rights_parse(struct span text, unsigned *rights, struct err *e);

/* The third argument of SETACL: [+-]letters. */
enum acl_op { ACL_SET, ACL_ADD, ACL_REMOVE };
int rights_parse_change(struct span text, enum acl_op *op, unsigned *rights, struct err *e);

/*
 * Append the letters, in the order of 2.1; `obsolete`: and behind them c and d where one of their members is there, as
 * MYRIGHTS, ACL and LISTRIGHTS must (2.1.1).
 */
int rights_put(unsigned rights, bool obsolete, struct buf *out, struct err *e);

/* Rights by the name of a role: reader, poster (reader, and may post), editor, owner, none; or letters. */
int rights_of_role(struct span text, unsigned *rights, struct err *e);

/*
 * An identifier as a client or the administrator writes it: 1 to STORE_WHO_MAX octets, valid UTF-8 without control
 * characters or blanks at its ends. *negative: it began with "-", which is not part of *name any more. "$NAME" (so other
 * servers name groups, and RFC 4314, 3.2 does) becomes "group:NAME", in the arena. ERR_PEER.
 */
int acl_who_parse(struct span text, bool *negative, struct span *name, struct arena *a, struct err *e);

/* ---- a reader, and what he may */

struct store_reader {
	bool owner;                /* of the store: then login may be empty */
	struct span login;         /* canonical */
	struct span account;       /* the name of his own store: another account that had this login had another */
	const struct span *groups; /* names without "group:" */
	size_t ngroups;
};

struct store_ace {
	uint64_t mailbox;
	struct span who;
	unsigned rights;     /* or of enum store_right */
	struct span account; /* of a login: as in store_reader; empty: whoever has that login */
};

/* Entries of one mailbox or of all, sorted by mailbox and who; in an arena. */
struct store_acl {
	uint64_t number; /* store_acl_number() as they are true for */
	const struct store_ace *p;
	size_t n;
};

/* mailbox 0: of all. */
int store_acl_read(struct store *st, uint64_t mailbox, struct store_acl *out, struct arena *a, struct err *e);

/* How often ACLs were changed in this store; grows. */
int store_acl_number(struct store *st, uint64_t *number, struct err *e);

/* Those of one mailbox among all. */
struct store_acl store_acl_of(const struct store_acl *all, uint64_t mailbox);

/* What the reader may do, by the entries of one mailbox. Pure. */
unsigned store_acl_rights(const struct store_acl *acl, const struct store_reader *r);

/* Does any entry name a group? If not, nobody's groups need to be known. */
bool store_acl_groups(const struct store_acl *acl);

/* ---- changes. Durable when they return. */

/*
 * Change the entry of `who` ("owner" for the owner). A login's entry without rights is removed; the owner's stays, and
 * then he has l and a. `account` as in store_ace: what an account that is no more had is not added to.
 * STORE_LIMIT, STORE_NONEXISTENT.
 */
int store_acl_change(struct store *st, uint64_t mailbox, struct span who, struct span account, enum acl_op op,
    unsigned rights, struct err *e);

/*
 * What authd is to know of a store (lib/ipc/authd.def, authd_shared): everyone who may look up some mailbox, each once,
 * but for the owner; and every mailbox that anyone may post to.
 */
struct store_shared {
	uint64_t number; /* store_acl_number() as it is true for */
	const struct span *who, *post;
	size_t nwho, npost;
};
int store_acl_shared(struct store *st, struct store_shared *out, struct arena *a, struct err *e);

/* Has authd been told of the ACLs as they are at this number? Then it is noted. */
int store_acl_told(struct store *st, uint64_t *number, struct err *e);
int store_acl_set_told(struct store *st, uint64_t number, struct err *e);

#endif
