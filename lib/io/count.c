/*
 * count.c - counters in memory that a service shares with its children.
 *
 * A child may be in a stranger's hands: what it finds here are names and numbers, no pointers, and the parent
 * takes nothing for granted when it reads them.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>

#include "io/service.h"

enum { SLOTS = 64, NAME_MAX_ = 40 };

struct slot {
	_Atomic uint32_t state; /* enum: the name is written once */
	char name[NAME_MAX_];
	_Atomic uint64_t value;
};
enum { FREE, NAMING, NAMED };

/* Shared memory can only be found by a global; it is there before the first fork and stays. */
static struct slot *slots;

void
counters_open(void)
{
	void *p = mmap(
	    NULL, SLOTS * sizeof *slots, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	need(p != MAP_FAILED);
	slots = p;
}

static bool
is_mine(struct slot *c, const char *name)
{
	uint32_t state = FREE;

	if (atomic_compare_exchange_strong(&c->state, &state, NAMING)) {
		snprintf(c->name, sizeof c->name, "%s", name);
		atomic_store(&c->state, NAMED);
		return true;
	}
	return state == NAMED && strncmp(c->name, name, sizeof c->name - 1) == 0;
}

void
svc_count(const char *name, uint64_t add)
{
	if (slots == NULL) /* a unit test, a tool */
		return;
	for (struct slot *c = slots; c < slots + SLOTS; c++)
		if (is_mine(c, name)) {
			atomic_fetch_add(&c->value, add);
			return;
		}
}

void
counters_text(struct buf *out)
{
	for (struct slot *c = slots; slots != NULL && c < slots + SLOTS; c++) {
		char name[NAME_MAX_];
		size_t n = 0;

		if (atomic_load(&c->state) != NAMED)
			continue;
		memcpy(name, c->name, sizeof name);
		while (n < sizeof name - 1 &&
		       (ascii_isalnum(name[n]) || name[n] == '.' || name[n] == '_' || name[n] == '-'))
			n++;
		buf_printf(
		    out, NULL, "%.*s %llu\n", (int)n, name, (unsigned long long)atomic_load(&c->value));
	}
}
