/*
 * work.h - a message that is being worked at: its envelope, and what became of each recipient.
 *
 * Life, each step on the way to the next (work_step):
 *
 *   lookups > 0     authd is asked where a recipient is now (not at the first try: smtpd knew)
 *   open > 0        recipients wait in lanes or are being delivered
 *   unsynced > 0    local deliveries are made, but not yet known to be on disk
 *   reporting       a report is being written, one kind after the other: failed, delivered, delayed
 *   end             nothing left: the name is removed; else the message waits for its next try
 */
#ifndef QUEUE_WORK_H
#define QUEUE_WORK_H

#include "base/base.h"
#include "queue/memory.h"
#include "spool/spool.h"

struct queue;

enum fate {
	FATE_NONE, /* not in this attempt yet */
	FATE_OVER, /* finished in an earlier attempt: its state in the file says how */
	FATE_DELIVERED,
	FATE_FAILED,
	FATE_DEFERRED, /* the worst: all of the recipient's targets are tried again */
};

/* Of one recipient, parallel to spool_msg.rcpts. Spans are in the work's arena. */
struct outcome {
	uint8_t fate;      /* enum fate: the worst of its jobs */
	bool reported;     /* failed, and the sender knows or need not: may be marked */
	bool marked;       /* the file says so already */
	bool relayed;      /* delivered by a server that will report no success itself */
	uint32_t jobs;     /* open ones */
	uint32_t unsynced; /* local deliveries made, but not known to be on disk: not to be marked yet */
	struct span status, text, host;
	uint64_t tried; /* wall clock */
};

/* One target of a recipient: nearly always there is one. */
struct job {
	struct job *next;
	uint32_t rcpt;    /* index */
	uint32_t kind;    /* enum target_kind */
	struct span addr; /* local: for Delivered-To; remote: for RCPT */
	struct span owner, folder;
	uint64_t quota_bytes, quota_messages;
};

struct work {
	struct msg *m;
	struct arena *a;
	struct buf text;    /* the trailer, that s points into */
	struct spool_msg s; /* the envelope */
	struct outcome *out;
	uint32_t lookups, open, unsynced;
	uint32_t next_lookup; /* index of the first recipient not yet asked for */
	uint32_t lost,
	    last_loss;      /* how often a deliverer ended while it had this message; number of the last */
	bool again;         /* tried before: counted in active_again */
	bool deleted, hold; /* asked for by the administrator meanwhile */
	bool sure;          /* a remote server has taken it: removal must be durable */
	struct job *found, **found_end; /* what is known, until all are there */
	struct report *report;          /* the one being written */
	unsigned reports;               /* or of 1 << enum dsn_kind: these are done in this attempt */
	struct work *next;              /* in the line for authd */
};

/*
 * Begin. text and a are taken, *s borrows from them; `targets` is a list of queue_target for all recipients,
 * or empty: then authd is asked. m is in no heap.
 */
void work_start(struct queue *q, struct msg *m, struct buf *text, struct arena *a, const struct spool_msg *s,
    struct span targets);
/* Begin with one that is due, from its file. */
void work_load(struct queue *q, struct msg *m);
/* May another one be begun? `again`: one that was tried before; those get half of the places at most. */
bool work_room(const struct queue *q, bool again);

/* A target of a recipient is known; j is copied, j->addr must live as long as w->a. */
void work_found(struct work *w, const struct job *j);
/* All are known: into the lanes. May free w. */
void work_dispatch(struct queue *q, struct work *w);

/*
 * What became of a job, or (j = NULL) of a recipient without one. work_step is the caller's, once for all
 * results.
 */
struct result {
	enum err_kind kind; /* ERR_NONE: delivered; ERR_TEMP; all else: failed */
	struct span status, text, host;
	bool relayed;
};
void work_result(struct queue *q, struct work *w, uint32_t rcpt, const struct job *j, const struct result *r);
/* A job that was thought done is open again: its deliverer died before it synced. */
void work_reopen(struct work *w, const struct job *j);
/* Its deliverer died: try again at once, but not for ever. False: it has become a result. */
bool work_retry_lost(struct queue *q, struct work *w, const struct job *j, const char *who);

/* Nothing is left to do but to remove the name. */
bool work_complete(const struct work *w);
/* Go on if nothing is awaited. May free w. */
void work_step(struct queue *q, struct work *w);
/* Mark what is finished in the file; sync: before anything else happens. */
void work_mark(struct queue *q, struct work *w, bool sync);

#endif
