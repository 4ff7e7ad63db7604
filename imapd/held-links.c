/* What a worker asks of the holder: a link to another owner's worker, news of another's mailbox, that its client logs in anew. */
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "cfg/cfg.h"
#include "imapd/held.h"
#include "ipc/idle.h"
#include "ipc/session.h"

/* A worker for another owner's store, whose client is x's worker: gives that one's end of the stream, or -1. */
static int
start_link(struct held *x, const struct idle_link *m, struct err *e)
{
	struct holder *h = x->h;
	struct holder_client c = {
		.owner = m->owner,
		.addr = m->addr,
		.login = span_of(x->text, x->login_n),
		.client = span_str(held_client(x)),
		.sid = id_span(&x->sid),
	};
	struct held *l;
	int pair[2];

	/* A worker keeps to the limit. Those that it has closed may not have ended yet. */
	if (x->link || x->nlinks >= 2 * cfg.imap_links_max)
		return err_set(e, ERR_TEMP, "no more than %u links", 2 * (unsigned)cfg.imap_links_max);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(e, ERR_TEMP, "a link: %m");
	c.stream = holder_above(h, pair[1]);
	if (c.stream < 0) {
		close(pair[0]);
		return err_set(e, ERR_TEMP, "a link: %m");
	}
	l = held_new(h, &c);
	l->link = true;
	l->asker = x;
	l->sibling = x->links;
	x->links = l;
	x->nlinks++;
	pair[0] = holder_above(h, pair[0]);
	if (pair[0] >= 0 && held_start(l, &c, e) == 0) {
		close(l->stream.fd); /* its worker's alone */
		l->stream.fd = -1;
		return pair[0];
	}
	if (pair[0] >= 0)
		close(pair[0]);
	held_forget(l);
	return err_set(e, ERR_TEMP, "a link: %m");
}

int
held_link_asked(struct held *x, struct ipc_in *in, struct err *e)
{
	struct idle_linked answer;
	struct idle_link m;
	struct err why = { 0 };
	int rc;

	if (ipc_body(in, idle_link, &m, e) < 0)
		return -1;
	answer.stream = start_link(x, &m, &why);
	if (answer.stream < 0)
		return ipc_send_refuse(x->control, in->id, &why, e);
	rc = ipc_send(x->control, idle_linked, &answer, in->id, e);
	close(answer.stream);
	return rc;
}

/* What was news to the mailbox before is none to the next. */
int
held_view_changed(struct held *x, struct ipc_in *in, struct err *e)
{
	struct idle_view_of m;

	if (ipc_body(in, idle_view_of, &m, e) < 0)
		return -1;
	if (x->recorded || x->link)
		return err_set(e, ERR_PEER, "not now");
	look_away(x);
	look_at(x, owner_hold(x->h, m.owner.n > 0 ? m.owner : span_str(x->owner->name)));
	x->news = x->seen = (struct news){ 0 };
	held_keep(&x->view_name, m.name);
	return 0;
}

/* The client is to log in anew. Where it came from may not be there any more. */
int
held_give_back(struct held *x, struct ipc_in *in, struct err *e)
{
	static const char bye[] = "* BYE [UNAVAILABLE] The connection cannot be used again\r\n";
	struct idle_unauthenticated m;
	struct session_back back;
	struct err why = { 0 };

	if (ipc_body(in, idle_unauthenticated, &m, e) < 0)
		return -1;
	if (x->link)
		return err_set(e, ERR_PEER, "a link does not log in");
	back = (struct session_back){
		.stream = x->stream.fd,
		.pump = x->pump,
		.sid = id_span(&x->sid),
		.client = span_str(held_client(x)),
		.input = m.input,
	};
	if (x->kicked || x->h->draining || x->h->back == NULL || x->h->back(x->from, &back, &why) < 0)
		send(x->stream.fd, bye, sizeof bye - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (why.kind != ERR_NONE)
		log_event(LOG_WARN, "imapd.back", KV_STR("sid", x->sid.s), KV_ERR(&why));
	held_forget(x);
	return 0;
}
