/*
 * door.c - one socket that is sent over another: how a channel comes to be.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/ipc.h"
#include "ipc/wire.h"

enum { STRANGE_MAX = 16 /* what is no dial, passed over in one ipc_answer */ };

ssize_t
wire_send(int fd, struct span s, int rider, int flags)
{
	union {
		char octets[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)s.p, s.n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (rider >= 0) {
		struct cmsghdr *c = &control.align;

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof rider);
		memcpy(CMSG_DATA(c), &rider, sizeof rider);
		mh.msg_control = &control;
		mh.msg_controllen = CMSG_LEN(sizeof rider);
	}
	return sendmsg(fd, &mh, flags | MSG_NOSIGNAL);
}

int
ipc_dial_end(int door, int end)
{
	if (wire_send(door, SPAN("c"), end, MSG_DONTWAIT) == 1)
		return 1;
	return errno == EAGAIN ? 0 : -1;
}

int
ipc_dial(int door, struct err *e)
{
	int pair[2], rc = -1;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(e, ERR_TEMP, "socketpair: %m");
	if (ipc_dial_end(door, pair[1]) == 1)
		rc = pair[0];
	else
		err_set(e, ERR_TEMP, "door: %m");
	close(pair[1]);
	if (rc < 0)
		close(pair[0]);
	return rc;
}

bool
ipc_is_stream(int fd)
{
	int type = 0;
	socklen_t n = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_STREAM;
}

/* Only what ipc_dial makes. */
static bool
is_channel(int fd)
{
	int domain = 0;
	socklen_t n = sizeof domain;

	return ipc_is_stream(fd) && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0 &&
	       domain == AF_UNIX;
}

int
ipc_answer(int door, struct err *e)
{
	union {
		char octets[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;

	for (int strange = 0; strange < STRANGE_MAX; strange++) {
		char c;
		struct iovec iov = { &c, 1 };
		struct msghdr mh = { .msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = CMSG_LEN(sizeof(int)) };
		ssize_t n = recvmsg(door, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		struct cmsghdr *h;
		int fd;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return -1;
		if (n <= 0)
			return err_set(e, ERR_GONE, "door: %s", n == 0 ? "closed" : strerror(errno));
		h = CMSG_FIRSTHDR(&mh);
		if (h == NULL || h->cmsg_type != SCM_RIGHTS || h->cmsg_len != CMSG_LEN(sizeof fd))
			continue; /* not a dial: nothing to answer */
		memcpy(&fd, CMSG_DATA(h), sizeof fd);
		if (is_channel(fd))
			return fd;
		close(fd);
	}
	return -1;
}
