/* mailbox.c - making, deleting, renaming mailboxes; subscriptions. Looking them up: lookup.c. */
#include "base/clock.h"
#include "store/inside.h"
#include "store/seen.h"

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
	return db_any(st, db_open_query(st, Q_MAILBOX_CHILD, e, B_TEXT(name)), e);
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
		int used = db_any(st, db_open_query(st, Q_MAILBOX_USE, e, B_NUM(use)), e);

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
