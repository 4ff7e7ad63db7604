/*
 * thread.h - messages into threads: RFC 5256, 3 (ORDEREDSUBJECT, REFERENCES).
 *
 * Messages are added in the order of the mailbox, with the keys of their structure records (structure.h), of which nothing
 * is kept but digests: a million messages take some 200 MB. Ids and subjects are digested with a key of the moment, so no
 * sender can aim at a collision. Nothing is recursive; time is n log n, references that try to make it more are left out
 * (WALK in thread.c). (t/unit-imap-thread.c, fuzz/thread.c)
 */
#ifndef IMAP_THREAD_H
#define IMAP_THREAD_H

#include "base/base.h"

struct threads;

/* For so many messages at most. */
struct threads *threads_new(uint32_t max);
void threads_free(struct threads *t); /* NULL is allowed */

struct thread_message {
	uint32_t number;        /* how the answer names it */
	int64_t date;           /* sent date, else internal date */
	struct span message_id; /* empty: none */
	struct span references; /* each with a NUL behind */
	struct span subject;    /* base subject, UTF-8 */
	bool reply;             /* the subject was that of a reply or forward */
};
int threads_add(struct threads *t, const struct thread_message *m, struct err *e);

/* Once, when all are added. */
void threads_by_subject(struct threads *t);
void threads_by_references(struct threads *t);

/* Append " (1)(2 3 (4)(5))", or nothing if there are no messages. */
int threads_format(const struct threads *t, struct buf *out, struct err *e);

#endif
