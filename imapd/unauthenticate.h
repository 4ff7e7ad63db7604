/* unauthenticate.h - UNAUTHENTICATE (RFC 8437): the client goes back to proxyd, and logs in anew. */
#ifndef IMAPD_UNAUTHENTICATE_H
#define IMAPD_UNAUTHENTICATE_H

#include "imapd/session.h"

/* The command is answered: all goes out, and compression ends (4.1). The session is over after. */
int unauthenticate(struct session *s, struct err *e);

/* The last word to the holder: the client is its, with what was read of it and not used. */
void client_back(struct session *s);

#endif
