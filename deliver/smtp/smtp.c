/*
 * deliver-smtp - hands messages to other mail servers, by SMTP and LMTP.
 *
 * A child per channel of the queue talks to one destination: it looks up where that is, connects, and then
 * sends one message after the other for as long as the queue has some. Read in this order: route.c (from a
 * domain to hosts), peer.c (a connection), transact.c (a message on it), body.c (the text on the wire).
 *
 * It faces what servers answer. It opens no file: messages come as descriptors. TLS is opportunistic here.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cfg/cfg.h"
#include "deliver/smtp/peer.h"
#include "deliver/smtp/transact.h"
#include "dns/dns.h"
#include "io/conn.h"
#include "io/svc.h"
#include "io/tls.h"

static const struct jail jail = {
	.calls = JAIL_INET | JAIL_FORK |
		 JAIL_CONFINE, /* DNS and SMTP out; a child per destination, which is narrowed */
};

enum { RESULTS_MAX = 4 << 20, TRANSACTION_MAX = 64 << 20 };

/* From the start of the process; children have their copies. */
static struct sender me;

static int
answer(
    struct ipc *ch, const struct peer *p, const struct transaction *t, bool reuse, uint32_t id, struct err *e)
{
	struct remote_done m = { .mid = t->m->mid, .reuse = reuse, .dsn = (p->ext & EXT_DSN) != 0 };
	struct buf list;
	int rc;

	buf_init(&list, RESULTS_MAX);
	for (size_t i = 0; i < t->n; i++) {
		const struct outcome *o = &t->out[i];
		struct remote_result r = { .index = o->index,
			.kind = o->kind,
			.status = o->status,
			.text = span_head(o->text, 1500) };

		if (o->said)
			r.host = buf_span(&p->label);
		ipc_pack(&remote_def, &list, remote_result, &r, e);
	}
	m.results = buf_span(&list);
	rc = ipc_send(ch, remote_done, &m, id, e);
	buf_free(&list);
	return rc;
}

static int
targets(struct transaction *t, struct span list, struct err *e)
{
	struct remote_target to;
	struct span rest = list;
	int rc;

	while ((rc = ipc_unpack(&remote_def, &rest, remote_target, &to, e)) > 0)
		t->n++;
	if (rc < 0)
		return -1;
	t->to = arena_array(t->a, t->n, sizeof *t->to);
	t->out = arena_array(t->a, t->n, sizeof *t->out);
	for (size_t i = 0; i < t->n; i++) {
		ipc_unpack(&remote_def, &list, remote_target, &t->to[i], e);
		t->out[i].index = t->to[i].index;
	}
	return 0;
}

/* The connection is gone before the message was begun: once more on a new one. */
static bool
once_more(struct peer *p, const struct target *to, struct transaction *t)
{
	struct err e = { 0 };
	bool again;

	peer_drop(p);
	if (peer_open(&me, p, to, &e) == 0)
		return transact(p, t, &again) == 0;
	for (size_t i = 0; i < t->n; i++)
		t->out[i] = (struct outcome){ t->out[i].index, ERR_TEMP, SPAN("4.4.1"),
			arena_dup(t->a, span_str(e.text)), false };
	return false;
}

/* The other end of our channel is open. */
static bool
queue_lives(void *arg)
{
	struct pollfd pf = { .fd = ipc_fd(arg), .events = POLLRDHUP };

	return poll(&pf, 1, 0) == 0;
}

static int
deliver(struct ipc *ch, struct peer *p, const struct target *to, const struct remote_deliver *m, uint32_t id,
    struct err *e)
{
	struct transaction t = { .m = m, .a = arena_new(TRANSACTION_MAX), .wanted = queue_lives, .arg = ch };
	bool again, reuse = false;
	int rc = targets(&t, m->targets, e);

	if (rc == 0 && p->c == NULL)
		reuse = once_more(p, to, &t);
	else if (rc == 0) {
		reuse = transact(p, &t, &again) == 0;
		if (again)
			reuse = once_more(p, to, &t);
	}
	if (rc == 0)
		rc = answer(ch, p, &t, reuse && !svc_ending(), id, e);
	if (!reuse)
		peer_drop(p);
	arena_free(t.a);
	return rc;
}

/* The first request: where to. */
static int
first(struct ipc *ch, struct peer *p, struct target *to, char **domain, struct err *e)
{
	struct remote_connect m;
	struct remote_ready ready;
	struct ipc_in in;
	struct err why = { 0 };

	if (ipc_get(ch, &in, e) <= 0 || ipc_body(&in, remote_connect, &m, e) < 0)
		return -1;
	*domain = mem_zero(1, m.domain.n + 1);
	memcpy(*domain, m.domain.n > 0 ? m.domain.p : "", m.domain.n);
	*to = (struct target){ span_of(*domain, m.domain.n), m.lmtp != 0 };
	if (peer_open(&me, p, to, &why) < 0) {
		ipc_send_refuse(ch, in.id, &why, e);
		return -1;
	}
	ready = (struct remote_ready){ .host = buf_span(&p->label), .tls = conn_tls(p->c) != NULL };
	return ipc_send(ch, remote_ready, &ready, in.id, e);
}

static int
serve(struct ipc *ch, struct peer *p, const struct target *to, struct err *e)
{
	struct remote_deliver m;
	struct ipc_in in;
	int rc;

	ipc_timeout(ch, UINT32_MAX); /* the queue closes a channel that it has no message for */
	while ((rc = ipc_get(ch, &in, e)) > 0) {
		if (ipc_body(&in, remote_deliver, &m, e) < 0)
			return -1;
		rc = deliver(ch, p, to, &m, in.id, e);
		close(m.file);
		if (rc < 0)
			return -1;
	}
	return rc;
}

static int
channel(struct svc *s, int fd, enum ipc_role role)
{
	struct ipc *ch = ipc_new(fd, &remote_def, ROLE_REMOTE, role);
	struct target to = { { 0 }, false };
	struct err e = { 0 };
	struct peer p;
	char *domain = NULL;

	(void)s;
	peer_init(&p);
	if (strcmp(cfg.sandbox, "off") != 0 && jail_narrow(JAIL_INET, NULL, 0, &e) < 0) {
		log_event(LOG_ERROR, "remote.jail", KV_ERR(&e));
		return 69;
	}
	if (first(ch, &p, &to, &domain, &e) == 0)
		serve(ch, &p, &to, &e);
	if (p.messages > 0)
		log_event(LOG_INFO, "remote.end", KV_S("dest", to.domain), KV_S("host", buf_span(&p.label)),
		    KV_U("messages", p.messages),
		    KV_OPT("tls", p.c != NULL ? span_str(conn_tls(p.c)) : (struct span){ 0 }));
	peer_quit(&p);
	ipc_free(ch);
	buf_free(&p.label);
	free(domain);
	return 0;
}

static void
find_name(struct svc *s)
{
	me.name = svc_hostname(s);
}

int
main(int argc, char **argv)
{
	static const struct svc_each each = { .dialled = channel, .reloaded = find_name };
	struct svc *svc = svc_start(argc, argv, ROLE_REMOTE);
	struct err e = { 0 };

	find_name(svc);
	me.dns = dns_new(span_str(cfg.dns_servers), &e);
	me.tls = me.dns != NULL ? tls_client(false, &e) : NULL;
	jail_prepare(JAIL_INET, &e);
	if (e.kind != ERR_NONE) {
		log_event(LOG_ERROR, "remote.start", KV_ERR(&e));
		log_flush();
		return 69;
	}
	svc_confine(svc, &jail);
	return svc_each(svc, &each);
}
