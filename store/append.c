/* append.c - new messages: their files, rows and records; APPEND (RFC 3501, 6.3.11; 3502). */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "imap/structure.h"
#include "store/file.h"
#include "store/inside.h"
#include "store/seen.h"

/* ---- the file */

int
store_file_new(struct store *st, struct store_file *f, struct err *e)
{
	crypto_generichash_state *h;

	*f = (struct store_file){ .fd = -1 };
	if ((f->fd = file_create(st->msg, &f->id, e)) < 0) {
		f->id.s[0] = '\0';
		return -1;
	}
	/* The state wants the alignment that its type says, which can be more than malloc's. */
	if ((h = aligned_alloc(64, (sizeof *h + 63) & ~(size_t)63)) == NULL) {
		store_file_drop(st, f);
		return err_set(e, ERR_TEMP, "no memory");
	}
	crypto_generichash_init(h, NULL, 0, STORE_DIGEST);
	f->digest = h;
	return 0;
}

int
store_file_write(struct store_file *f, struct span octets, struct err *e)
{
	if (file_put(f->fd, octets.p, octets.n) < 0)
		return err_set(e, ERR_TEMP, "message file: %m");
	crypto_generichash_update(f->digest, (const unsigned char *)octets.p, octets.n);
	f->size += octets.n;
	return 0;
}

void
store_file_rest(struct store_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

static void
file_close(struct store_file *f)
{
	if (f->id.s[0] != '\0')
		store_file_rest(f);
	free(f->digest);
	*f = (struct store_file){ .fd = -1 };
}

void
store_file_drop(struct store *st, struct store_file *f)
{
	if (f->id.s[0] != '\0')
		unlinkat(st->msg, f->id.s, 0);
	file_close(f);
}

/* ---- row and record */

/* Every row has a structure, so that no reader needs to look at a message's octets for want of one. */
static int
insert_row(struct store *st, uint64_t key, const struct new_msg *msg, struct err *e)
{
	struct buf opaque;
	struct span structure = msg->structure;
	int rc = 0;

	buf_init(&opaque, STRUCTURE_MAX);
	if (structure.n == 0) {
		if (msg->length > UINT32_MAX)
			rc = store_fail(st, STORE_LIMIT, e, ERR_PERM, "a message of 4 GiB or more");
		else
			rc = structure_opaque((uint32_t)msg->length, 0, 0, &opaque, e);
		structure = buf_span(&opaque);
	}
	if (rc == 0)
		rc = db_run(st, Q_MSG_NEW, e, B_NUM(key), B_TEXT(id_span(&msg->file)), B_TEXT(msg->mid),
		    B_NUM(0), B_NUM(msg->length), B_BLOB(msg->digest), B_BLOB(msg->prefix),
		    B_BLOB(structure));
	if (rc == 0)
		rc = object_add(st, key, &msg->rec, msg->digest, msg->prefix, structure, e);
	buf_free(&opaque);
	return rc;
}

/* For POP3, which must tell it of each message at the login (RFC 1939, 11). */
static uint16_t
crlf_of(struct span record)
{
	struct structure s;
	struct err e = { 0 };

	if (record.n == 0 || structure_open(record, &s, &e) < 0)
		return 0;
	return s.crlf < STORE_CRLF_MANY ? (uint16_t)s.crlf : STORE_CRLF_MANY;
}

int
message_add(struct store *st, struct mbox *m, struct new_msg *msg, struct err *e)
{
	need(msg->digest.n == STORE_DIGEST);
	if (msg->prefix.n > STORE_PREFIX_MAX || msg->structure.n > STRUCTURE_MAX)
		return store_fail(
		    st, STORE_LIMIT, e, ERR_PERM, "prefix or structure of a message is too large");
	msg->rec.size = msg->prefix.n + msg->length;
	msg->rec.crlf = crlf_of(msg->structure);
	if (msg->rec.saved_ms == 0)
		msg->rec.saved_ms = (int64_t)clock_wall_ms();
	if (mbox_add(st, m, &msg->rec, e) < 0)
		return -1;
	return insert_row(st, key_of(m->id, msg->rec.uid), msg, e);
}

/* ---- APPEND */

/* Invariant 7. Of many files the file system is synced once, not each. */
int
append_sync(struct store *st, const struct store_append *m, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (m[i].file->fd >= 0)
			continue;
		if (syncfs(st->msg) < 0)
			return store_fail(st, STORE_OTHER, e, ERR_TEMP, "msg: syncfs: %s", strerror(errno));
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		if (fdatasync(m[i].file->fd) < 0)
			return store_fail(
			    st, STORE_OTHER, e, ERR_TEMP, "message file: fdatasync: %s", strerror(errno));
	if (fsync(st->msg) < 0)
		return store_fail(st, STORE_OTHER, e, ERR_TEMP, "msg: fsync: %s", strerror(errno));
	return 0;
}

void
append_done(struct store_append *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		file_close(m[i].file);
}

int
message_append(struct store *st, struct mbox *to, const struct store_append *a, uint32_t *uid, struct err *e)
{
	unsigned char digest[STORE_DIGEST];
	crypto_generichash_state h = *(const crypto_generichash_state *)a->file->digest;
	struct new_msg msg = {
		.rec = { .flags = a->flags & STORE_SYSTEM_FLAGS,
		    .date_ms = a->date_ms,
		    .zone = a->zone,
		    .saved_ms = a->saved_ms },
		.file = a->file->id,
		.length = a->file->size,
		.digest = span_of(digest, sizeof digest),
		.structure = a->structure,
		.prefix = a->prefix,
	};

	crypto_generichash_final(&h, digest, sizeof digest);
	if (seen_private(st))
		msg.rec.flags &= ~(uint32_t)STORE_SEEN; /* to the owner it is new */
	if (mbox_keywords(st, to, a->keywords, a->nkeywords, &msg.rec, e) < 0 ||
	    message_add(st, to, &msg, e) < 0)
		return -1;
	*uid = msg.rec.uid;
	return 0;
}

/* \Seen of a reader who has his own. */
static int
append_seen(
    struct store *st, struct mbox *to, const struct store_append *a, size_t n, uint32_t first, struct err *e)
{
	uint32_t *uids;
	bool *seen;
	int rc;

	if (!seen_private(st))
		return 0;
	uids = mem_zero(n, sizeof *uids);
	seen = mem_zero(n, sizeof *seen);
	for (size_t i = 0; i < n; i++) {
		uids[i] = first + (uint32_t)i;
		seen[i] = (a[i].flags & STORE_SEEN) != 0;
	}
	rc = seen_added(st, to, uids, seen, n, e);
	free(uids);
	free(seen);
	return rc;
}

static int
append(struct store *st, uint64_t mailbox, const struct store_append *a, size_t n, struct store_appended *out,
    struct err *e)
{
	struct mbox *to = mbox_open(st, mailbox, e);
	uint64_t bytes = 0;
	uint32_t uid;

	if (to == NULL)
		return -1;
	if (to->noselect)
		return store_fail(st, STORE_NONEXISTENT, e, ERR_PERM, "no such mailbox");
	for (size_t i = 0; i < n; i++)
		bytes += a[i].file->size;
	if (quota_check(st, mailbox, 0, bytes, n, e) < 0)
		return -1;
	out->first_uid = to->uidnext;
	out->uidvalidity = to->uidvalidity;
	for (size_t i = 0; i < n; i++)
		if (message_append(st, to, &a[i], &uid, e) < 0)
			return -1;
	out->modseq = to->highestmodseq;
	return append_seen(st, to, a, n, out->first_uid, e);
}

int
store_append(struct store *st, uint64_t mailbox, struct store_append *a, size_t n, struct store_appended *out,
    struct err *e)
{
	*out = (struct store_appended){ 0 };
	if (n == 0 || append_sync(st, a, n, e) < 0 || tx_begin(st, TX_DURABLE, e) < 0)
		return n == 0 ? 0 : -1;
	if (tx_end(st, append(st, mailbox, a, n, out, e), e) < 0)
		return -1;
	append_done(a, n);
	return 0;
}

static int
replace(struct store_view *v, uint32_t uid, uint64_t mailbox, const struct store_append *a,
    struct store_appended *out, uint64_t *source_modseq, struct err *e)
{
	struct store *st = v->store;
	struct mbox *from = mbox_open(st, v->mailbox, e);
	uint32_t count = 0;

	if (from == NULL || expunge_uids(st, from, &uid, 1, &count, e) < 0)
		return -1;
	if (count != 1)
		return store_fail(st, STORE_EXPUNGED, e, ERR_PERM, "the message is no more");
	if (append(st, mailbox, a, 1, out, e) < 0)
		return -1;
	*source_modseq = from->highestmodseq;
	return 0;
}

int
store_replace(struct store_view *v, uint32_t uid, uint64_t mailbox, struct store_append *a,
    struct store_appended *out, uint64_t *source_modseq, struct err *e)
{
	struct store *st = v->store;

	*out = (struct store_appended){ 0 };
	if (v->read_only)
		return store_fail(st, STORE_CANNOT, e, ERR_PERM, "the mailbox is open for reading only");
	if (append_sync(st, a, 1, e) < 0 || tx_begin(st, TX_DURABLE, e) < 0 ||
	    tx_end(st, replace(v, uid, mailbox, a, out, source_modseq, e), e) < 0)
		return -1;
	file_close(a->file);
	return 0;
}
