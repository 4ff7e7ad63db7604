/*
 * tell.c - one-way channels to imapd and authd.
 *
 * What is told helps readers to hear sooner and authd to know quotas; nothing depends on it. So a channel
 * that breaks, or whose other end does not read, is dropped, and dialled again when there is something to
 * tell.
 */
#include <fcntl.h>

#include "deliver/local/local.h"

void
tell_init(struct teller *t, struct svc *s, const char *program, const struct ipc_def *def, enum ipc_role role)
{
	*t = (struct teller){ .svc = s, .program = program, .def = def, .role = role };
}

static void
hang_up(struct teller *t)
{
	loop_watch(svc_loop_of(t->svc), &t->watch, 0);
	ipc_free(t->ch);
	t->ch = NULL;
}

static void
watch_more(struct teller *t)
{
	uint32_t events = EPOLLIN | (ipc_unsent(t->ch) ? EPOLLOUT : 0U);

	if (t->watch.events != events)
		loop_watch(svc_loop_of(t->svc), &t->watch, events);
}

/* It has nothing to say to us: what comes is its end, or room for what waits. */
static void
ready(struct watch *w, uint32_t events)
{
	struct teller *t = w->arg;
	struct err e = { 0 };
	struct ipc_in in;

	if (((events & EPOLLOUT) != 0 && ipc_flush(t->ch, &e) < 0) || ipc_get(t->ch, &in, &e) != 0 ||
	    ipc_eof(t->ch))
		hang_up(t);
	else
		watch_more(t);
}

static bool
dial(struct teller *t)
{
	struct err e = { 0 };
	int door = svc_door(t->svc, t->program), fd;

	if (t->ch != NULL)
		return true;
	if (door < 0 || (fd = ipc_dial(door, &e)) < 0)
		return false;
	fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
	t->ch = ipc_new(fd, t->def, ROLE_LOCAL, t->role);
	t->watch = (struct watch){ .fd = fd, .ready = ready, .arg = t };
	loop_watch(svc_loop_of(t->svc), &t->watch, EPOLLIN);
	return true;
}

void
tell_(struct teller *t, uint32_t number, const void *m)
{
	struct err e = { 0 };

	if (!dial(t))
		return;
	if (ipc_send_(t->ch, number, m, 0, &e) < 0)
		hang_up(t);
	else
		watch_more(t);
}
