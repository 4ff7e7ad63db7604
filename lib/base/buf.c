#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum { WIPED_MAX = 4096 };

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void
buf_free(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ .max = b->max };
}

void
buf_wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->cap);
	buf_free(b);
}

void
buf_clear(struct buf *b)
{
	b->n = 0;
}

/* Small buffers may hold passwords: no copy is left where one was. */
static char *
grown(struct buf *b, size_t cap)
{
	char *p;

	if (b->p == NULL || b->cap > WIPED_MAX)
		return mem_resize(b->p, cap);
	p = mem_resize(NULL, cap);
	memcpy(p, b->p, b->n);
	explicit_bzero(b->p, b->cap);
	free(b->p);
	return p;
}

char *
buf_room(struct buf *b, struct err *e, size_t extra)
{
	size_t want, cap;

	if (extra > b->max || b->n > b->max - extra) {
		need(e != NULL);
		err_set(e, ERR_PEER, "more than %zu octets", b->max);
		return NULL;
	}
	want = b->n + extra;
	if (want > b->cap || b->p == NULL) {
		cap = b->cap < 64 ? 64 : b->cap;
		while (cap < want)
			cap *= 2;
		if (cap > b->max && b->max >= want)
			cap = b->max;
		b->p = grown(b, cap > 0 ? cap : 1);
		b->cap = cap;
	}
	return b->p + b->n;
}

int
buf_add(struct buf *b, struct err *e, struct span s)
{
	char *to = b->p != NULL && s.n <= b->cap - b->n ? b->p + b->n : buf_room(b, e, s.n);

	if (to == NULL)
		return -1;
	if (s.n > 0)
		memcpy(to, s.p, s.n);
	b->n += s.n;
	return 0;
}

int
buf_byte(struct buf *b, struct err *e, char c)
{
	return buf_add(b, e, span_of(&c, 1));
}

int
buf_u64(struct buf *b, struct err *e, uint64_t v)
{
	char digits[20];
	size_t at = sizeof digits;

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	return buf_add(b, e, span_of(digits + at, sizeof digits - at));
}

int
buf_vprintf(struct buf *b, struct err *e, const char *fmt, va_list ap)
{
	char small[512];
	va_list again;
	char *to;
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof small, fmt, ap);
	need(n >= 0);
	if ((size_t)n < sizeof small) {
		va_end(again);
		return buf_add(b, e, span_of(small, (size_t)n));
	}
	to = buf_room(b, e, (size_t)n + 1); /* vsnprintf writes a NUL, which does not count */
	if (to != NULL) {
		vsnprintf(to, (size_t)n + 1, fmt, again);
		b->n += (size_t)n;
	}
	va_end(again);
	return to != NULL ? 0 : -1;
}

int
buf_printf(struct buf *b, struct err *e, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = buf_vprintf(b, e, fmt, ap);
	va_end(ap);
	return rc;
}

void
buf_consume(struct buf *b, size_t n)
{
	need(n <= b->n);
	b->n -= n;
	if (b->n > 0 && n > 0)
		memmove(b->p, b->p + n, b->n);
}
