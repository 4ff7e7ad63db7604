#include "pop3d/maildrop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cfg/cfg.h"
#include "imap/structure.h"
#include "mail/surrogate.h"
#include "pop3d/send.h"
#include "pop3/uidl.h"

enum {
	LOCK_TRIES = 40,
	LOCK_PAUSE_MS = 50,
	PIECE = 64 * 1024,
	ARENA_MAX = 64 << 20,
	HEADER_MAX = 1 << 20, /* a longer one is sent as it is */
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
	struct store_mailbox box;
	int rc = store_mailbox(m->st, SPAN("INBOX"), &box, m->a, e);

	if (rc == 0)
		rc = err_set(e, ERR_TEMP, "there is no INBOX");
	if (rc < 0 || store_uidl_list(m->st, box.id, &m->uidl, &m->uidls, m->a, e) < 0)
		return -1;
	m->mailbox = box.id;
	if ((m->view = store_view_open(m->st, box.id, false, e)) == NULL)
		return -1;
	return store_view_load(m->view, 0, m->view->n, e);
}

/* Of one with more than a record can tell; if its structure cannot be read, its reading will say so. */
static uint64_t
crlf_many(const struct maildrop *m, uint32_t uid)
{
	struct store_fetch *f = store_fetch_open(m->view, &uid, 1, STORE_WANT_STRUCTURE);
	struct structure s = { 0 };
	struct store_msg msg;
	struct err e = { 0 };

	if (store_fetch_next(f, &msg, &e) != 1 || structure_open(msg.structure, &s, &e) < 0)
		s.crlf = STORE_CRLF_MANY;
	store_fetch_close(f);
	return s.crlf;
}

uint64_t
maildrop_size(const struct maildrop *m, uint32_t number)
{
	const struct store_rec *r = store_rec(m->view, number - 1);

	return r->size + (r->crlf == STORE_CRLF_MANY ? crlf_many(m, r->uid) : r->crlf);
}

static void
count(struct maildrop *m)
{
	m->left = m->n;
	m->left_size = 0;
	for (uint32_t i = 0; i < m->n; i++)
		m->left_size += maildrop_size(m, i + 1);
}

/*
 * Is it too early after the last login (RFC 2449, 6.5)? That is the time of an empty file beside the index: lost in a power
 * cut, it costs nobody anything.
 */
static bool
too_soon(int dir)
{
	uint64_t now = clock_wall_ms(), last;
	struct stat st;
	bool was, early = false;
	int fd;

	if (cfg.pop3_login_delay == 0)
		return false;
	was = fstatat(dir, "pop3", &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (was) {
		last = (uint64_t)st.st_mtim.tv_sec * 1000 + (uint64_t)st.st_mtim.tv_nsec / 1000000;
		early = now >= last && now - last < cfg.pop3_login_delay;
	}
	if (!early && (fd = openat(dir, "pop3", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)) >= 0) {
		futimens(fd, NULL);
		close(fd);
	}
	return early;
}

int
maildrop_open(struct maildrop *m, int dir, const char *boot_id, enum maildrop_why *why, struct err *e)
{
	struct store_opts opts = { .boot_id = boot_id, .create = true };
	int locked = lock(dir, e);

	*m = (struct maildrop){ .lock = dir };
	*why = locked == 0 ? MAILDROP_IN_USE : MAILDROP_BROKEN;
	if (locked <= 0)
		return locked == 0 ? err_set(e, ERR_TEMP, "another session has the maildrop") : -1;
	if (too_soon(dir)) {
		*why = MAILDROP_TOO_SOON;
		return err_set(e, ERR_TEMP, "too soon after the last login");
	}
	m->a = arena_new(ARENA_MAX);
	if ((m->st = store_open(".", &opts, e)) == NULL || open_inbox(m, e) < 0)
		return -1;
	m->n = m->view->n;
	m->mark = mem_zero(m->n > 0 ? m->n : 1, sizeof *m->mark);
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
	if (m->a != NULL)
		arena_free(m->a);
	free(m->mark);
	*m = (struct maildrop){ .lock = -1 };
}

const struct store_rec *
maildrop_get(const struct maildrop *m, uint32_t number)
{
	if (number == 0 || number > m->n || m->mark[number - 1].deleted)
		return NULL;
	return store_rec(m->view, number - 1);
}

void
maildrop_delete(struct maildrop *m, uint32_t number)
{
	const struct store_rec *r = maildrop_get(m, number);

	need(r != NULL);
	m->mark[number - 1].deleted = true;
	m->left--;
	m->left_size -= maildrop_size(m, number);
}

void
maildrop_retrieved(struct maildrop *m, uint32_t number)
{
	m->mark[number - 1].read = true;
}

void
maildrop_reset(struct maildrop *m)
{
	for (uint32_t i = 0; i < m->n; i++)
		m->mark[i].deleted = false;
	count(m);
}

static int
by_uid(const void *key, const void *at)
{
	const uint32_t *uid = key;
	const struct store_uidl *u = at;

	return (*uid > u->uid) - (*uid < u->uid);
}

int
maildrop_uidl(const struct maildrop *m, uint32_t number, struct buf *out, struct err *e)
{
	uint32_t uid = store_rec(m->view, number - 1)->uid;
	const struct store_uidl *brought = NULL;

	if (m->uidls > 0)
		brought = bsearch(&uid, m->uidl, m->uidls, sizeof *m->uidl, by_uid);
	if (brought != NULL)
		return buf_add(out, e, brought->text);
	return uidl_put(cfg.pop3_uidl, m->view->uidvalidity, uid, out, e);
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

/* The header of an internationalised message, with the prefix; 1, 0 it is none, -1. */
static int
foreign_header(const struct store_msg *msg, int fd, struct buf *header, size_t *size, struct err *e)
{
	struct structure st;
	struct buf region;
	ssize_t got;
	int rc = 0;

	if (structure_open(msg->structure, &st, e) < 0)
		return -1;
	*size = st.header_size;
	if ((st.flags & STRUCTURE_8BIT) == 0 || msg->prefix.n + st.header_size > HEADER_MAX)
		return 0;
	buf_init(&region, HEADER_MAX + 1);
	buf_add(&region, NULL, msg->prefix);
	while (rc == 0 && region.n < msg->prefix.n + st.header_size) {
		size_t at = region.n - msg->prefix.n, n = st.header_size - at;
		char *to = buf_room(&region, e, n);

		got = to == NULL ? -1 : pread(fd, to, n, (off_t)(msg->offset + at));
		if (got > 0)
			region.n += (size_t)got;
		else if (got == 0 || errno != EINTR)
			rc = err_set(
			    e, ERR_GONE, "message file: %s", got < 0 ? strerror(errno) : "too short");
	}
	if (rc == 0 && surrogate_needed(buf_span(&region)))
		rc = surrogate_header(buf_span(&region), header, e) < 0 ? -1 : 1;
	buf_free(&region);
	return rc;
}

static int
send_message(struct maildrop *m, const struct store_msg *msg, uint64_t lines, bool utf8, const char *first,
    struct conn *c, struct err *e)
{
	struct buf header;
	struct sender s;
	size_t skip = 0;
	int fd = store_msg_open(m->st, msg, e), foreign = 0, rc;

	if (fd < 0)
		return -1;
	buf_init(&header, 4 * HEADER_MAX);
	if (!utf8)
		foreign = foreign_header(msg, fd, &header, &skip, e);
	sender_init(&s, c, lines);
	rc = foreign < 0 ? -1 : conn_printf(c, e, "%s", first);
	if (rc == 0)
		rc = sender_add(&s, foreign > 0 ? buf_span(&header) : msg->prefix, e);
	if (foreign <= 0)
		skip = 0;
	if (rc == 0)
		rc = send_region(&s, fd, msg->offset + skip, msg->length - skip, e);
	if (rc == 0)
		rc = sender_end(&s, e);
	buf_free(&header);
	close(fd);
	return rc;
}

int
maildrop_send(struct maildrop *m, uint32_t number, uint64_t lines, bool utf8, const char *first,
    struct conn *c, struct err *e)
{
	uint32_t uid = store_rec(m->view, number - 1)->uid;
	struct store_fetch *f = store_fetch_open(
	    m->view, &uid, 1, utf8 ? STORE_WANT_FILE : STORE_WANT_STRUCTURE);
	struct store_msg msg;
	int rc = store_fetch_next(f, &msg, e);

	if (rc == 0)
		rc = err_set(e, ERR_PERM, "the message is no more");
	else if (rc > 0)
		rc = send_message(m, &msg, lines, utf8, first, c, e);
	store_fetch_close(f);
	return rc < 0 ? -1 : 0;
}

/* ---- changing */

int
maildrop_update(struct maildrop *m, uint64_t *modseq, struct err *e)
{
	struct store_expunged gone = { 0 };
	uint32_t *uids = mem_zero(m->n > 0 ? m->n : 1, sizeof *uids);
	size_t n = 0;
	int rc = 0;

	for (uint32_t i = 0; i < m->n; i++)
		if (m->mark[i].deleted)
			uids[n++] = store_rec(m->view, i)->uid;
	if (n > 0)
		rc = store_expunge(m->view, STORE_EXPUNGE_UIDS, uids, n, &gone, e);
	*modseq = gone.modseq;
	free(uids);
	return rc;
}

int
maildrop_seen(struct maildrop *m, uint64_t *modseq, struct err *e)
{
	const struct store_flags seen = { STORE_FLAGS_ADD, STORE_SEEN, NULL, 0, UINT64_MAX };
	struct store_flagged done = { 0 };
	uint32_t *seqs = arena_array(m->a, m->n, sizeof *seqs);
	size_t n = 0;

	for (uint32_t i = 0; i < m->n; i++)
		if (m->mark[i].read && !m->mark[i].deleted &&
		    (store_rec(m->view, i)->flags & STORE_SEEN) == 0)
			seqs[n++] = i + 1;
	if (n > 0 && store_flags(m->view, seqs, n, &seen, &done, m->a, e) < 0)
		return -1;
	*modseq = done.modseq;
	return 0;
}
