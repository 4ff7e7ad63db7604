/* check.c - prove index and files against each other. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/adopt.h"
#include "store/check.h"
#include "store/dir.h"
#include "store/file.h"
#include "store/inside.h"
#include "store/repair.h"

enum { GARBAGE_AGE_MS = 3600 * 1000 };

struct check {
	struct store *st;
	unsigned what;
	const struct store_parser *parser; /* may be NULL */
	void (*found)(void *arg, struct span text);
	void *arg;
	int findings;
	uint64_t bytes, messages; /* summed over mailboxes that are not deleted */
};

__attribute__((format(printf, 2, 3))) static void
tell(struct check *c, const char *fmt, ...)
{
	char text[400];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	c->findings++;
	c->found(c->arg, span_of(text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1));
}

/* SQLite's own opinion. */
static int
check_sqlite(struct check *c, struct err *e)
{
	sqlite3_stmt *q = db_open_query(c->st, Q_INTEGRITY, e);
	int rc;

	while ((rc = db_row(c->st, q, e)) == 1)
		if (!span_eq(db_text(q, 0), "ok"))
			tell(c, "index.db: %.*s", SPAN_ARG(db_text(q, 0)));
	db_done(q);
	if (rc == 0 && c->findings > 0 &&
	    (c->what & STORE_CHECK_REPAIR) != 0) /* its own indexes it can make anew */
		return db_run(c->st, Q_REINDEX, e);
	return rc;
}

/* ---- records */

static void
count(struct mbox *sum, const struct chunk *k)
{
	for (uint32_t i = 0; i < k->n; i++) {
		sum->exist++;
		sum->unseen += unseen_of(&k->rec[i]);
		sum->deleted += deleted_of(&k->rec[i]);
		sum->bytes += k->rec[i].size;
		if (k->rec[i].modseq > sum->highestmodseq)
			sum->highestmodseq = k->rec[i].modseq;
	}
	if (k->n > 0 && k->rec[k->n - 1].uid >= sum->uidnext)
		sum->uidnext = k->rec[k->n - 1].uid + 1;
}

static bool
mends(const struct check *c)
{
	return (c->what & STORE_CHECK_REPAIR) != 0;
}

/* *lost: uids without a row, to be freed. */
static int
check_rows(
    struct check *c, const struct chunk *k, uint64_t mailbox, uint32_t **lost, size_t *n, struct err *e)
{
	int64_t there;

	for (uint32_t i = 0; i < k->n; i++) {
		uint64_t key = key_of(mailbox, k->rec[i].uid);

		if (db_one(c->st, db_open_query(c->st, Q_MSG_COUNT, e, B_NUM(key), B_NUM(key)), 0, &there,
			e) < 0)
			return -1;
		if (there == 1)
			continue;
		tell(c, "mailbox %llu: message %u has no row", (unsigned long long)mailbox, k->rec[i].uid);
		*lost = mem_resize(*lost, (*n + 1) * sizeof **lost);
		(*lost)[(*n)++] = k->rec[i].uid;
	}
	return 0;
}

static int
check_records(struct check *c, struct mbox *m, struct mbox *sum, uint32_t **lost, size_t *n, struct err *e)
{
	struct chunk k;
	uint64_t key = key_of(m->id, 0);
	uint32_t last = 0;
	int rc;

	while ((rc = chunk_after(c->st, m->id, key, &k, e)) == 1) {
		if (k.rec[0].uid <= last || k.rec[k.n - 1].uid >= m->uidnext)
			tell(c, "mailbox %llu: uids %u to %u are out of order", (unsigned long long)m->id,
			    k.rec[0].uid, k.rec[k.n - 1].uid);
		for (uint32_t i = 0; i < k.n; i++)
			if (k.rec[i].more > m->word_sets)
				tell(c, "mailbox %llu: message %u has keywords that are not there",
				    (unsigned long long)m->id, k.rec[i].uid);
			else if (k.rec[i].modseq > m->highestmodseq || k.rec[i].modseq > k.modseq ||
				 k.rec[i].created > k.rec[i].modseq)
				tell(c, "mailbox %llu: message %u has modseq %llu, above its mailbox's",
				    (unsigned long long)m->id, k.rec[i].uid,
				    (unsigned long long)k.rec[i].modseq);
		count(sum, &k);
		if (check_rows(c, &k, m->id, lost, n, e) < 0)
			return -1;
		last = k.rec[k.n - 1].uid;
		key = k.key;
	}
	return rc;
}

static int
check_directory_of(struct check *c, const struct mbox *m, struct err *e)
{
	int rc = dir_true(c->st, m->id, e);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	tell(c, "mailbox %llu: the directory is not that of its chunks", (unsigned long long)m->id);
	return (c->what & STORE_CHECK_REPAIR) != 0 ? dir_build(c->st, m->id, e) : 0;
}

/* What a mailbox must be above of. */
static int
raise_numbers(struct check *c, const struct mbox *m, const struct mbox *sum, struct err *e)
{
	struct mbox *own;

	if (sum->uidnext <= m->uidnext && sum->highestmodseq <= m->highestmodseq)
		return 0;
	if (!mends(c) || !m->named)
		return 0;
	if ((own = mbox_open(c->st, m->id, e)) == NULL)
		return -1;
	if (own->uidnext < sum->uidnext)
		own->uidnext = sum->uidnext;
	if (c->st->state.modseq < sum->highestmodseq)
		c->st->state.modseq = sum->highestmodseq;
	mbox_touch(c->st, own);
	return 0;
}

static int
check_mailbox(struct check *c, struct mbox *m, struct err *e)
{
	struct mbox sum = { 0 };
	struct mbox *own;
	uint32_t *lost = NULL, gone = 0;
	size_t n = 0;
	int rc = check_records(c, m, &sum, &lost, &n, e);

	if (rc == 0 && n > 0 && mends(c) && m->named &&
	    ((own = mbox_open(c->st, m->id, e)) == NULL || expunge_uids(c->st, own, lost, n, &gone, e) < 0 ||
		mbox_write_all(c->st, e) < 0))
		rc = -1;
	free(lost);
	if (rc < 0 || check_directory_of(c, m, e) < 0 || raise_numbers(c, m, &sum, e) < 0)
		return -1;
	if (gone > 0) { /* counted again, as it is now */
		own = mbox_open(c->st, m->id, e);
		return own == NULL ? -1 : check_mailbox(c, own, e);
	}
	if (m->named) {
		c->bytes += sum.bytes;
		c->messages += sum.exist;
	}
	if (sum.exist == m->exist && sum.unseen == m->unseen && sum.deleted == m->deleted &&
	    sum.bytes == m->bytes)
		return 0;
	tell(c,
	    "mailbox %llu: counters say %u messages, %u unseen, %u deleted, %llu octets; there are %u, %u, "
	    "%u, %llu",
	    (unsigned long long)m->id, m->exist, m->unseen, m->deleted, (unsigned long long)m->bytes,
	    sum.exist, sum.unseen, sum.deleted, (unsigned long long)sum.bytes);
	if ((c->what & STORE_CHECK_REPAIR) == 0 || !m->named)
		return 0;
	if ((own = mbox_open(c->st, m->id, e)) == NULL)
		return -1;
	own->exist = sum.exist;
	own->unseen = sum.unseen;
	own->deleted = sum.deleted;
	own->bytes = sum.bytes;
	if (own->recent > own->exist)
		own->recent = own->exist;
	own->dirty = true;
	return 0;
}

static int
check_mailboxes(struct check *c, struct err *e)
{
	struct store *st = c->st;
	uint64_t last = 0;
	int rc = 1;

	while (rc == 1) {
		struct mbox m = { 0 };
		sqlite3_stmt *q = db_open_query(st, Q_MAILBOX_EACH, e, B_NUM(last));

		if ((rc = db_row(st, q, e)) == 1 && mbox_read(st, q, &m, e) < 0)
			rc = -1;
		db_done(q);
		last = m.id;
		if (rc == 1 && check_mailbox(c, &m, e) < 0)
			rc = -1;
		mbox_done(&m);
	}
	return rc;
}

static int
check_usage(struct check *c, struct err *e)
{
	struct state *s = &c->st->state;
	struct store_usage now;

	if (store_usage(c->st, &now, e) < 0)
		return -1;
	if (mends(c)) /* what this transaction has changed is not in the row yet */
		now = (struct store_usage){ .bytes = s->bytes, .messages = s->messages };
	if (now.bytes == c->bytes && now.messages == c->messages)
		return 0;
	tell(c, "usage says %llu octets in %llu messages; there are %llu in %llu",
	    (unsigned long long)now.bytes, (unsigned long long)now.messages, (unsigned long long)c->bytes,
	    (unsigned long long)c->messages);
	if (mends(c)) {
		s->bytes = c->bytes;
		s->messages = c->messages;
		s->dirty = true;
	}
	return 0;
}

/* ---- files */

/* A message whose file is lost is no message; what its octets were is in its row, and in backups. */
static int
drop_lost(struct check *c, uint64_t key, struct err *e)
{
	if (tx_begin(c->st, TX_DURABLE, e) < 0)
		return -1;
	return tx_end(c->st, repair_drop(c->st, key, e), e);
}

/* Row by row, so that no statement is open while a file is read. */
static int
check_messages(struct check *c, struct err *e)
{
	struct check_row row = { 0 };
	int rc, bad;

	while ((rc = check_next_row(c->st, row.key, &row, e)) == 1) {
		if ((bad = check_row_file(c->st, &row, c->what, c->found, c->arg, e)) < 0)
			return -1;
		c->findings += bad != 0;
		if (bad == CHECK_MISSING && mends(c) && drop_lost(c, row.key, e) < 0)
			return -1;
	}
	return rc;
}

/* When it got its name, which has the time; of another name: when it was last changed in any way. */
static uint64_t
born_ms(const char *name, const struct stat *sb)
{
	uint64_t ms = id_time_ms(span_str(name));

	return ms != 0 ? ms : (uint64_t)sb->st_ctim.tv_sec * 1000;
}

/* A file that no row names, if it is so old that no delivery or APPEND can be about to name it. */
static int
check_garbage(struct check *c, const char *name, struct err *e)
{
	struct stat sb;
	int64_t used;
	int needless;

	if (db_one(c->st, db_open_query(c->st, Q_MSG_OF_FILE, e, B_TEXT(span_str(name))), 0, &used, e) < 0)
		return -1;
	if (used != 0 || fstatat(c->st->msg, name, &sb, AT_SYMLINK_NOFOLLOW) < 0 ||
	    born_ms(name, &sb) + GARBAGE_AGE_MS > clock_wall_ms())
		return 0;
	tell(c, "no message has this file: msg/%s", name);
	if (!mends(c))
		return 0;
	if ((needless = adopt_needless(c->st, name, e)) < 0)
		return -1;
	if (!needless)
		return adopt_file(c->st, name, SPAN("lost+found"), c->parser, e);
	return unlinkat(c->st->msg, name, 0) < 0 ? err_set(e, ERR_TEMP, "msg/%s: unlink: %m", name) : 0;
}

static int
check_directory(struct check *c, struct err *e)
{
	int fd = file_open(c->st->msg, ".", O_RDONLY | O_DIRECTORY, 0), rc = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return err_set(e, ERR_TEMP, "msg: %m");
	}
	while (rc == 0 && (entry = readdir(d)) != NULL)
		if (entry->d_name[0] != '.')
			rc = check_garbage(c, entry->d_name, e);
	closedir(d);
	return rc;
}

/* Packs and rows first, so that what comes in anew is counted with the others. */
static int
check_index(struct check *c, struct err *e)
{
	struct repair_tell t = { .found = c->found, .arg = c->arg, .mend = mends(c) };
	int rc = repair_packs(c->st, &t, e);

	if (rc == 0 && (t.n == 0 || t.mend))
		rc = repair_rows(c->st, &t, e);
	c->findings += t.n;
	if (rc < 0 || (t.n > 0 && !t.mend)) /* of what cannot be read nothing more can be said */
		return rc;
	if (mends(c) && mbox_write_all(c->st, e) < 0)
		return -1;
	if (check_mailboxes(c, e) < 0)
		return -1;
	return check_usage(c, e);
}

int
store_check(
    struct store *st, unsigned what, void (*found)(void *arg, struct span text), void *arg, struct err *e)
{
	return store_check_with(st, what, NULL, found, arg, e);
}

int
store_check_with(struct store *st, unsigned what, const struct store_parser *parser,
    void (*found)(void *arg, struct span text), void *arg, struct err *e)
{
	struct check c = { .st = st, .what = what, .parser = parser, .found = found, .arg = arg };
	enum tx_kind kind = mends(&c) ? TX_DURABLE : TX_READ; /* who only looks holds up nobody */

	if (check_sqlite(&c, e) < 0 || tx_begin(st, kind, e) < 0 || tx_end(st, check_index(&c, e), e) < 0 ||
	    check_messages(&c, e) < 0 || check_directory(&c, e) < 0)
		return -1;
	return c.findings;
}
