/* status.h - the response of STATUS, which LIST can be asked for too (RFC 5819). */
#ifndef IMAPD_STATUS_H
#define IMAPD_STATUS_H

#include "imapd/session.h"

/* "* STATUS name (...)"; items: or of enum imap_status. */
int out_status(struct session *s, const struct store_mailbox *box, unsigned items, struct err *e);

#endif
