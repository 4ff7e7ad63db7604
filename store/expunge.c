/*
 * expunge.c - EXPUNGE (RFC 3501, 6.4.3), UID EXPUNGE (4315), and what POP3 deletes.
 *
 * Records move from chunks to `gone` in packs of the same form; the rows of msg stay (invariant 4 of
 * schema.c). So the cost of expunging half a mailbox is that of rewriting its packed part.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "store/dir.h"
#include "store/inside.h"

struct sweep {
	struct store *st;
	struct mbox *m;
	uint64_t now_ms;
	uint32_t count;
	struct chunk before; /* the neighbour before the current chunk, swept, not written yet */
	struct store_rec gone[CHUNK_RECORDS];
	uint32_t ngone;
};

static int
write_gone(struct sweep *s, struct err *e)
{
	unsigned char data[CHUNK_RECORDS * CHUNK_RECORD];

	if (s->ngone == 0)
		return 0;
	for (uint32_t i = 0; i < s->ngone; i++)
		rec_encode(&s->gone[i], data + (size_t)i * CHUNK_RECORD);
	if (db_run(s->st, Q_GONE_NEW, e, B_NUM(s->m->id), B_NUM(mbox_touch(s->st, s->m)), B_NUM(s->now_ms),
		B_BLOB(span_of(data, (size_t)s->ngone * CHUNK_RECORD))) < 0)
		return -1;
	s->ngone = 0;
	return 0;
}

static void
uncount(struct sweep *s, const struct store_rec *r)
{
	struct mbox *m = s->m;
	struct state *state = &s->st->state;

	m->exist--;
	m->unseen -= unseen_of(r);
	m->deleted -= deleted_of(r);
	m->bytes -= r->size;
	if (r->uid >= m->recent_uid && m->recent > 0)
		m->recent--;
	state->messages--;
	state->bytes -= r->size;
	state->dirty = true;
	s->count++;
}

static int
take(struct sweep *s, const struct store_rec *r, struct err *e)
{
	if (s->ngone == CHUNK_RECORDS && write_gone(s, e) < 0)
		return -1;
	s->gone[s->ngone++] = *r;
	uncount(s, r);
	return 0;
}

static int
let_go(struct sweep *s, struct err *e)
{
	int rc = chunk_write(s->st, &s->before, e);

	s->before.n = 0;
	return rc;
}

/* A chunk that fits into its neighbour goes there, so that a mailbox that shrinks has few chunks. */
static int
put_back(struct sweep *s, struct chunk *c, struct err *e)
{
	struct chunk *b = &s->before;

	if (b->n > 0 && c->n > 0 && b->n + c->n <= CHUNK_RECORDS) {
		memcpy(b->rec + b->n, c->rec, c->n * sizeof *c->rec);
		b->n += c->n;
		b->dirty = true;
		if (c->modseq > b->modseq)
			b->modseq = c->modseq;
		c->n = 0;
		c->dirty = true;
	}
	if (c->n == 0)
		return chunk_write(s->st, c, e); /* its row goes; the neighbour stays the neighbour */
	if (let_go(s, e) < 0)
		return -1;
	*b = *c;
	return 0;
}

/* Take these uids, which are in this chunk if anywhere. */
static int
sweep_chunk(struct sweep *s, struct chunk *c, const uint32_t *uids, size_t n, struct err *e)
{
	uint32_t to = 0;
	size_t next = 0;

	for (uint32_t i = 0; i < c->n; i++) {
		while (next < n && uids[next] < c->rec[i].uid)
			next++;
		if (next < n && uids[next] == c->rec[i].uid) {
			if (take(s, &c->rec[i], e) < 0)
				return -1;
		} else
			c->rec[to++] = c->rec[i];
	}
	c->dirty = c->dirty || to < c->n;
	c->n = to;
	return 0;
}

/* How many of the uids lie below the last record of the chunk, or in it. */
static size_t
span_of_chunk(const struct chunk *c, const uint32_t *uids, size_t n)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (uids[mid] <= c->rec[c->n - 1].uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/*
 * The chunk with uid, or the next behind it in *c; 0 if it has none of that uid's place. *neighbour: it
 * stands directly behind the one with `key`.
 */
static int
next_chunk(struct sweep *s, uint64_t key, uint32_t uid, struct chunk *c, bool *neighbour, struct err *e)
{
	int rc = key != 0 ? chunk_after(s->st, s->m->id, key, c, e) : 0;

	*neighbour = rc == 1 && uid >= (uint32_t)c->key && uid <= c->rec[c->n - 1].uid;
	if (rc < 0 || *neighbour)
		return rc;
	rc = chunk_at(s->st, s->m->id, uid, c, e);
	return rc == 1 && uid > c->rec[c->n - 1].uid ? 0 : rc;
}

static int
sweep_all(struct sweep *s, const uint32_t *uids, size_t n, struct err *e)
{
	struct chunk c;
	uint64_t key = 0;
	bool neighbour;
	size_t in;
	int rc;

	while (n > 0) {
		if ((rc = next_chunk(s, key, uids[0], &c, &neighbour, e)) < 0)
			return -1;
		in = rc == 1 ? span_of_chunk(&c, uids, n) : 1;
		if (rc == 1) {
			key = c.key;
			if (!neighbour && let_go(s, e) < 0)
				return -1;
			if (sweep_chunk(s, &c, uids, in, e) < 0 || put_back(s, &c, e) < 0)
				return -1;
		}
		uids += in;
		n -= in;
	}
	return let_go(s, e);
}

int
expunge_uids(struct store *st, struct mbox *m, const uint32_t *uids, size_t n, uint32_t *count, struct err *e)
{
	struct sweep *s;
	int rc;

	if (mbox_settle(st, m, e) < 0)
		return -1;
	s = mem_zero(1, sizeof *s);
	s->st = st;
	s->m = m;
	s->now_ms = clock_wall_ms();
	rc = sweep_all(s, uids, n, e);
	if (rc == 0)
		rc = write_gone(s, e);
	*count = s->count;
	free(s);
	return rc;
}

/* ---- which */

struct uids {
	uint32_t *p;
	size_t n, cap;
};

static void
uids_add(struct uids *u, uint32_t uid)
{
	if (u->n == u->cap) {
		u->cap = u->cap != 0 ? u->cap * 2 : 64;
		u->p = mem_resize(u->p, u->cap * sizeof *u->p);
	}
	u->p[u->n++] = uid;
}

static int
deleted_in(struct store *st, const struct store_view *v, uint32_t lo, struct uids *u, struct err *e)
{
	struct chunk c;
	int rc = chunk_at(st, v->mailbox, lo, &c, e);

	if (rc != 1)
		return rc < 0 ? -1 : store_damaged(st, e, "chunk %u of the directory is missing", lo);
	st->chunks_read++;
	for (uint32_t i = 0; i < c.n; i++)
		if (deleted_of(&c.rec[i]) && c.rec[i].uid < v->uidnext)
			uids_add(u, c.rec[i].uid);
	return 0;
}

/* All that are \Deleted, but for those that this session was not told of. The directory says where there are any. */
static int
find_deleted(struct store *st, const struct store_view *v, struct uids *u, struct err *e)
{
	struct dir d = { 0 };
	int rc;

	while ((rc = dir_next(st, v->mailbox, 0, &d, e)) == 1)
		for (uint32_t i = 0; i < d.n; i++)
			if (d.entry[i].deleted > 0 && deleted_in(st, v, d.entry[i].uid, u, e) < 0)
				return -1;
	return rc;
}

static int
filter_deleted(
    struct store *st, uint64_t mailbox, const uint32_t *uids, size_t n, struct uids *u, struct err *e)
{
	struct chunk c = { 0 };
	struct store_rec *r = NULL;
	int rc = 0;

	for (size_t i = 0; i < n && rc >= 0; i++)
		if ((rc = chunk_seek(st, mailbox, uids[i], &c, &r, e)) == 1 && deleted_of(r))
			uids_add(u, uids[i]);
	return rc < 0 ? -1 : 0;
}

static int
expunge(struct store_view *v, enum store_expunge how, const uint32_t *uids, size_t n,
    struct store_expunged *out, struct err *e)
{
	struct store *st = v->store;
	struct mbox *m = mbox_open(st, v->mailbox, e);
	struct uids found = { 0 };
	int rc = 0;

	if (m == NULL)
		return -1;
	switch (how) {
	case STORE_EXPUNGE_DELETED:
		rc = m->deleted > 0 ? find_deleted(st, v, &found, e) : 0;
		break;
	case STORE_EXPUNGE_DELETED_OF:
		rc = m->deleted > 0 ? filter_deleted(st, m->id, uids, n, &found, e) : 0;
		break;
	case STORE_EXPUNGE_UIDS:
		for (size_t i = 0; i < n; i++)
			uids_add(&found, uids[i]);
		break;
	}
	if (rc == 0 && found.n > 0)
		rc = expunge_uids(st, m, found.p, found.n, &out->n, e);
	if (rc == 0 && out->n > 0)
		out->modseq = m->highestmodseq;
	free(found.p);
	return rc;
}

int
store_expunge(struct store_view *v, enum store_expunge how, const uint32_t *uids, size_t n,
    struct store_expunged *out, struct err *e)
{
	*out = (struct store_expunged){ 0 };
	if (v->read_only)
		return store_fail(
		    v->store, STORE_CANNOT, e, ERR_PERM, "the mailbox is open for reading only");
	if (tx_begin(v->store, TX_DURABLE, e) < 0)
		return -1;
	return tx_end(v->store, expunge(v, how, uids, n, out, e), e);
}
