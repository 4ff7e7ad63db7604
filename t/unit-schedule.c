/* unit-schedule.c - queue/schedule: turns of messages, turns of destinations, and what refusals teach. */
#include "queue/schedule.c"

#include <stdio.h>

#include "t/tap.h"

static struct work work[3];

static void
fill(struct lane *l, struct work *w, struct job *jobs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		jobs[i] = (struct job){ .rcpt = i };
		lane_add(l, w, &jobs[i]);
	}
}

static size_t
length(const struct job *j)
{
	size_t n = 0;

	for (; j != NULL; j = j->next)
		n++;
	return n;
}

static void
messages(void)
{
	static struct job big[1000], small[2], one[1];
	struct lane l = { 0 };
	struct work *w = NULL;
	struct job *j;
	size_t n;

	fill(&l, &work[0], big, 1000);
	fill(&l, &work[1], small, 2);
	fill(&l, &work[2], one, 1);
	tap_ok(l.jobs == 1003, "three messages wait");
	j = lane_take(&l, 100, &w, &n);
	tap_ok(w == &work[0] && n == 100 && length(j) == 100 && j->rcpt == 0,
	    "the first has its turn, of 100 recipients");
	j = lane_take(&l, 100, &w, &n);
	tap_ok(w == &work[1] && n == 2 && length(j) == 2, "then the second, not the rest of the first");
	lane_take(&l, 100, &w, &n);
	tap_ok(w == &work[2], "then the third");
	j = lane_take(&l, 100, &w, &n);
	tap_ok(w == &work[0] && j->rcpt == 100, "and the first again where it stopped");
	fill(&l, &work[1], small, 2);
	j = lane_remove(&l, &work[0]);
	tap_ok(length(j) == 800 && l.jobs == 2, "all of one message can be taken back");
	lane_add(&l, &work[2], &one[0]);
	lane_take(&l, 100, &w, &n);
	lane_take(&l, 100, &w, &n);
	tap_ok(w == &work[2] && l.jobs == 0 && lane_take(&l, 100, &w, &n) == NULL && n == 0,
	    "until the lane is empty");
	fill(&l, &work[0], big, 3);
	fill(&l, &work[1], small, 2);
	tap_ok(length(lane_remove(&l, &work[1])) == 2, "the last of a lane can be taken back");
	lane_add(&l, &work[2], &one[0]);
	tap_ok(l.jobs == 4 && lane_take(&l, 9, &w, &n) == big && lane_take(&l, 9, &w, &n) == one,
	    "and others still follow");
}

/* Nothing is left in it. */
static void
sched_done(struct sched *s)
{
	sched_sweep(s, UINT64_MAX);
	need(s->n == 0);
	free(s->bucket);
}

static void
destinations(void)
{
	static struct job jobs[3][50];
	struct sched s;
	struct dest *d[3], *got;
	int turns[3] = { 0 };

	sched_init(&s, 20);
	for (int i = 0; i < 3; i++) {
		char name[32];

		snprintf(name, sizeof name, "d%d.test", i);
		d[i] = sched_dest(&s, span_str(name));
		for (uint32_t k = 0; k < 50; k++) {
			jobs[i][k] = (struct job){ .rcpt = k };
			lane_add(&d[i]->lane, &work[k % 3], &jobs[i][k]);
		}
		sched_update(&s, d[i]);
		sched_update(&s, d[i]);
	}
	tap_ok(sched_dest(&s, SPAN("d1.test")) == d[1] && s.n == 3, "a destination is found by its name");
	for (int i = 0; i < 9 && (got = sched_next(&s)) != NULL; i++) {
		for (int k = 0; k < 3; k++)
			turns[k] += got == d[k];
		got->busy++;
		sched_update(&s, got);
	}
	tap_ok(turns[0] == 3 && turns[1] == 3 && turns[2] == 3, "destinations take turns");
	while ((got = sched_next(&s)) != NULL) {
		got->busy++;
		sched_update(&s, got);
	}
	tap_ok(d[0]->busy == WINDOW_START && d[2]->busy == WINDOW_START, "each has %d connections at first",
	    WINDOW_START);
	d[1]->busy--;
	sched_update(&s, d[1]);
	tap_ok(sched_next(&s) == d[1] && sched_next(&s) == NULL, "one that ends one may make another");
	for (int i = 0; i < 3; i++)
		while (lane_take(&d[i]->lane, 50, &(struct work *){ NULL }, &(size_t){ 0 }) != NULL)
			;
	for (int i = 0; i < 3; i++)
		d[i]->busy = 0;
	sched_sweep(&s, 1);
	tap_ok(s.n == 0, "what has nothing to do is forgotten");
	sched_done(&s);
}

static void
feedback(void)
{
	struct sched s;
	struct dest *d;

	sched_init(&s, 20);
	d = sched_dest(&s, SPAN("x.test"));
	for (int i = 0; i < 5; i++)
		dest_good(&s, d);
	tap_ok(d->window > 5500 && d->window < 6500, "as many successes as connections make it one more");
	for (int i = 0; i < 5000; i++)
		dest_good(&s, d);
	tap_ok(d->window == 20000, "up to the maximum");
	d->busy = 3;
	tap_ok(!dest_refused(d, SPAN("4.7.0 too many"), 100) && d->window == 3000,
	    "a refusal shrinks it to what stands");
	tap_ok(!dest_dead(d, 50), "and that is no death");
	d->busy = 0;
	tap_ok(dest_refused(d, SPAN("4.4.1 refused"), 100), "when nothing stands it is dead");
	tap_ok(dest_dead(d, 99) && strcmp(d->why, "4.4.1 refused") == 0, "and its reason is known");
	sched_sweep(&s, 99);
	tap_ok(s.n == 1, "a dead one is not forgotten");
	tap_ok(!dest_dead(d, 100) && d->window == 1000, "until its time: then one connection shows");
	for (int i = 0; i < BROKEN_MAX - 1; i++)
		dest_broke(d, SPAN("4.4.2 lost"), 300);
	tap_ok(!dest_dead(d, 200), "connections that break do not make it dead at once");
	tap_ok(dest_broke(d, SPAN("4.4.2 lost"), 300) && dest_dead(d, 200), "but the %dth in a row does",
	    BROKEN_MAX);
	dest_revive(d);
	tap_ok(!dest_dead(d, 200), "the administrator can revive it");
	sched_done(&s);
}

static void
many(void)
{
	struct sched s;
	bool same = true;

	sched_init(&s, 20);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 2000; i++) {
			char name[32];

			snprintf(name, sizeof name, "d%d.example", i);
			same = same && strcmp(sched_dest(&s, span_str(name))->name, name) == 0;
		}
	tap_ok(same && s.n == 2000, "2,000 destinations are found again");
	sched_sweep(&s, 0);
	tap_ok(s.n == 0, "and swept");
	sched_done(&s);
}

int
main(void)
{
	messages();
	destinations();
	feedback();
	many();
	return tap_done();
}
