/*
 * landlock.h - files, TCP ports, abstract sockets and signals, by Landlock. Only for lib/jail.
 *
 * The system's header may be older than the kernel, so the calls and their bits are written down here.
 * Where the kernel is older, what it does not know is left out (landlock_missing names it).
 */
#ifndef JAIL_LANDLOCK_H
#define JAIL_LANDLOCK_H

#include "base/base.h"
#include "jail/jail.h"

/* The version of Landlock in this kernel; 0: none. */
int landlock_version(void);

/* What this kernel's version can't do; "" when it can all. */
const char *landlock_missing(void);

/*
 * A rule set under which nothing is allowed; then what is; then landlock_close makes it this process's law.
 * `any_port`: TCP connections go anywhere; else only to ports that are added.
 */
int landlock_open(bool any_port, struct err *e);
int landlock_below(int rules, int fd, unsigned rights, struct err *e);
int landlock_port(int rules, uint16_t port, struct err *e);
int landlock_close(int rules, struct err *e);

#endif
