/*
 * admin.c - `rookery queue`: list, show, flush, hold, release, delete, and the numbers for status.
 *
 * What concerns all messages is done in slices of the loop, by walking the ids in order: the next slice goes
 * on behind the last id, whatever came and went meanwhile.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cfg/cfg.h"
#include "ipc/queue.h"
#include "queue/queue.h"

enum { SLICE_MS = 10, PAGE = 200, PAGE_BYTES = 2 << 20, RECIPIENTS_BYTES = 1 << 20, SCAN_MS = 20 };

struct admin {
	struct queue *q;
	struct link link;
	int fd;             /* until the link is open */
	struct timer slice; /* of the change that is being made; before, of waiting for the scan */
	enum queue_op op;
	uint32_t id;
	struct id after;
	uint64_t count;
};

/* ---- one message */

static void
set_state(struct queue *q, struct msg *m, char state, uint64_t next_try)
{
	struct arena *a = arena_new(WORK_ARENA_MAX);
	struct spool_msg s;
	struct buf text;
	struct err e = { 0 };
	int fd = spool_file(q, msg_mid(m), O_RDWR);

	buf_init(&text, TRAILER_MAX);
	if (fd >= 0 && spool_load(fd, &s, &text, a, &e) > 0)
		spool_set_state(fd, &s, state, s.attempts, next_try, s.delayed, &e);
	if (fd < 0)
		err_set(&e, ERR_TEMP, "open: %m");
	else
		close(fd);
	if (e.kind != ERR_NONE)
		log_event(LOG_ERROR, "queue.unmarked", KV_S("mid", msg_mid(m)), KV_ERR(&e));
	buf_free(&text);
	arena_free(a);
}

static bool
hold(struct queue *q, struct msg *m)
{
	if (m->state == MSG_ACTIVE) {
		m->work->hold = true;
		local_cancel(q, m->work);
		remote_cancel(q, m->work);
		work_step(q, m->work);
		return true;
	}
	if (m->state != MSG_FRESH && m->state != MSG_WAITING)
		return false;
	msg_unwait(q, m);
	m->state = MSG_HELD;
	q->held++;
	set_state(q, m, 'h', m->next_try);
	return true;
}

static bool
release(struct queue *q, struct msg *m)
{
	if (m->state == MSG_ACTIVE && m->work->hold) {
		m->work->hold = false;
		return true;
	}
	if (m->state != MSG_HELD)
		return false;
	q->held--;
	m->next_try = wall_now();
	set_state(q, m, '.', m->next_try);
	msg_wait(q, m);
	return true;
}

static bool
flush(struct queue *q, struct msg *m)
{
	if (m->state != MSG_FRESH && m->state != MSG_WAITING)
		return false;
	msg_unwait(q, m);
	m->next_try = wall_now();
	msg_wait(q, m);
	return true;
}

/* What a deliverer has is not taken from it; what it does not deliver is not tried again and not reported. */
static bool
erase(struct queue *q, struct msg *m)
{
	if (m->state == MSG_ACTIVE) {
		m->work->deleted = true;
		local_cancel(q, m->work);
		remote_cancel(q, m->work);
		work_step(q, m->work);
		return true;
	}
	if (m->state == MSG_SCANNED)
		return false;
	msg_unwait(q, m);
	if (m->state == MSG_HELD)
		q->held--;
	msg_gone(q, m, true, "deleted by the administrator");
	return true;
}

static bool
change(struct queue *q, struct msg *m, enum queue_op op)
{
	switch (op) {
	case QUEUE_FLUSH:
		return flush(q, m);
	case QUEUE_HOLD:
		return hold(q, m);
	case QUEUE_RELEASE:
		return release(q, m);
	case QUEUE_DELETE:
		return erase(q, m);
	}
	return false;
}

/* ---- changes */

static void
changed(struct admin *ad)
{
	struct queue_changed m = { .count = ad->count };

	link_send(&ad->link, queue_changed, &m, ad->id);
	ad->op = 0;
}

static void
on_slice(struct timer *t)
{
	struct admin *ad = t->arg;
	uint64_t end = clock_mono_ms() + SLICE_MS;
	struct msg *m;

	while ((m = msgs_after(&ad->q->msgs, id_span(&ad->after))) != NULL && clock_mono_ms() < end) {
		ad->after = id_from(msg_mid(m));
		ad->count += change(ad->q, m, ad->op);
	}
	if (m == NULL)
		changed(ad);
	else
		loop_timer(ad->q->loop, &ad->slice, loop_now(ad->q->loop) + 1);
}

static void
on_change(struct admin *ad, struct ipc_in *in, struct err *e)
{
	struct queue_change m;
	struct msg *msg;

	if (ipc_body(in, queue_change, &m, e) < 0)
		return;
	if (m.op < QUEUE_FLUSH || m.op > QUEUE_DELETE) {
		err_set(e, ERR_PEER, "unknown operation");
		return;
	}
	if (ad->op != 0) {
		err_set(e, ERR_TEMP, "the last change is still being made");
		return;
	}
	if (m.op == QUEUE_FLUSH)
		remote_flush(ad->q);
	ad->op = (enum queue_op)m.op;
	ad->id = in->id;
	ad->count = 0;
	ad->after = (struct id){ 0 };
	log_event(LOG_INFO, "queue.change", KV_U("op", m.op), KV_OPT("mid", m.mid));
	if (m.mid.n == 0) {
		on_slice(&ad->slice);
		return;
	}
	msg = id_valid(m.mid) ? msgs_find(&ad->q->msgs, m.mid) : NULL;
	if (msg != NULL)
		ad->count = change(ad->q, msg, ad->op);
	changed(ad);
}

/* ---- list */

struct view {
	struct spool_msg s;
	struct buf text, recipients;
	struct arena *a;
	bool known;
};

/* The envelope: of the work, or from the file. */
static void
view_open(struct queue *q, const struct msg *m, struct view *v)
{
	struct err e = { 0 };
	int fd;

	*v = (struct view){ .a = arena_new(WORK_ARENA_MAX) };
	buf_init(&v->text, TRAILER_MAX);
	buf_init(&v->recipients, RECIPIENTS_BYTES);
	if (m->work != NULL) {
		v->s = m->work->s;
		v->known = true;
		return;
	}
	fd = spool_file(q, msg_mid(m), O_RDONLY);
	v->known = fd >= 0 && spool_load(fd, &v->s, &v->text, v->a, &e) > 0;
	if (fd >= 0)
		close(fd);
}

static void
view_close(struct view *v)
{
	buf_free(&v->text);
	buf_free(&v->recipients);
	arena_free(v->a);
}

static char
state_now(const struct msg *m, const struct view *v, size_t i)
{
	const struct outcome *o = m->work != NULL ? &m->work->out[i] : NULL;

	if (o != NULL && o->fate == FATE_DELIVERED)
		return 'd';
	if (o != NULL && o->fate == FATE_FAILED)
		return 'b';
	return v->s.rcpts[i].state;
}

/* `state address reason`, as many as fit. */
static void
list_recipients(const struct msg *m, struct view *v)
{
	struct err e = { 0 };

	for (size_t i = 0; v->known && i < v->s.nrcpts && e.kind == ERR_NONE; i++) {
		const struct outcome *o = m->work != NULL ? &m->work->out[i] : NULL;
		struct span why = o != NULL ? o->text : (struct span){ 0 };

		buf_printf(&v->recipients, &e, "%c %.*s %.*s\n", state_now(m, v, i),
		    SPAN_ARG(v->s.rcpts[i].addr), SPAN_ARG(why));
	}
}

static int
list_one(struct queue *q, struct msg *m, bool recipients, struct buf *items)
{
	struct queue_item it = { .mid = msg_mid(m),
		.size = m->size,
		.arrived = m->arrived,
		.attempts = m->attempts,
		.next_try = m->state == MSG_ACTIVE ? 0 : m->next_try,
		.held = m->state == MSG_HELD,
		.reason = m->state == MSG_DAMAGED ? SPAN("damaged: its envelope can't be read")
						  : span_str(m->reason),
		.expires = m->arrived + cfg.queue_lifetime };
	struct err e = { 0 };
	struct view v;
	int rc;

	view_open(q, m, &v);
	it.sender = v.known ? v.s.from : (struct span){ 0 };
	if (recipients)
		list_recipients(m, &v);
	it.recipients = buf_span(&v.recipients);
	rc = ipc_pack(&queue_def, items, queue_item, &it, &e);
	view_close(&v);
	return rc;
}

static void
on_list(struct admin *ad, struct ipc_in *in, struct err *e)
{
	struct queue_list m;
	struct queue_list_answer a = { 0 };
	struct msg *msg;
	struct buf items;

	if (ipc_body(in, queue_list, &m, e) < 0)
		return;
	buf_init(&items, PAGE_BYTES + RECIPIENTS_BYTES + 4096);
	if (m.match.n > 0) {
		msg = m.after.n == 0 ? msgs_find(&ad->q->msgs, m.match) : NULL;
		if (msg != NULL)
			list_one(ad->q, msg, m.recipients != 0, &items);
	} else {
		msg = msgs_after(&ad->q->msgs, m.after);
		for (int n = 0; n < PAGE && items.n < PAGE_BYTES && msg != NULL; n++) {
			if (list_one(ad->q, msg, m.recipients != 0, &items) < 0)
				break;
			msg = msgs_after(&ad->q->msgs, msg_mid(msg));
		}
	}
	a.items = buf_span(&items);
	link_send(&ad->link, queue_list_answer, &a, in->id);
	buf_free(&items);
}

/* ---- numbers */

static void
on_stats(struct admin *ad, struct ipc_in *in)
{
	const struct queue *q = ad->q;
	struct queue_stats_answer a = { .active = q->active + q->fresh.n,
		.deferred = q->waiting.n,
		.held = q->held,
		.full = pool_full(ad->q) };

	/* ids grow with time, but for files that were made early and used late */
	for (size_t i = 0; i < q->msgs.n; i++)
		if (a.oldest == 0 || q->msgs.v[i]->arrived < a.oldest)
			a.oldest = q->msgs.v[i]->arrived;
	link_send(&ad->link, queue_stats_answer, &a, in->id);
}

/* ---- the channel */

static void
admin_free(struct admin *ad)
{
	link_close(&ad->link);
	loop_timer(ad->q->loop, &ad->slice, 0);
	free(ad);
}

static bool
on_frame(struct link *l, struct ipc_in *in)
{
	struct admin *ad = l->owner;
	struct err e = { 0 };

	switch (in->number) {
	case queue_list_no:
		on_list(ad, in, &e);
		break;
	case queue_change_no:
		on_change(ad, in, &e);
		break;
	case queue_stats_no:
		on_stats(ad, in);
		break;
	}
	if (e.kind != ERR_NONE)
		link_refuse(&ad->link, in->id, &e);
	return true;
}

static void
on_gone(struct link *l, const struct err *why)
{
	(void)why;
	admin_free(l->owner);
}

/* What is in the queue is known when the start's scan is through: whoever asks before waits for it. */
static void
open_scanned(struct timer *t)
{
	struct admin *ad = t->arg;

	if (ad->q->scan != NULL) {
		loop_timer(ad->q->loop, t, loop_now(ad->q->loop) + SCAN_MS);
		return;
	}
	ad->slice = (struct timer){ .due = on_slice, .arg = ad };
	link_open(&ad->link, ad->q->loop, ipc_new(ad->fd, &queue_def, ROLE_QUEUE, ROLE_CTL));
}

void
admin_open(struct queue *q, int fd)
{
	struct admin *ad = mem_zero(1, sizeof *ad);

	ad->q = q;
	ad->fd = fd;
	ad->slice = (struct timer){ .due = open_scanned, .arg = ad };
	ad->link = (struct link){ .owner = ad, .got = on_frame, .gone = on_gone };
	open_scanned(&ad->slice);
}
