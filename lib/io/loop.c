#include "io/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"

enum { EVENTS = 128, IDLE_MAX = 4 };

/*
 * The kernel is given a slot's number and its generation, not a pointer: an event that was fetched before
 * its watch went away finds another generation and is dropped.
 */
struct slot {
	struct watch *w; /* NULL: free */
	uint32_t generation;
	uint32_t next_free;
};

struct loop {
	int epoll;
	bool stopping;
	uint64_t now_ms;
	uint64_t (*clock)(void); /* NULL: the real one */

	struct slot *slots; /* slot 0 is never used */
	uint32_t slots_n, slots_cap, free_slot;

	struct timer **heap; /* heap[1] is due first */
	uint32_t heap_n, heap_cap;

	struct {
		void (*fn)(void *arg);
		void *arg;
	} idle[IDLE_MAX];
	unsigned idle_n;
};

static void
read_clock(struct loop *l)
{
	l->now_ms = l->clock != NULL ? l->clock() : clock_mono_ms();
}

struct loop *
loop_new(void)
{
	struct loop *l = mem_zero(1, sizeof *l);

	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	need(l->epoll >= 0);
	l->slots_n = 1;
	read_clock(l);
	return l;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	close(l->epoll);
	free(l->slots);
	free(l->heap);
	free(l);
}

int
loop_fd(const struct loop *l)
{
	return l->epoll;
}

/* ---- watches */

static uint32_t
slot_take(struct loop *l, struct watch *w)
{
	uint32_t i = l->free_slot;

	if (i != 0) {
		l->free_slot = l->slots[i].next_free;
	} else {
		if (l->slots_n >= l->slots_cap) {
			l->slots_cap = l->slots_cap == 0 ? 64 : 2 * l->slots_cap;
			l->slots = mem_resize(l->slots, l->slots_cap * sizeof *l->slots);
		}
		i = l->slots_n++;
		l->slots[i].generation = 0;
	}
	l->slots[i].w = w;
	return i;
}

static void
slot_give(struct loop *l, uint32_t i)
{
	l->slots[i].w = NULL;
	l->slots[i].generation++;
	l->slots[i].next_free = l->free_slot;
	l->free_slot = i;
}

void
loop_watch(struct loop *l, struct watch *w, uint32_t events)
{
	int op = w->events == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
	struct epoll_event ev = { .events = events };

	if (events == w->events)
		return;
	if (w->events == 0)
		w->slot = slot_take(l, w);
	ev.data.u64 = (uint64_t)l->slots[w->slot].generation << 32 | w->slot;
	need(epoll_ctl(l->epoll, op, w->fd, &ev) == 0);
	if (events == 0)
		slot_give(l, w->slot);
	w->events = events;
}

static void
dispatch(struct loop *l, const struct epoll_event *ev)
{
	uint32_t i = (uint32_t)ev->data.u64, generation = (uint32_t)(ev->data.u64 >> 32);
	struct watch *w = l->slots[i].w;

	if (w != NULL && l->slots[i].generation == generation)
		w->ready(w, ev->events);
}

/* ---- timers: a binary heap */

static void
put(struct loop *l, uint32_t i, struct timer *t)
{
	l->heap[i] = t;
	t->slot = i;
}

static void
rise(struct loop *l, uint32_t i, struct timer *t)
{
	for (; i > 1 && l->heap[i / 2]->at_ms > t->at_ms; i /= 2)
		put(l, i, l->heap[i / 2]);
	put(l, i, t);
}

static void
sink(struct loop *l, uint32_t i, struct timer *t)
{
	for (;;) {
		uint32_t child = 2 * i;

		if (child > l->heap_n)
			break;
		if (child < l->heap_n && l->heap[child + 1]->at_ms < l->heap[child]->at_ms)
			child++;
		if (l->heap[child]->at_ms >= t->at_ms)
			break;
		put(l, i, l->heap[child]);
		i = child;
	}
	put(l, i, t);
}

static void
timer_remove(struct loop *l, struct timer *t)
{
	struct timer *last = l->heap[l->heap_n--];
	uint32_t i = t->slot;

	t->at_ms = 0;
	t->slot = 0;
	if (last == t)
		return;
	if (i > 1 && l->heap[i / 2]->at_ms > last->at_ms)
		rise(l, i, last);
	else
		sink(l, i, last);
}

void
loop_timer(struct loop *l, struct timer *t, uint64_t at_ms)
{
	if (t->at_ms != 0)
		timer_remove(l, t);
	if (at_ms == 0)
		return;
	if (l->heap_n + 1 >= l->heap_cap) {
		l->heap_cap = l->heap_cap == 0 ? 64 : 2 * l->heap_cap;
		l->heap = mem_resize(l->heap, l->heap_cap * sizeof(struct timer *));
	}
	t->at_ms = at_ms;
	rise(l, ++l->heap_n, t);
}

/* Only what is due as the turn begins: a timer that sets itself anew for now waits for the next turn. */
static void
timers_due(struct loop *l)
{
	uint64_t now = l->now_ms;

	for (uint32_t most = l->heap_n; most > 0 && l->heap_n > 0 && l->heap[1]->at_ms <= now && !l->stopping;
	     most--) {
		struct timer *t = l->heap[1];

		timer_remove(l, t);
		t->due(t);
	}
}

/* ---- turns */

uint64_t
loop_now(const struct loop *l)
{
	return l->now_ms;
}

void
loop_clock(struct loop *l, uint64_t (*now_ms)(void))
{
	l->clock = now_ms;
	read_clock(l);
}

void
loop_idle(struct loop *l, void (*fn)(void *arg), void *arg)
{
	need(l->idle_n < IDLE_MAX);
	l->idle[l->idle_n].fn = fn;
	l->idle[l->idle_n++].arg = arg;
}

/* How long epoll_wait may take. A clock that is not real may jump: it is looked at often. */
static int
wait_ms(struct loop *l)
{
	uint64_t at = l->heap_n > 0 ? l->heap[1]->at_ms : UINT64_MAX, wait;

	read_clock(l);
	if (at <= l->now_ms)
		return 0;
	wait = at - l->now_ms;
	if (l->clock != NULL)
		return 1;
	return at == UINT64_MAX ? -1 : wait > INT_MAX ? INT_MAX : (int)wait;
}

void
loop_run(struct loop *l)
{
	struct epoll_event events[EVENTS];

	l->stopping = false;
	while (!l->stopping) {
		int n;

		for (unsigned i = 0; i < l->idle_n; i++)
			l->idle[i].fn(l->idle[i].arg);
		if (l->stopping)
			break;
		n = epoll_wait(l->epoll, events, EVENTS, wait_ms(l));
		need(n >= 0 || errno == EINTR);
		read_clock(l);
		for (int i = 0; i < n && !l->stopping; i++)
			dispatch(l, &events[i]);
		timers_due(l);
	}
}

void
loop_stop(struct loop *l)
{
	l->stopping = true;
}
