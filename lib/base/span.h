/*
 * span.h - borrowed bytes: a pointer and a length, passed by value.
 *
 * A span never owns memory and is never assumed to end in NUL. Parsers take spans and give spans that
 * point into what they were given. Case-insensitive comparison is ASCII only, in every locale.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "base/err.h"

struct span {
	const char *p;
	size_t n;
};

/* A string literal as a span. */
#define SPAN(lit) ((struct span){ "" lit, sizeof(lit) - 1 })

/* For printf: printf("%.*s", SPAN_ARG(s)). */
#define SPAN_ARG(s) ((int)(s).n), ((s).n != 0 ? (s).p : "")

static inline struct span
span_of(const void *p, size_t n)
{
	return (struct span){ p, n };
}

/* The bytes of a C string, which is borrowed; NULL gives an empty span. */
static inline struct span
span_str(const char *s)
{
	return (struct span){ s, s != NULL ? strlen(s) : 0 };
}

/* From octet `from` on; empty when from is past the end. */
static inline struct span
span_from(struct span s, size_t from)
{
	if (from < s.n)
		return (struct span){ s.p + from, s.n - from };
	return (struct span){ s.n > 0 ? s.p + s.n : s.p, 0 }; /* nothing may be added to NULL, not even 0 */
}

/* The first n octets, or all when there are fewer. */
static inline struct span
span_head(struct span s, size_t n)
{
	return (struct span){ s.p, n < s.n ? n : s.n };
}

static inline char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static inline char
ascii_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c & ~0x20) : c;
}

static inline bool
ascii_isdigit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
ascii_isalpha(char c)
{
	c = ascii_lower(c);
	return c >= 'a' && c <= 'z';
}

/* The value of a hexadecimal digit in any case, or -1. */
static inline int
ascii_hex(char c)
{
	if (ascii_isdigit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
static inline bool
ascii_isalnum(char c)
{
	return ascii_isdigit(c) || ascii_isalpha(c);
}

bool span_same(struct span a, struct span b);  /* equal, octet for octet */
bool span_isame(struct span a, struct span b); /* equal, ASCII case ignored */
bool span_eq(struct span a, const char *s);    /* equal to a C string */
bool span_ieq(struct span a, const char *s);   /* the same, ASCII case ignored */
bool span_starts(struct span a, const char *s);
bool span_istarts(struct span a, const char *s);
bool span_ends(struct span a, const char *s);
int span_cmp(struct span a, struct span b); /* like memcmp, the shorter first */

/* Where c stands first (last for rchr), or -1. */
ssize_t span_chr(struct span s, char c);
ssize_t span_rchr(struct span s, char c);

/* Where `what` stands first, or -1; the empty span stands at 0. */
ssize_t span_find(struct span s, struct span what);

/* Without blanks (SP and HTAB; for trim_ws also CR and LF) at both ends. */
struct span span_trim(struct span s);
struct span span_trim_ws(struct span s);

/* The octets up to the next SP (or the end); *line is moved behind it and further SPs. */
struct span span_word(struct span *line);

/*
 * The octets up to the next `c`, which is dropped; *rest is moved behind it. With no c left gives all
 * that is left and empties *rest, so that `while (rest.n > 0)` walks every field but a last empty one.
 */
struct span span_cut(struct span *rest, char c);

/*
 * All of s as an unsigned decimal number: 1*DIGIT, no sign, no blanks. Returns 0, or -1 with ERR_PEER
 * if it is anything else or does not fit. *out is untouched on failure. This is the one number parser.
 */
int span_u32(struct span s, uint32_t *out, struct err *e);
int span_u64(struct span s, uint64_t *out, struct err *e);

#endif
