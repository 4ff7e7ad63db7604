/* trailer.h - text and footer of a spool file, in memory; for the files of lib/spool and the tests. Pure. */
#ifndef SPOOL_TRAILER_H
#define SPOOL_TRAILER_H

#include "spool/spool.h"

/*
 * Append the trailer of *m to out, and fill in the offsets of what is overwritten in place, from
 * m->trailer_at. ERR_PEER if out is too small, ERR_PERM for a value with a control character or an address
 * that would not be read back as it is.
 */
int trailer_format(struct spool_msg *m, struct buf *out, struct err *e);

/* The line of the fields that are overwritten together: always the same length. */
enum { STATE_LINE = 48 };
void state_line(char state, uint32_t attempts, uint64_t next_try, bool delayed, char out[STATE_LINE + 1]);

/* The checksum of a trailer that was parsed to *m: every in-place octet counts as '.'. */
uint64_t trailer_sum(struct span trailer, const struct spool_msg *m);

/* SipHash-2-4 under the key of the format, over any octets. */
uint64_t spool_sum(struct span octets);

struct footer {
	uint64_t trailer_at;
	uint64_t sum;
};

void footer_format(const struct footer *f, char out[SPOOL_FOOTER]);
bool footer_parse(const char in[SPOOL_FOOTER], struct footer *f); /* false: this is no footer */

#endif
