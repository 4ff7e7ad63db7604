/*
 * utf7.h - mailbox names on the wire: the modified UTF-7 of RFC 3501, 5.1.3.
 *
 * Names are stored as UTF-8; the wire has modified UTF-7 unless the client enabled UTF8=ACCEPT or
 * IMAP4rev2. Pure, linear (t/unit-utf7.c, fuzz/utf7.c).
 */
#ifndef IMAP_UTF7_H
#define IMAP_UTF7_H

#include "base/base.h"

/*
 * Append the name as UTF-8. ERR_PEER if it is not modified UTF-7 in the one form that RFC 3501 allows: an
 * octet above 126 or below 32, base64 that is cut, has unused bits set, stands directly behind other base64,
 * encodes a printable ASCII character, a NUL or half a surrogate pair. On -1 out is as before.
 */
int utf7_decode(struct span name, struct buf *out, struct err *e);

/* Append a name in valid UTF-8 as modified UTF-7. ERR_PEER if it is not valid UTF-8. */
int utf7_encode(struct span name, struct buf *out, struct err *e);

#endif
