/*
 * each.c - one process a session.
 *
 * The parent does nothing but accept, count and fork: it is small when it forks, and never sees an octet
 * from a client. A child is a copy of it with the configuration, the TLS context and the doors.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "cfg/cfg.h"
#include "io/ending.h"
#include "io/service.h"

static size_t
children_of(const struct svc *s, const unsigned char key[16])
{
	size_t n = 0;

	for (size_t i = 0; i < s->children_n; i++)
		n += memcmp(s->children[i].key, key, 16) == 0;
	return n;
}

static void
child_add(struct svc *s, pid_t pid, const unsigned char key[16])
{
	struct child *c;

	if (s->children_n == s->children_cap) {
		s->children_cap = s->children_cap == 0 ? 64 : 2 * s->children_cap;
		s->children = mem_resize(s->children, s->children_cap * sizeof *s->children);
	}
	c = &s->children[s->children_n++];
	c->pid = pid;
	memcpy(c->key, key, 16);
	s->sessions = (uint32_t)s->children_n;
	s->changed = true;
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
	for (size_t i = 0; i < s->children_n; i++)
		if (s->children[i].pid == pid) {
			s->children[i] = s->children[--s->children_n];
			break;
		}
	s->sessions = (uint32_t)s->children_n;
	s->changed = true;
	watch_doors(s, s->children_n < s->limit);
	if (s->draining && s->children_n == 0)
		svc_end(s);
}

/* Too many: say so, if the client is quick enough to take it, and forget it. */
static void
turn_away(struct svc *s, const struct client *c, const char *why)
{
	log_event(LOG_WARN, "svc.busy", KV_STR("service", s->name), KV_STR("client", c->ip), KV_STR("limit", why));
	if (s->each->busy != NULL)
		send(c->fd, s->each->busy, strlen(s->each->busy), MSG_DONTWAIT | MSG_NOSIGNAL);
	close(c->fd);
	svc_count("svc.turned_away", 1);
}

static _Noreturn void
child_exit(int rc)
{
	log_flush();
	_exit(rc);
}

void
each_client(struct svc *s, struct client *c)
{
	unsigned char key[16];
	pid_t pid;

	addr_key(&c->peer, key);
	if (s->children_n >= s->limit) {
		turn_away(s, c, "sessions");
		return;
	}
	if (c->peer.ss.ss_family != AF_UNIX && children_of(s, key) >= cfg.client_connections_max) {
		turn_away(s, c, "client_connections_max");
		return;
	}
	if (log_pending())
		log_flush();
	if ((pid = fork()) == 0) {
		service_child(s, c->fd);
		child_exit(s->each->client(s, c));
	}
	if (pid < 0)
		turn_away(s, c, "fork");
	else
		child_add(s, pid, key);
	if (pid >= 0)
		close(c->fd);
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
		child_exit(s->each->dialled(s, fd, peer));
	}
	if (pid < 0)
		log_event(LOG_ERROR, "svc.fork", KV_STR("service", s->name));
	else
		child_add(s, pid, nobody);
	s->total++;
	close(fd);
	watch_doors(s, s->children_n < s->limit);
}

void
each_drain(struct svc *s, bool now)
{
	for (size_t i = 0; i < s->children_n && now; i++)
		kill(s->children[i].pid, SIGTERM);
	if (s->children_n == 0)
		svc_end(s);
}

int
svc_each(struct svc *s, const struct svc_each *each)
{
	s->each = each;
	service_begin(s);
	loop_run(s->loop);
	log_flush();
	return 0;
}
