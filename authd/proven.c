#include "authd/proven.h"

#include <sodium.h>
#include <stdlib.h>

enum { SETS = 4096, WAYS = 4 };

struct entry {
	struct proof proof;
	uint64_t at_ms;		/* 0: free */
};

struct proven {
	unsigned char key[crypto_generichash_KEYBYTES];
	struct entry set[SETS][WAYS];
};

struct proven *
proven_new(void)
{
	struct proven *p = mem_zero(1, sizeof *p);

	randombytes_buf(p->key, sizeof p->key);
	return p;
}

void
proven_free(struct proven *p)
{
	if (p != NULL)
		sodium_memzero(p, sizeof *p);
	free(p);
}

/* Each part with its length before it, so that no two ways to divide the same octets are one. */
void
proof_of(const struct proven *p, struct span account, struct span hash, struct span password, struct proof *out)
{
	const struct span parts[] = { account, hash, password };
	crypto_generichash_state st;

	crypto_generichash_init(&st, p->key, sizeof p->key, sizeof out->digest);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		uint64_t n = parts[i].n;

		crypto_generichash_update(&st, (const unsigned char *)&n, sizeof n);
		crypto_generichash_update(&st, (const unsigned char *)parts[i].p, parts[i].n);
	}
	crypto_generichash_final(&st, out->digest, sizeof out->digest);
	sodium_memzero(&st, sizeof st);
}

static size_t
set_of(const struct proof *what)
{
	return (what->digest[0] | (size_t)what->digest[1] << 8) % SETS;
}

static bool
same(const struct proof *a, const struct proof *b)
{
	return sodium_memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

bool
proven_has(const struct proven *p, const struct proof *what, uint64_t now_ms, uint64_t lifetime_ms)
{
	const struct entry *set = p->set[set_of(what)];

	for (int i = 0; i < WAYS; i++)
		if (set[i].at_ms != 0 && same(&set[i].proof, what))
			return now_ms - set[i].at_ms < lifetime_ms;
	return false;
}

void
proven_add(struct proven *p, const struct proof *what, uint64_t now_ms)
{
	struct entry *set = p->set[set_of(what)], *to = &set[0];

	for (int i = 1; i < WAYS; i++)
		if (set[i].at_ms < to->at_ms)
			to = &set[i]; /* the oldest, or a free one */
	for (int i = 0; i < WAYS; i++)
		if (same(&set[i].proof, what))
			to = &set[i];
	*to = (struct entry){ *what, now_ms > 0 ? now_ms : 1 };
}
