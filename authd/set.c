#include "authd/set.h"

#include <sodium.h>

struct set {
	struct arena *a;
	struct span *slot; /* open addressing; p == NULL is free */
	size_t n, size;    /* size is a power of two */
	unsigned char key[crypto_shorthash_KEYBYTES];
};

struct set *
set_new(struct arena *a)
{
	struct set *s = arena_alloc(a, sizeof *s);

	s->a = a;
	s->size = 16;
	s->slot = arena_array(a, s->size, sizeof *s->slot);
	randombytes_buf(s->key, sizeof s->key);
	return s;
}

static size_t
place(const struct set *s, struct span text)
{
	uint64_t h;
	size_t i;

	crypto_shorthash((unsigned char *)&h, (const unsigned char *)text.p, text.n, s->key);
	for (i = h & (s->size - 1); s->slot[i].p != NULL; i = (i + 1) & (s->size - 1))
		if (span_same(s->slot[i], text))
			break;
	return i;
}

/* The old slots stay in the arena: in all less than what the new ones take. */
static void
grow(struct set *s)
{
	struct span *old = s->slot;
	size_t size = s->size;

	s->size *= 4;
	s->slot = arena_array(s->a, s->size, sizeof *s->slot);
	for (size_t i = 0; i < size; i++)
		if (old[i].p != NULL)
			s->slot[place(s, old[i])] = old[i];
}

bool
set_add(struct set *s, struct span text)
{
	size_t i = place(s, text);

	need(text.p != NULL);
	if (s->slot[i].p != NULL)
		return false;
	s->slot[i] = text;
	if (++s->n > s->size / 2)
		grow(s);
	return true;
}

bool
set_has(const struct set *s, struct span text)
{
	return s->slot[place(s, text)].p != NULL;
}
