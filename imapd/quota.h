/* quota.h - the owner's limits, which authd knows, and what is used of them, which it is told. */
#ifndef IMAPD_QUOTA_H
#define IMAPD_QUOTA_H

#include "imapd/session.h"

/* Before a worker's first command that needs room: ask authd, tell the store. ERR_TEMP when that fails. */
int quota_learn(struct session *s, struct err *e);

/*
 * The first command that has opened the store: say so if it is nearly full (quota_warn), by ALERT. To the owner alone, and
 * by what the store knows of the limits: nobody is asked.
 */
int quota_alert(struct session *s, struct err *e);

/* When a worker ends that changed something: tell authd what is used now. Nothing is lost if that fails. */
void quota_report(struct session *s);

#endif
