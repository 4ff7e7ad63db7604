/* copy.c - COPY and MOVE (RFC 3501, 6.4.7; 6851), and RENAME of INBOX. Files are shared, rows copied in
 * SQLite. */
#include <stdlib.h>

#include "base/clock.h"
#include "store/inside.h"
#include "store/seen.h"
#include "store/words.h"

/* Keywords of `from` as keywords of `to`: what was looked up. */
struct translation {
	struct mbox *from, *to;
	int number[STORE_KEYWORDS_MAX]; /* 0: not looked up, else the number in `to` plus 1 */
	bool known;                     /* of the record before: */
	uint64_t bits, to_bits;
	uint32_t more, to_more;
	struct words in, out;
};

static int
translate_one(struct store *st, struct translation *t, uint32_t number, struct err *e)
{
	struct span name;
	int to = t->number[number];

	if (to == 0) {
		if (words_name(st, t->from, number, &name, e) < 0)
			return -1;
		if (name.n == 0)
			return store_damaged(st, e, "a message has keyword %u, which has no name", number);
		if ((to = words_number(st, t->to, name, true, e)) < 0)
			return -1;
		t->number[number] = ++to;
	}
	words_add(&t->out, (uint32_t)to - 1);
	return 0;
}

static int
translate(struct store *st, struct translation *t, struct store_rec *r, struct err *e)
{
	if (t->from == t->to || (r->keywords == 0 && r->more == 0))
		return 0;
	if (!t->known || t->bits != r->keywords || t->more != r->more) {
		t->known = false;
		t->out.bits = t->out.n = t->in.n = 0;
		if (words_read(st, t->from->id, r->more, &t->in, e) < 0)
			return -1;
		for (uint64_t left = r->keywords; left != 0; left &= left - 1)
			if (translate_one(st, t, (uint32_t)__builtin_ctzll(left), e) < 0)
				return -1;
		for (uint32_t i = 0; i < t->in.n; i++)
			if (translate_one(st, t, t->in.word[i], e) < 0)
				return -1;
		t->bits = r->keywords;
		t->more = r->more;
		t->to_bits = t->out.bits;
		if (words_put(st, t->to, &t->out, &t->to_more, e) < 0)
			return -1;
		t->known = true;
	}
	r->keywords = t->to_bits;
	r->more = t->to_more;
	return 0;
}

/* Records that exist, of these uids: found[] and src[] are filled. */
static int
collect(struct store *st, struct mbox *from, const uint32_t *uids, size_t n, struct store_rec *found,
    size_t *count, uint64_t *bytes, struct err *e)
{
	struct chunk c = { 0 };
	struct store_rec *r = NULL;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		if ((rc = chunk_seek(st, from->id, uids[i], &c, &r, e)) < 0)
			return -1;
		if (rc == 1) {
			found[(*count)++] = *r;
			*bytes += r->size;
		}
	}
	return 0;
}

/* What belongs to a message beside its record. */
static int
copy_rows(struct store *st, uint64_t from, uint64_t to, struct err *e)
{
	if (db_run(st, Q_MSG_COPY, e, B_NUM(from), B_NUM(to)) < 0)
		return -1;
	if (db_changes(st) != 1)
		return store_damaged(st, e, "message %u has no row", (uint32_t)from);
	return db_run(st, Q_OBJECT_COPY, e, B_NUM(from), B_NUM(to));
}

int
copy_records(struct store *st, struct mbox *from, struct mbox *to, struct store_rec *rec, size_t n,
    uint32_t *src, uint32_t *dst, struct err *e)
{
	struct translation *t;
	int64_t now = (int64_t)clock_wall_ms();

	int rc = 0;

	t = mem_zero(1, sizeof *t);
	t->from = from;
	t->to = to;
	for (size_t i = 0; i < n && rc == 0; i++) {
		src[i] = rec[i].uid;
		rec[i].saved_ms = now;
		if (translate(st, t, &rec[i], e) < 0 || mbox_add(st, to, &rec[i], e) < 0)
			rc = -1;
		dst[i] = rec[i].uid;
		if (rc == 0)
			rc = copy_rows(st, key_of(from->id, src[i]), key_of(to->id, dst[i]), e);
	}
	free(t);
	return rc;
}

/* What the copies may not have. */
static void
lose_flags(const struct store *st, struct store_rec *rec, size_t n, unsigned how)
{
	uint32_t lose = ((how & STORE_LOSE_SEEN) != 0 && !seen_private(st) ? STORE_SEEN : 0U) |
			((how & STORE_LOSE_DELETED) != 0 ? STORE_DELETED : 0U) |
			((how & STORE_LOSE_OTHERS) != 0 ? STORE_ANSWERED | STORE_FLAGGED | STORE_DRAFT : 0U);

	for (size_t i = 0; i < n; i++) {
		rec[i].flags &= ~lose;
		if ((how & STORE_LOSE_OTHERS) != 0)
			rec[i].keywords = rec[i].more = 0;
	}
}

/* What a reader with a \Seen of his own has seen, he has seen in the copy. Before a MOVE takes it away. */
static int
copy_seen(struct store *st, const struct mbox *from, const struct mbox *to, const uint32_t *src,
    const uint32_t *dst, size_t n, unsigned how, struct err *e)
{
	struct seen s = { 0 };
	bool *seen;
	int rc;

	if (!seen_private(st) || (how & STORE_LOSE_SEEN) != 0)
		return 0;
	seen = mem_zero(n, sizeof *seen);
	rc = seen_load(st, from->id, &s, e);
	for (size_t i = 0; rc == 0 && i < n; i++)
		seen[i] = seen_has(&s, src[i]);
	if (rc == 0)
		rc = seen_added(st, to, dst, seen, n, e);
	seen_free(&s);
	free(seen);
	return rc;
}

static int
copy(struct store *st, struct mbox *from, struct mbox *to, const uint32_t *uids, size_t n, unsigned how,
    struct store_copied *out, uint32_t *src, uint32_t *dst, struct err *e)
{
	bool move = (how & STORE_MOVE) != 0;
	struct store_rec *found = mem_zero(n, sizeof *found);
	uint64_t bytes = 0;
	uint32_t count;
	int rc = -1;

	if (collect(st, from, uids, n, found, &out->n, &bytes, e) < 0)
		goto out;
	if (out->n < n && (how & STORE_WHOLE) != 0) {
		store_fail(st, STORE_EXPUNGED, e, ERR_PERM, "some of the messages are no more");
		goto out;
	}
	if (quota_check(st, to->id, move ? from->id : 0, bytes, out->n, e) < 0)
		goto out;
	lose_flags(st, found, out->n, how);
	rc = copy_records(st, from, to, found, out->n, src, dst, e);
	if (rc == 0)
		rc = copy_seen(st, from, to, src, dst, out->n, how, e);
	if (rc == 0 && move && out->n > 0)
		rc = expunge_uids(st, from, src, out->n, &count, e);
	if (rc == 0 && move && out->n > 0) /* nothing to undelete: it is where it was moved to */
		rc = db_run(st, Q_GONE_BACK_OF, e, B_NUM(from->id), B_NUM(from->highestmodseq));
	if (rc == 0 && out->n > 0) {
		out->modseq = to->highestmodseq;
		out->source_modseq = move ? from->highestmodseq : 0;
	}
out:
	free(found);
	return rc;
}

int
store_copy(struct store_view *v, const uint32_t *uids, size_t n, uint64_t target, unsigned how,
    struct store_copied *out, struct arena *a, struct err *e)
{
	struct store *st = v->store;
	struct mbox *from, *to;
	uint32_t *src = arena_array(a, n, sizeof *src), *dst = arena_array(a, n, sizeof *dst);
	int rc = -1;

	*out = (struct store_copied){ .mailbox = target, .src = src, .dst = dst };
	if ((how & STORE_MOVE) != 0 && v->read_only)
		return store_fail(st, STORE_CANNOT, e, ERR_PERM, "the mailbox is open for reading only");
	if (tx_begin(st, TX_DURABLE, e) < 0)
		return -1;
	if ((from = mbox_open(st, v->mailbox, e)) != NULL && (to = mbox_open(st, target, e)) != NULL) {
		out->uidvalidity = to->uidvalidity;
		if (to->noselect)
			store_fail(st, STORE_NONEXISTENT, e, ERR_PERM, "no such mailbox");
		else
			rc = copy(st, from, to, uids, n, how, out, src, dst, e);
	}
	return tx_end(st, rc, e);
}

int
move_all(struct store *st, uint64_t source, uint64_t target, struct err *e)
{
	struct mbox *from = mbox_open(st, source, e), *to = from != NULL ? mbox_open(st, target, e) : NULL;
	struct store_copied out = { 0 };
	struct chunk c;
	uint32_t *uids, *src, *dst;
	uint64_t key = key_of(source, 0);
	size_t n = 0;
	int rc;

	if (to == NULL)
		return -1;
	uids = mem_zero(from->exist + CHUNK_RECORDS, sizeof *uids);
	src = mem_zero(from->exist + CHUNK_RECORDS, sizeof *src);
	dst = mem_zero(from->exist + CHUNK_RECORDS, sizeof *dst);
	while ((rc = chunk_after(st, source, key, &c, e)) == 1) {
		if (n + c.n > from->exist + (size_t)CHUNK_RECORDS) {
			rc = store_damaged(st, e, "more records than messages");
			break;
		}
		for (uint32_t i = 0; i < c.n; i++)
			uids[n++] = c.rec[i].uid;
		key = c.key;
	}
	if (rc == 0)
		rc = copy(st, from, to, uids, n, STORE_MOVE, &out, src, dst, e);
	free(uids);
	free(src);
	free(dst);
	return rc;
}
