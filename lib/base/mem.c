#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
or_die(void *p)
{
	if (p == NULL) {
		fputs("out of memory\n", stderr);
		abort();
	}
	return p;
}

void *
mem_zero(size_t n, size_t size)
{
	return or_die(calloc(n > 0 ? n : 1, size > 0 ? size : 1));
}

void *
mem_resize(void *p, size_t size)
{
	return or_die(realloc(p, size > 0 ? size : 1));
}

char *
mem_str(const char *s)
{
	return or_die(strdup(s));
}
