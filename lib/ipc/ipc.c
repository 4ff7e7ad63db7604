/*
 * ipc.c - channels: frames over a Unix stream socket. Doors are in door.c.
 *
 * One sendmsg writes a frame; one recvmsg reads as many as are there. Which descriptor belongs to which
 * frame: the sender gives a descriptor to the kernel with the first octet of its frame, and the kernel never
 * lets one recvmsg go past octets that carry one. So descriptors come in the order of the frames that want
 * them, and one that no frame wanted is known by the octets it came with having all been used: it is closed.
 */
#include "ipc/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/mem.h"
#include "ipc/wire.h"

enum {
	HEAD = 12, /* length, number, zero, id */
	READ_AHEAD = 16 * 1024,
	KEEP = 64 * 1024, /* an empty buffer larger than this is given back */
	UNSENT_MAX = 8 * 1024 * 1024,
	FDS_MAX = 64, /* descriptors that came and whose frame has not been asked for */
	TIMEOUT_MS = 30 * 1000,
};

/* A descriptor that waits, and a place in a stream of octets counted from the channel's start. */
struct riding {
	int fd;
	uint64_t at; /* output: the frame's first octet; input: behind the octets it came with */
	struct riding *next;
};

struct ipc {
	int fd;
	const struct ipc_def *def;
	enum ipc_role self, peer;
	bool blocking, eof;
	bool emptied; /* the last read took all that was there: wait before the next */
	uint64_t timeout_ms;
	uint32_t last_id;

	struct buf in;
	size_t used;       /* octets of in that are frames already given out */
	uint64_t received; /* octets in all */
	struct riding *came;
	size_t came_n;
	int current; /* descriptor of the frame given out last; -1: none, or taken */

	struct buf out;
	size_t sent; /* octets of out that are gone */
	uint64_t sent_total;
	struct riding *leaving;
};

static void
riding_add(struct riding **list, int fd, uint64_t at)
{
	struct riding *r = mem_zero(1, sizeof *r);

	r->fd = fd;
	r->at = at;
	while (*list != NULL)
		list = &(*list)->next;
	*list = r;
}

/* Takes the first off; the descriptor is the caller's. */
static int
riding_take(struct riding **list)
{
	struct riding *r = *list;
	int fd = r->fd;

	*list = r->next;
	free(r);
	return fd;
}

static void
set_timeout(int fd, int option, uint64_t ms)
{
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	setsockopt(fd, SOL_SOCKET, option, &tv, sizeof tv);
}

struct ipc *
ipc_new(int fd, const struct ipc_def *def, enum ipc_role self, enum ipc_role peer)
{
	struct ipc *ch = mem_zero(1, sizeof *ch);
	int mode = fcntl(fd, F_GETFL);

	ch->fd = fd;
	ch->def = def;
	ch->self = self;
	ch->peer = peer;
	ch->blocking = mode >= 0 && (mode & O_NONBLOCK) == 0;
	ch->current = -1;
	buf_init(&ch->in, def->frame_max + READ_AHEAD);
	buf_init(&ch->out, 2 * UNSENT_MAX + def->frame_max);
	ipc_timeout(ch, TIMEOUT_MS);
	return ch;
}

void
ipc_free(struct ipc *ch)
{
	if (ch == NULL)
		return;
	close(ch->fd);
	if (ch->current >= 0)
		close(ch->current);
	while (ch->came != NULL)
		close(riding_take(&ch->came));
	while (ch->leaving != NULL)
		close(riding_take(&ch->leaving));
	buf_wipe(&ch->in); /* passwords pass through here */
	buf_wipe(&ch->out);
	free(ch);
}

int
ipc_fd(const struct ipc *ch)
{
	return ch->fd;
}

enum ipc_role
ipc_peer(const struct ipc *ch)
{
	return ch->peer;
}

/* Frames are small and readers quick: the limit for sending is set only when a send has to wait. */
void
ipc_timeout(struct ipc *ch, uint64_t timeout_ms)
{
	if (ch->blocking && timeout_ms != ch->timeout_ms) {
		set_timeout(ch->fd, SO_RCVTIMEO, timeout_ms);
	}
	ch->timeout_ms = timeout_ms;
}

bool
ipc_unsent(const struct ipc *ch)
{
	return ch->sent < ch->out.n;
}

bool
ipc_eof(const struct ipc *ch)
{
	return ch->eof;
}

/* Empty a buffer; passwords pass through here. */
static void
forget(struct buf *b)
{
	if (b->n > 0)
		explicit_bzero(b->p, b->n);
	if (b->cap > KEEP)
		buf_free(b);
	else
		buf_clear(b);
}

/* ---- output */

/* Drop n octets from the output's front: they are the kernel's. */
static void
out_gone(struct ipc *ch, size_t n)
{
	ch->sent += n;
	ch->sent_total += n;
	if (ch->sent < ch->out.n)
		return;
	ch->sent = 0;
	forget(&ch->out);
}

/* What may go with the next sendmsg: it starts with the frame of `rider` (-1: none), and ends before the
 * next. */
static struct span
out_next(const struct ipc *ch, int *rider)
{
	struct span s = span_from(buf_span(&ch->out), ch->sent);
	const struct riding *r = ch->leaving;

	*rider = -1;
	if (r != NULL && r->at == ch->sent_total) {
		*rider = r->fd;
		r = r->next;
	}
	return r != NULL ? span_head(s, (size_t)(r->at - ch->sent_total)) : s;
}

/* Wait until the socket takes more. */
static int
wait_to_send(struct ipc *ch, struct err *e)
{
	struct pollfd p = { .fd = ch->fd, .events = POLLOUT };
	int n = poll(&p, 1, ch->timeout_ms > INT32_MAX ? -1 : (int)ch->timeout_ms);

	if (n == 0)
		return err_set(e, ERR_TEMP, "%s: the other end does not read", ch->def->name);
	return n < 0 && errno != EINTR ? err_set(e, ERR_GONE, "%s: poll: %m", ch->def->name) : 0;
}

int
ipc_flush(struct ipc *ch, struct err *e)
{
	while (ipc_unsent(ch)) {
		int rider;
		struct span s = out_next(ch, &rider);
		ssize_t n = wire_send(ch->fd, s, rider, MSG_DONTWAIT);

		if (n > 0) {
			if (rider >= 0)
				close(riding_take(&ch->leaving));
			out_gone(ch, (size_t)n);
		} else if (n < 0 && errno == EAGAIN) {
			if (!ch->blocking)
				return 0;
			if (wait_to_send(ch, e) < 0)
				return -1;
		} else if (n < 0 && errno != EINTR) {
			return err_set(e, ERR_GONE, "%s: send: %m", ch->def->name);
		}
	}
	return 0;
}

/* The frame that was just put behind everything else; when nothing else waits, it goes out now. */
static int
send_frame(struct ipc *ch, size_t start, int fd, struct err *e)
{
	uint64_t at = ch->sent_total + (start - ch->sent);
	int copy;

	if (start == ch->sent) {
		ssize_t n = wire_send(ch->fd, span_from(buf_span(&ch->out), start), fd, MSG_DONTWAIT);

		if (n > 0) {
			out_gone(ch, (size_t)n);
			return ch->blocking ? ipc_flush(ch, e) : 0;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_set(e, ERR_GONE, "%s: send: %m", ch->def->name);
	}
	if (fd >= 0) {
		if ((copy = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0) {
			ch->out.n = start;
			return err_set(e, ERR_TEMP, "%s: dup: %m", ch->def->name);
		}
		riding_add(&ch->leaving, copy, at);
	}
	return ch->blocking ? ipc_flush(ch, e) : 0;
}

int
ipc_send_(struct ipc *ch, uint32_t number, const void *m, uint32_t id, struct err *e)
{
	const struct ipc_msg *msg = wire_msg(ch->def, number);
	size_t n, start;
	char *to;
	int fd;

	need(msg != NULL && (msg->who & ch->self) != 0);
	n = wire_size(msg, m, &fd);
	if (n > ch->def->frame_max - HEAD)
		return err_set(e, ERR_PEER, "%s: larger than a frame may be", msg->name);
	if (ch->out.n - ch->sent > UNSENT_MAX)
		return err_set(e, ERR_GONE, "%s: the other end does not read", ch->def->name);
	if (ch->sent >
	    ch->out.n / 2) { /* not at every flush, so that a long queue is not moved for each frame */
		buf_consume(&ch->out, ch->sent);
		ch->sent = 0;
	}
	start = ch->out.n;
	to = buf_room(&ch->out, NULL, HEAD + n);
	wire_put32(to, (uint32_t)(HEAD - 4 + n));
	wire_put16(to + 4, number);
	wire_put16(to + 6, 0);
	wire_put32(to + 8, id);
	wire_write(msg, m, to + HEAD);
	ch->out.n += HEAD + n;
	return send_frame(ch, start, fd, e);
}

int
ipc_send_refuse(struct ipc *ch, uint32_t id, const struct err *why, struct err *e)
{
	struct ipc_refuse r = { .kind = why->kind, .text = span_str(why->text) };

	return ipc_send(ch, ipc_refuse, &r, id, e);
}

/* ---- input */

/* One recvmsg. 1, 0 when there is nothing (see eof), -1. */
static int
receive(struct ipc *ch, size_t room, struct err *e)
{
	union {
		char octets[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char *to = buf_room(&ch->in, NULL, room);
	struct iovec iov = { to, ch->in.cap - ch->in.n };
	struct msghdr mh = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_LEN(sizeof(int)) };
	struct cmsghdr *c;
	ssize_t n;
	int fd = -1;

	do
		n = recvmsg(ch->fd, &mh, MSG_CMSG_CLOEXEC | (ch->blocking ? 0 : MSG_DONTWAIT));
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return ch->blocking ? err_set(e, ERR_TEMP, "%s: no answer in time", ch->def->name) : 0;
	if (n < 0)
		return err_set(e, ERR_GONE, "%s: receive: %m", ch->def->name);
	c = CMSG_FIRSTHDR(&mh);
	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof fd))
		memcpy(&fd, CMSG_DATA(c), sizeof fd);
	ch->in.n += (size_t)n;
	ch->received += (uint64_t)n;
	ch->emptied = !ch->blocking && fd < 0 && n > 0 && (size_t)n < iov.iov_len;
	if (fd >= 0) {
		riding_add(&ch->came, fd, ch->received);
		ch->came_n++;
	}
	if ((mh.msg_flags & MSG_CTRUNC) != 0)
		return fd < 0
			   ? err_set(e, ERR_TEMP, "%s: no room for another descriptor", ch->def->name)
			   : err_set(e, ERR_PEER, "%s: more than one descriptor on a frame", ch->def->name);
	if (ch->came_n > FDS_MAX)
		return err_set(e, ERR_PEER, "%s: too many descriptors", ch->def->name);
	ch->eof = n == 0;
	return n > 0;
}

/* Forget what was given out before: the frame at the front, and the descriptors that came with it. */
static void
drop_used(struct ipc *ch)
{
	uint64_t at;

	if (ch->current >= 0)
		close(ch->current);
	ch->current = -1;
	if (ch->used == ch->in.n) {
		ch->used = 0;
		forget(&ch->in);
	}
	at = ch->received - (ch->in.n - ch->used);
	while (ch->came != NULL && ch->came->at <= at) {
		close(riding_take(&ch->came));
		ch->came_n--;
	}
}

/* The descriptor for a frame that wants one. */
static int
current_fd(struct ipc *ch, const struct ipc_msg *msg, struct err *e)
{
	if (ch->came == NULL)
		return err_set(e, ERR_PEER, "%s: the descriptor is missing", msg->name);
	ch->current = riding_take(&ch->came);
	ch->came_n--;
	return 0;
}

/* The whole frame at in + used, `length` octets behind the length field. */
static int
give(struct ipc *ch, size_t length, struct ipc_in *in, struct err *e)
{
	const char *p = ch->in.p + ch->used;
	const struct ipc_msg *msg;
	bool wants_fd;

	in->number = wire_get16(p + 4);
	in->id = wire_get32(p + 8);
	in->body = span_of(p + HEAD, length + 4 - HEAD);
	in->msg = msg = wire_msg(ch->def, in->number);
	if (msg == NULL || wire_get16(p + 6) != 0)
		return err_set(e, ERR_PEER, "%s: there is no message %u", ch->def->name, in->number);
	if ((msg->who & ch->peer) == 0)
		return err_set(e, ERR_PEER, "%s: not for role %#x to say", msg->name, (unsigned)ch->peer);
	if (wire_read(msg, in->body, NULL, &wants_fd, e) < 0)
		return -1;
	if (wants_fd && current_fd(ch, msg, e) < 0)
		return -1;
	in->fd = ch->current;
	in->kept = &ch->current;
	ch->used += length + 4;
	return 1;
}

int
ipc_get(struct ipc *ch, struct ipc_in *in, struct err *e)
{
	drop_used(ch);
	for (;;) {
		size_t have = ch->in.n - ch->used, want = HEAD, length = 0;
		int rc;

		if (have >= 4) {
			length = wire_get32(ch->in.p + ch->used);
			if (length < HEAD - 4 || length > ch->def->frame_max - 4)
				return err_set(
				    e, ERR_PEER, "%s: a frame of %zu octets", ch->def->name, length);
			want = length + 4;
		}
		if (have >= want)
			return give(ch, length, in, e);
		if (ch->emptied) {
			ch->emptied = false;
			return 0;
		}
		if (ch->used > 0) {
			buf_consume(&ch->in, ch->used);
			ch->used = 0;
		}
		/* A large frame is asked for whole, but its memory grows only as its octets come. */
		want = want - have > have + READ_AHEAD ? have + READ_AHEAD : want - have;
		rc = receive(ch, want > READ_AHEAD ? want : READ_AHEAD, e);
		if (rc < 0)
			return -1;
		if (rc == 0 && ch->eof && have > 0)
			return err_set(e, ERR_GONE, "%s: closed within a frame", ch->def->name);
		if (rc == 0)
			return 0;
	}
}

int
ipc_body_(struct ipc_in *in, uint32_t number, void *m, struct err *e)
{
	bool wants_fd = false;

	if (in->number != number)
		return err_set(e, ERR_PEER, "%s was not expected", in->msg->name);
	if (wire_read(in->msg, in->body, m, &wants_fd, e) < 0)
		return -1;
	if (wants_fd) {
		wire_set_fd(in->msg, m, in->fd);
		in->fd = -1;
		if (in->kept != NULL)
			*in->kept = -1;
	}
	return 0;
}

/* An ipc_refuse as the failure it tells of. */
static int
refused(struct ipc_in *in, struct err *e)
{
	struct ipc_refuse r;
	enum err_kind kind = ERR_TEMP;

	if (ipc_body(in, ipc_refuse, &r, e) < 0)
		return -1;
	if (r.kind > ERR_NONE && r.kind <= ERR_GONE)
		kind = (enum err_kind)r.kind;
	return err_set(e, kind, "%.*s", SPAN_ARG(r.text));
}

int
ipc_call_(struct ipc *ch, uint32_t number, const void *req, uint32_t rnumber, void *reply, struct err *e)
{
	uint32_t id = ++ch->last_id;
	struct ipc_in in = { 0 };
	int rc;

	need(ch->blocking);
	if (ipc_send_(ch, number, req, id, e) < 0)
		return -1;
	if ((rc = ipc_get(ch, &in, e)) < 0)
		return -1;
	if (rc == 0)
		return err_set(e, ERR_GONE, "%s: closed without an answer", ch->def->name);
	if (in.id != id)
		return err_set(e, ERR_PEER, "%s: answer %u to request %u", ch->def->name, in.id, id);
	if (in.number == ipc_refuse_no)
		return refused(&in, e);
	return ipc_body_(&in, rnumber, reply, e);
}
