/*
 * remote.c - to deliver-smtp: a channel is a process that talks to one destination.
 *
 *   CONNECTING ──remote_ready──► DELIVERING ──remote_done──► IDLE ──next message──► DELIVERING
 *       │ refused                    │ channel closed          │ queue_idle passes
 *       ▼                            ▼                         ▼
 *   back into the lane, or        deferred                  closed (QUIT)
 *   all deferred if it was the last
 *
 * The message is taken from its lane before the connection is made, so that no more connections are made than
 * there are messages.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "cfg/cfg.h"
#include "ipc/remote.h"
#include "queue/queue.h"
#include "smtp/reply.h"

enum {
	TRANSACTION_RCPTS_MAX = 100, /* RFC 5321, 4.5.3.1.8: every server takes so many */
	CONNECT_MS = 15 * 60000,     /* deliver-smtp has its own, shorter deadlines; these are the backstop */
	DELIVER_MS = 60 * 60000,
	SWEEP_MS = 60000,
	TARGETS_MAX = 1 << 20,
};

enum channel_state { CONNECTING, DELIVERING, IDLE };

struct channel {
	struct queue *q;
	struct link link;
	struct timer timer;
	struct dest *dest;
	enum channel_state state;
	struct work *w; /* CONNECTING, DELIVERING: what it has */
	struct job *jobs;
	struct channel *next; /* IDLE: of dest->channels */
};

static void start(struct queue *q, struct dest *d);

/* ---- text of an error as status and text: deliver-smtp puts the code in front. Borrows the text. */

static struct result
refusal(enum err_kind kind, struct span text)
{
	size_t n = status_at(text);
	struct result r = {
		.kind = kind == ERR_PERM ? ERR_PERM : ERR_TEMP, .status = SPAN("4.4.0"), .text = text
	};

	if (r.kind == ERR_PERM)
		r.status = SPAN("5.4.0");
	if (n > 0) {
		r.status = span_head(text, n);
		r.text = span_trim(span_from(text, n));
	}
	return r;
}

/* All of these jobs have this result; the work may be gone after. */
static void
settle_jobs(struct queue *q, struct work *w, struct job *jobs, const struct result *r)
{
	for (struct job *j = jobs, *next; j != NULL; j = next) {
		next = j->next;
		work_result(q, w, j->rcpt, j, r);
	}
	work_step(q, w);
}

static void
settle_lane(struct queue *q, struct dest *d, const struct result *r)
{
	struct job *jobs;
	struct work *w;
	size_t n;

	while ((jobs = lane_take(&d->lane, SIZE_MAX, &w, &n)) != NULL)
		settle_jobs(q, w, jobs, r);
}

/* What to do with a message for a destination that is known to be dead. Borrows d->why. */
static struct result
dead_result(const struct dest *d)
{
	return refusal(ERR_TEMP, span_str(d->why));
}

/* ---- channels */

static void
channel_free(struct channel *c)
{
	link_close(&c->link);
	loop_timer(c->q->loop, &c->timer, 0);
	free(c);
}

/* The channel no longer counts; other destinations may use its place. */
static void
channel_end(struct channel *c)
{
	struct queue *q = c->q;
	struct dest *d = c->dest;

	if (c->state == IDLE) {
		struct channel **at = &d->channels;

		while (*at != c)
			at = &(*at)->next;
		*at = c->next;
		d->idle--;
		q->nidle--;
	} else {
		d->busy--;
		q->nchannels--;
	}
	channel_free(c);
	sched_update(&q->sched, d);
}

static void
give_back(struct channel *c)
{
	struct job *jobs = c->jobs;

	c->jobs = NULL;
	for (struct job *j = jobs, *next; j != NULL; j = next) {
		next = j->next;
		lane_add(&c->dest->lane, c->w, j);
	}
}

/* ---- connecting */

/* The server, or the lack of one, refused. Final: nobody can deliver there. */
static void
refused(struct channel *c, const struct err *why)
{
	struct queue *q = c->q;
	struct dest *d = c->dest;
	struct result r = refusal(why->kind, span_str(why->text));
	struct work *w = c->w;
	struct job *jobs = c->jobs;
	bool dead;

	if (w->deleted) {
		channel_end(c);
		settle_jobs(q, w, jobs, &r);
	} else {
		give_back(c);
		channel_end(c);
	}
	dead = why->kind != ERR_PERM &&
	       dest_refused(d, span_str(why->text), loop_now(q->loop) + cfg.queue_retry_min);
	if (dead)
		log_event(LOG_INFO, "queue.dead", KV_STR("dest", d->name), KV_ERR(why));
	if (dead || why->kind == ERR_PERM)
		settle_lane(q, d, &r);
	sched_update(&q->sched, d);
	remote_run(q);
	queue_maybe_end(q);
}

static void
pack_targets(struct buf *list, const struct channel *c)
{
	struct err e = { 0 };

	for (const struct job *j = c->jobs; j != NULL; j = j->next) {
		const struct spool_rcpt *to = &c->w->s.rcpts[j->rcpt];
		struct remote_target t = {
			.index = j->rcpt, .addr = j->addr, .notify = to->notify, .orcpt = to->orcpt
		};

		ipc_pack(&remote_def, list, remote_target, &t, &e);
	}
	need(e.kind == ERR_NONE);
}

/* The message cannot be read: nobody's fault but ours. */
static void
unreadable(struct channel *c)
{
	struct result r = {
		.kind = ERR_TEMP, .status = SPAN("4.3.0"), .text = SPAN("the spool file can't be opened")
	};
	struct queue *q = c->q;
	struct work *w = c->w;
	struct job *jobs = c->jobs;

	log_event(LOG_ERROR, "queue.unreadable", KV_S("mid", msg_mid(w->m)), KV_STR("err", strerror(errno)));
	channel_end(c);
	settle_jobs(q, w, jobs, &r);
}

static void
deliver(struct channel *c)
{
	const struct spool_msg *s = &c->w->s;
	bool report = s->about.s[0] != '\0'; /* its envid is a note to ourselves */
	struct remote_deliver m = { .mid = id_span(&s->mid),
		.file = spool_file(c->q, id_span(&s->mid), O_RDONLY),
		.size = s->size,
		.prefix = s->prefix,
		.sender = s->from,
		.flags = s->flags,
		.ret = !report ? s->ret : (struct span){ 0 },
		.envid = !report ? s->envid : (struct span){ 0 } };
	struct buf list;

	c->state = DELIVERING;
	if (m.file < 0) {
		unreadable(c);
		return;
	}
	buf_init(&list, TARGETS_MAX);
	pack_targets(&list, c);
	m.targets = buf_span(&list);
	link_send(&c->link, remote_deliver, &m, 1);
	buf_free(&list);
	close(m.file);
	loop_timer(c->q->loop, &c->timer, loop_now(c->q->loop) + DELIVER_MS);
}

/* ---- what the server said */

/*
 * Results into the work: how many were delivered, and whether all say "later" without a server having said
 * so.
 */
static size_t
results(struct channel *c, const struct remote_done *m, bool *broke)
{
	struct result none = {
		.kind = ERR_TEMP, .status = SPAN("4.3.0"), .text = SPAN("deliver-smtp did not say")
	};
	struct span list = m->results;
	struct remote_result r;
	size_t delivered = 0;

	*broke = m->reuse == 0;
	while (ipc_unpack(&remote_def, &list, remote_result, &r, NULL) > 0) {
		struct result res = { .kind = (enum err_kind)r.kind,
			.status = r.status,
			.text = r.text,
			.host = r.host,
			.relayed = m->dsn == 0 };
		struct job **at = &c->jobs, *j;

		while ((j = *at) != NULL && j->rcpt != r.index)
			at = &j->next;
		if (j == NULL)
			continue;
		*at = j->next;
		delivered += res.kind == ERR_NONE;
		*broke = *broke && res.kind == ERR_TEMP;
		work_result(c->q, c->w, j->rcpt, j, &res);
	}
	for (struct job *j = c->jobs, *next; j != NULL; j = next) {
		next = j->next;
		work_result(c->q, c->w, j->rcpt, j, &none);
	}
	c->jobs = NULL;
	return delivered;
}

/*
 * What a remote server has taken must not be sent again, and only our file can say so after a crash: either
 * the mark is synced, or, cheaper when several messages end in one turn of the loop, the removed name.
 */
static void
secure(struct queue *q, struct work *w)
{
	w->sure = true;
	if (!work_complete(w))
		work_mark(q, w, true);
}

static void
become_idle(struct channel *c)
{
	struct dest *d = c->dest;

	c->state = IDLE;
	c->w = NULL;
	d->busy--;
	c->q->nchannels--;
	c->q->nidle++;
	d->idle++;
	c->next = d->channels;
	d->channels = c;
	loop_timer(c->q->loop, &c->timer, loop_now(c->q->loop) + cfg.queue_idle + 1);
}

/* Idle connections take half as many places at most as those that work; one with more to do is not idle. */
static bool
worth_keeping(const struct queue *q, const struct dest *d)
{
	return !q->draining && (d->lane.jobs > 0 || q->nidle < (cfg.queue_remote_max + 1) / 2);
}

static void
on_done(struct channel *c, struct ipc_in *in)
{
	struct queue *q = c->q;
	struct dest *d = c->dest;
	struct work *w = c->w;
	struct remote_done m = { 0 };
	struct err e = { 0 };
	bool broke;

	if (in->number == remote_done_no)
		ipc_body(in, remote_done, &m, &e);
	if (results(c, &m, &broke) > 0)
		secure(q, w);
	work_step(q, w); /* w may be gone */
	if (m.reuse != 0)
		dest_good(&q->sched, d);
	if (m.reuse != 0 && worth_keeping(q, d))
		become_idle(c);
	else
		channel_end(c);
	if (broke &&
	    dest_broke(d, SPAN("4.4.2 connections to it break"), loop_now(q->loop) + cfg.queue_retry_min)) {
		struct result r = dead_result(d);

		log_event(LOG_INFO, "queue.dead", KV_STR("dest", d->name), KV_STR("err", d->why));
		settle_lane(q, d, &r);
	}
	sched_update(&q->sched, d);
	remote_run(q);
	queue_maybe_end(q);
}

static bool
on_frame(struct link *l, struct ipc_in *in)
{
	struct channel *c = l->owner;
	struct err e = { 0 };

	if (c->state == CONNECTING && in->number == remote_ready_no) {
		if (c->w->deleted) {
			err_set(&e, ERR_TEMP, "4.3.0 taken back by the administrator");
			refused(c, &e);
			return false;
		}
		deliver(c);
		return false; /* nothing else can have come yet; the channel may be gone */
	}
	if (c->state == CONNECTING && in->number == ipc_refuse_no) {
		struct ipc_refuse m = { 0 };

		ipc_body(in, ipc_refuse, &m, &e);
		e = (struct err){ 0 };
		err_set(&e, m.kind == ERR_PERM ? ERR_PERM : ERR_TEMP, "%.*s", SPAN_ARG(m.text));
		refused(c, &e);
		return false;
	}
	if (c->state == DELIVERING)
		on_done(c, in);
	else
		channel_end(c); /* it speaks when it is not asked */
	return false;
}

/* The process died, or took too long: whether a server has the message, nobody knows. It is sent again. */
static void
on_gone(struct link *l, const struct err *why)
{
	struct channel *c = l->owner;
	struct queue *q = c->q;
	struct result r = { .kind = ERR_TEMP,
		.status = SPAN("4.3.0"),
		.text = SPAN("deliver-smtp ended during the delivery") };
	struct dest *d = c->dest;
	struct work *w = c->w;
	struct job *jobs = c->jobs;
	struct err e = { 0 };

	if (c->state == CONNECTING) {
		err_set(&e, ERR_TEMP, "4.3.0 deliver-smtp: %s", why->text);
		refused(c, &e);
		return;
	}
	if (c->state == DELIVERING)
		log_event(LOG_WARN, "queue.remote", KV_STR("dest", d->name), KV_S("mid", msg_mid(w->m)),
		    KV_ERR(why));
	channel_end(c);
	if (jobs != NULL)
		settle_jobs(q, w, jobs, &r);
	sched_update(&q->sched, d);
	remote_run(q);
	queue_maybe_end(q);
}

static void
on_timer(struct timer *t)
{
	struct channel *c = t->arg;

	if (c->state == IDLE)
		channel_end(c);
	else
		on_gone(&c->link, &(struct err){ ERR_TEMP, "no answer in time" });
}

/* ---- starting */

static void
connect_channel(struct queue *q, struct dest *d, struct work *w, struct job *jobs)
{
	struct channel *c = mem_zero(1, sizeof *c);
	struct remote_connect m = { .domain = span_str(d->name) };
	struct err e = { 0 };

	*c = (struct channel){ .q = q, .dest = d, .state = CONNECTING, .w = w, .jobs = jobs };
	c->link = (struct link){ .owner = c, .got = on_frame, .gone = on_gone, .loop = q->loop };
	c->timer = (struct timer){ .due = on_timer, .arg = c };
	d->busy++;
	q->nchannels++;
	if (link_dial(&c->link, q->svc, "remote", &remote_def, &e) < 0) {
		err_prefix(&e, "4.3.5 ");
		refused(c, &e);
		return;
	}
	if (span_starts(m.domain, "lmtp:")) {
		m.domain = span_from(m.domain, 5);
		m.lmtp = 1;
	}
	link_send(&c->link, remote_connect, &m, 1);
	loop_timer(q->loop, &c->timer, loop_now(q->loop) + CONNECT_MS);
}

static void
start(struct queue *q, struct dest *d)
{
	struct channel *c = d->channels;
	struct work *w;
	size_t n;
	struct job *jobs = lane_take(&d->lane, TRANSACTION_RCPTS_MAX, &w, &n);

	if (c == NULL) {
		connect_channel(q, d, w, jobs);
		return;
	}
	d->channels = c->next;
	d->idle--;
	q->nidle--;
	d->busy++;
	q->nchannels++;
	c->w = w;
	c->jobs = jobs;
	deliver(c);
}

void
remote_run(struct queue *q)
{
	struct dest *d;

	while (!q->draining && q->nchannels < cfg.queue_remote_max && (d = sched_next(&q->sched)) != NULL) {
		start(q, d);
		sched_update(&q->sched, d);
	}
}

/* The next hop of an address: RFC 5321, 5.1, or where the site sends all its mail. */
static struct span
next_hop(struct span addr)
{
	ssize_t at = span_rchr(addr, '@');

	if (cfg.relayhost[0] != '\0')
		return span_str(cfg.relayhost);
	return at >= 0 ? span_from(addr, (size_t)at + 1) : (struct span){ 0 };
}

void
remote_add(struct queue *q, struct work *w, struct job *j)
{
	struct span hop = next_hop(j->addr);
	struct result r = {
		.kind = ERR_PERM, .status = SPAN("5.1.3"), .text = SPAN("the address has no domain")
	};
	struct dest *d;

	if (hop.n == 0) {
		work_result(q, w, j->rcpt, j, &r);
		return;
	}
	d = sched_dest(&q->sched, hop);
	if (dest_dead(d, loop_now(q->loop))) {
		r = dead_result(d);
		work_result(q, w, j->rcpt, j, &r);
		return;
	}
	lane_add(&d->lane, w, j);
	sched_update(&q->sched, d);
}

void
remote_cancel(struct queue *q, struct work *w)
{
	struct result r = {
		.kind = ERR_TEMP, .status = SPAN("4.3.0"), .text = SPAN("taken back by the administrator")
	};

	for (size_t i = 0; i < q->sched.nbuckets; i++)
		for (struct dest *d = q->sched.bucket[i]; d != NULL; d = d->next)
			for (struct job *j = lane_remove(&d->lane, w), *next; j != NULL; j = next) {
				next = j->next;
				work_result(q, w, j->rcpt, j, &r);
			}
}

void
remote_flush(struct queue *q)
{
	for (size_t i = 0; i < q->sched.nbuckets; i++)
		for (struct dest *d = q->sched.bucket[i]; d != NULL; d = d->next)
			dest_revive(d);
}

static void
on_sweep(struct timer *t)
{
	struct queue *q = t->arg;

	sched_sweep(&q->sched, loop_now(q->loop));
	loop_timer(q->loop, t, loop_now(q->loop) + SWEEP_MS);
}

void
remote_init(struct queue *q)
{
	sched_init(&q->sched, (unsigned)cfg.queue_destination_max);
	q->sweep = (struct timer){ .due = on_sweep, .arg = q };
	loop_timer(q->loop, &q->sweep, loop_now(q->loop) + SWEEP_MS);
}
