/* unit-dialer - a door that is full: what is dialled waits, and comes in order when there is room. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "io/dialer.h"
#include "ipc/ipc.h"
#include "t/tap.h"

enum { MANY = 900 };

static struct loop *loop;
static int ours[MANY];

/* Nothing more comes: the other end was closed, with what it had not read or without. */
static bool
closed(int fd)
{
	char c;

	need(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	return read(fd, &c, 1) <= 0 && errno != EAGAIN;
}

static void
stop(struct timer *t)
{
	(void)t;
	loop_stop(loop);
}

/* What is ready, and then something that is due. */
static void
turn(void)
{
	struct timer t = { .due = stop };

	loop_timer(loop, &t, loop_now(loop) + 1);
	loop_run(loop);
	loop_timer(loop, &t, 0);
}

static void
dial(struct dialer *d, int i)
{
	int pair[2];
	unsigned char n[2] = { (unsigned char)(i >> 8), (unsigned char)i };

	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	ours[i] = pair[0];
	need(write(pair[0], n, 2) == 2);
	dialer_send(d, pair[1]);
}

/* All that the service finds now, from the n-th on: how many, and whether they come in order. */
static int
answer_all(int door, int n, bool *ordered)
{
	struct err e = { 0 };
	unsigned char c[2];
	int fd;

	while ((fd = ipc_answer(door, &e)) >= 0) {
		if (read(fd, c, 2) != 2 || (c[0] << 8 | c[1]) != n)
			*ordered = false;
		close(fd);
		n++;
	}
	return n;
}

static void
close_ours(int from, int to)
{
	for (int i = from; i < to; i++)
		close(ours[i]);
}

static void
many(void)
{
	struct dialer d;
	bool ordered = true;
	int door[2], n;

	need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, door) == 0);
	dialer_init(&d, loop, door[0]);
	for (int i = 0; i < MANY; i++)
		dial(&d, i);
	tap_ok(d.n > 0, "%zu of %d do not fit", d.n, MANY);
	n = answer_all(door[1], 0, &ordered);
	tap_ok(n > 0 && n < MANY, "%d are found at once", n);
	for (int k = 0; k < 100 && n < MANY; k++) {
		turn();
		n = answer_all(door[1], n, &ordered);
	}
	tap_ok(n == MANY && d.n == 0, "then the others");
	tap_ok(ordered, "in order, with what was said on them");
	close_ours(0, MANY);
	dialer_free(&d);
	close(door[0]);
	close(door[1]);
}

/* A service that is replaced has another door; what waits is for that one. */
static void
another_door(void)
{
	struct dialer d;
	bool ordered = true;
	int door[2];

	need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, door) == 0);
	dialer_init(&d, loop, -1);
	for (int i = 0; i < 3; i++)
		dial(&d, i);
	tap_ok(d.n == 3, "without a door all wait");
	dialer_door(&d, door[0]);
	tap_ok(answer_all(door[1], 0, &ordered) == 3 && ordered, "and go through it when there is one");
	close_ours(0, 3);
	dialer_door(&d, -1);
	dial(&d, 3);
	dialer_free(&d);
	tap_ok(closed(ours[3]), "what waits at the end is closed");
	close_ours(3, 4);
	close(door[0]);
	dialer_init(&d, loop, door[1]);
	dial(&d, 4);
	tap_ok(d.n == 0 && closed(ours[4]), "so is what goes to nobody");
	close_ours(4, 5);
	dialer_free(&d);
	close(door[1]);
}

int
main(void)
{
	loop = loop_new();
	many();
	another_door();
	loop_free(loop);
	return tap_done();
}
