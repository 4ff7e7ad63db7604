/*
 * sharing.h - what a worker asks authd, and tells it, about groups and shared mailboxes (lib/ipc/authd.def).
 */
#ifndef IMAPD_SHARING_H
#define IMAPD_SHARING_H

#include "imapd/session.h"

/* The groups that the reader is in; in `a`. Without authd (in tests): none. ERR_TEMP. */
int sharing_groups(struct session *s, struct arena *a, const struct span **groups, size_t *n, struct err *e);

/*
 * The one form of an identifier, in s->a: 1 there is such an account or group, 0 there is not, -1: ERR_PEER it can be
 * none, ERR_TEMP. Without authd it is taken as it is, in lower case.
 */
int sharing_identifier(
    struct session *s, struct span who, struct span *out, struct span *account, struct err *e);

/*
 * If authd was not told of the ACLs as they are now: tell it. Nothing is lost when that fails, since the next worker
 * of this owner tries again; the log says so.
 */
void sharing_tell(struct session *s);

#endif
