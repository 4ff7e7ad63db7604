/*
 * hash.h - the processes that compute slow password hashes, so that authd itself never does.
 *
 * Each has a socket pair to authd and one job at a time; jobs wait in two queues, of which logins go first. A
 * worker that dies fails the job it had (ERR_TEMP) and is replaced. It can compute, and read and write that
 * one socket: nothing else.
 */
#ifndef AUTHD_HASH_H
#define AUTHD_HASH_H

#include "base/base.h"
#include "io/loop.h"
#include "pw/pw.h"

enum { HASH_WAITING_MAX = 512 }; /* logins that may wait for a worker */

enum hash_op {
	HASH_VERIFY = 1,
	HASH_DUMMY, /* as long as a verification, and then wrong */
	HASH_NEW,   /* the hash of a new password */
};

/* Part of the object that waits. */
struct hash_job {
	/* The result of pw_verify() or pw_hash(); text is the new hash, or why it failed. */
	void (*done)(struct hash_job *j, int result, struct span text);
	void *arg;
	struct hash_job *next; /* the pool's, as is all below */
	struct hash_worker *worker;
	char *request;
	size_t request_size;
	bool queued;
};

struct hash_pool;

struct hash_start {
	/* As fork(). */
	pid_t (*fork)(void *arg);
	/* In the worker: give up all rights. 0, or -1: then the worker ends. */
	int (*confine)(void *arg, struct err *e);
	void *arg;
};

struct hash_pool *hash_pool_new(struct loop *l, unsigned workers, const struct hash_start *how);
void hash_pool_free(struct hash_pool *p);

/* What new hashes and dummies cost from now on. */
void hash_pool_cost(struct hash_pool *p, const struct pw_cost *cost);

/*
 * Give a job to the pool; password and hash are copied, and wiped after use. `bulk` ones (imports) wait
 * behind logins. 0, or -1 with ERR_TEMP when too many logins wait. done() is called later, never from in
 * here.
 */
int hash_submit(struct hash_pool *p, struct hash_job *j, enum hash_op op, struct span hash,
    struct span password, bool bulk, struct err *e);

/* Take a job back: done() is not called. */
void hash_cancel(struct hash_pool *p, struct hash_job *j);

#endif
