#include "queue/work.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "cfg/cfg.h"
#include "ipc/queue.h"
#include "queue/queue.h"

enum { LOST_MAX = 3 };

/* ---- beginning */

bool
work_room(const struct queue *q, bool again)
{
	if (q->active >= cfg.queue_active_max || q->active_rcpts >= ACTIVE_RCPTS_MAX || q->draining)
		return false;
	return !again || q->active_again < (cfg.queue_active_max + 1) / 2;
}

void
work_found(struct work *w, const struct job *j)
{
	struct job *copy = arena_alloc(w->a, sizeof *copy);

	*copy = *j;
	copy->owner = arena_dup(w->a, j->owner);
	copy->folder = arena_dup(w->a, j->folder);
	copy->next = NULL;
	*w->found_end = copy;
	w->found_end = &copy->next;
}

/* What smtpd knew: one target a recipient line. If it does not match, authd is asked as for any other. */
static bool
take_targets(struct work *w, struct span targets)
{
	struct queue_target t;
	struct err e = { 0 };

	for (uint32_t i = 0; i < w->s.nrcpts; i++) {
		struct job j = { .rcpt = i, .addr = w->s.rcpts[i].addr };

		if (ipc_unpack(&queue_def, &targets, queue_target, &t, &e) <= 0 ||
		    (t.kind != TARGET_REMOTE && (t.kind != TARGET_LOCAL || t.owner.n == 0))) {
			w->found = NULL;
			w->found_end = &w->found;
			return false;
		}
		j.kind = t.kind;
		j.owner = t.owner;
		j.folder = t.folder;
		j.quota_bytes = t.quota_bytes;
		j.quota_messages = t.quota_messages;
		if (w->out[i].fate == FATE_NONE)
			work_found(w, &j);
	}
	return true;
}

void
work_start(struct queue *q, struct msg *m, struct buf *text, struct arena *a, const struct spool_msg *s,
    struct span targets)
{
	struct work *w = mem_zero(1, sizeof *w);

	w->m = m;
	w->a = a;
	w->text = *text;
	*text = (struct buf){ .max = text->max };
	w->s = *s;
	w->found_end = &w->found;
	w->again = m->attempts > 0;
	w->out = arena_array(a, s->nrcpts, sizeof *w->out);
	for (size_t i = 0; i < s->nrcpts; i++) {
		w->out[i].fate = s->rcpts[i].state == '.' ? FATE_NONE : FATE_OVER;
		w->out[i].marked = s->rcpts[i].state != '.';
	}
	m->state = MSG_ACTIVE;
	m->work = w;
	q->active++;
	q->active_again += w->again;
	q->active_rcpts += s->nrcpts;
	if (targets.n > 0 && take_targets(w, targets))
		work_dispatch(q, w);
	else
		lookup_add(q, w);
}

/* It can't be begun now: an I/O error, or too many files are open. */
static void
postpone(struct queue *q, struct msg *m, const struct err *why)
{
	log_event(LOG_ERROR, "queue.unreadable", KV_S("mid", msg_mid(m)), KV_ERR(why));
	m->next_try = wall_now() + cfg.queue_retry_min;
	msg_wait(q, m);
}

static void
damaged(struct msg *m, const struct err *why)
{
	log_event(LOG_ERROR, "queue.damaged", KV_S("mid", msg_mid(m)), KV_ERR(why));
	m->state = MSG_DAMAGED;
}

/* 1, 0 it is no message after all; -1. Found on disk, it may have been in the middle of smtpd's sync. */
static int
load(struct msg *m, int fd, struct spool_msg *s, struct buf *text, struct arena *a, struct err *e)
{
	int rc = spool_load(fd, s, text, a, e);

	if (rc > 0 && s->nrcpts > RCPTS_MAX)
		return err_set(e, ERR_PERM, "more recipients than can be");
	if (rc > 0 && m->unverified && s->attempts == 0)
		rc = spool_verify(fd, s, e);
	return rc;
}

void
work_load(struct queue *q, struct msg *m)
{
	struct arena *a = arena_new(WORK_ARENA_MAX);
	struct spool_msg s = { 0 };
	struct buf text;
	struct err e = { 0 };
	int fd = spool_file(q, msg_mid(m), O_RDONLY), rc;

	buf_init(&text, TRAILER_MAX);
	if (fd < 0 && errno == ENOENT) {
		msg_gone(q, m, false, "its file is gone");
		arena_free(a);
		return;
	}
	rc = fd < 0 ? err_set(&e, ERR_TEMP, "open: %m") : load(m, fd, &s, &text, a, &e);
	if (fd >= 0)
		close(fd);
	m->unverified = m->unverified && rc <= 0;
	if (rc > 0) {
		work_start(q, m, &text, a, &s, (struct span){ 0 });
		return;
	}
	if (rc == 0)
		msg_gone(q, m, false, "it never was complete");
	else if (e.kind == ERR_TEMP)
		postpone(q, m, &e);
	else
		damaged(m, &e);
	buf_free(&text);
	arena_free(a);
}

static const struct result taken_back = {
	.kind = ERR_TEMP, .status = { "4.3.0", 5 }, .text = { "taken back by the administrator", 31 }
};

void
work_dispatch(struct queue *q, struct work *w)
{
	struct job *j = w->found, *next;

	w->found = NULL;
	w->found_end = &w->found;
	w->lookups++; /* nothing that fails at once may end it before all is in its lane */
	for (struct job *i = j; i != NULL; i = i->next) {
		w->open++;
		w->out[i->rcpt].jobs++;
	}
	for (; j != NULL; j = next) {
		next = j->next;
		if (w->deleted || w->hold)
			work_result(q, w, j->rcpt, j, &taken_back);
		else if (j->kind == TARGET_LOCAL)
			local_add(q, w, j);
		else
			remote_add(q, w, j);
	}
	local_run(q);
	remote_run(q);
	w->lookups--;
	work_step(q, w);
}

/* ---- results */

static void
log_result(struct queue *q, const struct work *w, uint32_t rcpt, const struct job *j, const struct result *r)
{
	static const char *const names[] = { "queue.delivered", "queue.deferred", "queue.failed" };
	size_t which = r->kind == ERR_NONE ? 0 : r->kind == ERR_TEMP ? 1 : 2;
	char did[ID_LEN + 16];

	static const char *const counters[] = { "queue.delivered", "queue.deferred", "queue.failed" };

	(void)q;
	svc_count(counters[which], 1);
	snprintf(did, sizeof did, "%.*s.%u", ID_LEN, w->m->mid, rcpt);
	log_event(LOG_INFO, names[which], KV_S("mid", msg_mid(w->m)), KV_STR("did", did),
	    KV_S("rcpt", w->s.rcpts[rcpt].addr), KV_OPT("owner", j != NULL ? j->owner : (struct span){ 0 }),
	    KV_OPT("host", r->host), KV_S("status", r->status), KV_U("delay_ms", wall_now() - w->m->arrived),
	    KV_OPT("text", which != 0 || r->host.n > 0 ? r->text : (struct span){ 0 }));
}

void
work_result(struct queue *q, struct work *w, uint32_t rcpt, const struct job *j, const struct result *r)
{
	struct outcome *o = &w->out[rcpt];
	enum fate fate = r->kind == ERR_NONE   ? FATE_DELIVERED
			 : r->kind == ERR_TEMP ? FATE_DEFERRED
					       : FATE_FAILED;

	if (j != NULL) {
		need(w->open > 0 && o->jobs > 0);
		w->open--;
		o->jobs--;
	}
	log_result(q, w, rcpt, j, r);
	if (fate < (enum fate)o->fate)
		return;
	o->fate = (uint8_t)fate;
	o->relayed = r->relayed;
	o->status = arena_dup(w->a, r->status.n > 0       ? r->status
				    : r->kind == ERR_TEMP ? SPAN("4.0.0")
							  : SPAN("5.0.0"));
	o->text = arena_dup(w->a, r->text);
	o->host = arena_dup(w->a, r->host);
	o->tried = wall_now();
}

void
work_reopen(struct work *w, const struct job *j)
{
	struct outcome *o = &w->out[j->rcpt];

	w->open++;
	o->jobs++;
	o->fate = o->fate == FATE_DELIVERED ? FATE_NONE : o->fate;
}

bool
work_retry_lost(struct queue *q, struct work *w, const struct job *j, const char *who)
{
	struct result r = { .kind = ERR_TEMP, .status = SPAN("4.3.0"), .text = span_str(who) };

	if (w->lost <= LOST_MAX && !w->deleted)
		return true;
	work_result(q, w, j->rcpt, j, &r);
	return false;
}

bool
work_complete(const struct work *w)
{
	if (w->lookups > 0 || w->open > 0 || w->unsynced > 0)
		return false;
	for (size_t i = 0; i < w->s.nrcpts; i++)
		if (w->out[i].fate != FATE_OVER && w->out[i].fate != FATE_DELIVERED)
			return false;
	return true;
}

/* ---- the file */

static char
mark_of(const struct outcome *o)
{
	if (o->marked)
		return '\0';
	if (o->fate == FATE_DELIVERED && o->jobs == 0 && o->unsynced == 0)
		return 'd';
	return o->fate == FATE_FAILED && o->reported ? 'b' : '\0';
}

static int
mark_all(struct work *w, int fd, struct err *e)
{
	for (size_t i = 0; i < w->s.nrcpts; i++) {
		char c = mark_of(&w->out[i]);

		if (c != '\0' && spool_set_rcpt(fd, &w->s.rcpts[i], c, e) < 0)
			return -1;
		w->out[i].marked = w->out[i].marked || c != '\0';
	}
	return 0;
}

static bool
to_mark(const struct work *w)
{
	for (size_t i = 0; i < w->s.nrcpts; i++)
		if (mark_of(&w->out[i]) != '\0')
			return true;
	return false;
}

/*
 * An error is not fatal: memory still knows, so nothing is sent twice while we live. It is logged as an
 * error, because after a restart it would be.
 */
void
work_mark(struct queue *q, struct work *w, bool sync)
{
	struct err e = { 0 };
	int fd;

	if (!to_mark(w))
		return;
	fd = spool_file(q, msg_mid(w->m), O_RDWR);
	if (fd < 0)
		err_set(&e, ERR_TEMP, "open: %m");
	else if (mark_all(w, fd, &e) == 0 && sync && fdatasync(fd) < 0)
		err_set(&e, ERR_TEMP, "fdatasync: %m");
	if (fd >= 0)
		close(fd);
	if (e.kind != ERR_NONE)
		log_event(LOG_ERROR, "queue.unmarked", KV_S("mid", msg_mid(w->m)), KV_ERR(&e));
}

/* ---- the end of an attempt */

static void
work_free(struct queue *q, struct work *w)
{
	w->m->work = NULL;
	q->active--;
	q->active_again -= w->again;
	q->active_rcpts -= w->s.nrcpts;
	buf_free(&w->text);
	arena_free(w->a);
	free(w);
	queue_wake(q);
}

/* What is still deferred at the end of the lifetime has failed: RFC 3463, X.4.7. */
static void
expire(struct queue *q, struct work *w)
{
	for (uint32_t i = 0; i < w->s.nrcpts; i++) {
		struct outcome *o = &w->out[i];
		struct result r = { .kind = ERR_PERM, .status = SPAN("4.4.7"), .host = o->host };

		if (o->fate != FATE_DEFERRED)
			continue;
		r.text = arena_printf(w->a, "delivery time expired; the last try: %.*s", SPAN_ARG(o->text));
		o->fate = FATE_NONE;
		work_result(q, w, i, NULL, &r);
	}
}

static struct span
first_reason(struct work *w)
{
	for (size_t i = 0; i < w->s.nrcpts; i++) {
		const struct outcome *o = &w->out[i];

		if (o->fate == FATE_DEFERRED)
			return arena_printf(w->a, "%.*s %.*s%s%.*s", SPAN_ARG(o->status), SPAN_ARG(o->host),
			    o->host.n > 0 ? ": " : "", SPAN_ARG(o->text));
	}
	return (struct span){ 0 };
}

/* It stays: until when, and that in its file. */
static void
put_off(struct queue *q, struct work *w)
{
	struct retry_rule rule = retry_rule();
	struct msg *m = w->m;
	struct err e = { 0 };
	int fd;

	m->attempts = m->attempts < UINT16_MAX ? (uint16_t)(m->attempts + 1) : m->attempts;
	m->next_try = retry_next(&rule, m->arrived, wall_now(), m->attempts, randombytes_random());
	reason_drop(&q->reasons, m->reason);
	m->reason = reason_keep(&q->reasons, first_reason(w));
	work_mark(q, w, false);
	fd = spool_file(q, msg_mid(m), O_RDWR);
	if (fd < 0 ||
	    spool_set_state(fd, &w->s, w->hold ? 'h' : '.', m->attempts, m->next_try, w->s.delayed, &e) < 0) {
		err_set(&e, ERR_TEMP, "open: %m");
		log_event(LOG_ERROR, "queue.unmarked", KV_S("mid", msg_mid(m)), KV_ERR(&e));
	}
	if (fd >= 0)
		close(fd);
}

static bool
anything_left(const struct work *w)
{
	for (size_t i = 0; i < w->s.nrcpts; i++)
		if (w->out[i].fate == FATE_DEFERRED || w->out[i].fate == FATE_NONE)
			return true;
	return false;
}

static void
end(struct queue *q, struct work *w)
{
	struct msg *m = w->m;
	bool left = anything_left(w) && !w->deleted, hold = w->hold, sure = w->sure || w->deleted;
	const char *why = w->deleted ? "deleted by the administrator" : NULL;

	if (left)
		put_off(q, w);
	work_free(q, w);
	if (!left) {
		msg_gone(q, m, sure, why);
	} else if (hold) {
		m->state = MSG_HELD;
		q->held++;
	} else {
		msg_wait(q, m);
	}
	queue_maybe_end(q);
}

void
work_step(struct queue *q, struct work *w)
{
	struct retry_rule rule = retry_rule();

	if (w->lookups > 0 || w->open > 0 || w->unsynced > 0 || w->report != NULL)
		return;
	if (!w->deleted && retry_expired(&rule, w->m->arrived, wall_now()))
		expire(q, w);
	if (!w->deleted && report_next(q, w))
		return;
	end(q, w);
}
