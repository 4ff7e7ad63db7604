/*
 * undelete.c - what was expunged or deleted comes back.
 *
 * A deleted mailbox is a row without a name whose records are as they were: it gets a name again. Expunged
 * records are in packs in `gone`, their rows still in msg (invariant 4 of schema.c): they are copied as by
 * COPY, and stay in `gone` for those whose views have them, with a mark so that they come back once.
 */
#include <stdlib.h>

#include "store/inside.h"

/* ---- deleted mailboxes */

/* The next one, by the time of its deletion, the newest first. 1, 0, -1. */
static int
next_mailbox(
    struct store *st, struct store_undelete *u, struct store_kept *out, struct arena *a, struct err *e)
{
	sqlite3_stmt *q;
	int rc;

	if (u->at_ms == 0 && u->id == 0)
		u->at_ms = INT64_MAX;
	q = db_open_query(
	    st, Q_MAILBOX_KEPT, e, B_NUM(u->since_ms), B_TEXT(u->name), B_NUM(u->at_ms), B_NUM(u->id));
	if ((rc = db_row(st, q, e)) == 1) {
		*out = (struct store_kept){
			.whole = true,
			.mailbox = db_num(q, 0),
			.name = arena_dup(a, db_text(q, 1)),
			.at_ms = db_num(q, 2),
			.messages = db_num(q, 3),
			.bytes = db_num(q, 4),
		};
		u->at_ms = out->at_ms;
		u->id = out->mailbox;
	}
	db_done(q);
	return rc;
}

/* 0 free, or a name that only has children, whose id is then in *place; 1 taken; -1. */
static int
taken(struct store *st, struct span name, uint64_t *place, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_MAILBOX_NAME, e, B_TEXT(name));
	struct mbox m = { 0 };
	int rc = db_row(st, q, e);

	*place = 0;
	if (rc == 1 && mbox_read(st, q, &m, e) < 0)
		rc = -1;
	if (rc == 1 && m.noselect) {
		*place = m.id;
		rc = 0;
	}
	db_done(q);
	mbox_done(&m);
	return rc;
}

/* The name that it can have now. */
static int
find_name(
    struct store *st, struct span old, struct span *name, uint64_t *place, struct arena *a, struct err *e)
{
	enum { TRIES = 1000 };
	int rc;

	for (int i = 0; i < TRIES; i++) {
		*name = i == 0   ? old
			: i == 1 ? arena_printf(a, "%.*s-restored", SPAN_ARG(old))
				 : arena_printf(a, "%.*s-restored-%d", SPAN_ARG(old), i);
		if ((rc = taken(st, *name, place, e)) <= 0)
			return rc;
	}
	return store_fail(st, STORE_ALREADYEXISTS, e, ERR_PERM, "mailboxes of all names like it exist");
}

/* A special use is had by one mailbox: if another has it by now, this one comes back without. */
static int
free_use(struct store *st, enum store_use *use, struct err *e)
{
	int64_t used = 0;

	if (*use != STORE_USE_NONE &&
	    db_one(st, db_open_query(st, Q_MAILBOX_USE, e, B_NUM(*use)), 0, &used, e) < 0)
		return -1;
	if (used != 0)
		*use = STORE_USE_NONE;
	return 0;
}

/* The levels above, if they are gone: made by a mailbox below them, which then is no more. */
static int
make_parents(struct store *st, struct span name, struct err *e)
{
	ssize_t slash = span_rchr(name, '/');
	uint64_t place;
	int rc;

	if (slash <= 0)
		return 0;
	rc = taken(st, span_head(name, (size_t)slash), &place, e);
	if (rc != 0 || place != 0)
		return rc < 0 ? -1 : 0;
	return mailbox_new(st, span_head(name, (size_t)slash), STORE_USE_NONE, e) < 0 ? -1 : 0;
}

static int
load_deleted(struct store *st, uint64_t id, struct mbox *m, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_MAILBOX_ID, e, B_NUM(id));
	int rc = db_row(st, q, e);

	if (rc == 1 && mbox_read(st, q, m, e) < 0)
		rc = -1;
	db_done(q);
	return rc == 1 ? 0 : rc < 0 ? -1 : store_damaged(st, e, "no mailbox %llu", (unsigned long long)id);
}

/* It has a name: what it holds counts again, and all that saw its list of changes sees one. */
static int
revive(struct store *st, uint64_t id, struct store_kept *out, struct err *e)
{
	struct mbox *m = mbox_open(st, id, e);

	if (m == NULL)
		return -1;
	m->deleted_ms = 0;
	out->modseq = mbox_touch(st, m);
	st->state.messages += m->exist;
	st->state.bytes += m->bytes;
	st->state.dirty = true;
	return 0;
}

static int
bring_mailbox(struct store *st, struct store_kept *out, struct arena *a, struct err *e)
{
	struct mbox m = { 0 };
	struct span name;
	uint64_t place;
	enum store_use use;
	int rc = load_deleted(st, out->mailbox, &m, e);

	use = m.use;
	mbox_done(&m);
	if (rc < 0 || find_name(st, out->name, &name, &place, a, e) < 0 || make_parents(st, name, e) < 0 ||
	    free_use(st, &use, e) < 0)
		return -1;
	if (place != 0 && (acl_drop(st, place, e) < 0 || db_run(st, Q_MAILBOX_FORGET, e, B_NUM(place)) < 0))
		return -1;
	if (db_run(st, Q_MAILBOX_BACK, e, B_NUM(out->mailbox), B_TEXT(name), B_NUM(use)) < 0)
		return -1;
	if (event_note(st, STORE_EVENT_NAME, &(struct store_event){ .name = name }, e) < 0)
		return -1;
	if (acl_retire(st, out->mailbox, e) < 0)
		return -1;
	out->name = name;
	return revive(st, out->mailbox, out, e);
}

/* ---- expunged messages */

struct pack {
	uint64_t id, mailbox;
	struct store_rec rec[CHUNK_RECORDS];
	uint32_t n;
};

static bool
at_or_below(struct span name, struct span top)
{
	return span_same(span_head(name, top.n), top) && (name.n == top.n || name.p[top.n] == '/');
}

/* Is it of a mailbox that is wanted? Its present or last name is in out->name then. 1, 0, -1. */
static int
wanted(struct store *st, const struct store_undelete *u, uint64_t mailbox, struct store_kept *out,
    struct arena *a, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_MAILBOX_OLD_NAME, e, B_NUM(mailbox));
	int rc = db_row(st, q, e);

	out->name = (struct span){ 0 };
	if (rc == 1)
		out->name = arena_dup(a, db_text(q, 0));
	db_done(q);
	return rc < 0 ? -1 : out->name.n > 0 && (u->name.n == 0 || at_or_below(out->name, u->name));
}

static int
read_pack(
    struct store *st, const struct store_undelete *u, struct pack *p, struct store_kept *out, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_GONE_KEPT, e, B_NUM(u->since_ms), B_NUM(0), B_NUM(u->id));
	int rc = db_row(st, q, e);

	if (rc == 1 && recs_decode(st, db_blob(q, 2), p->rec, CHUNK_RECORDS, &p->n, e) < 0)
		rc = -1;
	if (rc == 1) {
		p->id = db_num(q, 0);
		p->mailbox = db_num(q, 3);
		*out = (struct store_kept){ .mailbox = p->mailbox, .at_ms = db_num(q, 4) };
	}
	db_done(q);
	return rc;
}

/* Those of its records that have a row. */
static int
with_rows(struct store *st, struct pack *p, struct store_kept *out, struct err *e)
{
	uint32_t to = 0;
	int64_t there;

	for (uint32_t i = 0; i < p->n; i++) {
		uint64_t key = key_of(p->mailbox, p->rec[i].uid);

		if (db_one(st, db_open_query(st, Q_MSG_COUNT, e, B_NUM(key), B_NUM(key)), 0, &there, e) < 0)
			return -1;
		if (there == 0)
			continue;
		out->bytes += p->rec[i].size;
		p->rec[to++] = p->rec[i];
	}
	p->n = to;
	out->messages = to;
	return 0;
}

/* The next pack with something in it. 1, 0, -1. */
static int
next_pack(struct store *st, struct store_undelete *u, struct pack *p, struct store_kept *out, struct arena *a,
    struct err *e)
{
	int rc;

	while ((rc = read_pack(st, u, p, out, e)) == 1) {
		u->id = p->id;
		if ((rc = wanted(st, u, p->mailbox, out, a, e)) == 1 && with_rows(st, p, out, e) < 0)
			return -1;
		if (rc < 0 || (rc == 1 && p->n > 0))
			return rc;
	}
	return rc;
}

/* Where they go: their mailbox, or what has its name now, or one that is made for them. */
static struct mbox *
target(struct store *st, const struct mbox *from, struct span name, struct err *e)
{
	uint64_t id = from->id;
	int64_t found = 0;

	if (!from->named || from->noselect) {
		if (db_one(st, db_open_query(st, Q_MAILBOX_SELECTED, e, B_TEXT(name)), 0, &found, e) < 0)
			return NULL;
		if (found == 0 && (found = mailbox_new(st, name, STORE_USE_NONE, e)) < 0)
			return NULL;
		id = (uint64_t)found;
	}
	return mbox_open(st, id, e);
}

/* The unique id of POP3 (RFC 1939, 7) is that of the message, which comes back; only INBOX is seen by POP3. */
static int
keep_unique(struct store *st, const struct store_undelete *u, const struct mbox *from, uint64_t src, uint64_t dst,
    struct err *e)
{
	struct buf text;
	int rc;

	if (db_run(st, Q_UIDL_COPY, e, B_NUM(src), B_NUM(dst)) < 0)
		return -1;
	if (db_changes(st) > 0 || u->unique == NULL)
		return 0;
	buf_init(&text, STORE_UIDL_MAX);
	rc = u->unique(from->uidvalidity, (uint32_t)src, &text, e);
	if (rc == 0)
		rc = db_run(st, Q_UIDL_SET, e, B_NUM(dst), B_TEXT(buf_span(&text)));
	buf_free(&text);
	return rc;
}

static int
bring_pack(
    struct store *st, const struct store_undelete *u, struct pack *p, struct store_kept *out, struct err *e)
{
	uint32_t src[CHUNK_RECORDS], dst[CHUNK_RECORDS];
	struct mbox from = { 0 }, *to = NULL;
	int rc = load_deleted(st, p->mailbox, &from, e);

	for (uint32_t i = 0; i < p->n; i++)
		p->rec[i].flags &= ~(uint32_t)STORE_DELETED;
	if (rc == 0 && (to = target(st, &from, out->name, e)) == NULL)
		rc = -1;
	/* Keywords keep their bits in one and the same mailbox only. */
	if (rc == 0)
		rc = copy_records(st, to->id == from.id ? to : &from, to, p->rec, p->n, src, dst, e);
	for (uint32_t i = 0; rc == 0 && span_eq(out->name, "INBOX") && i < p->n; i++)
		rc = keep_unique(st, u, &from, key_of(from.id, src[i]), key_of(to->id, dst[i]), e);
	if (rc == 0)
		rc = db_run(st, Q_GONE_BACK, e, B_NUM(p->id));
	if (rc == 0) {
		out->mailbox = to->id;
		out->modseq = to->highestmodseq;
	}
	mbox_done(&from);
	return rc;
}

/* ---- both */

/* 1 there is one, in *out and, if it is a pack, *p; 0; -1. In a transaction. */
static int
next(struct store *st, struct store_undelete *u, struct pack *p, struct store_kept *out, struct arena *a,
    struct err *e)
{
	int rc = 0;

	if (!u->mailboxes_done && (rc = next_mailbox(st, u, out, a, e)) != 0)
		return rc;
	if (!u->mailboxes_done) {
		u->mailboxes_done = true;
		u->id = 0;
	}
	return next_pack(st, u, p, out, a, e);
}

int
store_kept(struct store *st, struct store_undelete *u, struct store_kept *out, struct arena *a, struct err *e)
{
	struct pack *p = mem_zero(1, sizeof *p);
	int rc = -1;

	if (tx_begin(st, TX_READ, e) == 0)
		rc = tx_end(st, next(st, u, p, out, a, e), e);
	free(p);
	return rc;
}

static int
bring_next(struct store *st, struct store_undelete *u, struct pack *p, struct store_kept *out,
    struct arena *a, struct err *e)
{
	int rc = next(st, u, p, out, a, e);

	if (rc <= 0)
		return rc;
	return (out->whole ? bring_mailbox(st, out, a, e) : bring_pack(st, u, p, out, e)) < 0 ? -1 : 1;
}

int
store_undelete(
    struct store *st, struct store_undelete *u, struct store_kept *out, struct arena *a, struct err *e)
{
	struct pack *p = mem_zero(1, sizeof *p);
	int rc = -1;

	if (tx_begin(st, TX_DURABLE, e) == 0)
		rc = tx_end(st, bring_next(st, u, p, out, a, e), e);
	free(p);
	return rc;
}
