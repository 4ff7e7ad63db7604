#include "io/link.h"

#include <sys/epoll.h>

#include "io/svc.h"

/* Told in the next turn, by a timer: the caller may be in the middle of anything. */
static void
broke(struct link *l, const struct err *why)
{
	if (l->why.kind == ERR_NONE)
		l->why = *why;
	loop_timer(l->loop, &l->broken, loop_now(l->loop) > 0 ? loop_now(l->loop) : 1);
}

static void
tell(struct link *l, const struct err *e)
{
	struct err why = *e;

	link_close(l);
	l->gone(l, &why);
}

static void
on_broken(struct timer *t)
{
	struct link *l = t->arg;

	tell(l, &l->why);
}

static void
watch_again(struct link *l)
{
	uint32_t events = EPOLLIN | (ipc_unsent(l->ch) ? EPOLLOUT : 0U);

	if (l->watch.events != events)
		loop_watch(l->loop, &l->watch, events);
}

static void
on_ready(struct watch *w, uint32_t events)
{
	struct link *l = w->arg;
	struct err e = { 0 };
	struct ipc_in in;
	int rc;

	if ((events & EPOLLOUT) != 0 && ipc_flush(l->ch, &e) < 0) {
		tell(l, &e);
		return;
	}
	while ((rc = ipc_get(l->ch, &in, &e)) > 0)
		if (!l->got(l, &in))
			return;
	if (rc < 0 || ipc_eof(l->ch)) {
		err_set(&e, ERR_GONE, "the other end is away");
		tell(l, &e);
		return;
	}
	watch_again(l);
}

void
link_open(struct link *l, struct loop *loop, struct ipc *ch)
{
	l->loop = loop;
	l->ch = ch;
	l->why = (struct err){ 0 };
	l->watch = (struct watch){ .fd = ipc_fd(ch), .ready = on_ready, .arg = l };
	l->broken = (struct timer){ .due = on_broken, .arg = l };
	loop_watch(loop, &l->watch, EPOLLIN);
}

int
link_dial(struct link *l, struct svc *s, const char *program, const struct ipc_def *def, struct err *e)
{
	struct ipc *ch = svc_dial(s, program, def, e);

	if (ch == NULL)
		return -1;
	link_open(l, svc_loop_of(s), ch);
	return 0;
}

void
link_close(struct link *l)
{
	if (l->ch == NULL)
		return;
	loop_timer(l->loop, &l->broken, 0);
	loop_watch(l->loop, &l->watch, 0);
	ipc_free(l->ch);
	l->ch = NULL;
}

static void
sent(struct link *l, int rc, const struct err *e)
{
	if (rc < 0)
		broke(l, e);
	else
		watch_again(l);
}

void
link_send_(struct link *l, uint32_t number, const void *m, uint32_t id)
{
	struct err e = { 0 };

	if (l->why.kind == ERR_NONE)
		sent(l, ipc_send_(l->ch, number, m, id, &e), &e);
}

void
link_refuse(struct link *l, uint32_t id, const struct err *why)
{
	struct err e = { 0 };

	if (l->why.kind == ERR_NONE)
		sent(l, ipc_send_refuse(l->ch, id, why, &e), &e);
}
