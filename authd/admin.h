/*
 * admin.h - what admin.c, change.c and list.c share: answering the admin tool.
 */
#ifndef AUTHD_ADMIN_H
#define AUTHD_ADMIN_H

#include "authd/authd.h"

/* Answer that `count` were changed. */
void admin_done(struct peer *p, uint32_t id, uint64_t count);

/* As a transaction: fn's result is the count, or -1 with *e. Answers, and returns the same. */
int admin_transact(
    struct peer *p, uint32_t id, int (*fn)(struct authd *a, const void *m, struct err *e), const void *m);

/* The name of an enum account_op for the log. */
const char *admin_op(uint32_t op);

/* -1, with ERR_PERM "ADDR: why" in *e. */
int admin_refused(struct err *e, struct span addr, const char *why);

/* An address at a domain of ours in its one form, in `mem`; `bare` allows @domain. 0, or -1 with *e. */
int admin_address(
    struct authd *a, struct span in, bool bare, struct arena *mem, struct span *key, struct err *e);

/* Answer with the account of that address. */
void admin_show_user(struct peer *p, uint32_t id, struct span in);

#endif
