/* session.h - one session, from the login on; the process is its owner's alone by now. */
#ifndef POP3D_SESSION_H
#define POP3D_SESSION_H

#include "io/svc.h"
#include "pop3d/maildrop.h"

struct session {
	struct svc *svc;
	struct conn *c;
	struct maildrop drop;
	struct span sid, owner, client;
	bool utf8; /* the client takes messages with UTF-8 in their headers (RFC 6856) */
	unsigned errors;
	uint64_t commands, retrieved, deleted;
};

/* Answer the login (RFC 1939, 4), serve until the end, and change the maildrop if it ends with QUIT. Exit
 * status. */
int session_run(struct session *s, int dir);

#endif
