/* annotation.c - annotations of mailboxes and of the store; special uses, which are told as one of them. */
#include "store/annotation.h"

#include <stdlib.h>

#include "store/event.h"
#include "store/inside.h"

struct list {
	struct store_annotation *p;
	size_t n, cap;
};

static void
add(struct list *l, struct store_annotation x)
{
	if (l->n == l->cap) {
		l->cap = l->cap != 0 ? l->cap * 2 : 16;
		l->p = mem_resize(l->p, l->cap * sizeof *l->p);
	}
	l->p[l->n++] = x;
}

static int
by_place(const void *a, const void *b)
{
	const struct store_annotation *x = a, *y = b;

	if (x->mailbox != y->mailbox)
		return x->mailbox < y->mailbox ? -1 : 1;
	return span_cmp(x->entry, y->entry);
}

static int
read_rows(struct store *st, sqlite3_stmt *q, struct list *l, struct arena *a, struct err *e)
{
	int rc;

	while ((rc = db_row(st, q, e)) == 1)
		add(l, (struct store_annotation){
			   .mailbox = db_num(q, 0),
			   .entry = arena_dup(a, db_text(q, 1)),
			   .value = arena_dup(a, db_blob(q, 2)),
		       });
	db_done(q);
	return rc;
}

int
store_annotations(struct store *st, uint64_t mailbox, bool all, struct span who,
    struct store_annotation **out, size_t *n, struct arena *a, struct err *e)
{
	struct list l = { 0 };
	int rc;

	if (tx_begin(st, TX_READ, e) < 0)
		return -1;
	rc = read_rows(st,
	    all ? db_open_query(st, Q_ANNOTATIONS_ALL, e, B_TEXT(who))
		: db_open_query(st, Q_ANNOTATIONS, e, B_NUM(mailbox), B_TEXT(who)),
	    &l, a, e);
	if ((rc = tx_end(st, rc, e)) == 0) {
		if (l.n > 0)
			qsort(l.p, l.n, sizeof *l.p, by_place);
		*out = arena_array(a, l.n, sizeof **out);
		if (l.n > 0)
			memcpy(*out, l.p, l.n * sizeof *l.p);
		*n = l.n;
	}
	free(l.p);
	return rc;
}

const struct store_annotation *
store_annotation_find(const struct store_annotation *p, size_t n, uint64_t mailbox, struct span entry)
{
	struct store_annotation key = { .mailbox = mailbox, .entry = entry };

	return n == 0 ? NULL : bsearch(&key, p, n, sizeof *p, by_place);
}

/* ---- changes, within a transaction that writes */

static struct span
who_of(struct span entry, struct span who)
{
	return span_starts(entry, "/private/") ? who : SPAN("");
}

static int
set_one(struct store *st, uint64_t mailbox, struct span who, const struct store_annotation *x, struct err *e)
{
	struct store_event ev = { .mailbox = mailbox, .other = x->entry, .who = who };
	int rc;

	if (x->value.p == NULL)
		rc = db_run(st, Q_ANNOTATION_DROP, e, B_NUM(mailbox), B_TEXT(who), B_TEXT(x->entry));
	else
		rc = db_run(
		    st, Q_ANNOTATION_SET, e, B_NUM(mailbox), B_TEXT(who), B_TEXT(x->entry), B_BLOB(x->value));
	if (rc < 0)
		return -1;
	return db_changes(st) > 0 ? event_note(st, STORE_EVENT_ANNOTATION, &ev, e) : 0;
}

static int
within(struct store *st, uint64_t mailbox, struct span who, const struct store_annotation_limits *max,
    struct err *e)
{
	int64_t n, octets;

	if (db_one(st, db_open_query(st, Q_ANNOTATION_COUNT, e, B_NUM(mailbox), B_TEXT(who)), 0, &n, e) < 0 ||
	    db_one(st, db_open_query(st, Q_ANNOTATION_OCTETS, e, B_TEXT(who)), 0, &octets, e) < 0)
		return -1;
	if ((uint64_t)n > max->entries)
		return store_fail(st, STORE_LIMIT, e, ERR_PERM, "at most %llu annotations of a mailbox",
		    (unsigned long long)max->entries);
	if ((uint64_t)octets > max->octets)
		return store_fail(st, STORE_LIMIT, e, ERR_PERM, "at most %llu octets of annotations",
		    (unsigned long long)max->octets);
	return 0;
}

/* What is only removed may be over a limit that was lowered. */
static int
annotate(struct store *st, uint64_t mailbox, struct span who, const struct store_annotation *p, size_t n,
    const struct store_annotation_limits *max, struct err *e)
{
	bool more[2] = { false, false }; /* shared, private */

	if (mailbox != 0 && mbox_open(st, mailbox, e) == NULL)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct span whose = who_of(p[i].entry, who);

		more[whose.n > 0] |= p[i].value.p != NULL;
		if (set_one(st, mailbox, whose, &p[i], e) < 0)
			return -1;
	}
	if (more[0] && within(st, mailbox, SPAN(""), max, e) < 0)
		return -1;
	return more[1] ? within(st, mailbox, who, max, e) : 0;
}

int
store_annotate(struct store *st, uint64_t mailbox, struct span who, const struct store_annotation *p,
    size_t n, const struct store_annotation_limits *max, struct err *e)
{
	if (tx_begin(st, TX_DURABLE, e) < 0)
		return -1;
	return tx_end(st, annotate(st, mailbox, who, p, n, max, e), e);
}

int
annotations_copy(struct store *st, uint64_t from, uint64_t to, struct err *e)
{
	return db_run(st, Q_ANNOTATION_COPY, e, B_NUM(from), B_NUM(to));
}

int
annotations_forget(struct store *st, uint64_t mailbox, struct err *e)
{
	return db_run(st, Q_ANNOTATION_FORGET, e, B_NUM(mailbox));
}

/* ---- special use */

static int
use_changed(struct store *st, struct mbox *m, enum store_use use, struct err *e)
{
	struct store_event ev = {
		.mailbox = m->id, .other = SPAN("/private/specialuse"), .who = SPAN("owner")
	};

	if (m->use == use)
		return 0;
	m->use = use;
	m->dirty = true;
	return event_note(st, STORE_EVENT_ANNOTATION, &ev, e);
}

static int
set_use(struct store *st, uint64_t mailbox, enum store_use use, uint64_t *before, struct err *e)
{
	struct mbox *m = mbox_open(st, mailbox, e), *other;
	int64_t id = 0;

	if (m == NULL)
		return -1;
	if (use != STORE_USE_NONE &&
	    db_one(st, db_open_query(st, Q_MAILBOX_OF_USE, e, B_NUM(use)), 0, &id, e) < 0)
		return -1;
	if (id != 0 && (uint64_t)id != mailbox) {
		*before = (uint64_t)id;
		if ((other = mbox_open(st, *before, e)) == NULL ||
		    use_changed(st, other, STORE_USE_NONE, e) < 0)
			return -1;
	}
	return use_changed(st, m, use, e);
}

int
store_use_set(struct store *st, uint64_t mailbox, enum store_use use, uint64_t *before, struct err *e)
{
	*before = 0;
	if (tx_begin(st, TX_DURABLE, e) < 0)
		return -1;
	return tx_end(st, set_use(st, mailbox, use, before, e), e);
}

int
store_use_taken(struct store *st, enum store_use use, bool *taken, struct err *e)
{
	int64_t id;

	if (db_one(st, db_open_query(st, Q_MAILBOX_OF_USE, e, B_NUM(use)), 0, &id, e) < 0)
		return -1;
	*taken = id != 0;
	return 0;
}
