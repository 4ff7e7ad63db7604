/*
 * memory.h - what the queue keeps in memory of every message: 64 octets, and two or three pointers to it.
 *
 * A message's envelope is in its file; it is read when the message is due (work.h), so that 100,000 waiting
 * messages cost some 10 MB (t/unit-memory.c measures it). All of it is pure: no files, no clock.
 */
#ifndef QUEUE_MEMORY_H
#define QUEUE_MEMORY_H

#include "base/base.h"
#include "base/id.h"

struct work;

enum msg_state {
	MSG_SCANNED, /* found at the start, not yet let go: reports about it may still be found */
	MSG_FRESH,   /* in the heap of those never tried */
	MSG_WAITING, /* in the heap of those to be tried again */
	MSG_ACTIVE,  /* msg->work is at it */
	MSG_HELD,    /* by the administrator or a filter */
	MSG_DAMAGED, /* its trailer can't be read: someone must look */
};

struct msg {
	char mid[ID_LEN]; /* without a NUL */
	uint64_t arrived; /* wall clock, ms since 1970, as next_try */
	uint64_t next_try;
	uint64_t size;
	struct work *work;  /* MSG_ACTIVE */
	const char *reason; /* of the last failure: of reasons, or NULL */
	uint32_t slot;      /* in its heap */
	uint16_t attempts;
	uint8_t state;   /* enum msg_state */
	bool unverified; /* found on disk: its digest is looked at before it is delivered */
};

struct span msg_mid(const struct msg *m);

/* ---- all messages, sorted by mid. Ids grow with time, so a new one is nearly always put at the end. */
struct msgs {
	struct msg **v;
	size_t n, cap;
};

struct msg *msg_new(struct span mid); /* free() frees, unless it was put */
/* Takes m; false if there is one of that mid: then m is still the caller's. */
bool msgs_put(struct msgs *s, struct msg *m);
struct msg *msgs_find(const struct msgs *s, struct span mid);
struct msg *msgs_after(const struct msgs *s, struct span mid); /* the next one; an empty mid: the first */
void msgs_remove(struct msgs *s, struct msg *m);               /* and frees it */
void msgs_free(struct msgs *s);

/* ---- the ones that wait, the soonest first */
struct heap {
	struct msg **v;
	size_t n, cap;
};

void heap_add(struct heap *h, struct msg *m); /* by m->next_try */
void heap_remove(struct heap *h, struct msg *m);
struct msg *heap_top(const struct heap *h); /* NULL when empty */
void heap_free(struct heap *h);

/*
 * ---- why messages wait: many wait for the same reason, so texts are kept once and counted. Bounded: a text
 * is cut at REASON_MAX octets, and past REASONS_MAX different ones only their first word (the status code) is
 * kept.
 */
enum { REASON_MAX = 160, REASONS_MAX = 4096, REASON_BUCKETS = 1024 };
struct reason;
struct reasons {
	struct reason *bucket[REASON_BUCKETS];
	size_t n;
	unsigned char key[16]; /* of the hash: texts come from strangers. Filled by reasons_init */
};

void reasons_init(struct reasons *r);
const char *reason_keep(struct reasons *r, struct span text);
void reason_drop(struct reasons *r, const char *text); /* NULL is allowed */

#endif
