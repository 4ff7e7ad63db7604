/* The owners whose mailboxes sessions look at: found by name, and each knows who is to hear of its changes. */
#include <stdlib.h>

#include "imapd/held.h"

static struct owner **
bucket_of(struct holder *h, struct span name)
{
	uint64_t hash;

	crypto_shorthash((unsigned char *)&hash, (const unsigned char *)name.p, name.n, h->key);
	return &h->bucket[hash % BUCKETS];
}

struct owner *
owner_find(struct holder *h, struct span name)
{
	struct owner *o = *bucket_of(h, name);

	while (o != NULL && !span_eq(name, o->name))
		o = o->next;
	return o;
}

static struct owner *
owner_get(struct holder *h, struct span name)
{
	struct owner *o = owner_find(h, name), **b = bucket_of(h, name);

	if (o != NULL)
		return o;
	o = mem_zero(1, sizeof *o + name.n + 1);
	memcpy(o->name, name.p, name.n);
	o->next = *b;
	*b = o;
	return o;
}

/* Another session of it. */
struct owner *
owner_hold(struct holder *h, struct span name)
{
	struct owner *o = owner_get(h, name);

	o->refs++;
	return o;
}

void
owner_drop(struct holder *h, struct owner *o)
{
	struct owner **at = bucket_of(h, span_str(o->name));

	if (--o->refs > 0)
		return;
	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
	free(o);
}

/* Into the list of those who are to hear of changes in this owner's mailboxes. `o` is held for it. */
void
look_at(struct held *x, struct owner *o)
{
	x->view_of = o;
	x->prev = NULL;
	x->next = o->sessions;
	if (x->next != NULL)
		x->next->prev = x;
	o->sessions = x;
}

void
look_away(struct held *x)
{
	if (x->next != NULL)
		x->next->prev = x->prev;
	if (x->prev != NULL)
		x->prev->next = x->next;
	else
		x->view_of->sessions = x->next;
	owner_drop(x->h, x->view_of);
}
