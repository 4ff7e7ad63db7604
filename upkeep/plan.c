#include "upkeep/plan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	SLICE = 300, /* stores looked at in one go */
	LINE_MAX_ = 256,
	FILE_OCTETS_MAX = 64 << 20,
	FAILED_MS =
	    3600 *
	    1000, /* a pass that failed is tried again so much later, or sooner if the interval is shorter */
};

struct planned {
	char *owner;        /* owned */
	uint64_t due_ms;    /* UINT64_MAX: when it changes */
	uint64_t slow_ms;   /* the same of the slow lane */
	uint64_t looked_ms; /* when its last pass began; 0: never */
	bool running;
	bool seen; /* in the present round of looking */
};

struct plan {
	int store;
	struct planned *v; /* sorted by owner */
	size_t n, cap;
	size_t next; /* where plan_next goes on */
	uint64_t interval_ms;
	DIR *dir; /* a round of looking; NULL: none */
};

/* ---- the table */

/* Where owner is, or would be. */
static size_t
place(const struct plan *p, struct span owner, bool *there)
{
	size_t lo = 0, hi = p->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (span_cmp(span_str(p->v[mid].owner), owner) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*there = lo < p->n && span_eq(owner, p->v[lo].owner);
	return lo;
}

static struct planned *
find(const struct plan *p, struct span owner)
{
	bool there;
	size_t at = place(p, owner, &there);

	return there ? &p->v[at] : NULL;
}

static struct planned *
find_or_add(struct plan *p, struct span owner, uint64_t due_ms)
{
	bool there;
	size_t at = place(p, owner, &there);

	if (there)
		return &p->v[at];
	if (p->n == p->cap) {
		p->cap = p->cap != 0 ? p->cap * 2 : 64;
		p->v = mem_resize(p->v, p->cap * sizeof *p->v);
	}
	memmove(p->v + at + 1, p->v + at, (p->n - at) * sizeof *p->v);
	p->v[at] =
	    (struct planned){ .owner = mem_zero(1, owner.n + 1), .due_ms = due_ms, .slow_ms = UINT64_MAX };
	memcpy(p->v[at].owner, owner.p, owner.n);
	p->n++;
	return &p->v[at];
}

/* Stores that are no more. */
static void
sweep(struct plan *p)
{
	size_t to = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (p->v[i].seen || p->v[i].running) {
			p->v[i].seen = false;
			p->v[to++] = p->v[i];
		} else {
			free(p->v[i].owner);
		}
	}
	p->n = to;
}

/* ---- looking */

static uint64_t
changed_ms(const struct plan *p, const char *owner, const char *file)
{
	char path[LINE_MAX_];
	struct stat sb;
	int n = snprintf(path, sizeof path, "%s/%s", owner, file);

	if (n < 0 || (size_t)n >= sizeof path || fstatat(p->store, path, &sb, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return (uint64_t)sb.st_mtim.tv_sec * 1000 + (uint64_t)sb.st_mtim.tv_nsec / 1000000;
}

static void
look_at(struct plan *p, const char *owner, uint64_t now_ms)
{
	struct planned *x = find_or_add(p, span_str(owner), now_ms);
	uint64_t index = changed_ms(p, owner, "index.db"), wal = changed_ms(p, owner, "index.db-wal");
	uint64_t changed = index > wal ? index : wal;

	x->seen = true;
	if (index == 0 || x->running) /* no store yet, or one that somebody should look at: check tells */
		return;
	if (changed >= x->looked_ms && x->due_ms > x->looked_ms + p->interval_ms)
		x->due_ms = x->looked_ms + p->interval_ms;
}

bool
plan_look(struct plan *p, uint64_t now_ms, uint64_t interval_ms)
{
	struct dirent *d = NULL;
	int fd;

	p->interval_ms = interval_ms;
	if (p->dir == NULL) {
		if ((fd = openat(p->store, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
			return true;
		if ((p->dir = fdopendir(fd)) == NULL) {
			close(fd);
			return true;
		}
	}
	for (int i = 0; i < SLICE && (d = readdir(p->dir)) != NULL; i++)
		if (d->d_name[0] != '.')
			look_at(p, d->d_name, now_ms);
	if (d != NULL)
		return false;
	closedir(p->dir);
	p->dir = NULL;
	sweep(p);
	return true;
}

/* ---- what is due */

const char *
plan_next(struct plan *p, uint64_t now_ms, bool slow)
{
	for (size_t i = 0; i < p->n; i++) {
		struct planned *x = &p->v[p->next++ % p->n];

		if ((slow ? x->slow_ms : x->due_ms) > now_ms || x->running)
			continue;
		x->running = true;
		return x->owner;
	}
	return NULL;
}

void
plan_passed(
    struct plan *p, const char *owner, bool slow, uint64_t began_ms, uint64_t due_ms, uint64_t slow_ms)
{
	struct planned *x = find(p, span_str(owner));
	uint64_t later = began_ms + (p->interval_ms < FAILED_MS ? p->interval_ms : FAILED_MS);

	if (x == NULL)
		return;
	x->running = false;
	x->slow_ms = slow_ms != 0 ? slow_ms : later;
	if (slow)
		return;
	x->looked_ms = began_ms;
	x->due_ms = due_ms != 0 ? due_ms : later;
}

uint64_t
plan_due(const struct plan *p, bool slow)
{
	uint64_t due = UINT64_MAX;

	for (size_t i = 0; i < p->n; i++) {
		uint64_t own = slow ? p->v[i].slow_ms : p->v[i].due_ms;

		if (!p->v[i].running && own < due)
			due = own;
	}
	return due;
}

uint64_t
plan_due_of(const struct plan *p, struct span owner)
{
	struct planned *x = find(p, owner);

	return x != NULL ? x->due_ms : 0;
}

void
plan_all_now(struct plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		p->v[i].due_ms = 0;
}

/* ---- store/.upkeep */

int
plan_save(const struct plan *p, struct err *e)
{
	int fd = openat(p->store, ".upkeep.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600),
	    rc = 0;
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (f == NULL) {
		if (fd >= 0)
			close(fd);
		return err_set(e, ERR_TEMP, "store/.upkeep: %m");
	}
	for (size_t i = 0; i < p->n; i++)
		fprintf(f, "%s %llu %llu %llu\n", p->v[i].owner, (unsigned long long)p->v[i].due_ms,
		    (unsigned long long)p->v[i].looked_ms, (unsigned long long)p->v[i].slow_ms);
	if (ferror(f) != 0)
		rc = err_set(e, ERR_TEMP, "store/.upkeep: %m");
	if (fclose(f) != 0)
		rc = err_set(e, ERR_TEMP, "store/.upkeep: %m");
	if (rc == 0 && renameat(p->store, ".upkeep.new", p->store, ".upkeep") < 0)
		rc = err_set(e, ERR_TEMP, "store/.upkeep: %m");
	return rc;
}

static void
take_line(struct plan *p, struct span line)
{
	struct span owner = span_word(&line), due = span_word(&line), looked = span_word(&line),
		    slow = span_word(&line);
	uint64_t due_ms, looked_ms, slow_ms;
	struct planned *x;

	if (owner.n == 0 || owner.n >= LINE_MAX_ || span_u64(due, &due_ms, NULL) < 0 ||
	    span_u64(looked, &looked_ms, NULL) < 0 || span_u64(slow, &slow_ms, NULL) < 0)
		return;
	x = find_or_add(p, owner, due_ms);
	x->looked_ms = looked_ms;
	x->slow_ms = slow_ms;
}

struct plan *
plan_new(int store)
{
	struct plan *p = mem_zero(1, sizeof *p);
	struct buf text;
	struct span rest;
	ssize_t n = 0;
	char *room;
	int fd = openat(store, ".upkeep", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	p->store = store;
	buf_init(&text, FILE_OCTETS_MAX);
	while (fd >= 0 && (room = buf_room(&text, NULL, 65536)) != NULL && (n = read(fd, room, 65536)) > 0 &&
	       text.n + (size_t)n + 65536 < FILE_OCTETS_MAX)
		text.n += (size_t)n;
	for (rest = buf_span(&text); rest.n > 0;)
		take_line(p, span_cut(&rest, '\n'));
	buf_free(&text);
	if (fd >= 0)
		close(fd);
	return p;
}
