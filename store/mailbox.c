/* mailbox.c - looking up, listing, making, deleting, renaming mailboxes; subscriptions. */
#include <stdlib.h>

#include "base/clock.h"
#include "store/inside.h"
#include "store/seen.h"

static void
name_init(struct buf *b)
{
	buf_init(b, STORE_NAME_MAX + 1);
}

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

/* Is there a row? */
static int
any(struct store *st, sqlite3_stmt *q, struct err *e)
{
	int rc = db_row(st, q, e);

	db_done(q);
	return rc;
}

/* What the row of a mailbox does not know. */
static int
describe_more(struct store *st, struct store_mailbox *out, struct err *e)
{
	int child = any(st, db_open_query(st, Q_MAILBOX_CHILD, e, B_TEXT(out->name)), e);
	int subscribed = any(st, db_open_query(st, Q_SUBSCRIBED, e, B_TEXT(out->name)), e);

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

/* ---- making. All within a transaction that writes. */

/* Its id; 0 if there is none; -1. */
static int64_t
find(struct store *st, struct span name, struct err *e)
{
	int64_t id;

	return db_one(st, db_open_query(st, Q_MAILBOX_FIND, e, B_TEXT(name)), 0, &id, e) < 0 ? -1 : id;
}

static int
has_children(struct store *st, struct span name, struct err *e)
{
	return any(st, db_open_query(st, Q_MAILBOX_CHILD, e, B_TEXT(name)), e);
}

static int64_t
insert(struct store *st, struct span name, enum store_use use, struct err *e)
{
	int64_t count, id;

	if (db_one(st, db_open_query(st, Q_MAILBOX_COUNT, e), 0, &count, e) < 0)
		return -1;
	if (count >= STORE_MAILBOXES_MAX)
		return store_fail(st, STORE_LIMIT, e, ERR_PERM, "at most %d mailboxes", STORE_MAILBOXES_MAX);
	if (db_run(st, Q_MAILBOX_NEW, e, B_TEXT(name), B_NUM(number_uidvalidity(st)), B_NUM(1),
		B_NUM(number_modseq(st)), B_NUM(use)) < 0)
		return -1;
	id = sqlite3_last_insert_rowid(st->db);
	if (event_note(st, STORE_EVENT_NAME, &(struct store_event){ .name = name }, e) < 0)
		return -1;
	return acl_inherit(st, id, name, e) < 0 ? -1 : id;
}

/* The levels above, as far as they are missing (RFC 3501, 6.3.3). */
static int
make_parents(struct store *st, struct span name, struct err *e)
{
	int64_t id;

	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] != '/')
			continue;
		if ((id = find(st, span_head(name, i), e)) == 0)
			id = insert(st, span_head(name, i), STORE_USE_NONE, e);
		if (id < 0)
			return -1;
	}
	return 0;
}

/* A name that only had children becomes a mailbox: a new one, so its UIDVALIDITY is new. */
static int
make_selectable(struct store *st, int64_t id, enum store_use use, struct err *e)
{
	struct mbox *m = mbox_open(st, (uint64_t)id, e);

	if (m == NULL)
		return -1;
	if (!m->noselect)
		return store_fail(st, STORE_ALREADYEXISTS, e, ERR_PERM, "this mailbox exists already");
	m->noselect = false;
	m->use = use;
	m->uidvalidity = number_uidvalidity(st);
	mbox_touch(st, m);
	return db_run(st, Q_MAILBOX_SELECTABLE, e, B_NUM(id), B_NUM(m->uidvalidity), B_NUM(use));
}

static int64_t
create(struct store *st, struct span name, enum store_use use, struct err *e)
{
	int64_t id = find(st, name, e);

	if (id < 0)
		return -1;
	if (use != STORE_USE_NONE) {
		int used = any(st, db_open_query(st, Q_MAILBOX_USE, e, B_NUM(use)), e);

		if (used != 0)
			return used < 0 ? -1
					: store_fail(st, STORE_CANNOT, e, ERR_PERM,
					      "another mailbox has this special use");
	}
	if (id > 0)
		return make_selectable(st, id, use, e) < 0 ||
			       event_note(st, STORE_EVENT_NAME, &(struct store_event){ .name = name }, e) < 0
			   ? -1
			   : id;
	return mailbox_new(st, name, use, e);
}

int64_t
mailbox_new(struct store *st, struct span name, enum store_use use, struct err *e)
{
	return make_parents(st, name, e) < 0 ? -1 : insert(st, name, use, e);
}

int
store_create(struct store *st, struct span name, enum store_use use, uint64_t *id, struct err *e)
{
	struct buf b;
	int64_t made = -1;

	name_init(&b);
	if (name.n > 1 && name.p[name.n - 1] == '/')
		name.n--;
	if (name_check(st, name, &b, e) == 0 && tx_begin(st, TX_DURABLE, e) == 0) {
		made = create(st, buf_span(&b), use, e);
		if (tx_end(st, made < 0 ? -1 : 0, e) < 0)
			made = -1;
	}
	buf_free(&b);
	if (made > 0 && id != NULL)
		*id = (uint64_t)made;
	return made < 0 ? -1 : 0;
}

/* ---- deleting */

static int
missing(struct store *st, struct err *e)
{
	return store_fail(st, STORE_NONEXISTENT, e, ERR_PERM, "no such mailbox");
}

/* The messages no longer count; rows and files stay until store_purge. The id is not found again. */
static int
retire(struct store *st, struct mbox *m, struct err *e)
{
	st->state.bytes -= m->bytes < st->state.bytes ? m->bytes : st->state.bytes;
	st->state.messages -= m->exist < st->state.messages ? m->exist : st->state.messages;
	st->state.dirty = true;
	m->deleted_ms = clock_wall_ms();
	mbox_touch(st, m);
	if (acl_retire(st, m->id, e) < 0) /* RFC 4314, 4: DELETE */
		return -1;
	return db_run(st, Q_MAILBOX_RETIRE, e, B_NUM(m->id));
}

static int
delete_named(struct store *st, struct span name, struct err *e)
{
	int64_t id = find(st, name, e), place;
	int children = has_children(st, name, e);
	struct mbox *m;

	if (id < 0 || children < 0)
		return -1;
	if (id == 0)
		return missing(st, e);
	if ((m = mbox_open(st, (uint64_t)id, e)) == NULL)
		return -1;
	if (children && m->noselect)
		return store_fail(st, STORE_CANNOT, e, ERR_PERM, "there are mailboxes below this name");
	if (vacated_note(st, name, e) < 0 || retire(st, m, e) < 0 ||
	    event_note(st, STORE_EVENT_NAME, &(struct store_event){ .name = name }, e) < 0)
		return -1;
	if (!children)
		return 0;
	if ((place = insert(st, name, STORE_USE_NONE, e)) < 0 ||
	    (m = mbox_open(st, (uint64_t)place, e)) == NULL)
		return -1;
	m->noselect = m->dirty = true;
	return 0;
}

int
store_delete(struct store *st, struct span name, struct err *e)
{
	struct buf b;
	int rc = -1;

	name_init(&b);
	if (name_check(st, name, &b, e) < 0)
		goto out;
	if (span_eq(buf_span(&b), "INBOX")) {
		store_fail(st, STORE_CANNOT, e, ERR_PERM, "INBOX can't be deleted");
		goto out;
	}
	if (tx_begin(st, TX_DURABLE, e) == 0)
		rc = tx_end(st, delete_named(st, buf_span(&b), e), e);
out:
	buf_free(&b);
	return rc;
}

/* ---- renaming */

/* RENAME of INBOX: its messages move to a new mailbox (RFC 3501, 6.3.5). */
static int
rename_inbox(struct store *st, int64_t inbox, struct span to, struct err *e)
{
	int64_t id;

	if (make_parents(st, to, e) < 0 || (id = insert(st, to, STORE_USE_NONE, e)) < 0)
		return -1;
	if (annotations_copy(st, (uint64_t)inbox, (uint64_t)id, e) < 0) /* RFC 5464, 4.1 */
		return -1;
	return move_all(st, (uint64_t)inbox, (uint64_t)id, e);
}

/* The names below must stay within the limits. */
static int
check_children(struct store *st, struct span from, struct span to, struct err *e)
{
	sqlite3_stmt *q = db_open_query(st, Q_MAILBOX_LONGEST, e, B_TEXT(from));
	size_t slashes = 0;
	int rc = db_row(st, q, e);

	for (size_t i = 0; i < to.n; i++)
		slashes += to.p[i] == '/';
	for (size_t i = 0; i < from.n; i++)
		slashes -= from.p[i] == '/';
	if (rc == 1 && sqlite3_column_type(q, 0) != SQLITE_NULL &&
	    (db_num(q, 0) - from.n + to.n > STORE_NAME_MAX || db_num(q, 1) + slashes >= STORE_DEPTH_MAX))
		rc = store_fail(st, STORE_LIMIT, e, ERR_PERM, "the names below would be too long");
	db_done(q);
	return rc < 0 ? -1 : 0;
}

static int
rename_named(struct store *st, struct span from, struct span to, struct err *e)
{
	int64_t id = find(st, from, e), other = find(st, to, e);
	struct mbox *m;

	if (id < 0 || other < 0)
		return -1;
	if (id == 0)
		return missing(st, e);
	if (other > 0)
		return store_fail(
		    st, STORE_ALREADYEXISTS, e, ERR_PERM, "a mailbox of the new name exists already");
	if (span_eq(from, "INBOX"))
		return rename_inbox(st, id, to, e);
	if (to.n > from.n && to.p[from.n] == '/' && span_same(span_head(to, from.n), from))
		return store_fail(st, STORE_CANNOT, e, ERR_PERM, "a mailbox can't be put below itself");
	if (check_children(st, from, to, e) < 0 || make_parents(st, to, e) < 0)
		return -1;
	if ((m = mbox_open(st, (uint64_t)id, e)) == NULL)
		return -1;
	mbox_touch(st, m);
	if (vacated_note(st, from, e) < 0 ||
	    event_note(st, STORE_EVENT_RENAMED, &(struct store_event){ .name = to, .other = from }, e) < 0)
		return -1;
	if (db_run(st, Q_MAILBOX_NAME_SET, e, B_NUM(id), B_TEXT(to)) < 0 || acl_renamed(st, e) < 0)
		return -1;
	if (db_run(st, Q_MAILBOX_RENAME, e, B_TEXT(from), B_TEXT(to)) < 0)
		return -1;
	return vacated_taken(st, to, e);
}

int
store_rename(struct store *st, struct span from, struct span to, struct err *e)
{
	struct buf old, new;
	int rc = -1;

	name_init(&old);
	name_init(&new);
	if (to.n > 1 && to.p[to.n - 1] == '/')
		to.n--;
	if (name_check(st, from, &old, e) == 0 && name_check(st, to, &new, e) == 0 &&
	    tx_begin(st, TX_DURABLE, e) == 0)
		rc = tx_end(st, rename_named(st, buf_span(&old), buf_span(&new), e), e);
	buf_free(&old);
	buf_free(&new);
	return rc;
}

/* ---- subscriptions */

static int
subscribe(struct store *st, struct span name, bool subscribed, struct err *e)
{
	struct store_event ev = { .name = name };
	int64_t count;

	if (!subscribed)
		return db_run(st, Q_UNSUBSCRIBE, e, B_TEXT(name)) < 0 ? -1
		       : db_changes(st) > 0 ? event_note(st, STORE_EVENT_SUBSCRIPTION, &ev, e)
					    : 0;
	if (db_one(st, db_open_query(st, Q_SUBSCRIPTION_COUNT, e), 0, &count, e) < 0)
		return -1;
	if (count >= STORE_MAILBOXES_MAX)
		return store_fail(
		    st, STORE_LIMIT, e, ERR_PERM, "at most %d subscriptions", STORE_MAILBOXES_MAX);
	if (db_run(st, Q_SUBSCRIBE, e, B_TEXT(name)) < 0)
		return -1;
	return db_changes(st) > 0 ? event_note(st, STORE_EVENT_SUBSCRIPTION, &ev, e) : 0;
}

int
store_subscribe(struct store *st, struct span name, bool subscribed, struct err *e)
{
	struct buf b;
	int rc = -1;

	name_init(&b);
	if (name.n > 1 && name.p[name.n - 1] == '/')
		name.n--;
	if (name_check(st, name, &b, e) == 0 && tx_begin(st, TX_DURABLE, e) == 0)
		rc = tx_end(st, subscribe(st, buf_span(&b), subscribed, e), e);
	buf_free(&b);
	return rc;
}
