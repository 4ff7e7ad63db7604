/* progress.h - a long command says how far it is (RFC 9585), and learns that nobody waits for it any more. */
#ifndef IMAPD_PROGRESS_H
#define IMAPD_PROGRESS_H

#include "imapd/session.h"

struct progress {
	struct session *s;
	struct span tag;    /* of the command */
	uint64_t next;      /* when to speak: milliseconds of the monotonic clock */
	uint64_t next_look; /* when to look whether the client is there */
};

void progress_start(struct progress *p, struct session *s, const struct cmd *cmd);

/*
 * So much of so much is done; call it as often as it is convenient. Every imap_progress it tells the client, with all that
 * is in s->out. -1 with ERR_GONE when the client is gone.
 */
int progress_at(struct progress *p, uint64_t done, uint64_t goal, struct err *e);

#endif
