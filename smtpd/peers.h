/*
 * peers.h - the services that a session asks: authd, queue, filterd. Each is dialled when it is first needed.
 *
 * A channel that broke is dialled anew once for a question that may be asked twice, so that a service that
 * was restarted is not noticed. Failures are ERR_TEMP. Spans in answers live until the next call for the same
 * service.
 */
#ifndef SMTPD_PEERS_H
#define SMTPD_PEERS_H

#include "io/svc.h"
#include "ipc/authd.h"
#include "ipc/filterd.h"
#include "ipc/queue.h"

struct peers;

struct peers *peers_new(const struct svc *svc, struct span sid);
/* The next session of this process: channels are kept, but for those whose service has gone. */
void peers_again(struct peers *p, struct span sid);
void peers_free(struct peers *p); /* a file that was given and not committed goes back to the queue */

int peers_whois(struct peers *p, const struct authd_whois *q, struct authd_whois_answer *a, struct err *e);
int peers_login(struct peers *p, const struct authd_login *q, struct authd_login_answer *a, struct err *e);
int peers_sender(struct peers *p, const struct authd_sender *q, struct err *e); /* 1 allowed, 0 not, -1 */
int peers_filter(struct peers *p, const struct filterd_check *q, struct filterd_verdict *a, struct err *e);

/*
 * The file for the next message: asks for one if none is there. 1 with *file (borrowed: it is open until it
 * is committed or dropped) and *mid; 0 when the queue takes none now, for lack of space; -1.
 */
int peers_file(struct peers *p, int *file, struct id *mid, struct err *e);

/*
 * The file is a durable message: it is the queue's from here on. If -1 comes back the queue was not there to
 * hear it, the file has been made no message, and the client must not be told that we have it.
 */
int peers_commit(struct peers *p, const struct queue_commit *c, struct err *e);
/* The file will not be a message. */
void peers_drop(struct peers *p);

#endif
