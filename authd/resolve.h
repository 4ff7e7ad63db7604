/*
 * resolve.h - who is this address: aliases and lists expanded to final targets.
 *
 * At a local domain, for the address and then, if it has a detail, for the address without it: an alias of
 * accounts.db, one of alias_maps (by address, then by bare local part), an account. Then, for postmaster, the
 * one of the configuration; then @domain of both kinds of alias; and for postmaster at last the first
 * account, since it must always be deliverable (RFC 5321, 4.5.1). An alias may name its own address: then the
 * account of that address is meant. What was expanded once is not again, so that loops end; each target is
 * given once. A target of an alias may be a mailbox of a shared tree, if its ACL lets anyone post to it.
 *
 * An address that goes nowhere because of a loop, a table that cannot be asked, an alias to a program or one
 * that is too large is a temporary failure, told in the log: mail must not bounce for a slip in an alias
 * file.
 */
#ifndef AUTHD_RESOLVE_H
#define AUTHD_RESOLVE_H

#include "authd/db.h"
#include "table/table.h"

enum { RESOLVE_DEPTH_MAX = 32, RESOLVE_TARGETS_MAX = 20000, FOLDER_MAX = 200 };

/* What one question may cost, whatever the aliases are: addresses looked at, octets. The arena must hold
 * more. */
enum { RESOLVE_STEPS_MAX = 100000, RESOLVE_MEMORY_MAX = 64 * 1024 * 1024 };

struct resolver {
	struct db *db;
	struct table *maps;     /* alias_maps; NULL: they could not be opened yet */
	struct span postmaster; /* empty: none configured */
	char delimiter;         /* '\0': none */
};

struct target {
	struct target *next;
	uint32_t kind; /* enum target_kind */
	struct span addr, owner, folder;
	uint64_t quota_bytes, quota_messages;
	bool full; /* over quota, or would be with the message */
};

struct whois {
	uint32_t kind; /* enum whois_kind */
	bool full;     /* every target is local and full */
	struct target *targets;
	size_t n;
	const char *text; /* for the peer, where it is not found */
};

/* Never fails: what cannot be told is WHOIS_TEMP. `size` is the message's, 0 if unknown. Results are in `a`.
 */
void resolve(const struct resolver *r, struct span addr, uint64_t size, struct arena *a, struct whois *out);

/* May the owner send as this address: does it lead to him, and not to a crowd? 1, 0, -1. */
int resolve_sender(
    const struct resolver *r, struct span owner, struct span addr, struct arena *a, struct err *e);

#endif
