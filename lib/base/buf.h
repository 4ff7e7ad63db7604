/*
 * buf.h - growable bytes with a maximum given at birth.
 *
 * Going past the maximum is ERR_PEER and leaves the buffer as it was before the call; it is never a
 * crash and never a silent truncation. Running out of memory ends the process after one line on stderr.
 * Every append returns 0, or -1 with *e set. Since the first error wins, a run of appends may be checked
 * once at its end by looking at e->kind. e may be NULL where the caller knows that it fits: then
 * overflow is a broken promise and aborts.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>

#include "base/span.h"

struct buf {
	char *p; /* n octets are in use, cap are allocated */
	size_t n, cap, max;
};

void buf_init(struct buf *b, size_t max); /* allocates nothing yet */
void buf_free(struct buf *b);             /* the buffer can be used again, empty, with the same maximum */
void buf_wipe(struct buf *b);             /* the same, after overwriting what it held: for secrets */
void buf_clear(struct buf *b);            /* n = 0, memory kept */

int buf_add(struct buf *b, struct err *e, struct span s);
int buf_byte(struct buf *b, struct err *e, char c);
int buf_u64(struct buf *b, struct err *e, uint64_t v); /* decimal */
int buf_printf(struct buf *b, struct err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int buf_vprintf(struct buf *b, struct err *e, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

/*
 * Room for `extra` more octets: the pointer to write to, or NULL with *e set. After writing, add what was
 * used to b->n.
 */
char *buf_room(struct buf *b, struct err *e, size_t extra);

/* Drop the first n octets (n <= b->n). */
void buf_consume(struct buf *b, size_t n);

/* A C string. Here, so that the length of a literal is known when this is compiled. */
static inline int
buf_str(struct buf *b, struct err *e, const char *s)
{
	return buf_add(b, e, span_str(s));
}

/* What it holds: borrowed until the next change. */
static inline struct span
buf_span(const struct buf *b)
{
	return (struct span){ b->p, b->n };
}

#endif
