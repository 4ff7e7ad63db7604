/*
 * queue.h - the queue manager's state, and what its files offer each other. See queue.c for the order of
 * reading.
 *
 * Everything runs in one event loop and no function blocks but for the disk. Times: "wall" is ms since 1970,
 * stored and compared over restarts; "loop" is the loop's monotonic clock, for waiting within this process.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "base/base.h"
#include "io/link.h"
#include "io/svc.h"
#include "queue/memory.h"
#include "queue/retry.h"
#include "queue/schedule.h"
#include "queue/work.h"

enum {
	POOL_BATCH = 32, /* names made durable by one sync of the directory */
	POOL_LOW = 8,    /* a new batch is made when so few are left, before they are needed */
	TRAILER_MAX = 16 << 20,
	WORK_ARENA_MAX = 256 << 20,
	RCPTS_MAX = 200000,        /* of one message: no smtpd takes so many; what has more is damaged */
	ACTIVE_RCPTS_MAX = 100000, /* recipients of all messages being worked at */
};

/* An empty file with a durable name, ours alone. */
struct pooled {
	int fd;
	struct id mid;
};

struct pool {
	struct pooled v[POOL_BATCH + POOL_LOW];
	size_t n;
	struct timer refill;
	bool full;        /* the last refill failed, or space is short: logged once */
	uint64_t checked; /* loop time of the last look at the free space */
};

/* Files that may yet become messages: they are no message now, but somebody may still have them open. */
struct strays {
	struct id *v;
	size_t n, cap;
	struct timer look;
};

struct share { /* deliver-local/N: see local.c */
	struct queue *q;
	unsigned number;
	struct link link;
	struct lane lane;
	struct request *requests; /* on their way */
	size_t nrequests, njobs;
	struct settled *settled, **settled_end; /* done, to be synced */
	uint32_t last_id;
	struct timer again;
	uint64_t pause;
};

struct queue {
	struct svc *svc;
	struct loop *loop;
	int dir; /* spool/, open for reading: openat, unlinkat, fsync */
	bool draining;

	struct msgs msgs;
	struct heap fresh, waiting;
	struct reasons reasons;
	size_t active, active_again, active_rcpts; /* works; those of messages tried before; recipients */
	size_t held;
	struct timer due;

	struct pool pool;
	struct strays strays;
	struct scan *scan; /* while the start's scan runs */
	struct intake *intakes;
	bool unlinked; /* names were removed and the directory is not synced */
	struct timer sync;

	struct share *shares;
	unsigned nshares;
	uint32_t losses;    /* deliverers that died on us */
	struct sched sched; /* remote destinations */
	unsigned nchannels; /* connecting or delivering */
	unsigned nidle;     /* waiting for a further message */
	struct timer sweep;
	struct lookups *lookups; /* authd */
	struct reports *reports; /* dsn */
};

uint64_t wall_now(void);
struct retry_rule retry_rule(void); /* of cfg */

/* ---- pool.c */
void pool_init(struct queue *q);
bool pool_take(struct queue *q, struct pooled *out); /* false: no space; out is then untouched */
bool pool_full(struct queue *q);                     /* no message is taken now */
void pool_back(struct queue *q, struct pooled *p);   /* unused and not shown to anyone */
/*
 * A file that was handed out and came back unused, or was found at the start: p->fd is ours. Reused or
 * removed if nobody else has it open, else looked at again later.
 */
void stray_add(struct queue *q, struct span mid);
bool stray_known(const struct queue *q, struct span mid);    /* a name that the scan need not look at */
int spool_file(struct queue *q, struct span mid, int flags); /* open spool/MID; -1 with errno */

/* ---- scan.c */
void scan_start(struct queue *q);
/* A report that turned up as a stray while the scan runs: what it is about may not be known yet. */
void scan_report(struct queue *q, const struct spool_msg *s);

/* ---- intake.c */
void intake_open(struct queue *q, int fd, enum ipc_role peer);
bool intake_has(const struct queue *q, struct span mid);
/* A complete message: from smtpd or dsn (with targets), or found as a stray (without). */
struct msg *intake_take(struct queue *q, struct span mid, struct span trailer, uint64_t trailer_at,
    struct span targets, struct err *e);

/* ---- queue.c */
void msg_wait(struct queue *q, struct msg *m);   /* into the heap, by next_try and attempts */
void msg_unwait(struct queue *q, struct msg *m); /* out of its heap, if it is in one */
void msg_gone(
    struct queue *q, struct msg *m, bool sure, const char *why); /* remove the name and the record */
void queue_wake(struct queue *q);                                /* look at what is due, soon */
void queue_maybe_end(struct queue *q);                           /* draining, and nothing is in flight */

/* ---- lookup.c: authd */
void lookups_init(struct queue *q);
void lookup_add(
    struct queue *q, struct work *w); /* all recipients of w that are to do; ends in work_dispatch */
void lookup_sender(struct queue *q, struct work *w); /* for a report; ends in report_to */

/* ---- local.c: deliver-local */
void local_init(struct queue *q);
void local_add(struct queue *q, struct work *w, struct job *j);
void local_run(struct queue *q);
size_t local_in_flight(const struct queue *q);
void local_cancel(struct queue *q, struct work *w); /* what is not on its way yet: as results ERR_TEMP */

/* ---- remote.c: deliver-smtp */
void remote_init(struct queue *q);
void remote_add(struct queue *q, struct work *w, struct job *j);
void remote_run(struct queue *q);
void remote_cancel(struct queue *q, struct work *w);
void remote_flush(struct queue *q); /* forget which destinations are dead */

/* ---- report.c: dsn */
void reports_init(struct queue *q);
size_t reports_in_flight(const struct queue *q);
bool report_next(struct queue *q, struct work *w); /* starts one if one is to be written */
void report_to(struct queue *q, struct work *w, enum err_kind kind, struct span targets, struct span why);
/* A report found at the start: mark what it reports. */
void report_found(struct queue *q, struct msg *about, struct span marks);

/* ---- admin.c */
void admin_open(struct queue *q, int fd);

#endif
