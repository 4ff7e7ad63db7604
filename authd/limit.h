/*
 * limit.h - failures counted by a key, forgotten with time.
 *
 * A leaky bucket a key: each failure adds one, and over the window the whole limit leaks away. Memory is
 * fixed (16 octets for each of 65536 keys): where too many come, the one with the fewest failures is
 * forgotten. Keys are hashed with a secret, so that nobody can choose which one his attempts push out.
 */
#ifndef AUTHD_LIMIT_H
#define AUTHD_LIMIT_H

#include "base/base.h"

struct limits;

struct limits *limits_new(void);
void limits_free(struct limits *l);

/* Is the key at its limit: `max` failures, which leak within window_ms? */
bool limit_reached(struct limits *l, struct span key, uint64_t now_ms, uint64_t max, uint64_t window_ms);
void limit_count(struct limits *l, struct span key, uint64_t now_ms, uint64_t max, uint64_t window_ms);
void limit_forget(struct limits *l, struct span key);

#endif
