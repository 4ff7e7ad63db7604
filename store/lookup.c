/* lookup.c - what mailboxes there are, and what is in them. */
#include <stdlib.h>

#include "store/inside.h"
#include "store/seen.h"

/* ---- looking */

static void
describe(const struct mbox *m, struct span name, struct store_mailbox *out, struct arena *a)
{
	*out = (struct store_mailbox){
		.id = m->id,
		.name = arena_dup(a, name),
		.uidvalidity = m->uidvalidity,
		.uidnext = m->uidnext,
		.exists = m->exist,
		.recent = m->recent,
		.unseen = m->unseen,
		.deleted = m->deleted,
		.bytes = m->bytes,
		.highestmodseq = m->highestmodseq,
		.use = m->use,
		.noselect = m->noselect,
	};
}

/* `unseen` is that of the store's reader. */
static int
describe_seen(struct store *st, const struct mbox *m, struct store_mailbox *out, struct err *e)
{
	return seen_private(st) ? seen_unseen(st, m, &out->unseen, e) : 0;
}

/* What the row of a mailbox does not know. */
static int
describe_more(struct store *st, struct store_mailbox *out, struct err *e)
{
	int child = db_any(st, db_open_query(st, Q_MAILBOX_CHILD, e, B_TEXT(out->name)), e);
	int subscribed = db_any(st, db_open_query(st, Q_SUBSCRIBED, e, B_TEXT(out->name)), e);

	out->children = child == 1;
	out->subscribed = subscribed == 1;
	return child < 0 || subscribed < 0 ? -1 : 1;
}

static int
look(struct store *st, sqlite3_stmt *q, struct store_mailbox *out, struct arena *a, struct err *e)
{
	struct mbox m = { 0 };
	int rc = db_row(st, q, e);

	if (rc == 1 && mbox_read(st, q, &m, e) < 0)
		rc = -1;
	if (rc == 1 && m.named)
		describe(&m, db_text(q, 1), out, a);
	else if (rc == 1)
		rc = 0;
	db_done(q);
	if (rc == 1 && describe_seen(st, &m, out, e) < 0)
		rc = -1;
	mbox_done(&m);
	if (rc == 0)
		st->why = STORE_NONEXISTENT;
	return rc == 1 ? describe_more(st, out, e) : rc;
}

int
store_mailbox(struct store *st, struct span name, struct store_mailbox *out, struct arena *a, struct err *e)
{
	struct err bad = { 0 };
	struct buf b;
	int rc = -1;

	name_init(&b);
	if (tx_begin(st, TX_READ, e) < 0)
		goto out;
	if (name_check(st, name, &b, &bad) < 0) { /* what can't be a name is the name of no mailbox */
		st->why = STORE_NONEXISTENT;
		rc = 0;
	} else
		rc = look(st, db_open_query(st, Q_MAILBOX_NAME, e, B_TEXT(buf_span(&b))), out, a, e);
	rc = tx_end(st, rc, e);
out:
	buf_free(&b);
	return rc;
}

/* ---- listing */

struct list {
	struct store_mailbox *p;
	size_t n, cap;
};

static struct store_mailbox *
list_add(struct list *l)
{
	if (l->n == l->cap) {
		l->cap = l->cap != 0 ? l->cap * 2 : 16;
		l->p = mem_resize(l->p, l->cap * sizeof *l->p);
	}
	l->p[l->n] = (struct store_mailbox){ 0 };
	return &l->p[l->n++];
}

static int
by_name(const void *a, const void *b)
{
	return span_cmp(((const struct store_mailbox *)a)->name, ((const struct store_mailbox *)b)->name);
}

static struct store_mailbox *
find_name(const struct list *l, size_t n, struct span name)
{
	struct store_mailbox key = { .name = name };

	return n == 0 ? NULL : bsearch(&key, l->p, n, sizeof key, by_name);
}

/* By row, so that names which are sorted by octets stay so. */
static int
list_mailboxes(struct store *st, struct list *l, struct arena *a, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_MAILBOX_ALL, e);
	int rc;

	while ((rc = db_row(st, q, e)) == 1) {
		struct mbox m = { 0 };

		rc = mbox_read(st, q, &m, e);
		if (rc == 0) {
			describe(&m, db_text(q, 1), list_add(l), a);
			rc = describe_seen(st, &m, &l->p[l->n - 1], e);
		}
		mbox_done(&m);
		if (rc < 0)
			break;
	}
	db_done(q);
	return rc < 0 ? -1 : 0;
}

/* Mark those that are subscribed, and add names without a mailbox behind the others. */
static int
list_subscriptions(struct store *st, struct list *l, struct arena *a, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_SUBSCRIPTIONS, e);
	size_t mailboxes = l->n;
	int rc;

	while ((rc = db_row(st, q, e)) == 1) {
		struct store_mailbox *m = find_name(l, mailboxes, db_text(q, 0));

		if (m == NULL) {
			m = list_add(l);
			m->name = arena_dup(a, db_text(q, 0));
			m->noselect = true;
		}
		m->subscribed = true;
	}
	return rc;
}

static void
mark_parents(struct list *l, size_t mailboxes)
{
	for (size_t i = 0; i < mailboxes; i++) {
		ssize_t slash = span_rchr(l->p[i].name, '/');
		struct store_mailbox *parent;

		if (slash > 0 &&
		    (parent = find_name(l, mailboxes, span_head(l->p[i].name, (size_t)slash))) != NULL)
			parent->children = true;
	}
}

int
store_list(struct store *st, struct store_mailbox **out, size_t *n, struct arena *a, struct err *e)
{
	struct list l = { 0 };
	int rc = -1;

	*out = NULL;
	*n = 0;
	if (tx_begin(st, TX_READ, e) < 0)
		return -1;
	if (list_mailboxes(st, &l, a, e) == 0) {
		mark_parents(&l, l.n);
		rc = list_subscriptions(st, &l, a, e);
	}
	if ((rc = tx_end(st, rc, e)) == 0 && l.n > 0) {
		qsort(l.p, l.n, sizeof *l.p, by_name);
		*out = arena_array(a, l.n, sizeof **out);
		memcpy(*out, l.p, l.n * sizeof **out);
		*n = l.n;
	}
	free(l.p);
	return rc;
}
