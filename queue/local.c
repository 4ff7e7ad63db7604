/*
 * local.c - to deliver-local: each process has its share of the owners, by a hash of the owner's name.
 *
 * Requests are pipelined, so that deliver-local always has enough to share a transaction and a sync between.
 *
 *   lane ──► request ──local_done──► settled ──local_synced──► outcome is durable
 *     ▲         │                       │
 *     └─────────┴──── deliver-local died: all of it is delivered again; the store knows what it has
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "ipc/local.h"
#include "queue/queue.h"

enum {
	REQUEST_RCPTS_MAX = 250, /* of one message in one request: the turn of the others comes soon */
	REQUESTS_MAX = 128,      /* on their way to one share */
	JOBS_MAX = 1000,         /* recipients in them */
	PATIENCE_MS = 300000,
	PAUSE_MS = 100,
	PAUSE_MAX_MS = 10000,
	TARGETS_MAX = 4 << 20,
};

struct request {
	struct request *next;
	uint32_t id;
	struct work *w;
	struct job *jobs;
	size_t n;
};

struct settled {
	struct settled *next;
	uint64_t batch;
	struct work *w;
	struct job *jobs;
};

static void share_run(struct share *s);

/* ---- sending */

static void
pack_targets(struct buf *list, const struct job *jobs)
{
	struct err e = { 0 };

	for (const struct job *j = jobs; j != NULL; j = j->next) {
		struct local_target t = { .index = j->rcpt,
			.owner = j->owner,
			.folder = j->folder,
			.addr = j->addr,
			.quota_bytes = j->quota_bytes,
			.quota_messages = j->quota_messages };

		ipc_pack(&local_def, list, local_target, &t, &e);
	}
	need(e.kind == ERR_NONE);
}

static void
send_request(struct share *s, struct request *r)
{
	const struct spool_msg *m = &r->w->s;
	struct buf list;
	struct local_deliver d = { .mid = id_span(&m->mid),
		.size = m->size,
		.structure_at = m->size,
		.structure_size = (uint32_t)(m->trailer_at - m->size),
		.digest = span_of(m->digest, sizeof m->digest),
		.sender = m->from,
		.arrived = m->arrived,
		.prefix = m->prefix };

	buf_init(&list, TARGETS_MAX);
	pack_targets(&list, r->jobs);
	d.targets = buf_span(&list);
	link_send(&s->link, local_deliver, &d, r->id);
	buf_free(&list);
}

static bool
start_one(struct share *s)
{
	struct request *r;
	struct work *w;
	size_t n;
	struct job *jobs = lane_take(&s->lane, REQUEST_RCPTS_MAX, &w, &n);

	if (jobs == NULL)
		return false;
	r = mem_zero(1, sizeof *r);
	*r = (struct request){ s->requests, ++s->last_id, w, jobs, n };
	s->requests = r;
	s->nrequests++;
	s->njobs += n;
	send_request(s, r);
	return true;
}

static bool
connect_share(struct share *s)
{
	struct err e = { 0 };
	char door[32];

	if (link_is_open(&s->link))
		return true;
	if (s->again.at_ms != 0)
		return false;
	snprintf(door, sizeof door, "local/%u", s->number);
	if (link_dial(&s->link, s->q->svc, door, &local_def, &e) < 0) {
		log_event(LOG_ERROR, "queue.local", KV_U("share", s->number), KV_ERR(&e));
		loop_timer(s->q->loop, &s->again, loop_now(s->q->loop) + PAUSE_MAX_MS);
		return false;
	}
	return true;
}

static void
share_run(struct share *s)
{
	if (s->lane.jobs == 0 || s->q->draining || !connect_share(s))
		return;
	while (s->nrequests < REQUESTS_MAX && s->njobs < JOBS_MAX && start_one(s))
		;
	if (s->nrequests > 0 && s->again.at_ms == 0)
		loop_timer(s->q->loop, &s->again, loop_now(s->q->loop) + PATIENCE_MS);
}

/* ---- answers */

static struct request *
request_take(struct share *s, uint32_t id)
{
	for (struct request **at = &s->requests, *r; (r = *at) != NULL; at = &r->next)
		if (r->id == id) {
			*at = r->next;
			s->nrequests--;
			s->njobs -= r->n;
			return r;
		}
	return NULL;
}

static struct job *
job_take(struct job **list, uint32_t rcpt)
{
	for (struct job **at = list, *j; (j = *at) != NULL; at = &j->next)
		if (j->rcpt == rcpt) {
			*at = j->next;
			j->next = NULL;
			return j;
		}
	return NULL;
}

/*
 * Results into the work; gives the delivered jobs, which are not durable yet. Answers come in the order
 * asked.
 */
static struct job *
results(struct share *s, struct request *r, struct span list)
{
	struct result none = {
		.kind = ERR_TEMP, .status = SPAN("4.3.0"), .text = SPAN("deliver-local did not say")
	};
	struct job *done = NULL, **end = &done, *j;
	struct local_result m;

	while (ipc_unpack(&local_def, &list, local_result, &m, NULL) > 0) {
		struct result res = { .kind = (enum err_kind)m.kind, .status = m.status, .text = m.text };

		j = job_take(&r->jobs, m.index);
		if (j == NULL)
			continue;
		work_result(s->q, r->w, j->rcpt, j, &res);
		if (res.kind == ERR_NONE) {
			r->w->out[j->rcpt].unsynced++;
			*end = j;
			end = &j->next;
		}
	}
	for (j = r->jobs; j != NULL; j = j->next)
		work_result(s->q, r->w, j->rcpt, j, &none);
	return done;
}

static void
on_done(struct share *s, struct ipc_in *in)
{
	struct request *r = request_take(s, in->id);
	struct local_done m = { 0 };
	struct err e = { 0 };
	struct job *done;

	if (r == NULL)
		return;
	if (in->number == local_done_no)
		ipc_body(in, local_done, &m, &e);
	done = results(s, r, m.results);
	if (done != NULL) {
		struct settled *t = mem_zero(1, sizeof *t);

		*t = (struct settled){ NULL, m.batch, r->w, done };
		*s->settled_end = t;
		s->settled_end = &t->next;
		r->w->unsynced++;
	}
	work_step(s->q, r->w);
	free(r);
}

static void
on_synced(struct share *s, struct ipc_in *in)
{
	struct local_synced m;
	struct settled *t;
	struct err e = { 0 };

	if (ipc_body(in, local_synced, &m, &e) < 0)
		return;
	while ((t = s->settled) != NULL && t->batch <= m.batch) {
		s->settled = t->next;
		if (s->settled == NULL)
			s->settled_end = &s->settled;
		for (struct job *j = t->jobs; j != NULL; j = j->next)
			t->w->out[j->rcpt].unsynced--;
		t->w->unsynced--;
		work_step(s->q, t->w);
		free(t);
	}
}

static bool
on_frame(struct link *l, struct ipc_in *in)
{
	struct share *s = l->owner;

	s->pause = 0;
	if (in->number == local_synced_no)
		on_synced(s, in);
	else
		on_done(s, in);
	loop_timer(s->q->loop, &s->again,
	    s->nrequests > 0 || s->settled != NULL ? loop_now(s->q->loop) + PATIENCE_MS : 0);
	share_run(s);
	queue_maybe_end(s->q);
	return true;
}

/* ---- a deliverer that died */

static void
back(struct share *s, struct work *w, struct job *jobs)
{
	struct job *j, *next;

	if (w->last_loss != s->q->losses) {
		w->last_loss = s->q->losses;
		w->lost++;
	}
	for (j = jobs; j != NULL; j = next) {
		next = j->next;
		if (work_retry_lost(s->q, w, j, "deliver-local ended during the delivery"))
			lane_add(&s->lane, w, j);
	}
}

static void
on_gone(struct link *l, const struct err *why)
{
	struct share *s = l->owner;
	struct request *r, *requests = s->requests;
	struct settled *t;

	log_event(
	    LOG_WARN, "queue.local", KV_U("share", s->number), KV_U("requests", s->nrequests), KV_ERR(why));
	s->pause = s->pause == 0 ? PAUSE_MS : s->pause * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : s->pause * 2;
	loop_timer(s->q->loop, &s->again, loop_now(s->q->loop) + s->pause);
	s->q->losses++;
	s->requests = NULL;
	s->nrequests = s->njobs = 0;
	while ((t = s->settled) != NULL) {
		s->settled = t->next;
		for (struct job *j = t->jobs; j != NULL; j = j->next) {
			t->w->out[j->rcpt].unsynced--;
			work_reopen(t->w, j);
		}
		t->w->unsynced--;
		back(s, t->w, t->jobs);
		work_step(s->q, t->w);
		free(t);
	}
	s->settled_end = &s->settled;
	while ((r = requests) != NULL) {
		requests = r->next;
		back(s, r->w, r->jobs);
		work_step(s->q, r->w);
		free(r);
	}
	queue_maybe_end(s->q);
}

/* Two uses of one timer: the pause before dialling again, and the deadline of what was asked. */
static void
on_again(struct timer *t)
{
	struct share *s = t->arg;

	if (link_is_open(&s->link)) {
		link_close(&s->link);
		on_gone(&s->link, &(struct err){ ERR_TEMP, "no answer in time" });
		return;
	}
	share_run(s);
}

/* ---- */

void
local_init(struct queue *q)
{
	char door[32];

	for (;; q->nshares++) {
		snprintf(door, sizeof door, "local/%u", q->nshares);
		if (svc_door(q->svc, door) < 0)
			break;
	}
	q->shares = mem_zero(q->nshares > 0 ? q->nshares : 1, sizeof *q->shares);
	for (unsigned i = 0; i < q->nshares; i++) {
		struct share *s = &q->shares[i];

		s->q = q;
		s->number = i;
		s->settled_end = &s->settled;
		s->link = (struct link){ .owner = s, .got = on_frame, .gone = on_gone };
		s->again = (struct timer){ .due = on_again, .arg = s };
	}
}

/* The hash has a fixed key: an owner's share must not change while a process with its deliveries lives. */
static struct share *
share_of(struct queue *q, struct span owner)
{
	uint32_t h = 2166136261; /* FNV-1a */

	for (size_t i = 0; i < owner.n; i++)
		h = (h ^ (unsigned char)owner.p[i]) * 16777619;
	return &q->shares[h % q->nshares];
}

void
local_add(struct queue *q, struct work *w, struct job *j)
{
	struct result r = {
		.kind = ERR_TEMP, .status = SPAN("4.3.5"), .text = SPAN("no deliver-local in master.cf")
	};

	if (q->nshares == 0)
		work_result(q, w, j->rcpt, j, &r);
	else
		lane_add(&share_of(q, j->owner)->lane, w, j);
}

void
local_run(struct queue *q)
{
	for (unsigned i = 0; i < q->nshares; i++)
		share_run(&q->shares[i]);
}

size_t
local_in_flight(const struct queue *q)
{
	size_t n = 0;

	for (unsigned i = 0; i < q->nshares; i++)
		n += q->shares[i].nrequests;
	return n;
}

void
local_cancel(struct queue *q, struct work *w)
{
	struct result r = {
		.kind = ERR_TEMP, .status = SPAN("4.3.0"), .text = SPAN("taken back by the administrator")
	};

	for (unsigned i = 0; i < q->nshares; i++)
		for (struct job *j = lane_remove(&q->shares[i].lane, w), *next; j != NULL; j = next) {
			next = j->next;
			work_result(q, w, j->rcpt, j, &r);
		}
}
