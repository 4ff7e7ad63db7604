#include "io/peers.h"

#include <sodium.h>
#include <stdlib.h>

struct peer {
	unsigned char key[16];
	uint32_t count;
	struct peer *next;
};

struct peers {
	unsigned char
	    secret[crypto_shorthash_KEYBYTES]; /* so that nobody can make all clients share a chain */
	struct peer **chain;
	uint32_t mask, n;
};

enum { CHAINS_FIRST = 256 };

struct peers *
peers_new(void)
{
	struct peers *p = mem_zero(1, sizeof *p);

	randombytes_buf(p->secret, sizeof p->secret);
	p->chain = mem_zero(CHAINS_FIRST, sizeof(struct peer *));
	p->mask = CHAINS_FIRST - 1;
	return p;
}

void
peers_free(struct peers *p)
{
	for (uint32_t i = 0; i <= p->mask; i++)
		while (p->chain[i] != NULL) {
			struct peer *gone = p->chain[i];

			p->chain[i] = gone->next;
			free(gone);
		}
	free(p->chain);
	free(p);
}

static struct peer **
chain_of(const struct peers *p, const unsigned char key[16])
{
	uint64_t h;

	crypto_shorthash((unsigned char *)&h, key, 16, p->secret);
	return &p->chain[h & p->mask];
}

/* Where the peer hangs, or would. */
static struct peer **
place(const struct peers *p, const unsigned char key[16])
{
	struct peer **at = chain_of(p, key);

	while (*at != NULL && memcmp((*at)->key, key, 16) != 0)
		at = &(*at)->next;
	return at;
}

static void
grow(struct peers *p)
{
	struct peer **old = p->chain;
	uint32_t n = p->mask + 1;

	p->chain = mem_zero(2 * (size_t)n, sizeof(struct peer *));
	p->mask = 2 * n - 1;
	for (uint32_t i = 0; i < n; i++)
		while (old[i] != NULL) {
			struct peer *moved = old[i], **at;

			old[i] = moved->next;
			at = chain_of(p, moved->key);
			moved->next = *at;
			*at = moved;
		}
	free(old);
}

uint32_t
peers_add(struct peers *p, const unsigned char key[16])
{
	struct peer **at = place(p, key);

	if (*at == NULL) {
		*at = mem_zero(1, sizeof **at);
		memcpy((*at)->key, key, 16);
		(*at)->count = 1;
		if (++p->n > p->mask)
			grow(p);
		return 1;
	}
	return ++(*at)->count;
}

void
peers_drop(struct peers *p, const unsigned char key[16])
{
	struct peer **at = place(p, key), *peer = *at;

	need(peer != NULL);
	need(peer->count > 0);
	if (--peer->count > 0)
		return;
	*at = peer->next;
	free(peer);
	p->n--;
}
