/*
 * ending.h - has this process been asked to end?
 *
 * A signal can only set a flag: this is the one place where a library keeps one. SIGTERM sets it, and also
 * ends the reading side of the descriptor that the process waits on, so that no read misses the signal
 * that came just before it: such a read returns the end of input, and the session looks at svc_ending().
 */
#ifndef IO_ENDING_H
#define IO_ENDING_H

#include <stdbool.h>

bool svc_ending(void);

/* Handle SIGTERM from now on. fd (-1: none): a client's socket; what waits to be written to it still goes
 * out. */
void ending_on_term(int fd);

/* The same for another descriptor, once SIGTERM is handled. */
void ending_fd(int fd);

/* SIGTERM as by default, the flag down: for a process that has just been forked. */
void ending_reset(void);

#endif
