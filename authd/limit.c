#include "authd/limit.h"

#include <sodium.h>
#include <stdlib.h>

enum { SETS = 8192, WAYS = 8, UNIT = 1000 };

struct bucket {
	uint64_t tag;   /* 0: free; else the key's hash */
	uint32_t level; /* failures times UNIT, at the time of `at` */
	uint32_t at;    /* tenths of a second on the caller's clock */
};

struct limits {
	unsigned char key[crypto_shorthash_KEYBYTES];
	struct bucket set[SETS][WAYS];
};

_Static_assert(crypto_shorthash_BYTES == sizeof(uint64_t), "SipHash gives 64 bits");

struct limits *
limits_new(void)
{
	struct limits *l = mem_zero(1, sizeof *l);

	randombytes_buf(l->key, sizeof l->key);
	return l;
}

void
limits_free(struct limits *l)
{
	free(l);
}

static uint64_t
tag_of(const struct limits *l, struct span key)
{
	uint64_t tag;

	crypto_shorthash((unsigned char *)&tag, (const unsigned char *)key.p, key.n, l->key);
	return tag != 0 ? tag : 1;
}

static struct bucket *
find(struct limits *l, uint64_t tag)
{
	struct bucket *set = l->set[tag % SETS];

	for (int i = 0; i < WAYS; i++)
		if (set[i].tag == tag)
			return &set[i];
	return NULL;
}

/* A free bucket, or the one with the lowest level, which is given up. */
static struct bucket *
make(struct limits *l, uint64_t tag, uint32_t now)
{
	struct bucket *set = l->set[tag % SETS], *least = &set[0];

	for (int i = 1; i < WAYS; i++)
		if (set[i].level < least->level)
			least = &set[i];
	*least = (struct bucket){ tag, 0, now };
	return least;
}

static uint32_t
tenths(uint64_t now_ms)
{
	return (uint32_t)(now_ms / 100);
}

static void
leak(struct bucket *b, uint32_t now, uint64_t max, uint64_t window_ms)
{
	uint64_t gone = (uint64_t)(now - b->at) * 100 * max * UNIT / (window_ms > 0 ? window_ms : 1);

	b->level = gone < b->level ? b->level - (uint32_t)gone : 0;
	b->at = now;
}

bool
limit_reached(struct limits *l, struct span key, uint64_t now_ms, uint64_t max, uint64_t window_ms)
{
	struct bucket *b = find(l, tag_of(l, key));

	if (b == NULL)
		return false;
	leak(b, tenths(now_ms), max, window_ms);
	return b->level > (max - 1) * UNIT;
}

void
limit_count(struct limits *l, struct span key, uint64_t now_ms, uint64_t max, uint64_t window_ms)
{
	uint64_t tag = tag_of(l, key);
	struct bucket *b = find(l, tag);

	if (b == NULL)
		b = make(l, tag, tenths(now_ms));
	leak(b, tenths(now_ms), max, window_ms);
	if (b->level < max * UNIT)
		b->level += UNIT;
}

void
limit_forget(struct limits *l, struct span key)
{
	struct bucket *b = find(l, tag_of(l, key));

	if (b != NULL)
		*b = (struct bucket){ 0 };
}
