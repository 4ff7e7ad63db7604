/*
 * deliver.c - deliveries: many share a transaction, none is synced alone.
 *
 * What a crash may leave: a link without a row (garbage, invariant 5), a row without its link (made again
 * when the queue delivers again: heal), never a row without its delivery id (invariant 6).
 */
#include <errno.h>
#include <sodium.h>
#include <unistd.h>

#include "store/acl.h"
#include "store/file.h"
#include "store/inside.h"

int
store_batch_begin(struct store *st, struct err *e)
{
	st->why = STORE_OTHER;
	if (st->lost)
		return store_fail(st, STORE_OTHER, e, ERR_TEMP, "an earlier sync failed");
	return tx_begin(st, TX_UNSYNCED, e);
}

int
store_batch_commit(struct store *st, struct err *e)
{
	return st->tx == TX_UNSYNCED ? tx_commit(st, e)
				     : store_fail(st, STORE_OTHER, e, ERR_TEMP, "the batch was dropped");
}

void
store_batch_drop(struct store *st)
{
	st->depth = 0;
	if (st->tx != TX_NONE)
		tx_rollback(st);
}

static int
find(struct store *st, struct span name, int64_t *id, struct err *e)
{
	struct err bad = { 0 };
	struct buf b;
	int rc = 0;

	*id = 0;
	buf_init(&b, STORE_NAME_MAX + 1);
	if (name.n > 0 && name_check(st, name, &b, &bad) == 0)
		rc = db_one(st, db_open_query(st, Q_MAILBOX_SELECTED, e, B_TEXT(buf_span(&b))), 0, id, e);
	buf_free(&b);
	return rc;
}

/*
 * Mail to a mailbox's own address comes from anyone: he must have p (RFC 4314, 2.1). 1, 0, -1. A mailbox of an account
 * that is shared with nobody is the owner's own matter; `unlisted`: what that means.
 */
static int
may_post(struct store *st, int64_t id, bool unlisted, struct err *e)
{
	const struct store_reader stranger = { 0 };
	struct arena *a = arena_new(1 << 20);
	struct store_acl acl = { 0 };
	uint64_t changes;
	bool others = false;
	int rc = store_acl_number(st, &changes, e);

	if (rc == 0 && changes > 0) /* not for nothing: reading writes first what this transaction did */
		rc = store_acl_read(st, (uint64_t)id, &acl, a, e);

	for (size_t i = 0; rc == 0 && i < acl.n; i++)
		others |= !span_eq(acl.p[i].who, "owner") && !span_eq(acl.p[i].who, "-owner");
	if (rc == 0)
		rc = others ? (store_acl_rights(&acl, &stranger) & STORE_MAY_POST) != 0 : unlisted;
	arena_free(a);
	return rc;
}

/*
 * The mailbox to deliver to. Of an account: the folder, if there is one that may be posted to, else INBOX. Of a tree: the
 * folder or the root, if it may be posted to; else STORE_CANNOT.
 */
static int
target(struct store *st, struct span folder, uint64_t *id, struct err *e)
{
	int64_t found = 0;
	int may = 0;

	if (st->tree && folder.n == 0)
		folder = SPAN("INBOX");
	if (find(st, folder, &found, e) < 0 || (found != 0 && (may = may_post(st, found, !st->tree, e)) < 0))
		return -1;
	if (st->tree && may == 0)
		return store_fail(st, STORE_CANNOT, e, ERR_PERM, "nobody may post to this mailbox");
	if (may == 0 && find(st, SPAN("INBOX"), &found, e) < 0)
		return -1;
	if (found == 0)
		return store_damaged(st, e, "there is no INBOX");
	*id = (uint64_t)found;
	return 0;
}

/* 1 it is new, and noted; 0 it was delivered before, *out says where; -1. */
static int
note_delivery(struct store *st, const struct store_delivery *d, struct store_delivered *out, struct err *e)
{
	int64_t key;

	if (db_run(st, Q_DELIVERED_NEW, e, B_TEXT(d->mid), B_NUM(d->index)) < 0)
		return -1;
	if (db_changes(st) == 1)
		return 1;
	if (db_one(st, db_open_query(st, Q_DELIVERED, e, B_TEXT(d->mid), B_NUM(d->index)), 0, &key, e) < 0)
		return -1;
	st->owed = true; /* whether it was synced then is not known */
	*out = (struct store_delivered){
		.mailbox = (uint64_t)key >> 32,
		.uid = (uint32_t)key,
		.again = true,
	};
	return 0;
}

/*
 * It was delivered before. Rows can have become durable without the link (another process synced the index,
 * and then the power went): the file is made again from the spool's, which the queue keeps for this.
 */
static int
heal(struct store *st, const struct store_delivery *d, const struct store_delivered *out, struct err *e)
{
	sqlite3_stmt *q;
	struct id file = { 0 };
	int rc;

	q = db_open_query(st, Q_MSG_FILE, e, B_NUM(key_of(out->mailbox, out->uid)));
	if ((rc = db_row(st, q, e)) == 1)
		file = id_from(db_text(q, 0));
	db_done(q);
	if (rc <= 0)
		return rc; /* 0: expunged and purged since */
	if (faccessat(st->msg, file.s, F_OK, 0) == 0 || errno != ENOENT)
		return 0;
	return file_take(st->msg, d->spool, d->file, d->size, &file, e) < 0 ? -1 : 0;
}

/* A delivery that is refused leaves no trace. */
static int
refuse(struct store *st, const struct store_delivery *d)
{
	struct err second = { 0 };

	if (db_run(st, Q_DELIVERED_DROP, &second, B_TEXT(d->mid), B_NUM(d->index)) < 0)
		st->why = STORE_OTHER; /* so the batch is dropped */
	return -1;
}

static int
add(struct store *st, struct mbox *m, const struct store_delivery *d, struct store_delivered *out,
    struct err *e)
{
	struct new_msg msg = {
		.rec = { .date_ms = d->date_ms, .zone = d->zone },
		.length = d->size,
		.mid = d->mid,
		.digest = d->digest,
		.prefix = d->prefix,
		.structure = d->structure,
	};
	int rc;

	if (quota_check(st, m->id, 0, d->prefix.n + d->size, 1, e) < 0)
		return refuse(st, d);
	msg.file = (struct id){ 0 };
	if ((rc = file_take(st->msg, d->spool, d->file, d->size, &msg.file, e)) == 0) {
		store_fail(st, STORE_NONEXISTENT, e, ERR_PERM, "there is no spool file %s", d->file);
		return refuse(st, d);
	}
	if (rc < 0)
		return -1;
	tx_linked(st, &msg.file);
	st->owed = true;
	if (message_add(st, m, &msg, e) < 0)
		return -1;
	*out = (struct store_delivered){ .mailbox = m->id, .modseq = m->highestmodseq, .uid = msg.rec.uid };
	return db_run(
	    st, Q_DELIVERED_SET, e, B_TEXT(d->mid), B_NUM(d->index), B_NUM(key_of(m->id, msg.rec.uid)));
}

int
store_deliver(struct store *st, const struct store_delivery *d, struct store_delivered *out, struct err *e)
{
	struct mbox *m;
	uint64_t id = 0;
	int rc;

	st->why = STORE_OTHER;
	if (st->tx != TX_UNSYNCED)
		return store_fail(st, STORE_OTHER, e, ERR_TEMP, "the batch was dropped");
	if (!id_valid(d->mid) || d->digest.n != STORE_DIGEST)
		return store_fail(st, STORE_OTHER, e, ERR_PERM, "not a delivery");
	if (target(st, d->folder, &id, e) < 0 || number_ready(st, id, &m, e) < 0)
		return -1;
	if ((rc = note_delivery(st, d, out, e)) <= 0)
		return rc < 0 ? -1 : heal(st, d, out, e);
	return add(st, m, d, out, e);
}

/* A new file with these octets, on disk; removed if the transaction fails. */
static int
own_file(struct store *st, struct span octets, struct id *name, struct err *e)
{
	int fd = file_create(st->msg, name, e), rc = 0;

	if (fd < 0)
		return -1;
	tx_linked(st, name);
	if (file_put(fd, octets.p, octets.n) < 0 || fdatasync(fd) < 0)
		rc = store_fail(st, STORE_OTHER, e, ERR_TEMP, "message file: %s", strerror(errno));
	close(fd);
	return rc;
}

int
store_deliver_own(struct store *st, struct span octets, struct span structure, int64_t date_ms,
    struct store_delivered *out, struct err *e)
{
	unsigned char digest[STORE_DIGEST];
	struct new_msg msg = {
		.rec = { .date_ms = date_ms },
		.length = octets.n,
		.digest = span_of(digest, sizeof digest),
		.structure = structure,
	};
	struct mbox *m;
	uint64_t id = 0;

	if (st->tx != TX_UNSYNCED)
		return store_fail(st, STORE_OTHER, e, ERR_TEMP, "the batch was dropped");
	if (target(st, SPAN(""), &id, e) < 0 || number_ready(st, id, &m, e) < 0)
		return -1;
	crypto_generichash(digest, sizeof digest, (const unsigned char *)octets.p, octets.n, NULL, 0);
	if (own_file(st, octets, &msg.file, e) < 0)
		return -1;
	st->owed = true;
	if (message_add(st, m, &msg, e) < 0)
		return -1;
	*out = (struct store_delivered){ .mailbox = m->id, .modseq = m->highestmodseq, .uid = msg.rec.uid };
	return 0;
}
