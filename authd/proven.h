/*
 * proven.h - passwords that were verified a while ago, so that a mail client's tenth connection does not cost a
 * tenth slow hash.
 *
 * What is kept is a keyed BLAKE2b digest of account, stored hash and password, each with its length, under a key of this
 * process: it is of no use elsewhere, matches nothing but the same three together, and a changed password, which
 * changes the stored hash, is never taken for the old one. Memory is fixed; wrong passwords leave no trace.
 */
#ifndef AUTHD_PROVEN_H
#define AUTHD_PROVEN_H

#include "base/base.h"

struct proven;

/* The digest of one attempt; wipe it after use. */
struct proof {
	unsigned char digest[32];
};

struct proven *proven_new(void);
void	proven_free(struct proven *p);		/* wipes; NULL is allowed */

void	proof_of(const struct proven *p, struct span account, struct span hash, struct span password, struct proof *out);
/* Was exactly this verified less than lifetime_ms ago? */
bool	proven_has(const struct proven *p, const struct proof *what, uint64_t now_ms, uint64_t lifetime_ms);
/* It has been verified now. */
void	proven_add(struct proven *p, const struct proof *what, uint64_t now_ms);

#endif
