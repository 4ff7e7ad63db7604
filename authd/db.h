/*
 * db.h - accounts.db: who exists. SQLite, WAL, synchronous=FULL; only authd opens it.
 *
 *   domain(id, name)           of `rookery domain`; those of the configuration are beside it in memory
 *   account(addr, owner, hash, name, quota_bytes, quota_messages, enabled, created)
 *   alias(id, addr, targets)   @domain is a catch-all; targets as address,address
 *   past_owner(owner)          of deleted accounts: never given out again, their store may still stand
 *   usage(owner, bytes, messages)      as last reported; kept in memory and written every minute
 *   setting(name, value)
 *   grp(id, name), member(grp, who)    who: a login, or group:NAME
 *   tree(id, name, owner, created)     under Shared/
 *   share(owner, who), post(owner, folder)     as the stores said last: db_share.h
 *
 * The format is PRAGMA user_version; an older one is brought forward in one transaction when opened, a newer
 * one is refused. Addresses are keys as address.h makes them: lower case, so that equal ones are equal
 * octets. All lookups are prepared statements with bound parameters. Results are copied into the arena given.
 */
#ifndef AUTHD_DB_H
#define AUTHD_DB_H

#include "base/base.h"

struct db;

struct account {
	struct span addr, owner, hash, name;
	uint64_t quota_bytes, quota_messages; /* 0: none */
	uint64_t used_bytes, used_messages;
	uint64_t created; /* seconds since 1970 */
	bool enabled;
};

struct alias {
	struct span addr, targets;
};

/*
 * Open or make it. The path is used as it stands (no look-up of its directories, which a confined service may
 * not do). NULL with *e: ERR_TEMP, or ERR_PERM for a newer format or another's file.
 */
struct db *db_open(const char *path, struct err *e);
void db_close(struct db *d); /* writes usage; NULL is allowed */

/* The domains of the configuration, blanks or commas between, in the place of earlier ones. */
int db_config_domains(struct db *d, struct span list, struct err *e);

/*
 * Lookups between these two see one state, and share the locks that each would take for itself: two system
 * calls a lookup, which made a list of 11,000 four times as slow.
 * Best effort: where it fails each lookup stands alone.
 */
void db_view_begin(struct db *d);
void db_view_end(struct db *d);

/* ---- lookups: 1 found, 0 not, -1 with ERR_TEMP */
int db_is_domain(struct db *d, struct span name, struct err *e);
int db_domain_in_config(struct db *d, struct span name, struct err *e);
int db_default_domain(struct db *d, struct arena *a, struct span *name, struct err *e);
int db_account(struct db *d, struct span addr, struct arena *a, struct account *out, struct err *e);
int db_first_account(struct db *d, struct arena *a, struct account *out, struct err *e);
int db_alias(struct db *d, struct span addr, struct arena *a, struct span *targets, struct err *e);

/* ---- lists: the next behind `after` that is in `domain` (any if empty), in the order of octets */
int db_next_account(
    struct db *d, struct span after, struct span domain, struct arena *a, struct account *out, struct err *e);
int db_next_alias(
    struct db *d, struct span after, struct span domain, struct arena *a, struct alias *out, struct err *e);
int db_next_domain(struct db *d, struct span after, struct arena *a, struct span *name, struct err *e);

/* ---- changes: between db_begin and db_commit, which makes them durable, or db_rollback, as if never made */
int db_begin(struct db *d, struct err *e);
int db_commit(struct db *d, struct err *e);
void db_rollback(struct db *d);

/*
 * A new account; acct->addr, hash, name, quotas and enabled are the caller's, owner and created are set here.
 * The owner is the address where that can be a directory's name and was never one, else made up. ERR_PERM if
 * the account exists.
 */
int db_account_add(struct db *d, struct arena *a, struct account *acct, struct err *e);
int db_account_change(struct db *d, const struct account *acct, struct err *e); /* not owner */
int db_account_delete(struct db *d, struct span addr, struct err *e);           /* 1, 0 none there, -1 */
int db_alias_put(struct db *d, struct span addr, struct span targets, struct err *e);
int db_alias_delete(struct db *d, struct span addr, struct err *e);
int db_domain_add(struct db *d, struct span name, struct err *e); /* 1, 0 was there, -1 */
int db_domain_delete(struct db *d, struct span name, struct err *e);
/* How many accounts and aliases stand in the domain. */
int db_domain_used(struct db *d, struct span name, uint64_t *count, struct err *e);

/* ---- usage, in memory until db_usage_flush */
int db_usage_set(struct db *d, struct span owner, uint64_t bytes, uint64_t messages, struct err *e);
int db_usage_flush(struct db *d, struct err *e);

#endif
