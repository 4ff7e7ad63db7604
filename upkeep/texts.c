#include "upkeep/texts.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "cfg/cfg.h"
#include "io/ending.h"

enum {
	OWNERS_MAX = 1000000,
	AGAIN_MS = 600 * 1000 /* after a failure */
};

struct waiting {
	struct waiting *next;
	uint64_t at_ms; /* of the loop's clock */
	bool again;     /* named while its process ran */
	char owner[];
};

/* ---- who waits */

/* Where the name is, or would be. */
static size_t
place_of(const struct texts *t, struct span owner, bool *there)
{
	size_t lo = 0, hi = t->n;

	*there = false;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int order = span_cmp(span_str(t->by_name[mid]->owner), owner);

		if (order == 0)
			*there = true;
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct waiting *
name_add(struct texts *t, struct span owner, size_t at)
{
	struct waiting *w = mem_zero(1, sizeof *w + owner.n + 1);

	memcpy(w->owner, owner.p, owner.n);
	if (t->n == t->cap) {
		t->cap = t->cap != 0 ? t->cap * 2 : 64;
		t->by_name = mem_resize(t->by_name, t->cap * sizeof(struct waiting *));
	}
	memmove(t->by_name + at + 1, t->by_name + at, (t->n - at) * sizeof(struct waiting *));
	t->by_name[at] = w;
	t->n++;
	return w;
}

static void
name_drop(struct texts *t, struct waiting *w)
{
	bool there;
	size_t at = place_of(t, span_str(w->owner), &there);

	need(there && t->by_name[at] == w);
	memmove(t->by_name + at, t->by_name + at + 1, (t->n - at - 1) * sizeof(struct waiting *));
	t->n--;
	free(w);
}

static void
start_next(struct texts *t)
{
	if (t->first != NULL && t->pid == 0 && !t->draining)
		loop_timer(svc_loop_of(t->svc), &t->timer, t->first->at_ms > 0 ? t->first->at_ms : 1);
}

/* Nearly all wait equally long, so the list is in the order of time; who failed lets others pass for nothing. */
static void
wait_from_now(struct texts *t, struct waiting *w, uint64_t ms)
{
	w->at_ms = loop_now(svc_loop_of(t->svc)) + ms;
	w->next = NULL;
	w->again = false;
	if (t->last != NULL)
		t->last->next = w;
	else
		t->first = w;
	t->last = w;
	start_next(t);
}

void
texts_due(struct texts *t, struct span owner)
{
	bool there;
	size_t at;

	if (!cfg.fts || owner.n == 0 || owner.n > 128)
		return;
	at = place_of(t, owner, &there);
	if (there)
		t->by_name[at]->again = true;
	else if (t->n < OWNERS_MAX)
		wait_from_now(t, name_add(t, owner, at), cfg.fts_wait);
}

/* ---- the process */

_Noreturn static void
be_job(struct texts *t, struct waiting *w)
{
	t->child();
	ending_on_term(-1);
	_exit(texts_job(t->store, span_str(w->owner)));
}

static void
due(struct timer *timer)
{
	struct texts *t = timer->arg;
	struct waiting *w = t->first;
	pid_t pid;

	if (w == NULL || t->pid != 0 || t->draining)
		return;
	if ((t->first = w->next) == NULL)
		t->last = NULL;
	w->again = false;
	if ((pid = svc_fork(t->svc)) == 0)
		be_job(t, w);
	if (pid < 0) {
		wait_from_now(t, w, AGAIN_MS);
		return;
	}
	t->pid = pid;
	t->running = w;
}

/* A full disk is told once, not for each owner each time. */
static void
note_full(struct texts *t, bool full)
{
	if (full && !t->full)
		log_event(LOG_WARN, "upkeep.texts_full", KV_U("free_min", cfg.spool_free_min));
	t->full = full;
}

bool
texts_ended(struct texts *t, pid_t pid, int status)
{
	struct waiting *w = t->running;
	int outcome = WIFEXITED(status) ? WEXITSTATUS(status) : TEXTS_FAILED;

	if (t->pid == 0 || pid != t->pid)
		return false;
	t->pid = 0;
	t->running = NULL;
	if (outcome == TEXTS_FULL || outcome == TEXTS_DONE)
		note_full(t, outcome == TEXTS_FULL);
	if (outcome == TEXTS_MORE)
		wait_from_now(t, w, 0);
	else if (outcome != TEXTS_DONE)
		wait_from_now(t, w, AGAIN_MS);
	else if (w->again)
		wait_from_now(t, w, cfg.fts_wait);
	else
		name_drop(t, w);
	start_next(t);
	return true;
}

bool
texts_stop(struct texts *t)
{
	t->draining = true;
	loop_timer(svc_loop_of(t->svc), &t->timer, 0);
	if (t->pid != 0)
		kill(t->pid, SIGTERM);
	return t->pid == 0;
}

void
texts_start(struct texts *t, struct svc *s, int store, void (*child)(void))
{
	struct dirent *d;
	DIR *dir;
	int fd;

	*t = (struct texts){ .svc = s, .store = store, .child = child };
	t->timer = (struct timer){ .due = due, .arg = t };
	if (!cfg.fts || (fd = openat(store, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return;
	if ((dir = fdopendir(fd)) == NULL) {
		close(fd);
		return;
	}
	while ((d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.')
			texts_due(t, span_str(d->d_name));
	closedir(dir);
}
