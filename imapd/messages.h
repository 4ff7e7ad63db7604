/* messages.h - which messages of the view a command means. */
#ifndef IMAPD_MESSAGES_H
#define IMAPD_MESSAGES_H

#include "imap/set.h"
#include "imapd/session.h"

/* Sequence numbers of the view, ascending, and the UIDs beside them. */
struct messages {
	uint32_t *seq, *uid;
	size_t n;
};

/*
 * The set is resolved. A message number that is not in the view is ERR_PEER (RFC 3501, 9, seq-number);
 * UIDs that are not there are passed over.
 */
int messages_of(struct session *s, struct imap_set *set, bool uid, struct messages *out, struct err *e);

/* The same from the command's text: SP set. */
int messages_parse(struct session *s, struct cmd *cmd, struct messages *out, struct err *e);

#endif
