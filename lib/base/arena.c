#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum { BLOCK = 4096, ALIGN = 16 };

struct block {
	struct block *next;
	size_t used, size;
	_Alignas(ALIGN) char mem[];
};

struct arena {
	struct block *top; /* the block being filled; older ones behind it */
	size_t used, max;
};

static struct block *
block_new(size_t size, struct block *next)
{
	struct block *b = mem_resize(NULL, sizeof *b + size);

	b->next = next;
	b->used = 0;
	b->size = size;
	return b;
}

struct arena *
arena_new(size_t max)
{
	struct arena *a = mem_zero(1, sizeof *a);

	a->max = max;
	return a;
}

void
arena_reset(struct arena *a)
{
	struct block *b;

	while ((b = a->top) != NULL && b->next != NULL) {
		a->top = b->next;
		free(b);
	}
	if (b != NULL)
		b->used = 0;
	a->used = 0;
}

void
arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	arena_reset(a);
	free(a->top);
	free(a);
}

size_t
arena_used(const struct arena *a)
{
	return a->used;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	size_t want = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	void *p;

	need(want >= size && want <= a->max - a->used);
	if (a->top == NULL || a->top->size - a->top->used < want)
		a->top = block_new(want > BLOCK ? want : BLOCK, a->top);
	p = a->top->mem + a->top->used;
	a->top->used += want;
	a->used += want;
	return memset(p, 0, size);
}

void *
arena_array(struct arena *a, size_t n, size_t size)
{
	size_t total;

	need(!__builtin_mul_overflow(n, size, &total));
	return arena_alloc(a, total);
}

char *
arena_cstr(struct arena *a, struct span s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return p;
}

struct span
arena_dup(struct arena *a, struct span s)
{
	return span_of(arena_cstr(a, s), s.n);
}

struct span
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *p;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	need(n >= 0);
	p = arena_alloc(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return span_of(p, (size_t)n);
}
