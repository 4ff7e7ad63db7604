/*
 * reply.h - what goes to the client, and how failures of the store become response codes (RFC 3501, 7.1;
 * 5530).
 */
#ifndef IMAPD_REPLY_H
#define IMAPD_REPLY_H

#include "imapd/session.h"

/* Append to the responses. Whole lines; out_flush_some() is called between them in long answers. */
int out_str(struct session *s, const char *text, struct err *e);
int out_printf(struct session *s, struct err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int out_flush_some(struct session *s, struct err *e); /* to conn, when there is much */
int out_flush(struct session *s, struct err *e);      /* to the client */

/* "* n FETCH (", or once the client knows UIDs alone "* uid UIDFETCH (" (RFC 9586, 3.2). */
int out_row(struct session *s, uint32_t seq, uint32_t uid, struct err *e);

/* The name of a mailbox, in the form that this client knows (RFC 3501, 5.1.3; 6855, 3). */
int out_mailbox(struct session *s, struct span name, struct err *e);

/* MAILBOXID (RFC 8474, 4): of this owner's mailbox, and of no other owner's; in s->a. */
struct span mailbox_id(struct session *s, uint64_t mailbox);

/*
 * Say what others changed in the selected mailbox (RFC 3501, 7.3 and 7.4): EXPUNGE if allowed now, EXISTS,
 * RECENT, FLAGS, FETCH.
 */
int announce(struct session *s, bool expunges, struct err *e);

/* "* FLAGS (...)" and, with `permanent`, "* OK [PERMANENTFLAGS (...)]" of the selected mailbox. */
int out_mailbox_flags(struct session *s, bool permanent, struct err *e);

/* "FLAGS (\Seen a)" of a record of the view. */
int out_flags(struct session *s, const struct store_rec *r, struct err *e);

/* "* n FETCH (UID u FLAGS (...))" of a message that others changed; with its MODSEQ if the client knows of these. */
int out_changed(struct session *s, uint32_t seq, struct err *e);

/*
 * The client knows of modification sequences from here on. The first time, with a mailbox selected, it is told how far
 * that is (RFC 7162, 3.1).
 */
int condstore_on(struct session *s, struct err *e);

/* The tagged response: OK cmd->ok, or NO or BAD for *e, which is cleared. -1 only if the client is gone. */
int out_result(struct session *s, const struct cmd *cmd, struct err *e);

/* "* BYE text", and the session is over. */
int out_bye(struct session *s, const char *text);

/*
 * The store refused: set the code of its reason. `target`: the mailbox of APPEND, COPY, MOVE, for which
 * TRYCREATE is said. Always -1, so that `return refused(...)` reads well.
 */
int refused(struct session *s, struct cmd *cmd, bool target);

#endif
