/*
 * again.c - a client that has said UNAUTHENTICATE (RFC 8437) comes back from imapd: it is as one that has just connected,
 * but for the greeting and its TLS (3).
 *
 * Without TLS the connection itself comes back. With TLS it is here: its pump ends, and what the pump has taken on its way
 * goes where it belongs: imapd's octets to the client, the client's before what the client says next.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/session.h"
#include "proxyd/proxyd.h"

enum { ON_ITS_WAY_MAX = 1024 * 1024 }; /* octets in each direction: what the pair and two buffers can hold */

/* ---- pumps by their numbers */

static struct session **
bucket_of(struct proxyd *p, uint64_t pump)
{
	return &p->pumps[pump % PUMP_BUCKETS];
}

void
again_add(struct session *s)
{
	struct session **b = bucket_of(s->p, s->pump);

	s->prev = NULL;
	s->next = *b;
	if (s->next != NULL)
		s->next->prev = s;
	*b = s;
}

void
again_remove(struct session *s)
{
	if (s->state != S_PUMP)
		return;
	*(s->prev != NULL ? &s->prev->next : bucket_of(s->p, s->pump)) = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	s->next = s->prev = NULL;
}

static struct session *
find(struct proxyd *p, const struct session_back *m)
{
	struct session *s = *bucket_of(p, m->pump);

	while (s != NULL && s->pump != m->pump)
		s = s->next;
	return s != NULL && span_same(id_span(&s->sid), m->sid) ? s : NULL;
}

/* ---- the client */

/* Where it is, and where it comes from: by the text of session_begin. */
static void
client_of(const struct session_back *m, int fd, struct client *c)
{
	char text[80];
	struct err e = { 0 };

	*c = (struct client){ .fd = fd, .sid = id_from(m->sid), .uid = (uid_t)-1 };
	snprintf(c->ip, sizeof c->ip, "%.*s", SPAN_ARG(m->client));
	snprintf(text, sizeof text, strchr(c->ip, ':') != NULL ? "[%s]:0" : "%s:0", c->ip);
	if (addr_parse(span_str(text), &c->peer, &e) < 0) { /* a Unix socket */
		c->peer.len = sizeof c->peer.ss;
		getpeername(fd, (struct sockaddr *)&c->peer.ss, &c->peer.len);
	}
	c->local.len = sizeof c->local.ss;
	getsockname(fd, (struct sockaddr *)&c->local.ss, &c->local.len);
}

static void
plain_back(struct proxyd *p, const struct session_back *m)
{
	struct client c;
	struct session *s;

	client_of(m, m->stream, &c);
	fcntl(c.fd, F_SETFL, O_RDWR | O_NONBLOCK);
	s = session_make(p, &c);
	session_before(s, &c);
	addr_key(&c.peer, s->key);
	s->counted = true;
	peers_add(p->peers, s->key); /* it came in once: the limit is for new ones */
	session_talk(s, m->input, (struct span){ 0 });
}

/* All that stands in a socket, behind what is in `to`. -1: more than there can be. */
static int
take_rest(struct proxyd *p, int fd, struct buf *to)
{
	ssize_t n;

	while ((n = recv(fd, p->scratch, SCRATCH, MSG_DONTWAIT)) > 0)
		if (buf_add(to, NULL, span_of(p->scratch, (size_t)n)) < 0)
			return -1;
	return 0;
}

static void
pump_back(struct session *s, const struct session_back *m)
{
	struct client c;
	struct buf in, out;
	int rc;

	client_of(m, s->client.fd, &c);
	buf_init(&in, ON_ITS_WAY_MAX);
	buf_init(&out, ON_ITS_WAY_MAX);
	rc = buf_add(&in, NULL, m->input) < 0 || take_rest(s->p, m->stream, &in) < 0 ||
		     buf_add(&in, NULL, buf_span(&s->to_back)) < 0 ||
		     buf_add(&out, NULL, buf_span(&s->to_client)) < 0 || take_rest(s->p, s->back.fd, &out) < 0
		 ? -1
		 : 0;
	if (rc < 0) {
		session_end(s, "too much on its way");
	} else {
		again_remove(s);
		pump_end(s);
		session_before(s, &c);
		session_talk(s, buf_span(&in), buf_span(&out));
	}
	buf_wipe(&in);
	buf_wipe(&out);
}

void
again_back(struct proxyd *p, struct ipc_in *in)
{
	struct session_back m;
	struct err e = { 0 };
	struct session *s;

	if (ipc_body(in, session_back, &m, &e) < 0 || m.stream < 0) {
		log_event(LOG_ERROR, "proxyd.again", KV_ERR(&e));
		return;
	}
	log_event(LOG_INFO, "proxyd.again", KV_S("sid", m.sid), KV_S("client", m.client));
	if (m.pump == 0) {
		plain_back(p, &m);
		return;
	}
	if ((s = find(p, &m)) != NULL)
		pump_back(s, &m);
	close(m.stream);
}
