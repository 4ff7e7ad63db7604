/*
 * id.h - the one id that follows a session or a message from end to end.
 *
 * 16 characters of 0-9 a-v (base32hex, lower case): 48 bits of milliseconds since 1970, 12 bits of a
 * counter, 20 random bits. Ids sort as text in the order in which they were made, are safe as file names,
 * and are unique across hosts but for one chance in a million among ids of the same millisecond and
 * counter value; whoever names a file by one creates it with O_EXCL and takes another if it exists.
 */
#ifndef BASE_ID_H
#define BASE_ID_H

#include "base/span.h"

enum { ID_LEN = 16 };

struct id {
	char s[ID_LEN + 1]; /* NUL-terminated; empty when unset */
};

struct id id_new(void);

/* True if s has the form of an id: what comes from a peer or a file name is checked before use. */
bool id_valid(struct span s);

/* The time in it, milliseconds since 1970; 0 if it has not the form. */
uint64_t id_time_ms(struct span s);

static inline struct span
id_span(const struct id *id)
{
	return span_str(id->s);
}

/* The id in s, or an empty one when s has not the form. */
struct id id_from(struct span s);

#endif
