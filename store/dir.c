/* dir.c - the directory of a mailbox's chunks. */
#include "store/dir.h"

#include <endian.h>
#include <stdlib.h>

#include "store/inside.h"

/* ---- rows */

static void
encode(const struct dir_entry *x, unsigned char *out)
{
	uint32_t uid = htole32(x->uid);
	uint64_t modseq = htole64(x->modseq);

	memset(out, 0, DIR_ENTRY);
	memcpy(out, &uid, sizeof uid);
	out[4] = x->n;
	out[5] = x->unseen;
	out[6] = x->deleted;
	memcpy(out + 8, &modseq, sizeof modseq);
}

static void
decode(const unsigned char *in, struct dir_entry *x)
{
	uint32_t uid;
	uint64_t modseq;

	memcpy(&uid, in, sizeof uid);
	memcpy(&modseq, in + 8, sizeof modseq);
	*x = (struct dir_entry){
		.uid = le32toh(uid),
		.n = in[4],
		.unseen = in[5],
		.deleted = in[6],
		.modseq = le64toh(modseq),
	};
}

/* The row that q is at. */
static int
take_row(struct store *st, sqlite3_stmt *q, struct dir *d, struct err *e)
{
	struct span s = db_blob(q, 2);
	uint32_t last = 0;

	d->key = db_num(q, 0);
	d->modseq = db_num(q, 1);
	d->n = (uint32_t)(s.n / DIR_ENTRY);
	d->stored = true;
	d->dirty = false;
	if (s.n == 0 || s.n % DIR_ENTRY != 0 || s.n / DIR_ENTRY > DIR_ENTRIES)
		return store_damaged(st, e, "a row of the directory has %zu octets", s.n);
	for (uint32_t i = 0; i < d->n; i++) {
		decode((const unsigned char *)s.p + (size_t)i * DIR_ENTRY, &d->entry[i]);
		if (d->entry[i].uid <= last || d->entry[i].n == 0 || d->entry[i].n > CHUNK_RECORDS)
			return store_damaged(st, e, "directory out of order at uid %u", d->entry[i].uid);
		last = d->entry[i].uid;
	}
	return d->entry[0].uid < (uint32_t)d->key ? store_damaged(st, e, "directory row %u", (uint32_t)d->key)
						  : 1;
}

static int
read_row(struct store *st, sqlite3_stmt *q, struct dir *d, struct err *e)
{
	int rc = db_row(st, q, e);

	if (rc == 1)
		rc = take_row(st, q, d, e);
	db_done(q);
	return rc;
}

static int
write_row(struct store *st, struct dir *d, struct err *e)
{
	unsigned char data[DIR_ENTRIES * DIR_ENTRY];
	int rc;

	if (!d->dirty)
		return 0;
	for (uint32_t i = 0; i < d->n; i++)
		encode(&d->entry[i], data + (size_t)i * DIR_ENTRY);
	if (d->n == 0)
		rc = d->stored ? db_run(st, Q_DIR_DROP, e, B_NUM(d->key)) : 0;
	else
		rc = db_run(st, Q_DIR_SET, e, B_NUM(d->key), B_NUM(d->modseq),
		    B_BLOB(span_of(data, (size_t)d->n * DIR_ENTRY)));
	d->dirty = false;
	d->stored = d->n > 0;
	return rc;
}

int
dir_flush(struct store *st, struct err *e)
{
	return st->dir != NULL ? write_row(st, st->dir, e) : 0;
}

void
dir_forget(struct store *st)
{
	if (st->dir != NULL)
		*st->dir = (struct dir){ 0 };
}

int
dir_next(struct store *st, uint64_t mailbox, uint64_t since, struct dir *d, struct err *e)
{
	uint64_t from = d->key != 0 ? d->key + 1 : key_of(mailbox, 0);

	return read_row(st,
	    db_open_query(st, Q_DIR_AFTER, e, B_NUM(from), B_NUM(key_of(mailbox, UINT32_MAX)), B_NUM(since)),
	    d, e);
}

/* ---- noting */

/* A row for a chunk that lies before all others, or in an empty mailbox, or behind a full row. */
static void
start_row(struct dir *d, uint64_t key)
{
	d->key = key;
	d->modseq = 0;
	d->n = 0;
	d->stored = d->dirty = false;
}

/* st->dir becomes the row that has, or would have, the entry of this key. */
static int
find_row(struct store *st, uint64_t key, struct err *e)
{
	struct dir *d;
	int rc;

	if (st->dir == NULL)
		st->dir = mem_zero(1, sizeof *st->dir);
	d = st->dir;
	if (d->n > 0 && d->key <= key && d->key >> 32 == key >> 32 && (uint32_t)key <= d->entry[d->n - 1].uid)
		return 0;
	if (write_row(st, d, e) < 0)
		return -1;
	rc = read_row(st, db_open_query(st, Q_DIR_AT, e, B_NUM(key_of(key >> 32, 0)), B_NUM(key)), d, e);
	if (rc == 0)
		start_row(d, key);
	return rc < 0 ? -1 : 0;
}

/* Where the entry of this uid is, or would be. */
static uint32_t
place(const struct dir *d, uint32_t uid)
{
	uint32_t lo = 0, hi = d->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (d->entry[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void
take_out(struct dir *d, uint32_t at)
{
	d->n--;
	memmove(d->entry + at, d->entry + at + 1, (d->n - at) * sizeof *d->entry);
	d->dirty = true;
}

/* Room for one more entry at *at: a full row gives its upper half to a new one; at its end, the new one starts there. */
static int
make_room(struct store *st, uint64_t key, uint32_t *at, struct err *e)
{
	struct dir *d = st->dir, upper;
	uint32_t keep = *at == DIR_ENTRIES ? DIR_ENTRIES : DIR_ENTRIES / 2;

	if (d->n < DIR_ENTRIES)
		return 0;
	upper = *d;
	start_row(&upper, keep == DIR_ENTRIES ? key : key_of(key >> 32, d->entry[keep].uid));
	upper.n = DIR_ENTRIES - keep;
	upper.modseq = upper.n > 0 ? d->modseq : 0;
	memmove(upper.entry, d->entry + keep, upper.n * sizeof *d->entry);
	d->n = keep;
	d->dirty = true;
	upper.dirty = true;
	if (*at > keep || keep == DIR_ENTRIES) { /* go on with the upper one */
		if (write_row(st, d, e) < 0)
			return -1;
		*d = upper;
		*at -= keep;
		return 0;
	}
	return write_row(st, &upper, e);
}

static struct dir_entry
entry_of(const struct chunk *c)
{
	struct dir_entry x = { .uid = (uint32_t)c->key, .n = (uint8_t)c->n, .modseq = c->modseq };

	for (uint32_t i = 0; i < c->n; i++) {
		x.unseen = (uint8_t)(x.unseen + unseen_of(&c->rec[i]));
		x.deleted = (uint8_t)(x.deleted + deleted_of(&c->rec[i]));
	}
	return x;
}

int
dir_note(struct store *st, const struct chunk *c, struct err *e)
{
	struct dir_entry x = entry_of(c);
	struct dir *d;
	uint32_t at;
	bool there;

	if (find_row(st, c->key, e) < 0)
		return -1;
	d = st->dir;
	at = place(d, x.uid);
	there = at < d->n && d->entry[at].uid == x.uid;
	if (c->n == 0) {
		if (there)
			take_out(d, at);
		return 0;
	}
	if (!there) {
		if (make_room(st, c->key, &at, e) < 0)
			return -1;
		memmove(d->entry + at + 1, d->entry + at, (d->n - at) * sizeof *d->entry);
		d->n++;
	}
	d->entry[at] = x;
	if (d->modseq < x.modseq)
		d->modseq = x.modseq;
	d->dirty = true;
	return 0;
}

/* ---- against the chunks */

/* The next entry of a walk; 1, 0, -1. */
static int
next_entry(struct store *st, uint64_t mailbox, struct dir *d, uint32_t *at, struct err *e)
{
	if (*at + 1 < d->n) {
		++*at;
		return 1;
	}
	*at = 0;
	return dir_next(st, mailbox, 0, d, e);
}

static bool
same(const struct dir_entry *x, const struct dir_entry *y, uint64_t row_modseq)
{
	return x->uid == y->uid && x->n == y->n && x->unseen == y->unseen && x->deleted == y->deleted &&
	       x->modseq == y->modseq && x->modseq <= row_modseq;
}

int
dir_true(struct store *st, uint64_t mailbox, struct err *e)
{
	struct dir d = { 0 };
	struct dir_entry x;
	struct chunk c;
	uint64_t key = key_of(mailbox, 0);
	uint32_t at = 0;
	int rc, have;

	if (dir_flush(st, e) < 0)
		return -1;
	while ((rc = chunk_after(st, mailbox, key, &c, e)) == 1) {
		if ((have = next_entry(st, mailbox, &d, &at, e)) <= 0)
			return have;
		x = entry_of(&c);
		if (!same(&x, &d.entry[at], d.modseq))
			return 0;
		key = c.key;
	}
	if (rc < 0)
		return -1;
	have = next_entry(st, mailbox, &d, &at, e);
	return have < 0 ? -1 : have == 0;
}

int
dir_build(struct store *st, uint64_t mailbox, struct err *e)
{
	struct chunk c;
	uint64_t key = key_of(mailbox, 0);
	int rc;

	dir_forget(st);
	if (db_run(st, Q_DIR_CLEAR, e, B_NUM(key), B_NUM(key_of(mailbox, UINT32_MAX))) < 0)
		return -1;
	while ((rc = chunk_after(st, mailbox, key, &c, e)) == 1) {
		if (dir_note(st, &c, e) < 0)
			return -1;
		key = c.key;
	}
	return rc < 0 ? -1 : dir_flush(st, e);
}

int
dir_build_all(struct store *st, struct err *e)
{
	int64_t id = 0;

	do {
		if (db_one(st, db_open_query(st, Q_MAILBOX_AFTER, e, B_NUM(id)), 0, &id, e) < 0)
			return -1;
		if (id != 0 && dir_build(st, (uint64_t)id, e) < 0)
			return -1;
	} while (id != 0);
	return 0;
}
