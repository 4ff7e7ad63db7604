/* peers.h - how many of something each client address has: a hash of addr_key, keyed at random. */
#ifndef IO_PEERS_H
#define IO_PEERS_H

#include "base/base.h"

struct peers;

struct peers *peers_new(void);
void peers_free(struct peers *p);

/* One more of this address (16 octets): how many it has now. */
uint32_t peers_add(struct peers *p, const unsigned char key[16]);
/* One less; there must be one. */
void peers_drop(struct peers *p, const unsigned char key[16]);

#endif
