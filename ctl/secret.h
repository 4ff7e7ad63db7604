/*
 * secret.h - passwords from people and from scripts; never from the command line, which everyone can see.
 *
 * Where standard input is a terminal, the password is asked for without echo (twice when it is a new one);
 * else it is the first line of standard input.
 */
#ifndef CTL_SECRET_H
#define CTL_SECRET_H

#include "base/base.h"

/* Into *out (initialised here; the caller wipes it). 0, or -1: ERR_PERM, e.g. the two differ. */
int secret_read(const char *prompt, bool twice, struct buf *out, struct err *e);

#endif
