/*
 * link.h - a channel in the event loop: reads what comes, writes what does not fit at once, tells when it broke.
 *
 * Embedded in the object that owns it. Neither callback is ever called from within link_send: a broken channel
 * is told in a turn of its own, so that a sender may go on with its loop.
 */
#ifndef QUEUE_LINK_H
#define QUEUE_LINK_H

#include "io/loop.h"
#include "ipc/ipc.h"

struct svc;

struct link {
	struct loop *loop;
	struct ipc *ch;			/* NULL: closed */
	struct watch watch;
	struct timer broken;
	struct err why;
	void *owner;
	/* A frame. False: the link has been closed in here, look no further. */
	bool (*got)(struct link *l, struct ipc_in *in);
	/* The other end is away, or broke a rule; the link is closed already. */
	void (*gone)(struct link *l, const struct err *why);
};

/* On fd, which is taken and made non-blocking. owner, got and gone are set before. */
void link_open(struct link *l, struct loop *loop, int fd, const struct ipc_def *def, enum ipc_role self,
    enum ipc_role peer);
/* The same through a door. -1 with ERR_TEMP. */
int link_dial(struct link *l, struct svc *s, const char *program, const struct ipc_def *def, enum ipc_role peer,
    struct err *e);
void link_close(struct link *l);
static inline bool
link_is_open(const struct link *l)
{
	return l->ch != NULL;
}

#define link_send(l, name, m, id) link_send_((l), name##_no, (const struct name *)(m), (id))
void link_send_(struct link *l, uint32_t number, const void *m, uint32_t id);
void link_refuse(struct link *l, uint32_t id, const struct err *why);

#endif
