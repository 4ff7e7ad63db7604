#include "io/dialer.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "ipc/ipc.h"

/* As many as fit. */
static void
send_waiting(struct dialer *d)
{
	while (d->n > 0 && d->w.fd >= 0) {
		if (ipc_dial_end(d->w.fd, d->ends[d->first]) == 0)
			break;
		close(d->ends[d->first]);
		d->first++;
		d->n--;
	}
	if (d->n == 0)
		d->first = 0;
	if (d->w.fd >= 0)
		loop_watch(d->loop, &d->w, d->n > 0 ? EPOLLOUT : 0);
}

static void
has_room(struct watch *w, uint32_t events)
{
	(void)events;
	send_waiting(w->arg);
}

void
dialer_init(struct dialer *d, struct loop *l, int door)
{
	*d = (struct dialer){ .loop = l, .w = { .fd = door, .ready = has_room, .arg = d } };
}

void
dialer_door(struct dialer *d, int door)
{
	if (d->w.fd >= 0)
		loop_watch(d->loop, &d->w, 0);
	d->w.fd = door;
	send_waiting(d);
}

void
dialer_send(struct dialer *d, int end)
{
	if (d->first + d->n == d->size && d->first > 0) {
		memmove(d->ends, d->ends + d->first, d->n * sizeof *d->ends);
		d->first = 0;
	}
	if (d->first + d->n == d->size) {
		d->size = d->size == 0 ? 16 : 2 * d->size;
		d->ends = mem_resize(d->ends, d->size * sizeof *d->ends);
	}
	d->ends[d->first + d->n++] = end;
	send_waiting(d);
}

void
dialer_free(struct dialer *d)
{
	if (d->w.fd >= 0)
		loop_watch(d->loop, &d->w, 0);
	for (; d->n > 0; d->n--)
		close(d->ends[d->first++]);
	free(d->ends);
	d->ends = NULL;
}
