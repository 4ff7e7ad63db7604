/* resync.h - a client that was away is told what it missed: QRESYNC of SELECT, VANISHED of UID FETCH (RFC 7162, 3.2). */
#ifndef IMAPD_RESYNC_H
#define IMAPD_RESYNC_H

#include "imap/args.h"
#include "imapd/messages.h"

/* Behind what every SELECT says (3.2.5): what vanished, then what changed. */
int resync_selected(struct session *s, const struct imap_select *args, struct err *e);

/*
 * "* VANISHED (EARLIER) uids" (3.2.6) of those in `set`, as it was parsed, that were expunged after `since`. A * in it is
 * the last UID that was ever given out: whoever says 1:* means the message that is no more as well.
 */
int resync_vanished(struct session *s, const struct imap_set *set, uint64_t since, struct err *e);

/*
 * Messages of the set, as it was parsed, that changed after `since` (CHANGEDSINCE: 3.1.4.1): what messages_of() gives,
 * without a look at the others.
 */
int resync_changed(
    struct session *s, struct imap_set *set, bool uid, uint64_t since, struct messages *out, struct err *e);

#endif
