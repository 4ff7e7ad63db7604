#include "pop3d/maildrop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "pop3d/send.h"

enum {
	LOCK_TRIES = 40,
	LOCK_PAUSE_MS = 50,
	PIECE = 64 * 1024,
	ARENA_MAX = 1024 * 1024,
};

/* 1 it is ours, 0 another's, -1. */
static int
lock(int dir, struct err *e)
{
	struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000L };

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(dir, LOCK_EX | LOCK_NB) == 0)
			return 1;
		if (errno != EWOULDBLOCK)
			return err_set(e, ERR_TEMP, "lock: %m");
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int
open_inbox(struct maildrop *m, struct err *e)
{
	struct arena *a = arena_new(ARENA_MAX);
	struct store_mailbox box;
	int rc = store_mailbox(m->st, SPAN("INBOX"), &box, a, e);

	if (rc == 0)
		rc = err_set(e, ERR_TEMP, "there is no INBOX");
	if (rc > 0)
		m->mailbox = box.id;
	if (rc > 0 && (m->view = store_view_open(m->st, box.id, false, e)) == NULL)
		rc = -1;
	arena_free(a);
	return rc > 0 ? 0 : -1;
}

static void
count(struct maildrop *m)
{
	m->left = m->n;
	m->left_size = 0;
	for (uint32_t i = 0; i < m->n; i++)
		m->left_size += store_rec(m->view, i)->size;
}

int
maildrop_open(struct maildrop *m, int dir, const char *boot_id, bool *in_use, struct err *e)
{
	struct store_opts opts = { .boot_id = boot_id, .create = true };
	int locked = lock(dir, e);

	*m = (struct maildrop){ .lock = dir };
	*in_use = locked == 0;
	if (locked <= 0)
		return locked == 0 ? err_set(e, ERR_TEMP, "another session has the maildrop") : -1;
	if ((m->st = store_open(".", &opts, e)) == NULL || open_inbox(m, e) < 0)
		return -1;
	m->n = m->view->n;
	m->deleted = mem_zero(m->n > 0 ? m->n : 1, sizeof *m->deleted);
	/* For the whole session: the view is never brought up to date. */
	if (store_view_load(m->view, 0, m->n, e) < 0)
		return -1;
	count(m);
	return 0;
}

void
maildrop_close(struct maildrop *m)
{
	if (m->view != NULL)
		store_view_close(m->view);
	if (m->st != NULL)
		store_close(m->st);
	if (m->lock >= 0)
		close(m->lock);
	free(m->deleted);
	*m = (struct maildrop){ .lock = -1 };
}

const struct store_rec *
maildrop_get(const struct maildrop *m, uint32_t number)
{
	if (number == 0 || number > m->n || m->deleted[number - 1])
		return NULL;
	return store_rec(m->view, number - 1);
}

void
maildrop_delete(struct maildrop *m, uint32_t number)
{
	const struct store_rec *r = maildrop_get(m, number);

	need(r != NULL);
	m->deleted[number - 1] = true;
	m->left--;
	m->left_size -= r->size;
}

void
maildrop_reset(struct maildrop *m)
{
	memset(m->deleted, 0, m->n * sizeof *m->deleted);
	count(m);
}

/* ---- sending */

static int
send_region(struct sender *s, int fd, uint64_t at, uint64_t n, struct err *e)
{
	char *piece = mem_zero(1, PIECE);
	int rc = 0;

	while (n > 0 && rc == 0 && !s->done) {
		ssize_t got = pread(fd, piece, n < PIECE ? (size_t)n : PIECE, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			rc = err_set(e, ERR_GONE, "message file: %s",
			    got < 0 ? strerror(errno) : "shorter than it should be");
			break;
		}
		rc = sender_add(s, span_of(piece, (size_t)got), e);
		at += (uint64_t)got;
		n -= (uint64_t)got;
	}
	free(piece);
	return rc;
}

static int
send_message(struct maildrop *m, const struct store_msg *msg, uint64_t lines, const char *first,
    struct conn *c, struct err *e)
{
	struct sender s;
	int fd = store_msg_open(m->st, msg, e), rc;

	if (fd < 0)
		return -1;
	sender_init(&s, c, lines);
	rc = conn_printf(c, e, "%s", first);
	if (rc == 0)
		rc = sender_add(&s, msg->prefix, e);
	if (rc == 0)
		rc = send_region(&s, fd, msg->offset, msg->length, e);
	if (rc == 0)
		rc = sender_end(&s, e);
	close(fd);
	return rc;
}

int
maildrop_send(
    struct maildrop *m, uint32_t number, uint64_t lines, const char *first, struct conn *c, struct err *e)
{
	uint32_t uid = store_rec(m->view, number - 1)->uid;
	struct store_fetch *f = store_fetch_open(m->view, &uid, 1, STORE_WANT_FILE);
	struct store_msg msg;
	int rc = store_fetch_next(f, &msg, e);

	if (rc == 0)
		rc = err_set(e, ERR_PERM, "the message is no more");
	else if (rc > 0)
		rc = send_message(m, &msg, lines, first, c, e);
	store_fetch_close(f);
	return rc < 0 ? -1 : 0;
}

int
maildrop_update(struct maildrop *m, uint64_t *modseq, struct err *e)
{
	struct store_expunged gone = { 0 };
	uint32_t *uids = mem_zero(m->n > 0 ? m->n : 1, sizeof *uids);
	size_t n = 0;
	int rc = 0;

	for (uint32_t i = 0; i < m->n; i++)
		if (m->deleted[i])
			uids[n++] = store_rec(m->view, i)->uid;
	if (n > 0)
		rc = store_expunge(m->view, STORE_EXPUNGE_UIDS, uids, n, &gone, e);
	*modseq = gone.modseq;
	free(uids);
	return rc;
}
