#include "queue/schedule.h"

#include <sodium.h>
#include <stdlib.h>

#include "queue/work.h"

enum { BUCKETS_MIN = 256 };

/* ---- lanes */

void
lane_add(struct lane *l, struct work *w, struct job *j)
{
	struct entry *t = l->tail;

	j->next = NULL;
	l->jobs++;
	if (t != NULL && t->work == w) {
		t->last->next = j;
		t->last = j;
		return;
	}
	t = mem_zero(1, sizeof *t);
	*t = (struct entry){ w, j, j, NULL };
	if (l->tail != NULL)
		l->tail->next = t;
	else
		l->head = t;
	l->tail = t;
}

struct job *
lane_take(struct lane *l, size_t max, struct work **w, size_t *n)
{
	struct entry *t = l->head;
	struct job *first, *last;

	*n = 0;
	if (t == NULL)
		return NULL;
	first = last = t->first;
	for (*n = 1; *n < max && last->next != NULL; ++*n)
		last = last->next;
	*w = t->work;
	l->jobs -= *n;
	l->head = t->next;
	if (l->head == NULL)
		l->tail = NULL;
	t->first = last->next;
	last->next = NULL;
	t->next = NULL;
	if (t->first == NULL) {
		free(t);
		return first;
	}
	if (l->tail != NULL)
		l->tail->next = t;
	else
		l->head = t;
	l->tail = t;
	return first;
}

struct job *
lane_remove(struct lane *l, const struct work *w)
{
	struct entry **at = &l->head, *before = NULL, *t;
	struct job *all = NULL;

	while ((t = *at) != NULL) {
		if (t->work != w) {
			before = t;
			at = &t->next;
			continue;
		}
		for (struct job *j = t->first; j != NULL; j = j->next)
			l->jobs--;
		t->last->next = all;
		all = t->first;
		*at = t->next;
		if (l->tail == t)
			l->tail = before;
		free(t);
	}
	return all;
}

/* ---- destinations by name */

static size_t
bucket_of(const struct sched *s, struct span name)
{
	unsigned char sum[crypto_shorthash_BYTES];
	uint32_t v;

	crypto_shorthash(sum, (const unsigned char *)name.p, name.n, s->key);
	memcpy(&v, sum, sizeof v);
	return v & (s->nbuckets - 1);
}

void
sched_init(struct sched *s, unsigned window_max)
{
	*s = (struct sched){ .nbuckets = BUCKETS_MIN, .window_max = window_max };
	s->bucket = mem_zero(s->nbuckets, sizeof(struct dest *));
	randombytes_buf(s->key, sizeof s->key);
}

static void
rehash(struct sched *s)
{
	struct dest **old = s->bucket, *d;
	size_t n = s->nbuckets;

	s->nbuckets *= 2;
	s->bucket = mem_zero(s->nbuckets, sizeof(struct dest *));
	for (size_t i = 0; i < n; i++)
		while ((d = old[i]) != NULL) {
			size_t b = bucket_of(s, span_str(d->name));

			old[i] = d->next;
			d->next = s->bucket[b];
			s->bucket[b] = d;
		}
	free(old);
}

struct dest *
sched_dest(struct sched *s, struct span name)
{
	struct dest *d = s->bucket[bucket_of(s, name)];
	size_t b;

	for (; d != NULL; d = d->next)
		if (span_eq(name, d->name))
			return d;
	if (s->n >= s->nbuckets)
		rehash(s);
	b = bucket_of(s, name);
	d = mem_zero(1, sizeof *d);
	d->name = mem_zero(1, name.n + 1);
	memcpy(d->name, name.p, name.n);
	d->window = 1000 * (s->window_max < WINDOW_START ? s->window_max : WINDOW_START);
	d->next = s->bucket[b];
	s->bucket[b] = d;
	s->n++;
	return d;
}

static bool
disposable(struct dest *d, uint64_t now)
{
	return d->lane.jobs == 0 && d->busy == 0 && d->idle == 0 && !d->ringed && !dest_dead(d, now);
}

void
sched_sweep(struct sched *s, uint64_t now)
{
	for (size_t i = 0; i < s->nbuckets; i++) {
		struct dest **at = &s->bucket[i], *d;

		while ((d = *at) != NULL) {
			if (!disposable(d, now)) {
				at = &d->next;
				continue;
			}
			*at = d->next;
			s->n--;
			free(d->name);
			free(d->why);
			free(d);
		}
	}
}

/* ---- the ring */

static bool
runnable(const struct dest *d)
{
	return d->lane.jobs > 0 && d->busy < (d->window + 999) / 1000;
}

void
sched_update(struct sched *s, struct dest *d)
{
	if (d->ringed || !runnable(d))
		return;
	d->ringed = true;
	if (s->tail == NULL) {
		d->ring = d;
	} else {
		d->ring = s->tail->ring;
		s->tail->ring = d;
	}
	s->tail = d;
}

struct dest *
sched_next(struct sched *s)
{
	struct dest *d;

	while (s->tail != NULL) {
		d = s->tail->ring;
		if (d == s->tail)
			s->tail = NULL;
		else
			s->tail->ring = d->ring;
		d->ring = NULL;
		d->ringed = false;
		if (runnable(d))
			return d;
	}
	return NULL;
}

/* ---- feedback */

void
dest_good(struct sched *s, struct dest *d)
{
	d->broken = 0;
	d->window += 1000 * 1000 / d->window;
	if (d->window > 1000 * s->window_max)
		d->window = 1000 * s->window_max;
}

static void
die(struct dest *d, struct span why, uint64_t until)
{
	free(d->why);
	d->why = mem_zero(1, why.n + 1);
	memcpy(d->why, why.n > 0 ? why.p : "", why.n);
	d->dead_until = until;
	d->broken = 0;
	d->window = 1000;
}

bool
dest_refused(struct dest *d, struct span why, uint64_t until)
{
	unsigned stand = d->busy + d->idle;

	if (stand == 0) {
		die(d, why, until);
		return true;
	}
	if (d->window > 1000 * stand)
		d->window = 1000 * stand;
	return false;
}

bool
dest_broke(struct dest *d, struct span why, uint64_t until)
{
	d->window = d->window > 2000 ? d->window - 1000 : 1000;
	if (++d->broken < BROKEN_MAX)
		return false;
	die(d, why, until);
	return true;
}

bool
dest_dead(struct dest *d, uint64_t now)
{
	if (d->dead_until != 0 && now >= d->dead_until)
		dest_revive(d);
	return d->dead_until != 0;
}

void
dest_revive(struct dest *d)
{
	d->dead_until = 0;
	free(d->why);
	d->why = NULL;
}
