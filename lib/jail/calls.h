/* calls.h - the classes of system calls as a seccomp program. Only for lib/jail. */
#ifndef JAIL_CALLS_H
#define JAIL_CALLS_H

#include <linux/filter.h>

#include "base/base.h"

/* The program that allows `calls` (or of JAIL_*) and kills or refuses all else. free() its filter. */
int calls_compile(unsigned calls, struct sock_fprog *out, struct err *e);

/* From now on, and for all children. no_new_privs must be set. */
int calls_load(const struct sock_fprog *prog, struct err *e);

#endif
