/* idle.h - IDLE across workers. */
#ifndef IMAPD_IDLE_H
#define IMAPD_IDLE_H

#include "imapd/session.h"

/*
 * Go on with an IDLE that an earlier worker left (s->idle_tag), to its end and answer, or until this
 * worker leaves too. -1 with ERR_GONE.
 */
int idle_go_on(struct session *s, struct err *e);

#endif
