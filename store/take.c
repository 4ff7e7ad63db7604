/*
 * take.c - what comes from elsewhere with a history: messages of another server or of a backup, with the numbers that their
 * readers know; and the copy of an index that a backup is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "store/file.h"
#include "store/inside.h"
#include "store/vfs.h"

/* ---- once */

int
store_taken(struct store *st, uint64_t mailbox, struct span key, struct err *e)
{
	int64_t found;

	if (db_one(st, db_open_query(st, Q_TAKEN, e, B_NUM(mailbox), B_BLOB(key)), 0, &found, e) < 0)
		return -1;
	return found == 1;
}

static int
remember(struct store *st, uint64_t mailbox, struct span key, struct err *e)
{
	int known = key.n == 0 ? 0 : store_taken(st, mailbox, key, e);

	if (known == 1)
		return store_fail(st, STORE_CANNOT, e, ERR_TEMP, "a message that was taken already");
	return known < 0 ? -1 : key.n == 0 ? 0 : db_run(st, Q_TAKEN_ADD, e, B_NUM(mailbox), B_BLOB(key));
}

/* ---- messages */

static int
take_one(struct store *st, struct mbox *to, const struct store_append *a, struct err *e)
{
	struct store_uidl u = { .text = a->uidl };

	if (a->uid != 0 && a->uid < to->uidnext)
		return store_fail(st, STORE_CANNOT, e, ERR_PERM, "uid %u is used or was passed over", a->uid);
	if (a->uid != 0)
		to->uidnext = a->uid;
	if (remember(st, to->id, a->key, e) < 0 || message_append(st, to, a, &u.uid, e) < 0)
		return -1;
	return a->uidl.n == 0 ? 0 : db_run(st, Q_UIDL_SET, e, B_NUM(key_of(to->id, u.uid)), B_TEXT(a->uidl));
}

static int
take(struct store *st, uint64_t mailbox, const struct store_append *a, size_t n, struct store_appended *out,
    struct err *e)
{
	struct mbox *to = mbox_open(st, mailbox, e);

	if (to == NULL)
		return -1;
	if (to->noselect)
		return store_fail(st, STORE_NONEXISTENT, e, ERR_PERM, "no such mailbox");
	out->first_uid = a[0].uid != 0 ? a[0].uid : to->uidnext;
	out->uidvalidity = to->uidvalidity;
	for (size_t i = 0; i < n; i++) {
		if (a[i].uidl.n > 0 && !store_uidl_valid(a[i].uidl))
			return store_fail(st, STORE_CANNOT, e, ERR_PERM, "a unique id that is none");
		if (take_one(st, to, &a[i], e) < 0)
			return -1;
	}
	out->modseq = to->highestmodseq;
	return 0;
}

int
store_take(struct store *st, uint64_t mailbox, struct store_append *a, size_t n, struct store_appended *out,
    struct err *e)
{
	*out = (struct store_appended){ 0 };
	if (n == 0 || append_sync(st, a, n, e) < 0 || tx_begin(st, TX_DURABLE, e) < 0)
		return n == 0 ? 0 : -1;
	if (tx_end(st, take(st, mailbox, a, n, out, e), e) < 0)
		return -1;
	append_done(a, n);
	return 0;
}

/* ---- numbers that clients know */

static int
adopt(struct store *st, uint64_t mailbox, uint32_t uidvalidity, uint32_t uidnext, uint64_t modseq,
    struct err *e)
{
	struct mbox *m = mbox_open(st, mailbox, e);

	if (m == NULL)
		return -1;
	if (m->noselect || m->exist > 0 || m->uidnext != 1)
		return store_fail(
		    st, STORE_CANNOT, e, ERR_PERM, "the mailbox has numbers of its own already");
	if (uidvalidity == 0 || uidnext == 0 || modseq > INT64_MAX / 2)
		return store_fail(st, STORE_CANNOT, e, ERR_PERM, "not numbers that a mailbox can have");
	if (st->state.modseq < modseq)
		st->state.modseq = modseq;
	if (st->state.uidvalidity < uidvalidity)
		st->state.uidvalidity = uidvalidity;
	st->state.dirty = true;
	m->uidvalidity = uidvalidity;
	m->uidnext = m->recent_uid = uidnext;
	m->purged_modseq = mbox_touch(st, m);
	return db_run(st, Q_MAILBOX_UIDVALIDITY, e, B_NUM(m->id), B_NUM(uidvalidity));
}

int
store_adopt(struct store *st, uint64_t mailbox, uint32_t uidvalidity, uint32_t uidnext, uint64_t modseq,
    struct err *e)
{
	if (tx_begin(st, TX_DURABLE, e) < 0)
		return -1;
	return tx_end(st, adopt(st, mailbox, uidvalidity, uidnext, modseq, e), e);
}

static int
skip(struct store *st, uint64_t mailbox, uint32_t uidnext, struct err *e)
{
	struct mbox *m = mbox_open(st, mailbox, e);

	if (m == NULL)
		return -1;
	if (m->uidnext < uidnext) {
		m->uidnext = uidnext;
		m->dirty = true;
	}
	return 0;
}

int
store_skip(struct store *st, uint64_t mailbox, uint32_t uidnext, struct err *e)
{
	if (tx_begin(st, TX_DURABLE, e) < 0)
		return -1;
	return tx_end(st, skip(st, mailbox, uidnext, e), e);
}

/* ---- a copy */

/*
 * By one read transaction: SQLite reads pages as of its start, whatever is written meanwhile, and what is only in the WAL
 * yet is in the copy, which has none.
 */
static int
copy_to(struct store *st, sqlite3 *copy, struct err *e)
{
	sqlite3_backup *b;
	int rc;

	if (sqlite3_exec(copy, "PRAGMA synchronous = OFF", NULL, NULL, NULL) != SQLITE_OK ||
	    (b = sqlite3_backup_init(copy, "main", st->db, "main")) == NULL)
		return store_fail(
		    st, STORE_OTHER, e, ERR_TEMP, "copy of the index: %s", sqlite3_errmsg(copy));
	sqlite3_backup_step(b, -1);
	if ((rc = sqlite3_backup_finish(b)) != SQLITE_OK)
		return store_fail(st, rc == SQLITE_BUSY ? STORE_BUSY : STORE_OTHER, e, ERR_TEMP,
		    "copy of the index: %s", sqlite3_errstr(rc));
	/* Who opens the copy finds one file, and needs no WAL beside it. */
	sqlite3_exec(copy, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
	return 0;
}

int
store_snapshot(struct store *st, struct err *e)
{
	struct id id = id_new();
	char name[sizeof id + sizeof "copy-"];
	sqlite3 *copy = NULL;
	int fd = -1, rc = -1;

	snprintf(name, sizeof name, "copy-%s", id.s);
	if (sqlite3_open_v2(name, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
		vfs_name()) != SQLITE_OK)
		store_fail(st, STORE_OTHER, e, ERR_TEMP, "copy of the index: %s", sqlite3_errmsg(copy));
	else
		rc = copy_to(st, copy, e);
	sqlite3_close(copy);
	if (rc == 0 && (fd = file_open(AT_FDCWD, name, O_RDONLY, 0)) < 0)
		store_fail(st, STORE_OTHER, e, ERR_TEMP, "copy of the index: %s", strerror(errno));
	unlink(name);
	return fd;
}

ssize_t
store_files(struct store *st, struct span after, struct buf *out, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_MSG_FILES, e, B_TEXT(after));
	ssize_t n = 0;
	int rc;

	while ((rc = db_row(st, q, e)) == 1 && buf_add(out, e, db_text(q, 0)) == 0 &&
	       buf_byte(out, e, '\n') == 0)
		n++;
	db_done(q);
	return rc == 0 ? n : -1;
}

int
store_file_open(struct store *st, struct span name, struct err *e)
{
	struct id id = id_from(name);
	int fd = id.s[0] == '\0' ? -1 : file_open(st->msg, id.s, O_RDONLY, 0);

	if (fd < 0)
		store_fail(st, STORE_NONEXISTENT, e, id.s[0] == '\0' || errno == ENOENT ? ERR_PERM : ERR_TEMP,
		    "there is no message file of that name");
	return fd;
}
