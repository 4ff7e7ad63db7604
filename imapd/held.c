/* A session in the holder: how it comes, and how it goes. */
#include "imapd/held.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/compress.h"
#include "ipc/idle.h"

/* Descriptors of sessions stand above a line, so that a worker can close all but its own at once. */
int
holder_above(const struct holder *h, int fd)
{
	int high;

	if (fd < 0 || fd >= h->first_fd)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, h->first_fd);
	close(fd);
	return high;
}

const char *
held_client(const struct held *x)
{
	return x->text + x->login_n;
}

struct held *
held_new(struct holder *h, const struct holder_client *c)
{
	struct held *x = mem_zero(1, sizeof *x + c->login.n + c->client.n + 1);

	x->h = h;
	x->owner = owner_hold(h, c->owner);
	look_at(x, owner_hold(h, c->owner));
	x->stream = (struct watch){ .fd = c->stream, .ready = held_client_speaks, .arg = x };
	x->autologout = (struct timer){ .due = held_silent, .arg = x };
	x->since = clock_wall_ms();
	x->sid = id_from(c->sid);
	x->tls = c->tls;
	x->from = c->from;
	x->pump = c->pump;
	x->login_n = (uint16_t)c->login.n;
	memcpy(x->text, c->login.p, c->login.n);
	memcpy(x->text + c->login.n, c->client.p, c->client.n);
	h->n++;
	return x;
}

/* A worker's links end by themselves when it does. */
static void
drop_links(struct held *x)
{
	for (struct held *l = x->links; l != NULL; l = l->sibling)
		l->asker = NULL;
	x->links = NULL;
	x->nlinks = 0;
}

/* Of the links that its asker's worker has, this is one no more. */
static void
unlink_from(struct held *asker, struct held *x)
{
	struct held **at = &asker->links;

	while (*at != x)
		at = &(*at)->sibling;
	*at = x->sibling;
	asker->nlinks--;
}

void
held_drop_control(struct held *x)
{
	drop_links(x);
	if (x->control == NULL)
		return;
	loop_watch(x->h->loop, &x->from_worker, 0);
	ipc_free(x->control);
	x->control = NULL;
	x->pid = 0;
}

void
held_forget(struct held *x)
{
	struct holder *h = x->h;

	if (x->asker != NULL)
		unlink_from(x->asker, x);
	if (!x->link)
		svc_sessions(h->svc, -1);
	if (x->stream.fd >= 0) {
		loop_watch(h->loop, &x->stream, 0);
		close(x->stream.fd);
	}
	loop_timer(h->loop, &x->autologout, 0);
	held_drop_control(x);
	look_away(x);
	owner_drop(h, x->owner);
	free(x->view_name);
	free(x->notify);
	free(x->window);
	free(x->tag);
	free(x->saved);
	free(x);
	h->n--;
	if (h->draining && h->n == 0)
		svc_end(h->svc);
}

/* To a client that is held: as a block of its own if the session is compressed (RFC 4978). */
static void
say(struct held *x, struct span text)
{
	struct buf block;

	buf_init(&block, text.n + 16);
	if ((x->flags & IDLE_COMPRESSED) != 0)
		compress_stored(text, &block, NULL);
	else
		buf_add(&block, NULL, text);
	send(x->stream.fd, block.p, block.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	buf_free(&block);
}

/* A session that ends in here, with no worker: its last words, and the line in the log. */
void
held_end(struct held *x, const char *bye, const char *why)
{
	if (bye != NULL)
		say(x, span_str(bye));
	log_event(LOG_INFO, "imapd.end", KV_STR("sid", x->sid.s), KV_STR("owner", x->owner->name),
	    KV_U("commands", x->commands), KV_U("bad", x->bad), KV_U("in", x->octets_in),
	    KV_U("out", x->octets_out), KV_U("seconds", (clock_wall_ms() - x->since) / 1000),
	    KV_STR("err", why));
	held_forget(x);
}

void
held_end_kicked(struct held *x)
{
	held_end(x, "* BYE Ended by the administrator\r\n", "ended by the administrator");
}

/* NULL for an empty one. */
void
held_keep(char **at, struct span text)
{
	if (*at != NULL && span_eq(text, *at))
		return;
	free(*at);
	*at = text.n > 0 ? mem_zero(1, text.n + 1) : NULL;
	if (*at != NULL)
		memcpy(*at, text.p, text.n);
}
