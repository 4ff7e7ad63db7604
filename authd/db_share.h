/*
 * db_share.h - groups, trees under Shared/, and who shares with whom, in accounts.db.
 *
 * A group's members are logins and other groups ("group:NAME"); it is never, by whatever way, a member of itself. What
 * stores share is as their workers said last: a hint for lists of names and for RCPT, which the stores themselves decide.
 * Names of groups are [a-z0-9._-]{1,64}. As in db.h: 1 found or changed, 0 not, -1.
 */
#ifndef AUTHD_DB_SHARE_H
#define AUTHD_DB_SHARE_H

#include "authd/db.h"

enum { GROUP_NAME_MAX = 64, TREE_NAME_MAX = 250, SHARERS_PAGE = 1000 };

bool group_name_valid(struct span name);

/* Something that is called once for each row, in order; -1 ends it. */
typedef int db_name_fn(void *arg, struct span name, struct err *e);

/* ---- groups */
int db_group(struct db *d, struct span name, struct err *e);
int db_next_group(struct db *d, struct span after, struct arena *a, struct span *name, struct err *e);
int db_group_add(struct db *d, struct span name, struct err *e);
int db_group_delete(struct db *d, struct span name, struct err *e);
int db_members(struct db *d, struct span group, db_name_fn *fn, void *arg, struct err *e);
/* ERR_PERM: `who` is a group that the other is in. The caller has seen that both exist. */
int db_member_add(struct db *d, struct span group, struct span who, struct err *e);
int db_member_delete(struct db *d, struct span group, struct span who, struct err *e);
/* All that `who` is in, by others too. */
int db_groups_of(struct db *d, struct span who, db_name_fn *fn, void *arg, struct err *e);

/* ---- trees */
struct tree {
	struct span name, owner;
	uint64_t created;
};
int db_tree(struct db *d, struct span name, struct arena *a, struct tree *out, struct err *e);
int db_next_tree(struct db *d, struct span after, struct arena *a, struct tree *out, struct err *e);
/* name is the caller's; owner and created are set. ERR_PERM: the name can't be one, or is taken. */
int db_tree_add(struct db *d, struct arena *a, struct tree *t, struct err *e);
int db_tree_delete(struct db *d, struct span name, struct err *e);

/* ---- shares */
int db_share_clear(struct db *d, struct span owner, struct err *e);
int db_share_add(struct db *d, struct span owner, struct span who, struct err *e);
int db_post_add(struct db *d, struct span owner, struct span folder, struct err *e);
/* May anyone post to this mailbox ("INBOX" for a root)? */
int db_post(struct db *d, struct span owner, struct span folder, struct err *e);
/* Does this owner share something with the login? */
int db_shares(struct db *d, struct span login, struct span owner, struct err *e);
/* At most SHARERS_PAGE owners who do, behind `after`; accounts by address, trees as +NAME. */
int db_sharers(struct db *d, struct span login, struct span after,
    int (*fn)(void *arg, struct span name, struct span owner, struct err *e), void *arg, struct err *e);

#endif
