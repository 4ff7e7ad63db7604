/* reuse.c - a client on its way from the parent to a child that has served another one before. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "io/ending.h"
#include "io/service.h"

int
reuse_send(int control, const struct client *c)
{
	union {
		struct cmsghdr align;
		char octets[CMSG_SPACE(sizeof(int))];
	} room = { 0 };
	struct iovec iov = { .iov_base = &(struct client){ 0 }, .iov_len = sizeof *c };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof room
	};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	memcpy(iov.iov_base, c, sizeof *c);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof c->fd);
	memcpy(CMSG_DATA(h), &c->fd, sizeof c->fd);
	return sendmsg(control, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
}

enum { LOG_MS = 200 }; /* the last lines of a session wait so long for company */

/* 1 a client, 0 none will come, -1 interrupted, or it is time to send the log. */
static int
receive(int control, struct client *c)
{
	union {
		struct cmsghdr align;
		char octets[CMSG_SPACE(sizeof(int))];
	} room;
	struct iovec iov = { .iov_base = c, .iov_len = sizeof *c };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof room
	};
	ssize_t n = recvmsg(control, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *h = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return -1;
	if (n != (ssize_t)sizeof *c || h == NULL || h->cmsg_type != SCM_RIGHTS)
		return 0;
	memcpy(&c->fd, CMSG_DATA(h), sizeof c->fd);
	return 1;
}

void
reuse_begin(int control)
{
	struct timeval t = { .tv_usec = LOG_MS * 1000 };

	setsockopt(control, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
}

/* No more to send: wait without a limit from here on. */
static void
wait_silently(int control)
{
	struct timeval never = { 0 };

	log_flush();
	setsockopt(control, SOL_SOCKET, SO_RCVTIMEO, &never, sizeof never);
}

bool
reuse_wait(int control, struct client *c)
{
	bool silent = false;
	int got;

	ending_fd(-1);
	if (svc_ending() || send(control, "i", 1, MSG_NOSIGNAL) < 0)
		return false;
	while ((got = receive(control, c)) < 0) {
		if (svc_ending())
			return false;
		if (!silent)
			wait_silently(control);
		silent = true;
	}
	if (silent)
		reuse_begin(control);
	if (got == 0)
		return false;
	ending_fd(c->fd);
	return true;
}
