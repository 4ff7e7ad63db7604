/*
 * scan.c - what is in the spool when the queue starts: footers and trailers are read, never messages.
 *
 * In slices of the loop, so that new mail is taken and delivered meanwhile. What is found is let go at the
 * end only: until then a report may turn up that says that one of its recipients has been reported already. A
 * dsn that outlived the last queue may even now be writing one, so files that somebody has open are waited
 * for, for a while.
 *
 *   the file has                          it is
 *   a valid footer, nobody has it open    a message
 *   no valid footer, nobody has it open   a leftover: reused or removed
 *   somebody has it open                  an smtpd that outlived the last queue: looked at until it is done
 *   a footer, but a trailer that is not   damaged: kept, and logged as an error
 *   another name                          not ours: left alone
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "queue/queue.h"

enum { SLICE_MS = 10, FRESH_S = 600, STRAYS_WAIT_MS = 2000 };

struct finding {
	struct id about;
	char *marks;
	struct finding *next;
};

struct scan {
	struct queue *q;
	DIR *dir;
	struct timer slice;
	struct msg **v;
	size_t n, cap;
	struct finding *reports;
	uint64_t started, ended; /* ended: the last name was read */
	struct buf text;
	struct arena *a;
};

static void
keep(struct scan *sc, struct msg *m)
{
	if (sc->n == sc->cap) {
		sc->cap = sc->cap == 0 ? 256 : 2 * sc->cap;
		sc->v = mem_resize(sc->v, sc->cap * sizeof(struct msg *));
	}
	sc->v[sc->n++] = m;
}

void
scan_report(struct queue *q, const struct spool_msg *s)
{
	struct scan *sc = q->scan;
	struct finding *f = mem_zero(1, sizeof *f);

	f->about = s->about;
	f->marks = mem_zero(1, s->envid.n + 1);
	memcpy(f->marks, s->envid.n > 0 ? s->envid.p : "", s->envid.n);
	f->next = sc->reports;
	sc->reports = f;
}

static void
found(struct scan *sc, const struct spool_msg *s)
{
	struct msg *m = msg_new(id_span(&s->mid));

	m->arrived = s->arrived;
	m->size = s->size;
	m->attempts = (uint16_t)s->attempts;
	m->next_try = s->attempts > 0 ? s->next_try : s->arrived;
	m->unverified = true;
	m->state = s->state == 'h' ? MSG_HELD : MSG_SCANNED;
	if (s->about.s[0] != '\0')
		scan_report(sc->q, s);
	keep(sc, m);
}

static void
found_damaged(struct scan *sc, struct span mid, const struct err *why)
{
	struct msg *m = msg_new(mid);

	log_event(LOG_ERROR, "queue.damaged", KV_S("mid", mid), KV_ERR(why));
	m->arrived = id_time_ms(mid);
	m->state = MSG_DAMAGED;
	keep(sc, m);
}

/*
 * Its smtpd is no more; if that died in the middle of its sync, it is ours to do. Old pages the kernel has
 * written.
 */
static int
synced(int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, ERR_TEMP, "fstat: %m");
	if (time(NULL) - st.st_mtime < FRESH_S && fdatasync(fd) < 0)
		return err_set(e, ERR_TEMP, "fdatasync: %m");
	return 0;
}

static void
look(struct scan *sc, struct span mid)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct spool_msg s;
	struct err e = { 0 };
	int fd, rc;

	if (msgs_find(&sc->q->msgs, mid) != NULL || stray_known(sc->q, mid))
		return;
	fd = spool_file(sc->q, mid, O_RDWR);
	if (fd < 0) {
		if (errno != ENOENT)
			log_event(
			    LOG_ERROR, "queue.unreadable", KV_S("mid", mid), KV_STR("err", strerror(errno)));
		return;
	}
	buf_clear(&sc->text);
	arena_reset(sc->a);
	rc = spool_load(fd, &s, &sc->text, sc->a, &e);
	if (rc > 0 && !span_same(id_span(&s.mid), mid))
		rc = err_set(&e, ERR_PERM, "its trailer names another message");
	if (rc > 0 && s.attempts == 0 && fcntl(fd, F_OFD_SETLK, &all) < 0)
		rc = 0;
	if (rc > 0 && s.attempts == 0)
		rc = synced(fd, &e) < 0 ? -1 : 1;
	close(fd);
	if (rc > 0)
		found(sc, &s);
	else if (rc == 0)
		stray_add(sc->q, mid);
	else
		found_damaged(sc, mid, &e);
}

/* ---- the end */

static int
by_mid(const void *a, const void *b)
{
	const struct msg *const *x = a, *const *y = b;

	return memcmp((*x)->mid, (*y)->mid, ID_LEN);
}

static void
let_go(struct queue *q, struct msg *m)
{
	if (!msgs_put(&q->msgs, m)) {
		free(m); /* a stray that was found complete meanwhile */
		return;
	}
	if (m->state == MSG_HELD)
		q->held++;
}

static void
finish(struct scan *sc)
{
	struct queue *q = sc->q;
	struct finding *f;

	if (sc->n > 0)
		qsort(sc->v, sc->n, sizeof(struct msg *), by_mid);
	for (size_t i = 0; i < sc->n; i++)
		let_go(q, sc->v[i]);
	while ((f = sc->reports) != NULL) {
		struct msg *about = msgs_find(&q->msgs, id_span(&f->about));

		if (about != NULL)
			report_found(q, about, span_str(f->marks));
		sc->reports = f->next;
		free(f->marks);
		free(f);
	}
	for (struct msg *m = msgs_after(&q->msgs, (struct span){ 0 }); m != NULL;
	     m = msgs_after(&q->msgs, msg_mid(m)))
		if (m->state == MSG_SCANNED)
			msg_wait(q, m);
	log_event(
	    LOG_INFO, "queue.scanned", KV_U("messages", sc->n), KV_U("ms", clock_mono_ms() - sc->started));
	closedir(sc->dir);
	free(sc->v);
	buf_free(&sc->text);
	arena_free(sc->a);
	free(sc);
	q->scan = NULL;
}

static void
read_names(struct scan *sc)
{
	uint64_t end = clock_mono_ms() + SLICE_MS;
	struct dirent *d;

	do {
		errno = 0;
		d = readdir(sc->dir);
		if (d != NULL && id_valid(span_str(d->d_name)))
			look(sc, span_str(d->d_name));
	} while (d != NULL && clock_mono_ms() < end);
	if (d == NULL && errno != 0)
		log_event(LOG_ERROR, "queue.unreadable", KV_STR("err", strerror(errno)));
	if (d == NULL)
		sc->ended = clock_mono_ms();
}

static void
on_slice(struct timer *t)
{
	struct scan *sc = t->arg;
	bool wait = sc->q->strays.n > 0;

	if (sc->ended == 0)
		read_names(sc);
	else if (!wait || clock_mono_ms() >= sc->ended + STRAYS_WAIT_MS) {
		finish(sc);
		return;
	}
	loop_timer(sc->q->loop, &sc->slice, loop_now(sc->q->loop) + (wait && sc->ended != 0 ? 100 : 1));
}

void
scan_start(struct queue *q)
{
	struct scan *sc = mem_zero(1, sizeof *sc);
	int fd = openat(q->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	sc->q = q;
	sc->dir = fd >= 0 ? fdopendir(fd) : NULL;
	sc->started = clock_mono_ms();
	need(sc->dir != NULL);
	buf_init(&sc->text, TRAILER_MAX);
	sc->a = arena_new(WORK_ARENA_MAX);
	sc->slice = (struct timer){ .due = on_slice, .arg = sc };
	q->scan = sc;
	loop_timer(q->loop, &sc->slice, loop_now(q->loop) + 1);
}
