#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "proxyd/proxyd.h"

enum { SLOT_BITS = 16, SLOTS_FIRST = 16, SLOTS_MAX = 1 << SLOT_BITS };

struct upstream *
upstream_new(struct proxyd *p, const char *program, const struct ipc_def *def,
    void (*answer)(struct session *s, struct ipc_in *in, const struct err *why))
{
	struct upstream *l = mem_zero(1, sizeof *l);

	l->p = p;
	l->program = program;
	l->def = def;
	l->answer = answer;
	return l;
}

static void
hang_up(struct upstream *l)
{
	if (l->ch == NULL)
		return;
	loop_watch(l->p->loop, &l->w, 0);
	ipc_free(l->ch);
	l->ch = NULL;
}

void
upstream_free(struct upstream *l)
{
	if (l == NULL)
		return;
	if (l->busy) { /* its handler does it */
		l->dead = true;
		return;
	}
	hang_up(l);
	free(l->waiting);
	free(l);
}

/* Who waits for this answer; it waits no more. */
static struct session *
take(struct upstream *l, uint32_t id)
{
	uint32_t slot = id & (SLOTS_MAX - 1);
	struct session *s;

	if (slot >= l->slots || (s = l->waiting[slot]) == NULL || s->before->request != id)
		return NULL;
	l->waiting[slot] = NULL;
	l->used--;
	s->before->asked = NULL;
	s->before->request = 0;
	return s;
}

/* No answer will come to anyone who waits now; what they ask next goes over a new channel. */
static void
broken(struct upstream *l, struct err *e)
{
	uint32_t turn = l->turn;

	err_set(e, ERR_TEMP, "%s is not there", l->program); /* unless it said more */
	log_event(
	    LOG_WARN, "proxyd.upstream", KV_STR("program", l->program), KV_U("waiting", l->used), KV_ERR(e));
	hang_up(l);
	for (uint32_t i = 0; i < l->slots && !l->dead; i++)
		if (l->waiting[i] != NULL && l->waiting[i]->before->request >> SLOT_BITS <= turn) {
			struct session *s = take(l, l->waiting[i]->before->request);

			l->answer(s, NULL, e);
		}
}

static void
ready(struct watch *w, uint32_t events)
{
	struct upstream *l = w->arg;
	struct err e = { 0 };
	struct ipc_in in;

	l->busy = true;
	if ((events & EPOLLOUT) != 0 && ipc_flush(l->ch, &e) == 0 && !ipc_unsent(l->ch))
		loop_watch(l->p->loop, w, EPOLLIN);
	while (!l->dead && l->ch != NULL && e.kind == ERR_NONE && ipc_get(l->ch, &in, &e) == 1) {
		struct session *s = take(l, in.id);

		if (s != NULL)
			l->answer(s, &in, NULL);
		else if (in.id == 0 && l->unasked != NULL)
			l->unasked(l->p, &in);
	}
	if (!l->dead && l->ch != NULL && (e.kind != ERR_NONE || ipc_eof(l->ch))) {
		if (l->used > 0 || e.kind != ERR_NONE)
			broken(l, &e);
		else
			hang_up(l); /* it was started anew: the next request dials again */
	}
	l->busy = false;
	if (l->dead)
		upstream_free(l);
}

static int
dial(struct upstream *l, struct err *e)
{
	if (l->ch != NULL)
		return 0;
	if ((l->ch = svc_dial(l->p->svc, l->program, l->def, e)) == NULL)
		return -1;
	l->w = (struct watch){ .fd = ipc_fd(l->ch), .ready = ready, .arg = l };
	loop_watch(l->p->loop, &l->w, EPOLLIN);
	return 0;
}

/* A slot that is free; there is one, or SLOTS_MAX wait already. */
static int
free_slot(struct upstream *l, uint32_t *slot, struct err *e)
{
	if (l->used == l->slots) {
		uint32_t n = l->slots == 0 ? SLOTS_FIRST : 2 * l->slots;

		if (n > SLOTS_MAX)
			return err_set(e, ERR_TEMP, "%s has too much to do", l->program);
		l->waiting = mem_resize(l->waiting, n * sizeof(struct session *));
		memset(l->waiting + l->slots, 0, (n - l->slots) * sizeof(struct session *));
		*slot = l->slots;
		l->slots = n;
		return 0;
	}
	for (*slot = 0; l->waiting[*slot] != NULL;)
		++*slot;
	return 0;
}

/* Send; a channel whose other end was started anew is known by that this fails, and is dialled once more. */
static int
send_request(struct upstream *l, uint32_t number, const void *m, uint32_t id, struct err *e)
{
	struct err first = { 0 };

	if (dial(l, e) < 0)
		return -1;
	if (ipc_send_(l->ch, number, m, id, &first) == 0)
		return 0;
	broken(l, &first);
	return dial(l, e) < 0 ? -1 : ipc_send_(l->ch, number, m, id, e);
}

uint32_t
upstream_ask_(struct upstream *l, uint32_t number, const void *m, struct session *s, struct err *e)
{
	uint32_t slot = 0, id;

	need(s->before->asked == NULL);
	if (++l->turn >= SLOTS_MAX)
		l->turn = 1;
	if (free_slot(l, &slot, e) < 0)
		return 0;
	id = l->turn << SLOT_BITS | slot;
	if (send_request(l, number, m, id, e) < 0)
		return 0;
	l->waiting[slot] = s;
	l->used++;
	s->before->asked = l;
	s->before->request = id;
	loop_watch(l->p->loop, &l->w, EPOLLIN | (ipc_unsent(l->ch) ? EPOLLOUT : 0));
	return id;
}

void
upstream_forget(struct upstream *l, uint32_t id)
{
	take(l, id);
}
