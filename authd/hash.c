/*
 * hash.c - the pool (in authd's loop) and the worker (a process of its own).
 *
 * One SOCK_SEQPACKET record a request: struct head, the hash, the password; one a result: int32_t, text.
 */
#include "authd/hash.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

enum { WORKERS_MAX = 64, RECORD_MAX = 8192, RESTART_MS = 1000 };

struct head {
	uint32_t op, hash_size;
	struct pw_cost cost;
};

struct hash_worker {
	struct hash_pool *pool;
	struct watch watch; /* fd is -1 while it is not running */
	struct timer restart;
	struct hash_job *job;
	bool busy; /* a result is due; with no job when that was cancelled */
};

struct queue {
	struct hash_job *first, **last;
	size_t n;
};

struct hash_pool {
	struct loop *loop;
	struct hash_start how;
	struct pw_cost cost;
	struct queue logins, bulk;
	unsigned n;
	struct hash_worker worker[];
};

/* ---- the worker */

static void
wipe(void *p, size_t n)
{
	sodium_memzero(p, n);
}

static int32_t
compute(struct span in, struct buf *text, struct err *e)
{
	struct head h;
	struct span hash, password;

	need(in.n >= sizeof h);
	memcpy(&h, in.p, sizeof h);
	in = span_from(in, sizeof h);
	need(h.hash_size <= in.n);
	hash = span_head(in, h.hash_size);
	password = span_from(in, h.hash_size);
	switch ((enum hash_op)h.op) {
	case HASH_VERIFY:
		return pw_verify(hash, password, e);
	case HASH_DUMMY:
		pw_dummy_verify(password, &h.cost);
		return 0;
	case HASH_NEW:
		return pw_hash(password, &h.cost, text, e);
	}
	return -1;
}

static int
answer(int fd, int32_t result, struct span text)
{
	char out[RECORD_MAX];

	need(text.n <= sizeof out - sizeof result);
	memcpy(out, &result, sizeof result);
	if (text.n > 0)
		memcpy(out + sizeof result, text.p, text.n);
	return send(fd, out, sizeof result + text.n, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static void
serve(int fd)
{
	char in[RECORD_MAX];
	struct buf text;
	ssize_t n;

	buf_init(&text, PW_HASH_MAX);
	while ((n = recv(fd, in, sizeof in, 0)) > 0) {
		struct err e = { 0 };
		int32_t result = compute(span_of(in, (size_t)n), &text, &e);

		wipe(in, (size_t)n);
		if (answer(fd, result, result < 0 ? span_str(e.text) : buf_span(&text)) < 0)
			break;
		buf_clear(&text);
	}
}

static _Noreturn void
worker_main(const struct hash_start *how, int fd)
{
	struct err e = { 0 };

	/* What the service has open is not the worker's: its peers, its log, accounts.db. */
	if (fd > 3)
		close_range(3, (unsigned)fd - 1, 0);
	close_range((unsigned)fd + 1, ~0u, 0);
	if (how->confine(how->arg, &e) < 0)
		_exit(err_exit(&e));
	serve(fd);
	_exit(0);
}

/* ---- the pool */

static void feed(struct hash_pool *p);

static void
queue_add(struct queue *q, struct hash_job *j)
{
	j->next = NULL;
	*q->last = j;
	q->last = &j->next;
	q->n++;
}

static struct hash_job *
queue_take(struct queue *q)
{
	struct hash_job *j = q->first;

	if (j == NULL)
		return NULL;
	q->first = j->next;
	if (q->first == NULL)
		q->last = &q->first;
	q->n--;
	return j;
}

static bool
queue_remove(struct queue *q, struct hash_job *j)
{
	struct hash_job **at = &q->first;

	while (*at != NULL && *at != j)
		at = &(*at)->next;
	if (*at == NULL)
		return false;
	*at = j->next;
	if (q->last == &j->next)
		q->last = at;
	q->n--;
	return true;
}

static void
forget_request(struct hash_job *j)
{
	if (j->request != NULL)
		wipe(j->request, j->request_size);
	free(j->request);
	j->request = NULL;
}

static void
finish(struct hash_job *j, int result, struct span text)
{
	forget_request(j);
	j->worker = NULL;
	j->done(j, result, text);
}

static void
worker_start(struct hash_worker *w)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		loop_timer(w->pool->loop, &w->restart, loop_now(w->pool->loop) + RESTART_MS);
		return;
	}
	pid = w->pool->how.fork(w->pool->how.arg);
	if (pid == 0) {
		close(pair[0]);
		worker_main(&w->pool->how, pair[1]);
	}
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		loop_timer(w->pool->loop, &w->restart, loop_now(w->pool->loop) + RESTART_MS);
		return;
	}
	w->watch.fd = pair[0];
	loop_watch(w->pool->loop, &w->watch, EPOLLIN);
}

static void
worker_died(struct hash_worker *w)
{
	struct hash_job *j = w->job;

	log_event(LOG_ERROR, "authd.hash_died", KV_U("busy", j != NULL));
	loop_watch(w->pool->loop, &w->watch, 0);
	close(w->watch.fd);
	w->watch.fd = -1;
	w->job = NULL;
	w->busy = false;
	loop_timer(w->pool->loop, &w->restart, loop_now(w->pool->loop) + RESTART_MS);
	if (j != NULL)
		finish(j, -1, SPAN("the password could not be verified"));
}

static void
worker_ready(struct watch *watch, uint32_t events)
{
	struct hash_worker *w = watch->arg;
	struct hash_job *j = w->job;
	struct hash_pool *p = w->pool;
	char in[RECORD_MAX];
	int32_t result;
	ssize_t n;

	(void)events;
	n = recv(watch->fd, in, sizeof in, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < (ssize_t)sizeof result) {
		worker_died(w);
		return;
	}
	memcpy(&result, in, sizeof result);
	w->job = NULL;
	w->busy = false;
	feed(p);
	if (j != NULL)
		finish(j, result, span_of(in + sizeof result, (size_t)n - sizeof result));
	wipe(in, (size_t)n);
}

static void
restart_due(struct timer *t)
{
	struct hash_worker *w = t->arg;

	worker_start(w);
	feed(w->pool);
}

static void
feed(struct hash_pool *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		struct hash_worker *w = &p->worker[i];
		struct hash_job *j;

		if (w->watch.fd < 0 || w->busy)
			continue;
		j = queue_take(&p->logins);
		if (j == NULL)
			j = queue_take(&p->bulk);
		if (j == NULL)
			return;
		j->queued = false;
		j->worker = w;
		w->job = j;
		w->busy = true;
		/*
		 * A record fits the empty socket; if the worker is gone its end is read, and the job is
		 * failed then.
		 */
		if (send(w->watch.fd, j->request, j->request_size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			shutdown(w->watch.fd, SHUT_RDWR);
		forget_request(j);
	}
}

struct hash_pool *
hash_pool_new(struct loop *l, unsigned workers, const struct hash_start *how)
{
	struct hash_pool *p;

	need(workers >= 1 && workers <= WORKERS_MAX);
	p = mem_zero(1, sizeof *p + workers * sizeof p->worker[0]);
	p->loop = l;
	p->how = *how;
	p->cost = PW_COST_USUAL;
	p->logins.last = &p->logins.first;
	p->bulk.last = &p->bulk.first;
	p->n = workers;
	for (unsigned i = 0; i < workers; i++) {
		struct hash_worker *w = &p->worker[i];

		w->pool = p;
		w->watch = (struct watch){ .fd = -1, .ready = worker_ready, .arg = w };
		w->restart = (struct timer){ .due = restart_due, .arg = w };
		worker_start(w);
	}
	return p;
}

void
hash_pool_free(struct hash_pool *p)
{
	if (p == NULL)
		return;
	for (unsigned i = 0; i < p->n; i++) {
		struct hash_worker *w = &p->worker[i];

		loop_timer(p->loop, &w->restart, 0);
		if (w->watch.fd < 0)
			continue;
		loop_watch(p->loop, &w->watch, 0);
		close(w->watch.fd);
	}
	free(p);
}

void
hash_pool_cost(struct hash_pool *p, const struct pw_cost *cost)
{
	p->cost = *cost;
}

int
hash_submit(struct hash_pool *p, struct hash_job *j, enum hash_op op, struct span hash, struct span password,
    bool bulk, struct err *e)
{
	struct head h = { .op = op, .hash_size = (uint32_t)hash.n, .cost = p->cost };

	need(hash.n <= PW_HASH_MAX && password.n <= PW_MAX);
	if (!bulk && p->logins.n >= HASH_WAITING_MAX)
		return err_set(e, ERR_TEMP, "too many logins wait to be verified");
	j->request_size = sizeof h + hash.n + password.n;
	j->request = mem_zero(1, j->request_size);
	memcpy(j->request, &h, sizeof h);
	if (hash.n > 0)
		memcpy(j->request + sizeof h, hash.p, hash.n);
	if (password.n > 0)
		memcpy(j->request + sizeof h + hash.n, password.p, password.n);
	j->queued = true;
	queue_add(bulk ? &p->bulk : &p->logins, j);
	feed(p);
	return 0;
}

void
hash_cancel(struct hash_pool *p, struct hash_job *j)
{
	if (j->queued) {
		if (!queue_remove(&p->logins, j))
			queue_remove(&p->bulk, j);
		j->queued = false;
	} else if (j->worker != NULL) {
		j->worker->job = NULL;
		j->worker = NULL;
	}
	forget_request(j);
}
