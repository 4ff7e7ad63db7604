/*
 * pool.c - empty files whose names are durable, made before they are needed; and files that nobody wants.
 *
 * Rules:
 *  1. A name is made with O_EXCL, then the directory is synced, then it may be handed out (spool.h, invariant
 * 1).
 *  2. The open file that is handed out holds a lock (an open file description lock, so the lock goes with the
 *     descriptor to smtpd and lives until the last copy is closed, ours and those of a dead queue included).
 *     So a name may be removed or used again only by who gets the lock with a new open: then nobody can still
 *     be writing to it, and no 250 can follow. The same keeps one session from reading what another writes.
 *  3. A file that is no message but locked is a stray: it is looked at again until the lock is free, then it
 * is a message (smtpd had finished it), or it is removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "cfg/cfg.h"
#include "queue/queue.h"

enum { SPACE_LOOK_MS = 1000, STRAY_LOOK_MS = 1000, SPOOL_MODE = 0660 };

static int
lock_file(int fd)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &all);
}

int
spool_file(struct queue *q, struct span mid, int flags)
{
	struct id id = id_from(mid);

	need(id.s[0] != '\0');
	return openat(q->dir, id.s, flags | O_CLOEXEC | O_NOFOLLOW);
}

/* ---- making names */

static bool
short_of_space(struct queue *q, struct err *e)
{
	struct statvfs v;

	if (fstatvfs(q->dir, &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize < cfg.spool_free_min)
		return err_set(e, ERR_TEMP, "less than spool_free_min is free"), true;
	return false;
}

static int
make_one(struct queue *q, struct err *e)
{
	struct pooled p = { -1, id_new() };

	while ((p.fd = openat(q->dir, p.mid.s, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, SPOOL_MODE)) < 0 &&
	       errno == EEXIST)
		p.mid = id_new();
	if (p.fd < 0)
		return err_set(e, ERR_TEMP, "spool/%s: %m", p.mid.s);
	if (lock_file(p.fd) < 0) {
		err_set(e, ERR_TEMP, "spool/%s: %m", p.mid.s);
		close(p.fd);
		unlinkat(q->dir, p.mid.s, 0);
		return -1;
	}
	q->pool.v[q->pool.n++] = p;
	return 0;
}

/* The names from `first` on are not durable and were shown to nobody. */
static void
unmake(struct queue *q, size_t first)
{
	while (q->pool.n > first) {
		struct pooled *p = &q->pool.v[--q->pool.n];

		unlinkat(q->dir, p->mid.s, 0);
		close(p->fd);
	}
}

/* Both changes are logged, once. */
static void
set_full(struct queue *q, bool full, struct err *why)
{
	if (full && !q->pool.full)
		log_event(LOG_ERROR, "queue.full", KV_ERR(why));
	if (!full && q->pool.full)
		log_event(LOG_WARN, "queue.space", KV_STR("text", "messages are taken again"));
	q->pool.full = full;
}

/* A batch. What can't be had now is tried again when the next message comes, so service returns by itself. */
static void
refill(struct queue *q)
{
	size_t first = q->pool.n;
	struct err e = { 0 };

	while (q->pool.n < first + POOL_BATCH && q->pool.n < sizeof q->pool.v / sizeof *q->pool.v)
		if (make_one(q, &e) < 0)
			break;
	if (q->pool.n > first && fsync(q->dir) < 0) {
		err_set(&e, ERR_TEMP, "spool: fsync: %m");
		unmake(q, first);
	}
	set_full(q, q->pool.n == 0 || short_of_space(q, &e), &e);
}

static void
on_refill(struct timer *t)
{
	struct queue *q = t->arg;

	if (q->pool.n <= POOL_LOW && !q->draining)
		refill(q);
}

void
pool_init(struct queue *q)
{
	q->pool.refill = (struct timer){ .due = on_refill, .arg = q };
	refill(q);
}

/* Looked at once a second: a pool that was filled in time does not hide that the disk is full. */
bool
pool_full(struct queue *q)
{
	uint64_t now = loop_now(q->loop);
	struct err e = { 0 };

	if (now - q->pool.checked < SPACE_LOOK_MS && q->pool.checked != 0)
		return q->pool.full;
	q->pool.checked = now;
	if (q->pool.n == 0)
		refill(q);
	else
		set_full(q, short_of_space(q, &e), &e);
	return q->pool.full;
}

bool
pool_take(struct queue *q, struct pooled *out)
{
	if (pool_full(q))
		return false;
	if (q->pool.n == 0)
		refill(q);
	if (q->pool.n == 0)
		return false;
	*out = q->pool.v[0]; /* the oldest: so ids grow as messages come */
	memmove(q->pool.v, q->pool.v + 1, --q->pool.n * sizeof *q->pool.v);
	if (q->pool.n <= POOL_LOW)
		loop_timer(q->loop, &q->pool.refill, loop_now(q->loop) + 1);
	return true;
}

void
pool_back(struct queue *q, struct pooled *p)
{
	if (q->pool.n < sizeof q->pool.v / sizeof *q->pool.v && ftruncate(p->fd, 0) == 0) {
		q->pool.v[q->pool.n++] = *p;
		return;
	}
	unlinkat(q->dir, p->mid.s, 0);
	close(p->fd);
}

/* ---- strays */

bool
stray_known(const struct queue *q, struct span mid)
{
	for (size_t i = 0; i < q->pool.n; i++)
		if (span_same(id_span(&q->pool.v[i].mid), mid))
			return true;
	for (size_t i = 0; i < q->strays.n; i++)
		if (span_same(id_span(&q->strays.v[i]), mid))
			return true;
	return intake_has(q, mid);
}

/*
 * The lock is ours: smtpd is done with it, one way or the other. A message is synced before it is taken,
 * because smtpd may have died before its own sync had ended.
 */
static void
settle(struct queue *q, struct id mid, int fd)
{
	struct buf trailer;
	struct spool_msg s;
	struct arena *a = arena_new(WORK_ARENA_MAX);
	struct err e = { 0 };
	int rc;

	buf_init(&trailer, TRAILER_MAX);
	rc = spool_load(fd, &s, &trailer, a, &e);
	if (rc > 0 && !span_same(id_span(&s.mid), id_span(&mid)))
		rc = 0; /* no text of a session may pass for a trailer (lib/spool/spool.h, 5) */
	if (rc > 0 && fdatasync(fd) < 0)
		rc = err_set(&e, ERR_TEMP, "spool/%s: fdatasync: %m", mid.s);
	if (rc > 0)
		intake_take(q, id_span(&mid), buf_span(&trailer), s.trailer_at, (struct span){ 0 }, &e);
	if (e.kind != ERR_NONE)
		log_event(LOG_ERROR, "queue.damaged", KV_STR("mid", mid.s), KV_ERR(&e));
	if (rc == 0)
		pool_back(q, &(struct pooled){ fd, mid });
	else
		close(fd);
	buf_free(&trailer);
	arena_free(a);
}

/* False: somebody still has it. */
static bool
look(struct queue *q, struct id mid)
{
	int fd = spool_file(q, id_span(&mid), O_RDWR);

	if (fd < 0) {
		if (errno != ENOENT)
			log_event(
			    LOG_ERROR, "queue.damaged", KV_STR("mid", mid.s), KV_STR("err", strerror(errno)));
		return true;
	}
	if (lock_file(fd) < 0) {
		close(fd);
		return false;
	}
	settle(q, mid, fd);
	return true;
}

static void
on_look(struct timer *t)
{
	struct queue *q = t->arg;
	struct strays *s = &q->strays;
	size_t left = 0, n = s->n;

	for (size_t i = 0; i < n; i++) {
		struct id mid = s->v[i];

		if (!look(q, mid))
			s->v[left++] = mid;
	}
	need(s->n == n);
	s->n = left;
	if (left > 0)
		loop_timer(q->loop, &s->look, loop_now(q->loop) + STRAY_LOOK_MS);
}

void
stray_add(struct queue *q, struct span mid)
{
	struct strays *s = &q->strays;
	struct id id = id_from(mid);

	if (look(q, id))
		return;
	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? 16 : 2 * s->cap;
		s->v = mem_resize(s->v, s->cap * sizeof *s->v);
	}
	s->v[s->n++] = id;
	s->look.due = on_look;
	s->look.arg = q;
	loop_timer(q->loop, &s->look, loop_now(q->loop) + STRAY_LOOK_MS);
}
