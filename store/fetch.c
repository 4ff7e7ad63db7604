/*
 * fetch.c - the variable parts of messages, in batches.
 *
 * A batch is read into memory in one go, so that no read transaction stays open while a slow client takes its
 * answer: an open one would keep SQLite from starting its WAL anew, and the WAL would grow without end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/file.h"
#include "store/inside.h"
#include "store/pack.h"

enum {
	BATCH_MESSAGES = 64,
	BATCH_OCTETS = 256 * 1024, /* read no further message behind so much */
	GAP = 16,                  /* rather step over so many rows than seek */
};

struct store_fetch {
	struct store *store;
	uint64_t mailbox;
	const uint32_t *uid; /* borrowed */
	size_t n, next;      /* the next to be read */
	unsigned what;

	struct store_msg msg[BATCH_MESSAGES];
	size_t at[BATCH_MESSAGES]; /* where its prefix starts in `text`, the structure behind it */
	unsigned nmsg, given;
	struct buf text;
};

struct store_fetch *
store_fetch_open(struct store_view *v, const uint32_t *uids, size_t n, unsigned what)
{
	struct store_fetch *f = mem_zero(1, sizeof *f);

	f->store = v->store;
	f->mailbox = v->mailbox;
	f->uid = uids;
	f->n = n;
	f->what = what;
	buf_init(&f->text, SIZE_MAX / 2);
	return f;
}

void
store_fetch_close(struct store_fetch *f)
{
	if (f == NULL)
		return;
	buf_free(&f->text);
	free(f);
}

static int
take_row(struct store_fetch *f, sqlite3_stmt *q, struct err *e)
{
	struct store_msg *m = &f->msg[f->nmsg];
	struct span digest = db_blob(q, 5);

	if (digest.n != STORE_DIGEST)
		return store_damaged(f->store, e, "digest of %zu octets", digest.n);
	*m = (struct store_msg){
		.uid = (uint32_t)db_num(q, 0),
		.file = id_from(db_text(q, 1)),
		.mid = id_from(db_text(q, 2)),
		.offset = db_num(q, 3),
		.length = db_num(q, 4),
		.packed = db_num(q, 8) != 0,
		.key = db_num(q, 0),
	};
	memcpy(m->digest, digest.p, STORE_DIGEST);
	if ((f->what & STORE_WANT_OBJECT) != 0)
		m->thread = db_num(q, 9);
	f->at[f->nmsg++] = f->text.n;
	m->prefix = db_blob(q, 6);
	buf_add(&f->text, NULL, m->prefix);
	if ((f->what & STORE_WANT_STRUCTURE) != 0) {
		m->structure = db_blob(q, 7);
		buf_add(&f->text, NULL, m->structure);
	}
	return 0;
}

static bool
batch_full(const struct store_fetch *f)
{
	return f->next == f->n || f->nmsg == BATCH_MESSAGES || f->text.n >= BATCH_OCTETS;
}

/* One run of a query: wanted rows until the batch is full, no row is left, or a gap makes a seek cheaper. */
static int
read_run(struct store_fetch *f, struct err *e)
{
	struct store *st = f->store;
	uint32_t uid = f->uid[f->next];
	sqlite3_stmt *q;
	int rc = 1;

	q = db_open_query(st, (f->what & STORE_WANT_OBJECT) != 0 ? Q_MSG_RANGE_OBJECT : Q_MSG_RANGE, e,
	    B_NUM(key_of(f->mailbox, uid)), B_NUM(key_of(f->mailbox, f->uid[f->n - 1])));
	while (!batch_full(f) && f->uid[f->next] - uid <= GAP && (rc = db_row(st, q, e)) == 1) {
		uid = (uint32_t)db_num(q, 0);
		while (f->next < f->n && f->uid[f->next] < uid) /* purged */
			f->next++;
		if (f->next < f->n && f->uid[f->next] == uid) {
			f->next++;
			if (take_row(f, q, e) < 0) {
				rc = -1;
				break;
			}
		}
	}
	db_done(q);
	if (rc == 0)
		f->next = f->n; /* no row is left: nor are the messages */
	return rc < 0 ? -1 : 0;
}

/* Spans into the text, which does not move any more. */
static void
settle(struct store_fetch *f)
{
	for (unsigned i = 0; i < f->nmsg; i++) {
		struct store_msg *m = &f->msg[i];

		m->prefix.p = f->text.p + f->at[i];
		m->structure.p = m->prefix.p + m->prefix.n;
	}
}

static int
read_batch(struct store_fetch *f, struct err *e)
{
	int rc = 0;

	f->nmsg = f->given = 0;
	buf_clear(&f->text);
	if (tx_begin(f->store, TX_READ, e) < 0)
		return -1;
	while (rc == 0 && !batch_full(f))
		rc = read_run(f, e);
	settle(f);
	return tx_end(f->store, rc, e);
}

int
store_fetch_next(struct store_fetch *f, struct store_msg *m, struct err *e)
{
	if (f->given == f->nmsg && f->next < f->n && read_batch(f, e) < 0)
		return -1;
	if (f->given == f->nmsg)
		return 0;
	*m = f->msg[f->given++];
	return 1;
}

/* It may have been compressed since it was fetched: what the row says now. 1, 0 if nothing has changed, -1. */
static int
look_again(struct store *st, struct store_msg *m, struct err *e)
{
	sqlite3_stmt *q;
	struct id file = m->file;
	int rc;

	if (m->key == 0)
		return 0;
	q = db_open_query(st, Q_MSG_FILE_NOW, e, B_NUM(m->key));
	if ((rc = db_row(st, q, e)) == 1) {
		m->file = id_from(db_text(q, 0));
		m->packed = db_num(q, 1) != 0;
	}
	db_done(q);
	return rc == 1 ? !span_same(id_span(&file), id_span(&m->file)) : rc;
}

static int
open_plain(struct store *st, const struct store_msg *m, struct err *e)
{
	struct store_msg now = *m;
	int fd = file_open(st->msg, now.file.s, O_RDONLY, 0), rc = 0;

	if (fd < 0 && errno == ENOENT && (rc = look_again(st, &now, e)) < 0)
		return -1;
	if (rc == 1)
		return store_msg_open(st, &now, e);
	if (fd < 0)
		return store_fail(
		    st, errno == ENOENT ? STORE_DAMAGED : STORE_OTHER, e, ERR_TEMP, "msg/%s: %m", m->file.s);
	return fd;
}

/* Its octets stand where those of the file before stood, so that who has m->offset from then finds them. */
static int
open_packed(struct store *st, const struct store_msg *m, struct err *e)
{
	int in = file_open(st->msg, m->file.s, O_RDONLY, 0), fd;

	if (in < 0)
		return store_fail(
		    st, errno == ENOENT ? STORE_DAMAGED : STORE_OTHER, e, ERR_TEMP, "msg/%s: %m", m->file.s);
	if ((fd = pack_open(in, m->offset, m->length, e)) < 0)
		st->why = e->kind == ERR_PERM ? STORE_DAMAGED : STORE_OTHER;
	close(in);
	return fd;
}

int
store_msg_open(struct store *st, const struct store_msg *m, struct err *e)
{
	if (m->file.s[0] == '\0')
		return store_damaged(st, e, "message %u names no file", m->uid);
	return m->packed ? open_packed(st, m, e) : open_plain(st, m, e);
}
