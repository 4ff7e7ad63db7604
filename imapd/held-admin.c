/* All sessions at once: listed, ended one by one, ended all. */
#include "imapd/held.h"
#include "io/svc.h"
#include "ipc/idle.h"
#include "ipc/session.h"

int
holder_list(struct holder *h, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct owner *o = h->bucket[i]; o != NULL; o = o->next)
			for (struct held *x = o->sessions; x != NULL; x = x->next) {
				struct session_item item = {
					.sid = id_span(&x->sid),
					.owner = span_str(x->owner->name),
					.client = span_str(held_client(x)),
					.pid = (uint32_t)x->pid,
					.since = x->since,
					.tls = x->tls,
					.idle = x->control == NULL || (x->recorded && x->idling),
				};

				if (!x->link && ipc_pack(&session_def, out, session_item, &item, e) < 0)
					return -1;
			}
	return 0;
}

static void
kick(struct held *x)
{
	struct err e = { 0 };

	x->kicked = true; /* should it be handed over just now */
	if (x->control != NULL)
		ipc_send(x->control, idle_drain, &(struct idle_drain){ .kicked = 1 }, 0, &e);
	else
		held_end_kicked(x);
}

/* An owner may go with its last session, so each round begins anew; who was told to end is not told again. */
static struct held *
next_to_kick(struct holder *h, struct span owner, struct span sid)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct owner *o = h->bucket[i]; o != NULL; o = o->next)
			for (struct held *x = o->sessions; x != NULL; x = x->next)
				if (!x->link && !x->kicked &&
				    (sid.n > 0 ? span_same(sid, id_span(&x->sid))
					       : span_eq(owner, x->owner->name)))
					return x;
	return NULL;
}

uint32_t
holder_kick(struct holder *h, struct span owner, struct span sid)
{
	struct held *x;
	uint32_t n = 0;

	for (; (x = next_to_kick(h, owner, sid)) != NULL; n++)
		kick(x);
	return n;
}

/* Links end with the sessions that have them. */
static void
drain_owner(struct owner *o)
{
	struct held *next;
	struct err e = { 0 };

	for (struct held *x = o->sessions; x != NULL; x = next) {
		next = x->next;
		if (x->link)
			continue;
		if (x->control != NULL)
			ipc_send(x->control, idle_drain, &(struct idle_drain){}, 0, &e);
		else
			held_end(x, "* BYE The server is going down, try again in a moment\r\n", "drained");
		err_clear(&e);
	}
}

void
holder_drain(struct holder *h)
{
	struct owner *next;

	h->draining = true;
	h->loop = svc_loop_of(h->svc);
	if (h->n == 0) {
		svc_end(h->svc);
		return;
	}
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct owner *o = h->bucket[i]; o != NULL; o = next) {
			o->refs++;
			drain_owner(o); /* which may drop others of this bucket */
			next = o->next;
			owner_drop(h, o);
		}
}
