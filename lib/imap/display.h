/* display.h - what a mail client shows of the first address of a message: RFC 5957, 3. */
#ifndef IMAP_DISPLAY_H
#define IMAP_DISPLAY_H

#include "base/base.h"

enum imap_display { DISPLAY_FROM, DISPLAY_TO };

/*
 * Append, decoded to UTF-8, the display name of the first address of an ENVELOPE as a structure record has it, or its
 * mailbox@host where there is no name; nothing if there is no address. The name of a group counts as its display name.
 * `scratch` is allocated from. -1 when `out` is full (ERR_PEER); an envelope that cannot be read has no address.
 * (t/unit-imap-display.c)
 */
int imap_display(
    struct span envelope, enum imap_display which, struct arena *scratch, struct buf *out, struct err *e);

#endif
