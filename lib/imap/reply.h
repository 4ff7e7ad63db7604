/*
 * reply.h - strings, names and flags as they go on the wire: RFC 3501, 9.
 *
 * Everything appends; -1 only when `out` is full (ERR_PEER) or, for a mailbox name, not UTF-8.
 * (t/unit-imap-reply.c)
 */
#ifndef IMAP_REPLY_H
#define IMAP_REPLY_H

#include "base/base.h"

/* Quoted if it is short and holds neither CR, LF nor octets above 127, else a literal. NULs are dropped. */
int imap_put_string(struct span s, struct buf *out, struct err *e);
/* The same in a command, to a server that takes LITERAL+ (RFC 7888): the literal is one that waits for no +. */
int imap_put_argument(struct span s, struct buf *out, struct err *e);
/* An atom where it can be one: not for NIL in any case, nor the empty string. */
int imap_put_astring(struct span s, struct buf *out, struct err *e);
/* A mailbox name (UTF-8) as modified UTF-7; or, after ENABLE UTF8=ACCEPT, as it is (RFC 6855, 3). */
int imap_put_mailbox(struct span name, struct buf *out, struct err *e);
int imap_put_mailbox_utf8(struct span name, struct buf *out, struct err *e);
/* A literal: "{n}" CR LF and the octets, all of them. */
int imap_put_literal(struct span s, struct buf *out, struct err *e);

#endif
