/* chunk.c - packed records. */
#include "store/chunk.h"

#include <endian.h>

#include "store/db.h"
#include "store/dir.h"
#include "store/inside.h"

_Static_assert(sizeof(struct store_rec) == CHUNK_RECORD, "a record in memory is laid out as it is stored");

/* On a little-endian machine the next two are a copy, which compilers see. */
static struct store_rec
swapped(struct store_rec r)
{
	r.uid = htole32(r.uid);
	r.flags = htole32(r.flags);
	r.keywords = htole64(r.keywords);
	r.modseq = htole64(r.modseq);
	r.created = htole64(r.created);
	r.date_ms = (int64_t)htole64((uint64_t)r.date_ms);
	r.saved_ms = (int64_t)htole64((uint64_t)r.saved_ms);
	r.size = htole64(r.size);
	r.zone = (int16_t)htole16((uint16_t)r.zone);
	r.crlf = htole16(r.crlf);
	r.more = htole32(r.more);
	return r;
}

void
rec_encode(const struct store_rec *r, unsigned char *out)
{
	struct store_rec stored = swapped(*r);

	stored.flags &= htole32(STORE_SYSTEM_FLAGS);
	memcpy(out, &stored, CHUNK_RECORD);
}

int
recs_decode(
    struct store *st, struct span data, struct store_rec *out, uint32_t max, uint32_t *n, struct err *e)
{
	uint32_t last = 0, count = (uint32_t)(data.n / CHUNK_RECORD);

	if (data.n % CHUNK_RECORD != 0 || data.n == 0 || data.n / CHUNK_RECORD > max)
		return store_damaged(st, e, "packed records of %zu octets", data.n);
	memcpy(out, data.p, data.n);
	for (uint32_t i = 0; i < count; i++) {
		out[i] = swapped(out[i]);
		if (out[i].uid <= last)
			return store_damaged(st, e, "packed records out of order at uid %u", out[i].uid);
		last = out[i].uid;
	}
	*n = count;
	return 0;
}

/* The row that q is at. */
static int
decode(struct store *st, sqlite3_stmt *q, struct chunk *c, struct err *e)
{
	c->key = db_num(q, 0);
	c->modseq = db_num(q, 1);
	c->stored = true;
	c->dirty = false;
	if (recs_decode(st, db_blob(q, 2), c->rec, CHUNK_RECORDS, &c->n, e) < 0)
		return -1;
	if (c->rec[0].uid < (uint32_t)c->key)
		return store_damaged(st, e, "chunk %u starts with uid %u", (uint32_t)c->key, c->rec[0].uid);
	return 1;
}

static int
load(struct store *st, sqlite3_stmt *q, struct chunk *c, struct err *e)
{
	int rc = db_row(st, q, e);

	if (rc == 1)
		rc = decode(st, q, c, e);
	db_done(q);
	return rc;
}

int
chunk_at(struct store *st, uint64_t mailbox, uint32_t uid, struct chunk *c, struct err *e)
{
	return load(st,
	    db_open_query(st, Q_CHUNK_AT, e, B_NUM(key_of(mailbox, 0)), B_NUM(key_of(mailbox, uid))), c, e);
}

int
chunk_after(struct store *st, uint64_t mailbox, uint64_t key, struct chunk *c, struct err *e)
{
	return load(st,
	    db_open_query(st, Q_CHUNK_AFTER, e, B_NUM(key + 1), B_NUM(key_of(mailbox, UINT32_MAX))), c, e);
}

int
chunk_write(struct store *st, struct chunk *c, struct err *e)
{
	unsigned char data[CHUNK_RECORDS * CHUNK_RECORD];
	struct span s = { (const char *)data, (size_t)c->n * CHUNK_RECORD };
	int rc;

	if (!c->dirty)
		return 0;
	for (uint32_t i = 0; i < c->n; i++)
		rec_encode(&c->rec[i], data + (size_t)i * CHUNK_RECORD);
	if (c->n == 0)
		rc = c->stored ? db_run(st, Q_CHUNK_DROP, e, B_NUM(c->key)) : 0;
	else if (c->stored)
		rc = db_run(st, Q_CHUNK_SET, e, B_NUM(c->key), B_NUM(c->modseq), B_BLOB(s));
	else
		rc = db_run(st, Q_CHUNK_NEW, e, B_NUM(c->key), B_NUM(c->modseq), B_BLOB(s));
	if (rc < 0 || dir_note(st, c, e) < 0)
		return -1;
	c->dirty = false;
	c->stored = c->n > 0;
	return 0;
}

uint32_t
chunk_below(const struct chunk *c, uint32_t uid)
{
	uint32_t lo = 0, hi = c->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (c->rec[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int
chunk_find(const struct chunk *c, uint32_t uid)
{
	uint32_t at = chunk_below(c, uid);

	return at < c->n && c->rec[at].uid == uid ? (int)at : -1;
}

int
chunk_reach(struct store *st, uint64_t mailbox, uint32_t uid, struct chunk *c, struct err *e)
{
	if (c->n > 0 && uid <= c->rec[c->n - 1].uid)
		return 1;
	return chunk_write(st, c, e) < 0 ? -1 : chunk_at(st, mailbox, uid, c, e);
}

int
chunk_seek(
    struct store *st, uint64_t mailbox, uint32_t uid, struct chunk *c, struct store_rec **rec, struct err *e)
{
	int rc = chunk_reach(st, mailbox, uid, c, e), at;

	if (rc != 1)
		return rc;
	if ((at = chunk_find(c, uid)) < 0)
		return 0;
	*rec = &c->rec[at];
	return 1;
}
