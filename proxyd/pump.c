/*
 * pump.c - octets between a TLS client and the back end that has its session.
 *
 * Nothing is kept while both sides read: what comes is written on at once, from the program's one scratch
 * buffer. What one side does not take is kept for it (at most SCRATCH octets), and the other side is not read
 * until it is gone. The end of one side is passed on when all before it has been. A side from which nothing
 * is wanted is not watched at all, since the kernel reports the end of a connection whether one asks for it
 * or not.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxyd/proxyd.h"

enum {
	ENDED_MS = 60 * 1000, /* how long the other side may take when one has ended */
	ROUNDS = 16,          /* pieces from one client before others have their turn */
};

static void
set_watches(struct session *s)
{
	uint32_t client = 0, back = 0;

	if (!s->client_ended && s->to_back.n == 0)
		client |= EPOLLIN;
	if (s->to_client.n > 0)
		client |= EPOLLOUT;
	if (!s->back_ended && s->to_client.n == 0)
		back |= EPOLLIN;
	if (s->to_back.n > 0)
		back |= EPOLLOUT;
	loop_watch(s->p->loop, &s->client, client);
	loop_watch(s->p->loop, &s->back, back);
}

static void
keep(struct buf *b, struct span rest)
{
	if (rest.n > 0)
		buf_add(b, NULL, rest);
	else if (b->p != NULL)
		buf_wipe(b);
}

/* Write what can be written of `out`; the rest is kept. -1: the back end is gone. */
static int
write_back(struct session *s, struct span out)
{
	while (out.n > 0) {
		ssize_t n = send(s->back.fd, out.p, out.n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return -1;
		out = span_from(out, (size_t)n);
	}
	keep(&s->to_back, out);
	return 0;
}

static int
write_client(struct session *s, struct span out)
{
	while (out.n > 0) {
		bool broken;
		ssize_t n = client_write(s, out, &broken);

		if (n < 0)
			return -1;
		if (n == 0)
			break;
		out = span_from(out, (size_t)n);
	}
	keep(&s->to_client, out);
	return 0;
}

/* One side has: the other has a while to take what is on its way. */
static void
ended(struct session *s, bool *side)
{
	*side = true;
	s->again = false;
	session_deadline(s, ENDED_MS);
}

/* The kept octets once more. */
static int
retry(struct session *s, struct buf *b, int (*write)(struct session *, struct span))
{
	struct buf was = *b;
	int rc;

	if (was.n == 0)
		return 0;
	buf_init(b, SCRATCH);
	rc = write(s, buf_span(&was));
	buf_wipe(&was);
	return rc;
}

/*
 * From the client until it has no more, or the back end takes no more. OpenSSL may hold octets of which the
 * kernel knows nothing, so who stops earlier, for the sake of others, must come back unasked: when this turn
 * of the loop ends.
 */
static int
from_client(struct session *s)
{
	for (int round = 0; !s->client_ended && s->to_back.n == 0; round++) {
		bool broken;
		ssize_t n;

		if (round == ROUNDS && !s->back_ended) {
			s->again = true;
			session_deadline(s, 0);
			return 0;
		}
		n = client_read(s, s->p->scratch, SCRATCH, &broken);
		if (n == 0)
			return 0;
		if (n < 0 && broken)
			return -1;
		if (n < 0 || write_back(s, span_of(s->p->scratch, (size_t)n)) < 0)
			ended(
			    s, &s->client_ended); /* a back end that is gone may have said something before */
		else if (s->ssl != NULL && !SSL_has_pending(s->ssl))
			return 0; /* OpenSSL holds nothing: of what the kernel has, it tells */
	}
	return 0;
}

/* One piece: the kernel tells again if there is more. */
static int
from_back(struct session *s)
{
	ssize_t n;

	if (s->back_ended || s->to_client.n > 0)
		return 0;
	n = recv(s->back.fd, s->p->scratch, SCRATCH, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n > 0)
		return write_client(s, span_of(s->p->scratch, (size_t)n));
	ended(s, &s->back_ended);
	return 0;
}

/* What follows from what has ended; then wait. */
static void
go_on(struct session *s, int rc, const char *why)
{
	if (rc < 0) {
		session_end(s, why);
		return;
	}
	if (s->back_ended && s->to_client.n == 0) {
		session_end(s, NULL);
		return;
	}
	if (s->client_ended && s->to_back.n == 0)
		shutdown(s->back.fd, SHUT_WR);
	set_watches(s);
}

static void
client_ready(struct watch *w, uint32_t events)
{
	struct session *s = w->arg;
	int rc = 0;

	if ((events & EPOLLERR) != 0) {
		session_end(s, "connection lost");
		return;
	}
	if ((events & EPOLLOUT) != 0)
		rc = retry(s, &s->to_client, write_client);
	if (rc == 0 && (events & (EPOLLIN | EPOLLHUP)) != 0)
		rc = from_client(s);
	go_on(s, rc, "connection lost");
}

static void
back_ready(struct watch *w, uint32_t events)
{
	struct session *s = w->arg;
	int rc = 0;

	if ((events & EPOLLOUT) != 0 && retry(s, &s->to_back, write_back) < 0)
		ended(s, &s->client_ended);
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
		rc = from_back(s);
	if (rc == 0 && s->to_back.n == 0)
		rc = from_client(s); /* what OpenSSL held while the back end took no more */
	go_on(s, rc, "connection lost");
}

void
pump_again(struct session *s)
{
	s->again = false;
	go_on(s, from_client(s), "connection lost");
}

void
pump_begin(struct session *s, int back)
{
	buf_init(&s->to_back, SCRATCH);
	buf_init(&s->to_client, SCRATCH);
	s->back = (struct watch){ .fd = back, .ready = back_ready, .arg = s };
	loop_watch(s->p->loop, &s->client, 0);
	s->client.ready = client_ready;
	go_on(s, from_client(s), "connection lost");
}

void
pump_end(struct session *s)
{
	loop_watch(s->p->loop, &s->client, 0);
	loop_watch(s->p->loop, &s->back, 0);
	close(s->back.fd);
	s->back.fd = -1;
	buf_wipe(&s->to_back);
	buf_wipe(&s->to_client);
	s->client_ended = s->back_ended = s->again = false;
	loop_timer(s->p->loop, &s->deadline, 0);
}
