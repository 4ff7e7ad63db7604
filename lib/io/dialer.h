/*
 * dialer.h - a door through which more may be dialled than it holds.
 *
 * A door (ipc/ipc.h) takes some 270 dials that its service has not come to; then ipc_dial refuses. Where hundreds of
 * channels are wanted at once, as when a message comes for all who idle, and none may be lost, what does not fit waits
 * here, in order, until there is room. Who dialled notices nothing: the channel can be written to at once.
 */
#ifndef IO_DIALER_H
#define IO_DIALER_H

#include "base/base.h"
#include "io/loop.h"

struct dialer {
	struct loop *loop;
	struct watch w;
	int *ends; /* that wait: n from first on */
	size_t first, n, size;
};

/* door: the client's end, which stays the caller's; -1: there is none yet, and all wait. */
void dialer_init(struct dialer *d, struct loop *l, int door);

/* Another door in its place, before the old one is closed. */
void dialer_door(struct dialer *d, int door);

/*
 * Send one end of a channel, which is taken. If that fails now or later, it is closed: then the other end is told so as
 * by a service that died.
 */
void dialer_send(struct dialer *d, int end);

/* What waits is closed. */
void dialer_free(struct dialer *d);

#endif
