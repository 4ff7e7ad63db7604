/* command.h - reading one command and running it. */
#ifndef IMAPD_COMMAND_H
#define IMAPD_COMMAND_H

#include "imapd/session.h"

/*
 * Read the next command, run it, answer it. A command that is no good is answered BAD and the session goes
 * on. -1 with ERR_GONE when the client is away (conn_timed_out tells why).
 */
int command_serve(struct session *s, struct err *e);

/*
 * Behind a line that ends in this literal and will be refused: read and drop what is on its way without being
 * asked for (RFC 7888), to the end of the command, so that it is not taken for commands. -1: ERR_GONE.
 */
int command_skip_rest(struct session *s, struct imap_literal lit, struct err *e);

/* Ask for a literal, unless it comes by itself. */
int command_continue(struct session *s, const struct imap_literal *lit, struct err *e);

#endif
