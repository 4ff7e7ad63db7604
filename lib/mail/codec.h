/*
 * codec.h - base64 and quoted-printable: RFC 4648, 4; RFC 2045, 6.7 and 6.8.
 *
 * Pure over spans, linear, safe on any input (t/unit-codec.c, fuzz/codec.c).
 */
#ifndef MAIL_CODEC_H
#define MAIL_CODEC_H

#include "base/base.h"

/* Append in as base64 with padding, without line ends. */
int base64_encode(struct span in, struct buf *out, struct err *e);

/*
 * Append what in encodes. Strict, for SASL (RFC 4954, 4; RFC 4648, 3): no octet outside the alphabet, full
 * padding, and the unused bits of the last digit are zero. Returns 0, or -1 with ERR_PEER; on -1 nothing
 * has been appended.
 */
int base64_decode(struct span in, struct buf *out, struct err *e);

/*
 * The lenient decoders of MIME bodies take the input in pieces of any size and never refuse any: octets
 * outside the base64 alphabet are skipped (RFC 2045, 6.8), padding ends a quantum and not the text (joined
 * base64 is common), a cut quantum gives the octets that are whole. Broken quoted-printable stays as it
 * is. Line ends are given as they come. `out` must have room for the input and 64 octets more.
 *
 * Zero the struct to start. Feed with pieces; the last call has last = true, and leaves it ready again.
 */
struct base64_state {
	uint32_t bits;
	uint8_t n; /* digits in bits, 0..3 */
};

struct qp_state {
	char held[64]; /* the escape or blanks that the next piece will explain */
	uint8_t n;
	bool long_run; /* blanks are text up to the next other octet */
	bool word;     /* the Q encoding of RFC 2047, 4.2: _ is a space, blanks are kept */
};

int base64_decode_mime(struct base64_state *st, struct span in, bool last, struct buf *out, struct err *e);
int qp_decode(struct qp_state *st, struct span in, bool last, struct buf *out, struct err *e);

#endif
