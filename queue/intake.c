/*
 * intake.c - messages come: from smtpd, a channel a session, and as files whose smtpd is no more.
 *
 * A session has at most one file. While it has it, the file's name is known here (intake_has); when the
 * channel closes with the file out, or the file is not used, pool.c finds out what it is.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/queue.h"
#include "queue/queue.h"

struct intake {
	struct queue *q;
	struct link link;
	struct id mid;             /* of the file that is out; empty: none */
	struct intake *next, **at; /* of q->intakes */
};

/* ---- a complete message */

static struct msg *
record(struct queue *q, const struct spool_msg *s, struct err *e)
{
	struct msg *m;

	if (msgs_find(&q->msgs, id_span(&s->mid)) != NULL) {
		err_set(e, ERR_PERM, "%s is in the queue already", s->mid.s);
		return NULL;
	}
	m = msg_new(id_span(&s->mid));
	m->arrived = s->arrived;
	m->next_try = s->attempts > 0 ? s->next_try : s->arrived;
	m->size = s->size;
	m->attempts = (uint16_t)s->attempts;
	msgs_put(&q->msgs, m);
	return m;
}

struct msg *
intake_take(struct queue *q, struct span mid, struct span trailer, uint64_t trailer_at, struct span targets,
    struct err *e)
{
	struct arena *a = arena_new(WORK_ARENA_MAX);
	struct spool_msg s;
	struct msg *m = NULL, *about;
	struct buf text;

	buf_init(&text, TRAILER_MAX);
	if (buf_add(&text, e, trailer) < 0 || spool_parse(buf_span(&text), trailer_at, &s, a, e) < 0)
		goto out;
	if (!span_same(id_span(&s.mid), mid)) {
		err_set(e, ERR_PERM, "its trailer names another message");
		goto out;
	}
	if (s.nrcpts > RCPTS_MAX) {
		err_set(e, ERR_PERM, "more recipients than can be");
		goto out;
	}
	m = record(q, &s, e);
	if (m == NULL)
		goto out;
	if (targets.n == 0 && s.about.s[0] != '\0' && q->scan != NULL)
		scan_report(q, &s);
	else if (targets.n == 0 && s.about.s[0] != '\0' &&
		 (about = msgs_find(&q->msgs, id_span(&s.about))) != NULL)
		report_found(q, about, s.envid);
	if (s.state == 'h') {
		m->state = MSG_HELD;
		q->held++;
	} else if (work_room(q, false)) {
		work_start(q, m, &text, a, &s, targets);
		return m;
	} else {
		msg_wait(q, m);
	}
out:
	buf_free(&text);
	arena_free(a);
	return m;
}

/* ---- a session */

static void
hand_out(struct intake *i, uint32_t id)
{
	struct pooled p = { .fd = -1 };
	struct queue_file m = { .file = -1, .full = 1 };

	if (pool_take(i->q, &p)) {
		i->mid = p.mid;
		m = (struct queue_file){ .mid = id_span(&p.mid), .file = p.fd };
	}
	link_send(&i->link, queue_file, &m, id);
	if (p.fd >= 0)
		close(p.fd);
}

static void
put_back(struct intake *i)
{
	struct id mid = i->mid;

	i->mid = (struct id){ 0 };
	if (mid.s[0] != '\0')
		stray_add(i->q, id_span(&mid));
}

static void
intake_free(struct intake *i)
{
	link_close(&i->link);
	*i->at = i->next;
	if (i->next != NULL)
		i->next->at = i->at;
	put_back(i);
	free(i);
}

static bool
on_commit(struct intake *i, struct ipc_in *in, struct err *e)
{
	struct queue_commit m;

	if (ipc_body(in, queue_commit, &m, e) < 0)
		return false;
	if (!span_same(m.mid, id_span(&i->mid)))
		return err_set(e, ERR_PEER, "commit of a file that was not given"), false;
	i->mid = (struct id){ 0 };
	if (m.next != 0)
		hand_out(i, in->id);
	/* What it says does not fit; but the file is there, and says what it is. */
	if (intake_take(i->q, m.mid, m.trailer, m.trailer_at, m.targets, e) == NULL) {
		log_event(LOG_ERROR, "queue.damaged", KV_S("mid", m.mid), KV_ERR(e));
		err_clear(e);
	}
	return true;
}

static bool
on_drop(struct intake *i, struct ipc_in *in, struct err *e)
{
	struct queue_drop m;

	if (ipc_body(in, queue_drop, &m, e) < 0)
		return false;
	if (!span_same(m.mid, id_span(&i->mid)))
		return err_set(e, ERR_PEER, "drop of a file that was not given"), false;
	put_back(i);
	if (m.next != 0)
		hand_out(i, in->id);
	return true;
}

static bool
on_open(struct intake *i, struct ipc_in *in, struct err *e)
{
	if (i->mid.s[0] != '\0')
		return err_set(e, ERR_PEER, "a second file was asked for"), false;
	hand_out(i, in->id);
	return true;
}

static bool
on_frame(struct link *l, struct ipc_in *in)
{
	struct intake *i = l->owner;
	struct err e = { 0 };
	bool ok = false;

	switch (in->number) {
	case queue_open_no:
		ok = on_open(i, in, &e);
		break;
	case queue_commit_no:
		ok = on_commit(i, in, &e);
		break;
	case queue_drop_no:
		ok = on_drop(i, in, &e);
		break;
	}
	if (ok)
		return true;
	log_event(LOG_WARN, "queue.peer", KV_STR("mid", i->mid.s), KV_ERR(&e));
	intake_free(i);
	return false;
}

static void
on_gone(struct link *l, const struct err *why)
{
	(void)why;
	intake_free(l->owner);
}

void
intake_open(struct queue *q, int fd, enum ipc_role peer)
{
	struct intake *i = mem_zero(1, sizeof *i);

	i->q = q;
	i->link = (struct link){ .owner = i, .got = on_frame, .gone = on_gone };
	i->next = q->intakes;
	i->at = &q->intakes;
	if (i->next != NULL)
		i->next->at = &i->next;
	q->intakes = i;
	link_open(&i->link, q->loop, ipc_new(fd, &queue_def, ROLE_QUEUE, peer));
}

bool
intake_has(const struct queue *q, struct span mid)
{
	for (const struct intake *i = q->intakes; i != NULL; i = i->next)
		if (span_same(id_span(&i->mid), mid))
			return true;
	return false;
}
