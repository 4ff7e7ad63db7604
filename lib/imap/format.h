/*
 * format.h - parts of IMAP answers that are made from a message (RFC 3501, 7.4.2 and 9).
 *
 * Used when a record is built; safe on any input. What is written is 8-bit clean IMAP grammar: text with
 * octets that a quoted string may not hold is written as a literal, NULs as '?'.
 */
#ifndef IMAP_FORMAT_H
#define IMAP_FORMAT_H

#include "base/base.h"

struct mime_part;

enum { FORMAT_QUOTED_MAX = 1000 }; /* a longer string is a literal: there are clients that read lines */

/* nstring: NIL if s.p is NULL. */
int format_nstring(struct span s, struct buf *out, struct err *e);
/* string: never NIL. */
int format_string(struct span s, struct buf *out, struct err *e);

/* What the envelope of a message is made of, and what SORT and THREAD want of it. */
struct envelope {
	struct span date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id, references;
};

/*
 * Find the fields: values as they are in the header, p == NULL for none. The first of each counts, but
 * several of To, Cc or Bcc are joined (RFC 5322, 4.5.3), in memory from a.
 */
void envelope_find(struct span header, struct arena *a, struct envelope *env);

/* Append the parenthesised envelope. `scratch` is used and reset. */
int envelope_format(const struct envelope *env, struct arena *scratch, struct buf *out, struct err *e);

/* Append the mailbox of the first address of a list (RFC 5256, 3: FROM, TO, CC), if there is one. */
int envelope_first_mailbox(struct span value, struct arena *scratch, struct buf *out, struct err *e);

/*
 * Append BODY (extended = false) or BODYSTRUCTURE of a parsed message. envelopes: of the messages within, in
 * the order in which they stand.
 */
int body_format(const struct mime_part *root, bool extended, const struct span *envelopes, struct buf *out,
    struct err *e);

enum { SUBJECT_MAX = 1024 };

/*
 * Append the base subject (RFC 5256, 2.1) of an unfolded Subject, decoded, at most SUBJECT_MAX octets of it.
 * *reply: something was removed that makes it a reply or a forward.
 */
int subject_base(struct span value, struct buf *out, bool *reply, struct err *e);

enum { REFERENCES_MAX = 8192 };

/*
 * Append the message ids in value, each normalised (RFC 5256, 2.2.1: as unquoted as it can be, without
 * angle brackets) and followed by a NUL: the first `max` of them. Gives how many.
 */
size_t msgid_list(struct span value, size_t max, struct buf *out);

#endif
