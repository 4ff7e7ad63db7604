/*
 * rights.h - what the reader of this session may do with a mailbox of this store (RFC 4314, 4).
 *
 * Each command names the rights that it needs. Who may not even look a mailbox up is told what would be said if there
 * were none: a name that may not be seen does not show, in text, code or time. But a right that is there is enough for
 * what it is for: without l a mailbox can be appended to with i, and selected with r.
 *
 * ACLs may change at any time, by other processes: each command looks anew, at the price of one lookup of a number.
 * Which groups the reader is in is asked of authd when an ACL names a group: at each SELECT, else when the answer is a
 * minute old.
 */
#ifndef IMAPD_RIGHTS_H
#define IMAPD_RIGHTS_H

#include "imapd/session.h"

enum {
	/* MYRIGHTS (4): any of these, and the mailbox may be spoken of. */
	RIGHTS_ANY = STORE_MAY_LOOKUP | STORE_MAY_READ | STORE_MAY_INSERT | STORE_MAY_CREATE |
		     STORE_MAY_DELETE_MAILBOX | STORE_MAY_ADMIN,
	RIGHTS_FLAGS = STORE_MAY_SEEN | STORE_MAY_WRITE | STORE_MAY_DELETE,
};

/* All that the reader may: or of enum store_right. -1 in *e when the index cannot be read: then none. */
int rights_of(struct session *s, uint64_t mailbox, unsigned *rights, struct err *e);

/*
 * 0 if the reader may do all of `rights` with the mailbox; else -1 with *e and cmd->code: NONEXISTENT or NOPERM
 * (RFC 5530).
 */
int rights_need(struct session *s, struct cmd *cmd, uint64_t mailbox, unsigned rights, struct err *e);

/*
 * The mailbox of this name, if there is one that can be selected and the reader may do all of `rights`. 0; -1 with *e
 * and cmd->code. `target`: of APPEND, COPY, MOVE: TRYCREATE is said when there is none (RFC 3501, 6.3.11).
 */
int rights_mailbox(struct session *s, struct cmd *cmd, struct span name, unsigned rights, bool target,
    struct store_mailbox *out, struct err *e);

/*
 * The same of any name that LIST shows as a mailbox or \Noselect: for commands about the name. With 0 for `rights` one of
 * RIGHTS_ANY is enough.
 */
int rights_named(struct session *s, struct cmd *cmd, struct span name, unsigned rights,
    struct store_mailbox *out, struct err *e);

/*
 * May the reader make a mailbox of this name: has he k for the nearest parent that there is (RFC 4314, 4, CREATE)? The
 * parent of the first level is the owner's alone, unless INBOX gives k.
 */
int rights_create(struct session *s, struct cmd *cmd, struct span name, struct err *e);

/*
 * Of a sorted list only what the reader may look up, with \HasChildren true for what is left. Subscriptions are the
 * owner's: a guest sees none.
 */
int rights_filter(struct session *s, struct store_mailbox *box, size_t *n, struct err *e);

/* ---- the selected mailbox */

/* SELECT begins: groups are to be looked up anew, if they count. */
void rights_anew(struct session *s);

/* The mailbox is being selected: what may the reader do? */
int rights_select(struct session *s, uint64_t mailbox, unsigned *rights, struct err *e);

/*
 * Look again; when the rights to change flags are others now, FLAGS and PERMANENTFLAGS are said (5.1.1). Before each
 * command, and before news are told.
 */
int rights_again(struct session *s, struct err *e);

/* What was found then; all when nothing is selected. */
unsigned rights_here(const struct session *s);

/* System flags that may be changed with these rights; keywords are like \Flagged. */
uint32_t rights_flags(unsigned rights);

/* No right to change what others see (5.2): SELECT says READ-ONLY. `private_seen`: \Seen is nobody else's business. */
bool rights_read_only(unsigned rights, bool private_seen);

void rights_done(struct session *s);

#endif
