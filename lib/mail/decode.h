/*
 * decode.h - the transfer encoding of a body undone, piece by piece (RFC 2045, 6).
 *
 * Lenient as codec.h says; what is in an encoding that is not known comes out as it is, which decode_known() tells
 * before. Memory: a piece. (fuzz/decode.c)
 */
#ifndef MAIL_DECODE_H
#define MAIL_DECODE_H

#include "mail/codec.h"
#include "mail/mime.h"

struct decoder {
	enum mime_encoding encoding; /* the rest is zero at the start */
	struct base64_state base64;
	struct qp_state qp;
};

/* False for MIME_OTHER. */
bool decode_known(enum mime_encoding encoding);

/* True if decoding changes nothing: 7bit, 8bit, binary. */
bool decode_identity(enum mime_encoding encoding);

/* Append what a piece encodes; the last with last = true. `out` needs room for the piece and 64 octets more. */
int decode_piece(struct decoder *d, struct span piece, bool last, struct buf *out, struct err *e);

#endif
