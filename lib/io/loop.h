/*
 * loop.h - the event loop of the programs in which many things wait (epoll, level-triggered).
 *
 * A watch or a timer is embedded in the object that waits; the loop never allocates for them and never
 * owns them. A handler is called with the object's watch, and finds the object by its `arg`. Handlers run
 * one after the other and never nest. A watch may be removed, and its object freed, in any handler, its
 * own included: events already fetched for it are dropped.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop;

struct watch {
	int fd;
	uint32_t events; /* EPOLLIN, EPOLLOUT, ...; 0 while not watched */
	void (*ready)(struct watch *w, uint32_t events);
	void *arg;
	uint32_t slot; /* the loop's */
};

struct timer {
	uint64_t at_ms; /* on the loop's clock; 0 while not set */
	void (*due)(struct timer *t);
	void *arg;
	uint32_t slot; /* the loop's: place in its heap, from 1 */
};

struct loop *loop_new(void);
void loop_free(struct loop *l);
int loop_fd(const struct loop *l); /* its epoll descriptor: a child closes it */

/*
 * Watch w->fd for `events`, or change what is watched; 0 stops watching (before the fd is closed).
 * w->fd, w->ready and w->arg are set by the caller before.
 */
void loop_watch(struct loop *l, struct watch *w, uint32_t events);

/* Call t->due once, at at_ms; setting it again moves it; 0 takes it back. Log n. */
void loop_timer(struct loop *l, struct timer *t, uint64_t at_ms);

/* The loop's clock: monotonic milliseconds, read once per turn. */
uint64_t loop_now(const struct loop *l);

/* Replace the clock (tests of hour-long waits); NULL gives the real one back. */
void loop_clock(struct loop *l, uint64_t (*now_ms)(void));

/* Called when the loop is about to wait: flush logs, outputs, batches. */
void loop_idle(struct loop *l, void (*fn)(void *arg), void *arg);

/* Run until loop_stop. A turn handles what is ready and what is due. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

#endif
