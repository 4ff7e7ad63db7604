/*
 * link.h - a channel in the event loop: reads what comes, writes what does not fit at once, tells when it
 * broke.
 *
 * Embedded in the object that owns it, which sets owner, got and gone before. Neither callback is ever called
 * from within link_send: a broken channel is told in a turn of its own, so that a sender may go on with its
 * loop.
 */
#ifndef IO_LINK_H
#define IO_LINK_H

#include "io/loop.h"
#include "ipc/ipc.h"

struct svc;

struct link {
	struct loop *loop;
	struct ipc *ch; /* NULL: closed */
	struct watch watch;
	struct timer broken;
	struct err why;
	void *owner;
	/* A frame. False: the link has been closed in here, look no further. */
	bool (*got)(struct link *l, struct ipc_in *in);
	/* The other end is away (ERR_GONE), or broke a rule (ERR_PEER); the link is closed already. */
	void (*gone)(struct link *l, const struct err *why);
};

/* On a channel, which is taken: of svc_dial, or ipc_new on a descriptor that svc_loop's `dialled` brought. */
void link_open(struct link *l, struct loop *loop, struct ipc *ch);
/* The same through the door to a program. -1 with *e (ERR_TEMP): closed. */
int link_dial(struct link *l, struct svc *s, const char *program, const struct ipc_def *def, struct err *e);
/*
 * Neither callback is called any more; in `got`, return false then. A link that is closed may be closed
 * again.
 */
void link_close(struct link *l);
static inline bool
link_is_open(const struct link *l)
{
	return l->ch != NULL;
}

/* To who is there no more, nothing is sent; `gone` comes, or has come. */
#define link_send(l, name, m, id) link_send_((l), name##_no, (const struct name *)(m), (id))
void link_send_(struct link *l, uint32_t number, const void *m, uint32_t id);
void link_refuse(struct link *l, uint32_t id, const struct err *why);

#endif
