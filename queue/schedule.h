/*
 * schedule.h - whose turn is it? Fairness between destinations and between messages, as pure data.
 *
 * A lane is what waits for one place: a share of the local owners, or a remote destination. In a lane the
 * messages take turns, each at most `max` recipients at a time, so that one with 11,000 recipients lets all
 * others through. Destinations take turns too: a ring holds those that have work and may use another
 * connection now.
 *
 * How many connections a destination may have is learnt (as Postfix's queue manager does): the window starts
 * at 5, grows by 1/window with each success up to the configured maximum, and shrinks to what stands when a
 * further connection is refused. A destination that refuses them all is dead for a while, and what waits for
 * it is deferred without asking again. (t/unit-schedule.c)
 */
#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H

#include "base/base.h"

struct work;
struct channel;

/* One recipient on its way; what it is about is in work.h. */
struct job;

/* The jobs of one message that wait in one lane. */
struct entry {
	struct work *work;
	struct job *first, *last;
	struct entry *next;
};

struct lane {
	struct entry *head, *tail;
	size_t jobs;
};

void lane_add(struct lane *l, struct work *w, struct job *j);
/* Up to max jobs (linked) of the message whose turn it is, which then goes to the end. NULL: none waits. */
struct job *lane_take(struct lane *l, size_t max, struct work **w, size_t *n);
/* All that wait of one message, linked. */
struct job *lane_remove(struct lane *l, const struct work *w);

enum { WINDOW_START = 5, BROKEN_MAX = 5 };

struct dest {
	char *name; /* next hop, as in remote_connect */
	struct lane lane;
	unsigned busy;            /* connections connecting or delivering */
	unsigned idle;            /* connections that could be used again */
	unsigned window;          /* thousandths of a connection */
	unsigned broken;          /* connections in a row that broke down in a delivery */
	uint64_t dead_until;      /* on the loop's clock; 0: alive */
	char *why;                /* dead_until: text of the refusal, starts with a status code */
	struct channel *channels; /* idle ones, the last used first */
	struct dest *next;        /* in its bucket */
	struct dest *ring;        /* in the ring, if ringed */
	bool ringed;
};

struct sched {
	struct dest **bucket;
	size_t nbuckets, n;
	struct dest *tail; /* of the ring, whose head is tail->ring */
	unsigned window_max;
	unsigned char key[16];
};

void sched_init(struct sched *s, unsigned window_max);
struct dest *sched_dest(struct sched *s, struct span name); /* made when it is new */
/* The state of d has changed: into the ring if it has work and may use another connection. */
void sched_update(struct sched *s, struct dest *d);
/* Takes the next destination out of the ring, or NULL. The caller starts something for it and updates it. */
struct dest *sched_next(struct sched *s);
/* Forget destinations that have no work, no connection, and are not dead. */
void sched_sweep(struct sched *s, uint64_t now);

/* ---- what was learnt */
void dest_good(struct sched *s, struct dest *d); /* a message went through */
/* A connection was refused: d->busy no longer counts it. True: it was the last, d is now dead until then. */
bool dest_refused(struct dest *d, struct span why, uint64_t until);
/* A connection broke in a delivery. True: that happens too often, d is dead. */
bool dest_broke(struct dest *d, struct span why, uint64_t until);
bool dest_dead(struct dest *d, uint64_t now);
void dest_revive(struct dest *d);

#endif
