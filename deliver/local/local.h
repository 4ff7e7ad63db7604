/*
 * local.h - the parts of deliver-local.
 */
#ifndef DELIVER_LOCAL_H
#define DELIVER_LOCAL_H

#include "base/base.h"
#include "io/link.h"
#include "io/svc.h"
#include "ipc/local.h"
#include "store/store.h"

/* ---- owners.c: stores that are open, the least recently used is closed */

struct owner {
	struct owner *chain;         /* of its hash */
	struct owner *newer, *older; /* by use */
	struct owner *next_unsynced;
	struct store *st;
	bool unsynced;    /* in the list of those */
	bool usage_due;   /* its limits matter: authd is to be told what it holds */
	bool texts_due;   /* upkeep is to be told that mail came */
	struct span name; /* owned */
};

struct owners {
	struct owner **hash;
	size_t size, n; /* size is a power of two */
	struct owner *newest, *oldest;
	struct owner *unsynced;
	size_t nunsynced;
	unsigned char key[16]; /* of the hash */
	const char *boot_id;
};

void owners_init(struct owners *o, size_t max, const char *boot_id);
/*
 * Make the stores of those who have none yet, together, if they are many. What fails here fails in
 * owners_get.
 */
void owners_make(struct owners *o, int dir, const struct span *names, size_t n);
/* Open, or opened now; NULL with *e. When there are too many, one that needs no sync is closed. */
struct owner *owners_get(struct owners *o, struct span name, struct err *e);
void owners_drop(struct owners *o, struct owner *w); /* close it */
void owners_note_unsynced(struct owners *o, struct owner *w);
/* Make all durable, by syncfs of `dir` if they are many. 0, or -1: those that failed are closed. */
int owners_sync(struct owners *o, int dir, struct err *e);

/* ---- tell.c: imapd, authd and upkeep are told what changed; they need not listen */

struct teller {
	struct svc *svc;
	const char *program;
	const struct ipc_def *def;
	struct link link; /* closed: not dialled, or lost */
};

void tell_init(struct teller *t, struct svc *s, const char *program, const struct ipc_def *def);
#define tell(t, name, m) tell_((t), name##_no, (const struct name *)(m))
void tell_(struct teller *t, uint32_t number, const void *m);

/* ---- warn.c */

struct deliverer;
struct target;

/*
 * Within a batch, behind an owner's deliveries: if they reached a threshold of quota_warn for the first time since it was
 * last below, a message says so; *out tells of it, else it is zero. -1: the batch is to be dropped.
 */
int warn_full(struct deliverer *d, struct store *st, const struct target *t, struct store_delivered *out,
    struct err *e);

/* ---- round.c: requests that are here together are delivered together */

/* A recipient of a request. */
struct target {
	struct local_target t;
	struct request *r;
	enum err_kind kind;
	const char *status;
	struct span text;
};

/* All of it in the round's arena, whose use a request's frame and structure bound. */
struct request {
	struct request *next;
	uint32_t id;
	struct local_deliver d;
	struct span structure;
	struct target *targets;
	size_t n;
};

struct round {
	struct arena *a;
	struct request *first, **end;
	size_t targets;
	struct buf prefix; /* of the delivery that is being made */
};

struct deliverer {
	struct svc *svc;
	struct loop *loop;
	int spool, store; /* directories */
	struct owners owners;
	struct teller imapd, authd, upkeep;
	struct round round;
	struct peer *peers;  /* channels of the queue */
	uint64_t batch;      /* the number that the next sync makes durable */
	uint64_t deliveries; /* since the last sync */
	struct timer sync;
	bool draining;
};

void round_init(struct round *r);
/* Take a request, copied; -1 (ERR_PEER) if it is malformed. */
int round_add(struct deliverer *d, struct ipc_in *in, struct err *e);
bool round_full(const struct round *r);
/* Deliver what is here; results are in the targets. */
void round_run(struct deliverer *d);
void round_clear(struct round *r);

#endif
