/*
 * report.c - telling senders: failed, delivered, delayed (RFC 3461, 3464). dsn writes the report into a file
 * of the pool; it becomes a message like any other.
 *
 * Never two for one thing, and none is lost, whatever crashes:
 *  1. The report is durable (dsn has synced it) before the recipients are marked.
 *  2. They are marked, and that is synced, before the report may be delivered.
 *  3. A report that is found without these marks (after a crash between 1 and 2) makes the marks.
 * A report has the null sender, and for the null sender none is written (RFC 5321, 4.5.5; 6.1).
 *
 * If a report can't be written now (no space, no dsn, authd away), the failed recipients are deferred
 * instead: they are tried again, fail again, and are reported then.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "cfg/cfg.h"
#include "ipc/authd.h"
#include "ipc/queue.h"
#include "queue/marks.h"
#include "queue/queue.h"

enum {
	HEADERS_MAX = 64 << 10,
	LIST_MAX = 6 << 20,
	OUT_MAX = 16, /* reports that dsn has at a time */
	PATIENCE_MS = 120000,
	PAUSE_MS = 1000,
};

struct report {
	struct work *w;
	enum dsn_kind kind;
	struct span to; /* list of authd_target, in w->a */
	struct id mid;  /* sent: of the report */
	uint32_t id;    /* sent: of the request; 0 before */
	struct report *next;
};

struct reports {
	struct queue *q;
	struct link link;
	struct report *line; /* to be sent and sent, in order */
	size_t out;
	uint32_t serial;
	struct timer timer; /* link open: patience; else the pause before dialling again */
};

static void run(struct reports *rs);

/* ---- who is to be told what */

static bool
notify_has(struct span notify, const char *word)
{
	while (notify.n > 0)
		if (span_ieq(span_cut(&notify, ','), word))
			return true;
	return false;
}

/* Does this recipient belong into a report of this kind? RFC 3461, 4.1 and 6.2. */
static bool
wanted(const struct work *w, size_t i, enum dsn_kind kind)
{
	const struct outcome *o = &w->out[i];
	struct span notify = w->s.rcpts[i].notify;

	switch (kind) {
	case DSN_FAILED:
		return o->fate == FATE_FAILED && !o->reported &&
		       (notify.n == 0 || notify_has(notify, "FAILURE"));
	case DSN_DELIVERED: /* a server that knows DSN does it itself */
		return o->fate == FATE_DELIVERED && notify_has(notify, "SUCCESS") &&
		       (o->host.n == 0 || o->relayed);
	case DSN_DELAYED:
		return o->fate == FATE_DEFERRED && (notify.n == 0 || notify_has(notify, "DELAY"));
	}
	return false;
}

static size_t
count_wanted(const struct work *w, enum dsn_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < w->s.nrcpts; i++)
		n += wanted(w, i, kind);
	return n;
}

/* Failed ones about which nobody will hear. */
static void
settle_unwanted(struct work *w, const char *why)
{
	for (size_t i = 0; i < w->s.nrcpts; i++) {
		struct outcome *o = &w->out[i];

		if (o->fate != FATE_FAILED || o->reported || (why == NULL && wanted(w, i, DSN_FAILED)))
			continue;
		o->reported = true;
		if (why != NULL)
			log_event(LOG_WARN, "queue.unreported", KV_S("mid", msg_mid(w->m)),
			    KV_S("rcpt", w->s.rcpts[i].addr), KV_S("from", w->s.from), KV_STR("why", why));
	}
}

static bool
begin(struct queue *q, struct work *w, enum dsn_kind kind)
{
	struct report *r;

	if (count_wanted(w, kind) == 0)
		return false;
	r = mem_zero(1, sizeof *r);
	*r = (struct report){ .w = w, .kind = kind };
	w->report = r;
	lookup_sender(q, w);
	return true;
}

bool
report_next(struct queue *q, struct work *w)
{
	static const enum dsn_kind order[] = { DSN_FAILED, DSN_DELIVERED, DSN_DELAYED };
	struct retry_rule rule = retry_rule();

	if (w->s.from.n == 0) {
		settle_unwanted(w, "the sender is null: a report about a report is never written");
		return false;
	}
	settle_unwanted(w, NULL);
	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		enum dsn_kind kind = order[i];

		if ((w->reports & 1U << kind) != 0)
			continue;
		w->reports |= 1U << kind;
		if (kind == DSN_DELAYED && !retry_warn(&rule, w->m->arrived, wall_now(), w->s.delayed))
			continue;
		if (begin(q, w, kind))
			return true;
	}
	return false;
}

/* ---- the end of one */

static void
unline(struct reports *rs, struct report *r)
{
	for (struct report **at = &rs->line; *at != NULL; at = &(*at)->next)
		if (*at == r) {
			*at = r->next;
			break;
		}
	rs->out -= r->id != 0;
}

static void
finish(struct queue *q, struct report *r)
{
	struct work *w = r->w;

	w->report = NULL;
	free(r);
	work_step(q, w);
}

/* It can't be written now. */
static void
give_up(struct queue *q, struct report *r, const char *why)
{
	struct work *w = r->w;

	log_event(LOG_WARN, "queue.report_later", KV_S("mid", msg_mid(w->m)), KV_STR("why", why));
	for (size_t i = 0; i < w->s.nrcpts; i++)
		if (r->kind == DSN_FAILED && w->out[i].fate == FATE_FAILED && !w->out[i].reported)
			w->out[i].fate = FATE_DEFERRED;
	finish(q, r);
}

static void
reported(struct work *w, enum dsn_kind kind)
{
	if (kind == DSN_DELAYED)
		w->s.delayed = true;
	for (size_t i = 0; i < w->s.nrcpts; i++)
		if (kind == DSN_FAILED && w->out[i].fate == FATE_FAILED)
			w->out[i].reported = true;
}

/* Rule 2: the marks, or the removal of the message when nothing is left of it, are on disk first. */
static void
secure(struct queue *q, struct work *w)
{
	for (size_t i = 0; i < w->s.nrcpts; i++)
		if (w->out[i].fate == FATE_DEFERRED) {
			work_mark(q, w, true);
			return;
		}
	w->sure = true;
}

void
report_to(struct queue *q, struct work *w, enum err_kind kind, struct span targets, struct span why)
{
	struct reports *rs = q->reports;
	struct report *r = w->report, **end;

	if (kind == ERR_TEMP) {
		give_up(q, r, "the sender can't be looked up");
		return;
	}
	if (kind != ERR_NONE || targets.n == 0) {
		if (r->kind == DSN_FAILED)
			settle_unwanted(
			    w, why.n > 0 ? arena_cstr(w->a, why) : "nobody is at the sender's address");
		if (r->kind == DSN_DELAYED)
			w->s.delayed = true;
		finish(q, r);
		return;
	}
	r->to = arena_dup(w->a, targets);
	for (end = &rs->line; *end != NULL; end = &(*end)->next)
		;
	*end = r;
	run(rs);
}

/* ---- to dsn */

static void
pack_rcpts(struct buf *list, struct buf *marks, const struct report *r)
{
	const struct work *w = r->w;
	struct err e = { 0 };

	marks_start(marks, r->kind);
	for (uint32_t i = 0; i < w->s.nrcpts; i++) {
		const struct spool_rcpt *to = &w->s.rcpts[i];
		const struct outcome *o = &w->out[i];
		struct dsn_rcpt m = { .addr = to->addr,
			.orig = to->orig,
			.orcpt = to->orcpt,
			.status = o->status,
			.text = span_head(o->text, 400),
			.host = o->host,
			.last_try = o->tried,
			.retry_until = w->m->arrived + cfg.queue_lifetime,
			.relayed = o->relayed };

		/* Past 6 MiB a report names the first so many; all are marked as reported. */
		if (!wanted(w, i, r->kind))
			continue;
		marks_add(marks, i);
		if (list->n < LIST_MAX - 4096)
			ipc_pack(&dsn_def, list, dsn_rcpt, &m, &e);
	}
	need(e.kind == ERR_NONE);
}

/* The start of the message; empty when it can't be read: the report is more important. */
static void
read_headers(struct queue *q, const struct work *w, struct buf *out)
{
	size_t n = w->s.size < HEADERS_MAX ? (size_t)w->s.size : HEADERS_MAX;
	char *p = buf_room(out, NULL, n);
	int fd = spool_file(q, msg_mid(w->m), O_RDONLY);
	ssize_t got = fd >= 0 ? pread(fd, p, n, 0) : -1;

	out->n += got > 0 ? (size_t)got : 0;
	if (fd >= 0)
		close(fd);
}

static void
send_report(struct reports *rs, struct report *r, const struct pooled *file)
{
	struct work *w = r->w;
	struct buf list, marks, headers;
	struct dsn_write m = { .mid = id_span(&file->mid),
		.out = file->fd,
		.about = msg_mid(w->m),
		.sender = w->s.from,
		.arrived = w->m->arrived,
		.kind = r->kind,
		.envid = w->s.envid,
		.to = r->to };

	buf_init(&list, LIST_MAX);
	buf_init(&marks, 1 << 20);
	buf_init(&headers, HEADERS_MAX);
	pack_rcpts(&list, &marks, r);
	read_headers(rs->q, w, &headers);
	m.rcpts = buf_span(&list);
	m.marks = buf_span(&marks);
	m.headers = buf_span(&headers);
	link_send(&rs->link, dsn_write, &m, r->id);
	buf_free(&list);
	buf_free(&marks);
	buf_free(&headers);
}

static bool
send_next(struct reports *rs)
{
	struct report *r = rs->line;
	struct pooled file;

	while (r != NULL && r->id != 0)
		r = r->next;
	if (r == NULL)
		return false;
	if (!pool_take(rs->q, &file)) {
		unline(rs, r);
		give_up(rs->q, r, "there is no space for it");
		return true;
	}
	r->id = ++rs->serial;
	r->mid = file.mid;
	rs->out++;
	send_report(rs, r, &file);
	close(file.fd);
	return true;
}

static bool
connect_dsn(struct reports *rs)
{
	struct err e = { 0 };

	if (link_is_open(&rs->link))
		return true;
	if (rs->timer.at_ms != 0)
		return false;
	if (link_dial(&rs->link, rs->q->svc, "dsn", &dsn_def, &e) < 0) {
		log_event(LOG_ERROR, "queue.dsn", KV_ERR(&e));
		loop_timer(rs->q->loop, &rs->timer, loop_now(rs->q->loop) + PATIENCE_MS);
		return false;
	}
	return true;
}

static void
run(struct reports *rs)
{
	if (rs->line == NULL || rs->q->draining || !connect_dsn(rs))
		return;
	while (rs->out < OUT_MAX && send_next(rs))
		;
	if (rs->out > 0 && rs->timer.at_ms == 0)
		loop_timer(rs->q->loop, &rs->timer, loop_now(rs->q->loop) + PATIENCE_MS);
}

/* ---- from dsn */

/* authd's targets as the queue's. */
static void
convert_targets(struct span list, struct buf *out)
{
	struct authd_target t;
	struct err e = { 0 };

	while (ipc_unpack(&authd_def, &list, authd_target, &t, &e) > 0) {
		struct queue_target m = { .kind = t.kind,
			.owner = t.owner,
			.folder = t.folder,
			.quota_bytes = t.quota_bytes,
			.quota_messages = t.quota_messages };

		ipc_pack(&queue_def, out, queue_target, &m, &e);
	}
}

static void
written(struct reports *rs, struct report *r, const struct dsn_written *m)
{
	static const char *const kinds[] = {
		[DSN_FAILED] = "failed", [DSN_DELAYED] = "delayed", [DSN_DELIVERED] = "delivered"
	};
	struct queue *q = rs->q;
	struct err e = { 0 };
	struct buf targets;

	reported(r->w, r->kind);
	secure(q, r->w);
	log_event(LOG_INFO, "queue.report", KV_STR("mid", r->mid.s), KV_S("about", msg_mid(r->w->m)),
	    KV_S("rcpt", r->w->s.from), KV_STR("kind", kinds[r->kind]));
	buf_init(&targets, LIST_MAX);
	convert_targets(r->to, &targets);
	if (intake_take(q, id_span(&r->mid), m->trailer, m->trailer_at, buf_span(&targets), &e) == NULL)
		log_event(LOG_ERROR, "queue.damaged", KV_STR("mid", r->mid.s), KV_ERR(&e));
	buf_free(&targets);
	finish(q, r);
}

static bool
on_frame(struct link *l, struct ipc_in *in)
{
	struct reports *rs = l->owner;
	struct report *r = rs->line;
	struct dsn_written m;
	struct err e = { 0 };

	while (r != NULL && r->id != in->id)
		r = r->next;
	if (r == NULL)
		return true;
	unline(rs, r);
	loop_timer(rs->q->loop, &rs->timer, rs->out > 0 ? loop_now(rs->q->loop) + PATIENCE_MS : 0);
	if (in->number == dsn_written_no && ipc_body(in, dsn_written, &m, &e) == 0) {
		written(rs, r, &m);
	} else {
		stray_add(rs->q, id_span(&r->mid));
		give_up(rs->q, r, "dsn could not write it");
	}
	run(rs);
	queue_maybe_end(rs->q);
	return true;
}

/*
 * dsn died: a report may be complete (then its file is a message, and tells which marks to make), or not.
 * Either way the message is looked at again at its next try.
 */
static void
on_gone(struct link *l, const struct err *why)
{
	struct reports *rs = l->owner;
	struct report *r, *next;

	log_event(LOG_WARN, "queue.dsn", KV_U("reports", rs->out), KV_ERR(why));
	loop_timer(rs->q->loop, &rs->timer, loop_now(rs->q->loop) + PAUSE_MS);
	for (r = rs->line; r != NULL; r = next) {
		next = r->next;
		if (r->id == 0)
			continue;
		unline(rs, r);
		stray_add(rs->q, id_span(&r->mid));
		give_up(rs->q, r, "dsn ended");
	}
	queue_maybe_end(rs->q);
}

static void
on_timer(struct timer *t)
{
	struct reports *rs = t->arg;

	if (link_is_open(&rs->link) && rs->out > 0) {
		link_close(&rs->link);
		on_gone(&rs->link, &(struct err){ ERR_TEMP, "no answer in time" });
		return;
	}
	run(rs);
}

void
reports_init(struct queue *q)
{
	struct reports *rs = mem_zero(1, sizeof *rs);

	rs->q = q;
	rs->link = (struct link){ .owner = rs, .got = on_frame, .gone = on_gone };
	rs->timer = (struct timer){ .due = on_timer, .arg = rs };
	q->reports = rs;
}

size_t
reports_in_flight(const struct queue *q)
{
	return q->reports->out;
}

/* ---- found after a crash: rule 3 */

static void
mark_found(struct spool_msg *s, int fd, int kind, struct span marks, struct err *e)
{
	uint32_t first, last;

	if (kind == DSN_DELAYED) {
		spool_set_state(fd, s, s->state, s->attempts, s->next_try, true, e);
		return;
	}
	while (marks_next(&marks, &first, &last))
		for (uint32_t i = first; i <= last && i < s->nrcpts; i++)
			if (s->rcpts[i].state == '.')
				spool_set_rcpt(fd, &s->rcpts[i], kind == DSN_FAILED ? 'b' : 'd', e);
}

/* It is being worked at (dsn died, not the queue): what it knows is as good as the file. */
static void
mark_active(struct queue *q, struct work *w, int kind, struct span marks)
{
	uint32_t first, last;

	if (kind == DSN_DELAYED)
		w->s.delayed = true;
	while (kind == DSN_FAILED && marks_next(&marks, &first, &last))
		for (uint32_t i = first; i <= last && i < w->s.nrcpts; i++)
			if (w->out[i].fate == FATE_FAILED)
				w->out[i].reported = true;
	work_mark(q, w, true);
}

void
report_found(struct queue *q, struct msg *about, struct span marks)
{
	int kind = marks_kind(&marks), fd;
	struct arena *a;
	struct spool_msg s;
	struct buf text;
	struct err e = { 0 };

	if (kind < 0 || about->state == MSG_DAMAGED)
		return;
	if (about->work != NULL) {
		mark_active(q, about->work, kind, marks);
		return;
	}
	a = arena_new(WORK_ARENA_MAX);
	buf_init(&text, TRAILER_MAX);
	fd = spool_file(q, msg_mid(about), O_RDWR);
	if (fd >= 0 && spool_load(fd, &s, &text, a, &e) > 0)
		mark_found(&s, fd, kind, marks, &e);
	if (fd < 0 || fdatasync(fd) < 0)
		err_set(&e, ERR_TEMP, "%m");
	if (e.kind != ERR_NONE)
		log_event(LOG_ERROR, "queue.unmarked", KV_S("mid", msg_mid(about)), KV_ERR(&e));
	if (fd >= 0)
		close(fd);
	buf_free(&text);
	arena_free(a);
}
