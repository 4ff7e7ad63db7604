/*
 * fault.h - failures on demand, for the tests of promises.
 *
 * The environment variable FAULT names points in the code, each with the hit at which it strikes, counted
 * in each process: `FAULT=spool.fsync:1` makes the first sync fail, `FAULT=spool.synced:2:kill` ends the
 * process by SIGKILL at the second. Several are separated by commas. Without the variable a point costs one
 * branch. A program started with other privileges than its caller's (set-uid) does not look at it.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>

extern bool fault_armed; /* FAULT was set when the process started; never changes after that */

bool fault_hit_(const char *point);

/* True if the step that follows shall fail, as if with EIO; errno is set to that. */
static inline bool
fault_hit(const char *point)
{
	return __builtin_expect(fault_armed, 0) && fault_hit_(point);
}

#endif
