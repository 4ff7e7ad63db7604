/*
 * each.c - one process a session.
 *
 * The parent does nothing but accept, count and fork: it is small when it forks, and never sees an octet
 * from a client. A child is a copy of it with the configuration, the TLS context and the doors.
 *
 * A child that may serve again: busy -> (one octet on its control socket) idle -> (a client on it) busy ...
 * Only the parent decides that an idle child ends, by closing that socket, so no client is sent to one that
 * is leaving.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "cfg/cfg.h"
#include "io/ending.h"
#include "io/service.h"

enum { IDLE_MS = 30000 }; /* an idle child is kept so long */

static size_t
children_of(const struct svc *s, const unsigned char key[16])
{
	size_t n = 0;

	for (size_t i = 0; i < s->children_n; i++)
		n += s->children[i]->idle_ms == 0 && memcmp(s->children[i]->key, key, 16) == 0;
	return n;
}

static void
count_sessions(struct svc *s)
{
	s->sessions = (uint32_t)(s->children_n - s->idle_n);
	s->changed = true;
}

/* No next client for it: it sees the end of its control socket and exits. */
static void
child_dismiss(struct child *c)
{
	if (c->control < 0)
		return;
	loop_watch(c->s->loop, &c->w, 0);
	close(c->control);
	c->control = -1;
}

static void
child_is_idle(struct watch *w, uint32_t events)
{
	struct child *c = w->arg;
	struct svc *s = c->s;
	char word;

	(void)events;
	if (recv(c->control, &word, 1, MSG_DONTWAIT) <= 0 || c->stale || s->draining) {
		child_dismiss(c);
		return;
	}
	c->idle_ms = loop_now(s->loop);
	s->idle_n++;
	count_sessions(s);
	if (s->idle_due.at_ms == 0)
		loop_timer(s->loop, &s->idle_due, c->idle_ms + IDLE_MS);
}

/* The children that have been idle too long; the timer comes back while any is idle. */
static void
dismiss_idle(struct timer *t)
{
	struct svc *s = t->arg;
	uint64_t now = loop_now(s->loop);

	for (size_t i = 0; i < s->children_n; i++)
		if (s->children[i]->idle_ms != 0 && now - s->children[i]->idle_ms >= IDLE_MS)
			child_dismiss(s->children[i]);
	if (s->idle_n > 0)
		loop_timer(s->loop, t, now + IDLE_MS);
}

static void
child_add(struct svc *s, pid_t pid, const unsigned char key[16], int control)
{
	struct child *c = mem_zero(1, sizeof *c);

	if (s->children_n == s->children_cap) {
		s->children_cap = s->children_cap == 0 ? 64 : 2 * s->children_cap;
		s->children = mem_resize(s->children, s->children_cap * sizeof(struct child *));
	}
	s->children[s->children_n++] = c;
	c->s = s;
	c->pid = pid;
	c->control = control;
	memcpy(c->key, key, 16);
	if (control >= 0) {
		c->w = (struct watch){ .fd = control, .ready = child_is_idle, .arg = c };
		loop_watch(s->loop, &c->w, EPOLLIN);
	}
	count_sessions(s);
}

/* Doors are looked at again when there is room. */
static void
watch_doors(struct svc *s, bool on)
{
	for (size_t i = 0; i < s->serves_n && !s->draining; i++)
		loop_watch(s->loop, &s->serves[i].w, on ? EPOLLIN : 0);
}

void
each_exit(struct svc *s, pid_t pid)
{
	for (size_t i = 0; i < s->children_n; i++) {
		struct child *c = s->children[i];

		if (c->pid != pid)
			continue;
		s->children[i] = s->children[--s->children_n];
		s->idle_n -= c->idle_ms != 0;
		child_dismiss(c);
		free(c);
		break;
	}
	count_sessions(s);
	watch_doors(s, s->children_n < s->limit);
	if (s->draining && s->children_n == 0)
		svc_end(s);
}

void
each_reloaded(struct svc *s)
{
	for (size_t i = 0; i < s->children_n; i++) {
		s->children[i]->stale = true;
		if (s->children[i]->idle_ms != 0)
			child_dismiss(s->children[i]);
	}
}

/* A child that waits for its next client gets this one. The last that became idle has the warmest caches. */
static bool
hand_over(struct svc *s, const struct client *client, const unsigned char key[16])
{
	struct child *best = NULL;

	for (size_t i = 0; i < s->children_n && s->idle_n > 0; i++) {
		struct child *c = s->children[i];

		if (c->idle_ms != 0 && c->control >= 0 && (best == NULL || c->idle_ms > best->idle_ms))
			best = c;
	}
	if (best == NULL)
		return false;
	if (reuse_send(best->control, client) < 0) {
		child_dismiss(best);
		return hand_over(s, client, key);
	}
	best->idle_ms = 0;
	s->idle_n--;
	memcpy(best->key, key, 16);
	count_sessions(s);
	return true;
}

/* Too many: say so, if the client is quick enough to take it, and forget it. */
static void
turn_away(struct svc *s, const struct client *c, const char *why)
{
	log_event(
	    LOG_WARN, "svc.busy", KV_STR("service", s->name), KV_STR("client", c->ip), KV_STR("limit", why));
	if (s->each->busy != NULL)
		send(c->fd, s->each->busy, strlen(s->each->busy), MSG_DONTWAIT | MSG_NOSIGNAL);
	close(c->fd);
	svc_count("svc.turned_away", 1);
}

static _Noreturn void
child_exit(int rc)
{
	log_flush();
	_exit(rc == SVC_AGAIN ? 0 : rc);
}

/* What a fork brought along of the children before it. */
static void
forget_children(const struct svc *s)
{
	for (size_t i = 0; i < s->children_n; i++)
		if (s->children[i]->control >= 0)
			close(s->children[i]->control);
}

static _Noreturn void
child_serve(struct svc *s, struct client *c, int control, unsigned sessions)
{
	int rc;

	service_child(s, c->fd);
	forget_children(s);
	if (control >= 0)
		reuse_begin(control);
	rc = s->each->client(s, c);
	while (rc == SVC_AGAIN && --sessions > 0 && control >= 0 && reuse_wait(control, c))
		rc = s->each->client(s, c);
	child_exit(rc);
}

static void
child_fork(struct svc *s, struct client *c, const unsigned char key[16])
{
	unsigned sessions = s->each->reuse != NULL ? s->each->reuse() : 1;
	int pair[2] = { -1, -1 };
	pid_t pid;

	if (sessions > 1 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		pair[0] = pair[1] = -1; /* then for one session */
	if (log_pending())
		log_flush();
	if ((pid = fork()) == 0) {
		if (pair[0] >= 0)
			close(pair[0]);
		child_serve(s, c, pair[1], sessions);
	}
	if (pair[1] >= 0)
		close(pair[1]);
	if (pid < 0) {
		if (pair[0] >= 0)
			close(pair[0]);
		turn_away(s, c, "fork");
		return;
	}
	child_add(s, pid, key, pair[0]);
	close(c->fd);
}

void
each_client(struct svc *s, struct client *c)
{
	unsigned char key[16];

	addr_key(&c->peer, key);
	if (c->peer.ss.ss_family != AF_UNIX && children_of(s, key) >= cfg.client_connections_max)
		turn_away(s, c, "client_connections_max");
	else if (hand_over(s, c, key))
		close(c->fd);
	else if (s->children_n >= s->limit)
		turn_away(s, c, "sessions");
	else
		child_fork(s, c, key);
}

void
each_dialled(struct svc *s, int fd, enum ipc_role peer)
{
	static const unsigned char nobody[16];
	pid_t pid;

	if (log_pending())
		log_flush();
	if ((pid = fork()) == 0) {
		service_child(s, -1);
		forget_children(s);
		child_exit(s->each->dialled(s, fd, peer));
	}
	if (pid < 0)
		log_event(LOG_ERROR, "svc.fork", KV_STR("service", s->name));
	else
		child_add(s, pid, nobody, -1);
	s->total++;
	close(fd);
	watch_doors(s, s->children_n < s->limit);
}

void
each_drain(struct svc *s, bool now)
{
	for (size_t i = 0; i < s->children_n; i++) {
		if (s->children[i]->idle_ms != 0)
			child_dismiss(s->children[i]);
		else if (now)
			kill(s->children[i]->pid, SIGTERM);
	}
	if (s->children_n == 0)
		svc_end(s);
}

int
svc_each(struct svc *s, const struct svc_each *each)
{
	s->each = each;
	s->idle_due = (struct timer){ .due = dismiss_idle, .arg = s };
	service_begin(s);
	loop_run(s->loop);
	log_flush();
	return 0;
}
