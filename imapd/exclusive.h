/*
 * exclusive.h - pop3_exclusive: no message leaves INBOX by IMAP while a POP3 session has the maildrop (RFC 1939, 4: an
 * exclusive-access lock). What pop3d locks is the owner's directory (pop3d/maildrop.c); a command that takes messages away
 * shares that lock for as long as it runs.
 */
#ifndef IMAPD_EXCLUSIVE_H
#define IMAPD_EXCLUSIVE_H

#include "imapd/session.h"

/* Before messages are taken out of this mailbox. A hold for exclusive_end; -1: ERR_PERM, cmd->code is INUSE. */
int exclusive_begin(struct session *s, struct cmd *cmd, uint64_t mailbox, int *hold, struct err *e);
void exclusive_end(int hold);

#endif
