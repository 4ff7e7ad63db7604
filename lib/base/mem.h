/*
 * mem.h - allocation that does not fail: out of memory ends the process after one line on stderr.
 * What keeps memory bounded is the limit that every input has, not a check at each allocation.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_zero(size_t n, size_t size);  /* n * size zeroed octets, overflow checked; free() frees */
void *mem_resize(void *p, size_t size); /* as realloc */
char *mem_str(const char *s);           /* as strdup */

#endif
