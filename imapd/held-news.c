/*
 * What changed in mailboxes, and which sessions are to hear of it: the races between news, records and workers are in the
 * table of holder.h.
 */
#include "base/log.h"
#include "imapd/held.h"
#include "ipc/idle.h"

static void
add_news(struct news *n, struct news more)
{
	if (more.modseq == 0)
		return;
	n->mailbox = n->modseq == 0 || n->mailbox == more.mailbox ? more.mailbox : 0;
	n->modseq = more.modseq > n->modseq ? more.modseq : n->modseq;
}

/* News of the selected mailbox are told in IDLE, unless NOTIFY forbids it, and at any time if NOTIFY asks for it. */
static bool
tells_selected(const struct held *x)
{
	if (x->view.mailbox == 0)
		return false;
	return x->idling ? (x->flags & IDLE_MUTE) == 0 : (x->flags & IDLE_AT_ONCE) != 0;
}

/* Would it interest the client, as far as the record tells? */
bool
held_concerns(const struct held *x, struct news n)
{
	bool selected = n.mailbox == x->view.mailbox && n.mailbox != 0;

	if (tells_selected(x) && (n.mailbox == 0 || selected) && n.modseq > x->view.modseq)
		return true;
	/* Of other mailboxes only its own are watched: not those of the owner at whose mailbox it looks. */
	return (x->flags & IDLE_OTHERS) != 0 && x->view_of == x->owner && !selected && n.modseq > x->known;
}

/* The worker will look at the mailbox: what is news now it will find. */
static void
will_look(struct held *x)
{
	x->told = true;
	x->seen = x->news;
	x->news = (struct news){ 0 };
}

/* Another record, or none any more, and it had not begun to look. */
void
held_not_looked(struct held *x)
{
	if (x->told)
		add_news(&x->news, x->seen);
	x->told = false;
}

/* The client spoke, or there is news for it. */
void
held_wake(struct held *x)
{
	struct err e = { 0 };

	will_look(x);
	if (held_start(x, NULL, &e) == 0)
		return;
	log_event(LOG_ERROR, "imapd.worker", KV_STR("sid", x->sid.s), KV_ERR(&e));
	held_end(x, "* BYE [UNAVAILABLE] The server is too busy, try again later\r\n", e.text);
}

/* If the worker is gone, its channel will say so. */
void
held_tell(struct held *x)
{
	struct idle_changed m = { .mailbox = x->news.mailbox, .modseq = x->news.modseq };
	struct err e = { 0 };

	if (x->told)
		return;
	will_look(x);
	ipc_send(x->control, idle_changed, &m, 0, &e);
}

/* Without a record nobody knows yet whether it is news: the next one will tell. */
static void
news(struct held *x, struct news n)
{
	if (x->recorded && !held_concerns(x, n))
		return;
	add_news(&x->news, n);
	if (!x->recorded)
		return;
	if (x->control != NULL)
		held_tell(x);
	else
		held_wake(x);
}

void
held_changed(struct owner *o, const struct held *except, uint64_t mailbox, uint64_t modseq)
{
	struct held *next;

	if (mailbox == 0)
		mailbox = NAMES;
	for (struct held *x = o->sessions; x != NULL; x = next) {
		next = x->next;
		if (x != except)
			news(x, (struct news){ modseq, mailbox });
	}
}

void
holder_changed(struct holder *h, struct span owner, uint64_t mailbox, uint64_t modseq)
{
	struct owner *o = owner_find(h, owner);

	if (o != NULL)
		held_changed(o, NULL, mailbox, modseq);
}
