/*
 * rights.h - what the reader of this session may do with a mailbox of this store (RFC 4314, 4).
 *
 * Each command names the rights that it needs. Who may not even look a mailbox up is told what would be said if there
 * were none: a name that may not be seen does not show, in text, code or time.
 */
#ifndef IMAPD_RIGHTS_H
#define IMAPD_RIGHTS_H

#include "imapd/session.h"

/* All that the reader may: or of enum store_right. -1 in *e when the index cannot be read: then none. */
int rights_of(struct session *s, uint64_t mailbox, unsigned *rights, struct err *e);

/*
 * 0 if the reader may do all of `rights` with the mailbox; else -1 with *e and cmd->code: NONEXISTENT or NOPERM
 * (RFC 5530). Of the selected mailbox what was found is kept until ACLs change.
 */
int rights_need(struct session *s, struct cmd *cmd, uint64_t mailbox, unsigned rights, struct err *e);

/*
 * The mailbox of this name, if there is one that can be selected and the reader may do all of `rights` (STORE_MAY_LOOKUP
 * is always one of them). 0; -1 with *e and cmd->code. `target`: of APPEND, COPY, MOVE: TRYCREATE is said when there is
 * none and it could be made (RFC 3501, 6.3.11).
 */
int rights_mailbox(struct session *s, struct cmd *cmd, struct span name, unsigned rights, bool target,
    struct store_mailbox *out, struct err *e);

#endif
