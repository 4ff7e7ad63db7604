/* unit-loop - watches, timers and the order of turns. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "io/loop.h"
#include "t/tap.h"

static struct loop *loop;

/* Two peers that are ready in one turn: whoever comes first removes and frees the other. */
struct peer {
	struct watch w;
	struct peer *other;
	unsigned calls;
};

static unsigned peer_calls;
static struct peer *dead; /* only compared */

static void
kill_other(struct watch *w, uint32_t events)
{
	struct peer *p = w->arg;

	(void)events;
	peer_calls++;
	loop_watch(loop, &p->other->w, 0);
	memset(p->other, 0xff, sizeof *p->other);
	dead = p->other;
	free(p->other);
	loop_watch(loop, w, 0);
	loop_stop(loop);
}

static void
removal(void)
{
	int a[2], b[2];
	struct peer *x = mem_zero(1, sizeof *x), *y = mem_zero(1, sizeof *y);

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, a) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, b) == 0);
	x->w = (struct watch){ .fd = a[0], .ready = kill_other, .arg = x };
	y->w = (struct watch){ .fd = b[0], .ready = kill_other, .arg = y };
	x->other = y;
	y->other = x;
	loop_watch(loop, &x->w, EPOLLIN);
	loop_watch(loop, &y->w, EPOLLIN);
	need(write(a[1], "x", 1) == 1 && write(b[1], "x", 1) == 1);
	loop_run(loop);
	free(dead == y ? x : y);
	tap_ok(peer_calls == 1, "an event of a watch that was removed and freed in the same turn is dropped");
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

static void
count(struct watch *w, uint32_t events)
{
	struct peer *p = w->arg;
	char c;

	(void)events;
	p->calls++;
	need(read(w->fd, &c, 1) == 1);
	if (p->calls == 3)
		loop_stop(loop);
}

static void
level(void)
{
	int a[2];
	struct peer p = { 0 };

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, a) == 0 && write(a[1], "abc", 3) == 3);
	p.w = (struct watch){ .fd = a[0], .ready = count, .arg = &p };
	loop_watch(loop, &p.w, EPOLLIN);
	loop_run(loop);
	tap_ok(p.calls == 3, "a watch is called as long as something is there");
	loop_watch(loop, &p.w, EPOLLIN | EPOLLOUT);
	tap_ok(p.w.events == (EPOLLIN | EPOLLOUT), "what is watched can change");
	loop_watch(loop, &p.w, 0);
	tap_ok(p.w.events == 0, "and end");
	close(a[0]);
	close(a[1]);
}

enum { TIMERS = 500 };
static uint64_t fake_ms = 1000;
static uint64_t last_due;
static unsigned due_n;
static bool due_order = true;

static uint64_t
fake_clock(void)
{
	return fake_ms;
}

static void
due(struct timer *t)
{
	uint64_t at = *(uint64_t *)t->arg;

	due_order &= at >= last_due && at <= fake_ms && t->at_ms == 0;
	last_due = at;
	due_n++;
}

/* An hour of fake time passes at each turn. */
static void
next_hour(void *arg)
{
	(void)arg;
	fake_ms += 3600 * 1000;
	if (fake_ms > (uint64_t)TIMERS * 3600 * 1000)
		loop_stop(loop);
}

static void
timers(void)
{
	static struct timer t[TIMERS];
	static uint64_t at[TIMERS];
	uint64_t x = 12345;

	loop_clock(loop, fake_clock);
	loop_idle(loop, next_hour, NULL);
	for (int i = 0; i < TIMERS; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		at[i] = 1000 + (x >> 33) % (400ull * 3600 * 1000);
		t[i] = (struct timer){ .due = due, .arg = &at[i] };
		loop_timer(loop, &t[i], at[i] * 2 + 1);
	}
	for (int i = 0; i < TIMERS; i++) /* moved; every fifth taken back */
		loop_timer(loop, &t[i], i % 5 == 0 ? 0 : at[i]);
	loop_run(loop);
	tap_ok(due_n == TIMERS - TIMERS / 5, "each timer is due once, those taken back never (%u)", due_n);
	tap_ok(due_order, "in order, and not before their time");
	loop_clock(loop, NULL);
}

static struct timer tick;
static unsigned ticks;

static void
again(struct timer *t)
{
	if (++ticks == 3)
		loop_stop(loop);
	else
		loop_timer(loop, t, loop_now(loop) + 5);
}

static void
real_time(void)
{
	uint64_t start = clock_mono_ms();

	loop_free(loop);
	loop = loop_new();
	tick.due = again;
	loop_timer(loop, &tick, loop_now(loop) + 5);
	loop_run(loop);
	tap_ok(ticks == 3 && clock_mono_ms() - start >= 14, "a timer that sets itself anew, in real time");
}

int
main(void)
{
	loop = loop_new();
	removal();
	level();
	timers();
	real_time();
	loop_free(loop);
	return tap_done();
}
