/* command.h - reading one command and running it. */
#ifndef IMAPD_COMMAND_H
#define IMAPD_COMMAND_H

#include "imapd/session.h"

/*
 * Read the next command, run it, answer it. A command that is no good is answered BAD and the session goes
 * on. -1 with ERR_GONE when the client is away (conn_timed_out tells why).
 */
int	command_serve(struct session *s, struct err *e);

/* Read and drop n octets: a literal that is not wanted but comes without being asked for (RFC 7888). */
int	command_skip(struct session *s, uint64_t n, struct err *e);

/* Ask for a literal, unless it comes by itself. */
int	command_continue(struct session *s, const struct imap_literal *lit, struct err *e);

#endif
