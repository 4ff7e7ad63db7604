/*
 * lookup.c - asking authd who an address is now: at a retry, after a restart, and for the sender of a report.
 *
 * At most SLOTS questions are out at a time. Messages stand in a line and take turns, so that a list of
 * 11,000 does not keep others from being asked for. If authd goes away, what was out is asked again when it
 * is back; if it does not answer for ASK_MS, that is an answer: later.
 */

#include "base/log.h"
#include "ipc/authd.h"
#include "queue/queue.h"

enum { SLOTS = 256, TURN = 32, ASK_MS = 60000, PAUSE_MS = 200, PAUSE_MAX_MS = 10000, SENDER = UINT32_MAX };

struct slot {
	struct work *w; /* NULL: free */
	uint32_t rcpt;  /* index, or SENDER */
	uint32_t id;
};

struct lookups {
	struct queue *q;
	struct link link;
	struct slot slot[SLOTS];
	size_t used;
	uint32_t serial;
	struct work *head, *tail; /* those with questions to ask; a message is in it at most once */
	struct timer again, patience;
	uint64_t pause;
};

static void lookup_run(struct lookups *l);

/* ---- the line */

static void
line_add(struct lookups *l, struct work *w)
{
	w->next = NULL;
	if (l->tail != NULL)
		l->tail->next = w;
	else
		l->head = w;
	l->tail = w;
}

static struct work *
line_take(struct lookups *l)
{
	struct work *w = l->head;

	l->head = w->next;
	if (l->head == NULL)
		l->tail = NULL;
	return w;
}

/* ---- answers */

static void
nobody(
    struct queue *q, struct work *w, uint32_t rcpt, enum err_kind kind, struct span status, struct span text)
{
	struct result r = { .kind = kind, .status = status, .text = text };

	work_result(q, w, rcpt, NULL, &r);
}

/*
 * Final addresses are asked for, so the answer is usually the address itself. If it now leads elsewhere (the
 * account was renamed, an alias was made) all targets get it; but if the address itself is one of them, the
 * others had their own lines from the start.
 */
static void
found(struct work *w, uint32_t rcpt, struct span targets)
{
	struct span rest = targets, addr = w->s.rcpts[rcpt].addr;
	struct authd_target t;
	bool itself = false;

	while (ipc_unpack(&authd_def, &rest, authd_target, &t, NULL) > 0)
		itself = itself || span_same(t.addr, addr);
	while (ipc_unpack(&authd_def, &targets, authd_target, &t, NULL) > 0)
		if (!itself || span_same(t.addr, addr))
			work_found(w, &(struct job){ .rcpt = rcpt,
					  .kind = t.kind,
					  .addr = arena_dup(w->a, t.addr),
					  .owner = t.owner,
					  .folder = t.folder,
					  .quota_bytes = t.quota_bytes,
					  .quota_messages = t.quota_messages });
}

static void
answer(struct queue *q, struct work *w, uint32_t rcpt, const struct authd_whois_answer *a)
{
	struct span text = a->text;

	switch ((enum whois_kind)a->kind) {
	case WHOIS_OK:
	case WHOIS_RELAY:
		if (a->targets.n > 0)
			found(w, rcpt, a->targets);
		else
			nobody(q, w, rcpt, ERR_TEMP, SPAN("4.3.0"), SPAN("the address leads nowhere"));
		return;
	case WHOIS_UNKNOWN:
		nobody(q, w, rcpt, ERR_PERM, SPAN("5.1.1"), text.n > 0 ? text : SPAN("no such user here"));
		return;
	case WHOIS_DISABLED:
		nobody(q, w, rcpt, ERR_PERM, SPAN("5.2.1"), SPAN("the mailbox is disabled"));
		return;
	case WHOIS_TEMP:
		break;
	}
	nobody(q, w, rcpt, ERR_TEMP, SPAN("4.3.0"),
	    text.n > 0 ? text : SPAN("the address can't be looked up now"));
}

/* One answer for one question; the message may go on, and be gone after. */
static void
settle(struct lookups *l, struct slot *s, const struct authd_whois_answer *a)
{
	struct work *w = s->w;
	uint32_t rcpt = s->rcpt;

	s->w = NULL;
	l->used--;
	if (rcpt == SENDER) {
		enum err_kind kind = a->kind == WHOIS_OK || a->kind == WHOIS_RELAY ? ERR_NONE
				     : a->kind == WHOIS_TEMP                       ? ERR_TEMP
										   : ERR_PERM;
		report_to(l->q, w, kind, a->targets, a->text);
		return;
	}
	answer(l->q, w, rcpt, a);
	if (--w->lookups == 0)
		work_dispatch(l->q, w);
}

static bool
on_frame(struct link *link, struct ipc_in *in)
{
	struct lookups *l = link->owner;
	struct authd_whois_answer a = { .kind = WHOIS_TEMP };
	struct slot *s = &l->slot[in->id % SLOTS];
	struct err e = { 0 };

	if (s->w == NULL || s->id != in->id)
		return true; /* asked by a link before this one */
	if (in->number == authd_whois_answer_no)
		ipc_body(in, authd_whois_answer, &a, &e);
	if (e.kind != ERR_NONE)
		a = (struct authd_whois_answer){ .kind = WHOIS_TEMP };
	l->pause = 0;
	settle(l, s, &a);
	loop_timer(l->q->loop, &l->patience, l->used > 0 ? loop_now(l->q->loop) + ASK_MS : 0);
	lookup_run(l);
	return true;
}

/* ---- questions */

static void
ask(struct lookups *l, const struct slot *s)
{
	struct authd_whois m = { .size = s->w->s.size };

	m.addr = s->rcpt == SENDER ? s->w->s.from : s->w->s.rcpts[s->rcpt].addr;
	link_send(&l->link, authd_whois, &m, s->id);
}

static void
slot_take(struct lookups *l, struct work *w, uint32_t rcpt)
{
	do
		l->serial++;
	while (l->slot[l->serial % SLOTS].w != NULL);
	l->slot[l->serial % SLOTS] = (struct slot){ w, rcpt, l->serial };
	l->used++;
	ask(l, &l->slot[l->serial % SLOTS]);
	if (l->used == 1)
		loop_timer(l->q->loop, &l->patience, loop_now(l->q->loop) + ASK_MS);
}

/* The next recipient that is to be asked for; false: none is left. */
static bool
next_question(struct work *w, uint32_t *rcpt)
{
	while (w->next_lookup < w->s.nrcpts) {
		*rcpt = w->next_lookup++;
		if (w->out[*rcpt].fate == FATE_NONE)
			return true;
	}
	return false;
}

static bool
turn(struct lookups *l, struct work *w)
{
	uint32_t rcpt;

	if (w->report != NULL) {
		slot_take(l, w, SENDER);
		return false;
	}
	for (int n = 0; n < TURN && l->used < SLOTS; n++) {
		if (!next_question(w, &rcpt))
			return false;
		slot_take(l, w, rcpt);
	}
	return true;
}

static bool
connect_authd(struct lookups *l)
{
	struct err e = { 0 };

	if (link_is_open(&l->link))
		return true;
	if (l->again.at_ms != 0)
		return false;
	if (link_dial(&l->link, l->q->svc, "authd", &authd_def, &e) < 0) {
		log_event(LOG_ERROR, "queue.authd", KV_ERR(&e));
		loop_timer(l->q->loop, &l->again, loop_now(l->q->loop) + PAUSE_MAX_MS);
		return false;
	}
	for (size_t i = 0; i < SLOTS; i++)
		if (l->slot[i].w != NULL)
			ask(l, &l->slot[i]);
	return true;
}

static void
lookup_run(struct lookups *l)
{
	if ((l->head == NULL && l->used == 0) || !connect_authd(l))
		return;
	while (l->head != NULL && l->used < SLOTS) {
		struct work *w = line_take(l);

		if (turn(l, w))
			line_add(l, w);
	}
}

static void
on_gone(struct link *link, const struct err *why)
{
	struct lookups *l = link->owner;

	log_event(LOG_WARN, "queue.authd", KV_ERR(why));
	l->pause = l->pause == 0 ? PAUSE_MS : l->pause * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : l->pause * 2;
	loop_timer(l->q->loop, &l->again, loop_now(l->q->loop) + l->pause);
}

static void
on_again(struct timer *t)
{
	lookup_run(t->arg);
}

/* Every request has a deadline: all that wait are told "later". */
static void
on_patience(struct timer *t)
{
	struct lookups *l = t->arg;
	struct authd_whois_answer later = { .kind = WHOIS_TEMP, .text = SPAN("authd does not answer") };

	link_close(&l->link);
	on_gone(&l->link, &(struct err){ ERR_TEMP, "no answer in time" });
	for (size_t i = 0; i < SLOTS; i++)
		if (l->slot[i].w != NULL)
			settle(l, &l->slot[i], &later);
}

void
lookups_init(struct queue *q)
{
	struct lookups *l = mem_zero(1, sizeof *l);

	l->q = q;
	l->link.owner = l;
	l->link.got = on_frame;
	l->link.gone = on_gone;
	l->again = (struct timer){ .due = on_again, .arg = l };
	l->patience = (struct timer){ .due = on_patience, .arg = l };
	q->lookups = l;
}

void
lookup_add(struct queue *q, struct work *w)
{
	w->next_lookup = 0;
	w->lookups = 0;
	for (size_t i = 0; i < w->s.nrcpts; i++)
		w->lookups += w->out[i].fate == FATE_NONE;
	if (w->lookups == 0) {
		work_dispatch(q, w);
		return;
	}
	line_add(q->lookups, w);
	lookup_run(q->lookups);
}

void
lookup_sender(struct queue *q, struct work *w)
{
	line_add(q->lookups, w);
	lookup_run(q->lookups);
}
