/*
 * arena.h - memory freed all at once. One per command, session or message, named for its life.
 *
 * Allocation does not fail: when the maximum given at birth is passed, or memory is out, the process
 * ends. So what an input may make us allocate is limited before (config keys), and the arena's maximum is
 * the backstop.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/span.h"

struct arena;

struct arena *arena_new(size_t max);      /* max: octets in all, the backstop */
void arena_free(struct arena *a);         /* NULL is allowed */
void arena_reset(struct arena *a);        /* empty again; the first block is kept */
size_t arena_used(const struct arena *a); /* octets handed out since birth or reset */

void *arena_alloc(struct arena *a, size_t size);           /* zeroed, aligned for any type */
void *arena_array(struct arena *a, size_t n, size_t size); /* n * size, overflow checked */
struct span arena_dup(struct arena *a, struct span s);     /* a copy; a NUL stands behind it, uncounted */
char *arena_cstr(struct arena *a, struct span s);          /* the same as a C string; NULs inside stay */
struct span arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
