/*
 * The sessions of holder.h, one by one: what a worker says, and what a client does. What else happens to a session is in the
 * files that held.h names.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "cfg/cfg.h"
#include "imapd/held.h"
#include "ipc/idle.h"

enum {
	DEATHS_MAX = 3, /* workers that died one after the other before they said anything: no more then */
};

/* Above every descriptor that the program started with: the log, doors, listeners. */
static int
line_above(void)
{
	struct rlimit r;
	int high = 2;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		r.rlim_cur = 1024;
	for (int fd = 0; (rlim_t)fd < r.rlim_cur && fd < 65536; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			high = fd;
	return high + 1;
}

struct holder *
holder_new(struct svc *svc, int store)
{
	struct holder *h = mem_zero(1, sizeof *h);

	h->svc = svc;
	h->store = store;
	randombytes_buf(h->key, sizeof h->key);
	h->first_fd = line_above();
	h->door[0] = h->door[1] = -1;
	dialer_init(&h->dialer, svc_loop_of(svc), -1);
	return h;
}

void
holder_on_back(struct holder *h, holder_back *back)
{
	h->back = back;
}

int
holder_keeps(struct holder *h, int fd, struct err *e)
{
	fd = holder_above(h, fd);
	return fd >= 0 ? fd : err_set(e, ERR_TEMP, "a descriptor: %m");
}

/* ---- what a worker says */

static void
keep_window(struct held *x, struct span window)
{
	free(x->window);
	x->window = window.n > 0 ? mem_zero(1, window.n) : NULL;
	x->window_n = (uint32_t)window.n;
	if (window.n > 0)
		memcpy(x->window, window.p, window.n);
}

static void
keep_record(struct held *x, const struct idle_record *r)
{
	x->recorded = true;
	x->idling = r->idling;
	x->flags = r->flags;
	x->bad = r->bad;
	x->commands = r->commands;
	x->octets_in = r->octets_in;
	x->octets_out = r->octets_out;
	x->view = (struct store_view_state){
		.mailbox = r->mailbox,
		.modseq = r->modseq,
		.uidvalidity = r->uidvalidity,
		.uidnext = r->uidnext,
		.read_only = (r->flags & IDLE_READ_ONLY) != 0,
	};
	if (r->recent.n == sizeof x->view.recent_uid)
		memcpy(x->view.recent_uid, r->recent.p, r->recent.n);
	held_keep(&x->tag, r->tag);
	held_keep(&x->saved, r->saved);
	held_keep(&x->notify, r->notify);
	x->known = r->known;
	keep_window(x, r->window);
}

/* From SERVED to HELD; and back at once, when there is news. x may be gone after. */
static void
hold(struct held *x)
{
	struct loop *l = x->h->loop;

	held_drop_control(x);
	if (x->kicked) {
		held_end_kicked(x);
	} else if (x->h->draining) {
		held_end(x, "* BYE The server is going down, try again in a moment\r\n", "drained");
	} else if (held_concerns(x, x->news)) {
		held_wake(x);
	} else {
		loop_watch(l, &x->stream, EPOLLIN | EPOLLRDHUP);
		loop_timer(l, &x->autologout, loop_now(l) + cfg.imap_wait);
	}
}

/* A record came. What it holds already is no news any more. */
static void
recorded(struct held *x, const struct idle_record *r)
{
	keep_record(x, r);
	held_not_looked(x);
	if (!held_concerns(x, x->news))
		x->news = (struct news){ 0 };
	if (r->leave)
		hold(x);
	else if (x->news.modseq > 0)
		held_tell(x);
}

enum frame {
	FRAME_NEXT,
	FRAME_LAST, /* this channel is closed, and x may be gone */
	FRAME_BAD,  /* *e tells why */
};

static enum frame
begun(struct held *x, struct ipc_in *in, struct err *e)
{
	struct idle_begun m;

	if (ipc_body(in, idle_begun, &m, e) < 0)
		return FRAME_BAD;
	x->pid = (pid_t)m.pid;
	return FRAME_NEXT;
}

static enum frame
frame(struct held *x, struct ipc_in *in, struct err *e)
{
	struct idle_record r;
	struct idle_changed c;

	if (in->number == idle_begun_no)
		return begun(x, in, e);
	x->deaths = 0;
	switch (in->number) {
	case idle_busy_no:
		x->recorded = x->told = false;
		return FRAME_NEXT;
	case idle_record_no:
		if (ipc_body(in, idle_record, &r, e) < 0)
			return FRAME_BAD;
		if (x->link) {
			err_set(e, ERR_PEER, "a link leaves no record");
			return FRAME_BAD;
		}
		recorded(x, &r);
		return r.leave ? FRAME_LAST : FRAME_NEXT;
	case idle_link_no:
		return held_link_asked(x, in, e) < 0 ? FRAME_BAD : FRAME_NEXT;
	case idle_view_of_no:
		return held_view_changed(x, in, e) < 0 ? FRAME_BAD : FRAME_NEXT;
	case idle_changed_no:
		if (ipc_body(in, idle_changed, &c, e) < 0)
			return FRAME_BAD;
		held_changed(x->owner, x, c.mailbox, c.modseq);
		return FRAME_NEXT;
	case idle_end_no:
		held_forget(x);
		return FRAME_LAST;
	case idle_unauthenticated_no:
		return held_give_back(x, in, e) < 0 ? FRAME_BAD : FRAME_LAST;
	}
	err_set(e, ERR_PEER, "not for a worker to say");
	return FRAME_BAD;
}

/* Its channel is closed and it did not say good-bye. */
static void
worker_lost(struct held *x, const struct err *why)
{
	log_event(LOG_ERROR, "imapd.lost", KV_STR("sid", x->sid.s), KV_STR("owner", x->owner->name),
	    KV_U("pid", x->pid), KV_U("recorded", x->recorded), KV_ERR(why));
	if (x->link) {
		held_forget(x);
		return;
	}
	if (!x->recorded) {
		held_end(x, NULL, "its worker died");
		return;
	}
	if (++x->deaths >= DEATHS_MAX) {
		held_end(x, "* BYE [SERVERBUG] The session cannot go on\r\n", "its workers die");
		return;
	}
	held_not_looked(x);
	hold(x);
}

void
held_worker_speaks(struct watch *w, uint32_t events)
{
	struct held *x = w->arg;
	struct err e = { 0 };
	struct ipc_in in;

	if ((events & EPOLLOUT) != 0) {
		ipc_flush(x->control, &e);
		held_watch(x);
	}
	while (e.kind == ERR_NONE && ipc_get(x->control, &in, &e) > 0) {
		enum frame then = frame(x, &in, &e);

		if (then == FRAME_LAST)
			return;
		if (then == FRAME_BAD)
			break;
	}
	if (e.kind != ERR_NONE || ipc_eof(x->control))
		worker_lost(x, &e);
}

/* ---- what a client does while it is held */

void
held_client_speaks(struct watch *w, uint32_t events)
{
	struct held *x = w->arg;
	char c;
	ssize_t n = recv(w->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

	(void)events;
	if (n > 0)
		held_wake(x);
	else if (n == 0)
		held_end(x, NULL, "closed by the client");
	else if (errno != EAGAIN && errno != EINTR)
		held_end(x, NULL, "connection lost");
}

void
held_silent(struct timer *t)
{
	held_end(t->arg, "* BYE Nothing was heard from you for too long\r\n", "timed out");
}

/* ---- coming */

int
holder_begin(struct holder *h, const struct holder_client *c, struct err *e)
{
	struct holder_client mine = *c;
	struct held *x;
	int mode;

	if (h->draining) {
		close(c->stream);
		return err_set(e, ERR_TEMP, "The server is going down, try again in a moment");
	}
	h->loop = svc_loop_of(h->svc);
	mine.stream = holder_above(h, c->stream);
	if (mine.stream < 0 || (mode = fcntl(mine.stream, F_GETFL)) < 0 ||
	    fcntl(mine.stream, F_SETFL, mode & ~O_NONBLOCK) < 0) {
		err_set(e, ERR_TEMP, "the client's stream: %m");
		if (mine.stream >= 0)
			close(mine.stream);
		return -1;
	}
	x = held_new(h, &mine);
	svc_sessions(h->svc, 1);
	if (held_start(x, &mine, e) == 0)
		return 0;
	held_forget(x);
	return -1;
}
