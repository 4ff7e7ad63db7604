/* event.c - what happened lately to names, subscriptions and annotations. */
#include "store/event.h"

#include <stdio.h>

#include "store/dir.h"
#include "store/inside.h"

void
store_acts_for(struct store *st, struct span session)
{
	snprintf(st->by, sizeof st->by, "%.*s", SPAN_ARG(session));
}

int
event_note(struct store *st, enum store_event_kind kind, const struct store_event *ev, struct err *e)
{
	uint64_t id;

	if (db_run(st, Q_EVENT_NEW, e, B_NUM(number_modseq(st)), B_NUM(kind), B_NUM(ev->mailbox),
		B_TEXT(ev->name), B_TEXT(ev->other), B_TEXT(ev->who), B_TEXT(span_str(st->by))) < 0)
		return -1;
	id = (uint64_t)sqlite3_last_insert_rowid(st->db);
	return id <= STORE_EVENTS ? 0 : db_run(st, Q_EVENT_DROP, e, B_NUM(id - STORE_EVENTS));
}

static struct store_event
from_row(sqlite3_stmt *q, struct arena *a)
{
	return (struct store_event){
		.kind = db_num32(q, 2),
		.mailbox = db_num(q, 3),
		.name = arena_dup(a, db_text(q, 4)),
		.other = arena_dup(a, db_text(q, 5)),
		.who = arena_dup(a, db_text(q, 6)),
		.by = arena_dup(a, db_text(q, 7)),
	};
}

/* Rows come with the oldest first; the first that is kept tells whether any is forgotten. */
static int
read_events(struct store *st, uint64_t modseq, struct store_event *out, size_t *n, bool *whole,
    struct arena *a, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_EVENTS, e);
	bool first = true;
	int rc;

	*n = 0;
	*whole = true;
	while ((rc = db_row(st, q, e)) == 1 && *n < STORE_EVENTS) {
		if (first)
			*whole = db_num(q, 0) == 1 || db_num(q, 1) <= modseq;
		first = false;
		if (db_num(q, 1) > modseq)
			out[(*n)++] = from_row(q, a);
	}
	db_done(q);
	return rc < 0 ? -1 : 0;
}

int
store_events(struct store *st, uint64_t modseq, struct store_event **out, size_t *n, bool *whole,
    struct arena *a, struct err *e)
{
	*out = arena_array(a, STORE_EVENTS, sizeof **out);
	if (tx_begin(st, TX_READ, e) < 0)
		return -1;
	return tx_end(st, read_events(st, modseq, *out, n, whole, a, e), e);
}

/* ---- messages */

static void
stir_of_chunk(const struct chunk *c, uint64_t modseq, struct store_stir *out)
{
	for (uint32_t i = 0; i < c->n; i++) {
		out->messages |= c->rec[i].created > modseq;
		out->flags |= c->rec[i].modseq > modseq && c->rec[i].created <= modseq;
	}
}

static int
stir(struct store *st, uint64_t mailbox, uint64_t modseq, struct store_stir *out, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_GONE_SINCE, e, B_NUM(mailbox), B_NUM(modseq));
	struct dir d = { 0 };
	struct chunk c;
	int rc = db_row(st, q, e);

	out->messages = rc == 1;
	db_done(q);
	if (rc < 0)
		return -1;
	while ((rc = dir_next(st, mailbox, modseq, &d, e)) == 1)
		for (uint32_t k = 0; k < d.n && !(out->messages && out->flags); k++) {
			if (d.entry[k].modseq <= modseq)
				continue;
			if (chunk_at(st, mailbox, d.entry[k].uid, &c, e) < 0)
				return -1;
			stir_of_chunk(&c, modseq, out);
		}
	return rc;
}

int
store_stir(struct store *st, uint64_t mailbox, uint64_t modseq, struct store_stir *out, struct err *e)
{
	*out = (struct store_stir){ 0 };
	if (tx_begin(st, TX_READ, e) < 0)
		return -1;
	return tx_end(st, stir(st, mailbox, modseq, out, e), e);
}
