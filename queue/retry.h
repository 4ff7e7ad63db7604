/*
 * retry.h - when to try again, when to warn, when to give up: RFC 5321, 4.5.4.1. Pure; all times are ms of
 * the wall clock, since they outlive the process (t/unit-retry.c).
 */
#ifndef QUEUE_RETRY_H
#define QUEUE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct retry_rule {
	uint64_t min, max; /* of the interval between two tries */
	uint64_t lifetime; /* from arrival */
	uint64_t warn;     /* from arrival; 0: never */
};

/*
 * The next try after the attempts-th failed (from 1): the interval doubles from min to max, a tenth up or
 * down by `random` so that what came together does not go together. The last try is at the end of the
 * lifetime, not before and not after.
 */
uint64_t retry_next(
    const struct retry_rule *r, uint64_t arrived, uint64_t now, uint32_t attempts, uint32_t random);

/* A try that fails now was the last. */
bool retry_expired(const struct retry_rule *r, uint64_t arrived, uint64_t now);

/* The sender should hear now that it takes longer. */
bool retry_warn(const struct retry_rule *r, uint64_t arrived, uint64_t now, bool warned);

#endif
