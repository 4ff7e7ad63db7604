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
	FATE_NONE,		/* not in this attempt yet */
	FATE_OVER,		/* finished in an earlier attempt: its state in the file says how */
	FATE_DELIVERED,
	FATE_DEFERRED,
	FATE_FAILED,
};

/* Of one recipient, parallel to spool_msg.rcpts. Spans are in the work's arena. */
struct outcome {
	uint8_t fate;		/* enum fate: the worst of its jobs */
	bool marked;		/* the file says so already */
	bool relayed;		/* delivered by a server that will report no success itself */
	uint32_t jobs;		/* open ones */
	struct span status, text, host;
	uint64_t tried;		/* wall clock */
};

/* One target of a recipient: nearly always there is one. */
struct job {
	struct job *next;
	uint32_t rcpt;		/* index */
	uint32_t kind;		/* enum target_kind */
	struct span addr;	/* local: for Delivered-To; remote: for RCPT */
	struct span owner, folder;
	uint64_t quota_bytes, quota_messages;
};

struct work {
	struct msg *m;
	struct arena *a;
	struct spool_msg s;		/* the envelope; its text is in a */
	struct outcome *out;
	uint32_t lookups, open, unsynced;
	uint32_t next_lookup;		/* index of the first recipient not yet asked for */
	uint32_t lost;			/* how often a deliverer ended while it had this message */
	uint64_t started;		/* wall clock */
	bool deleted, hold;		/* asked for by the administrator meanwhile */
	bool sure;			/* a remote server has taken it: removal must be durable */
	struct job *found;		/* answers of authd, until all are there */
	struct report *report;		/* the one being written */
	unsigned reported;		/* or of 1 << enum dsn_kind: these are done in this attempt */
	struct work *next;		/* in the line for authd or dsn */
};

/* Start at a message whose envelope is at hand; `targets` is a list of queue_target, or empty. */
void work_begin(struct queue *q, struct msg *m, struct span trailer, uint64_t trailer_at, struct span targets);
/* Start at one that is due, from its file. */
void work_load(struct queue *q, struct msg *m);

/* A target of a recipient is known. */
void work_found(struct work *w, const struct job *j);
/* A recipient cannot be looked up, or no one is there. */
void work_nobody(struct queue *q, struct work *w, uint32_t rcpt, enum err_kind kind, const char *status,
    struct span text);
/* All are known: into the lanes. */
void work_dispatch(struct queue *q, struct work *w);

/* What became of a job. work_step is the caller's to call, once for all results. */
struct result {
	enum err_kind kind;
	struct span status, text, host;
	bool relayed;
};
void work_result(struct queue *q, struct work *w, const struct job *j, const struct result *r);
/* A job that was thought done is open again: its deliverer died before it synced. */
void work_reopen(struct work *w, const struct job *j);

/* Go on if nothing is awaited. May free w. */
void work_step(struct queue *q, struct work *w);

/* Mark what is finished in the file; sync: before anything else happens. Counts an I/O error as a warning. */
void work_mark(struct queue *q, struct work *w, bool sync);

#endif
