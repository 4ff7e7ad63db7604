/*
 * preview.h - the first words of a message, for a list of messages (RFC 8970, 3.3): from its first text, decoded, blanks
 * joined, HTML without its tags. Valid UTF-8, at most PREVIEW_CHARS characters, no control characters.
 *
 * Looks at PREVIEW_INPUT octets of a part at most. Linear; safe on any input (t/unit-preview.c, fuzz/preview.c).
 */
#ifndef MAIL_PREVIEW_H
#define MAIL_PREVIEW_H

#include "base/base.h"
#include "mail/mime.h"

enum {
	PREVIEW_CHARS = 200, /* RFC 8970, 3.3 */
	PREVIEW_MAX = 4 * PREVIEW_CHARS,
	PREVIEW_INPUT = 256 * 1024, /* of HTML the styles at its start may be long */
	PREVIEW_PARTS = 3,          /* parts that are tried when the first has no words */
};

/* Append the words of one text. */
int preview_text(struct span body, enum mime_encoding encoding, struct span charset, bool html,
    struct buf *out, struct err *e);

/* Append those of a parsed message: of its first text that is no attachment and has any. None is no failure. */
int preview_message(const struct mime_part *root, struct span message, struct buf *out, struct err *e);

#endif
