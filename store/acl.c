/* acl.c - the table of rights, and what follows from it for a reader. */
#include "store/acl.h"

#include <stdlib.h>

#include "store/inside.h"

/* ---- reading */

int
store_acl_number(struct store *st, uint64_t *number, struct err *e)
{
	int64_t n;

	if (db_one(st, db_open_query(st, Q_ACL_NUMBER, e), 0, &n, e) < 0)
		return -1;
	*number = (uint64_t)n;
	return 0;
}

struct entries {
	struct store_ace *p;
	size_t n, cap;
};

static void
add_entry(struct entries *l, sqlite3_stmt *q, struct arena *a)
{
	if (l->n == l->cap) {
		l->cap = l->cap != 0 ? l->cap * 2 : 16;
		l->p = mem_resize(l->p, l->cap * sizeof *l->p);
	}
	l->p[l->n++] = (struct store_ace){
		.mailbox = db_num(q, 0),
		.who = arena_dup(a, db_text(q, 1)),
		.rights = db_num32(q, 2) & STORE_MAY_ALL,
		.account = arena_dup(a, db_text(q, 3)),
	};
}

static int
read_entries(struct store *st, sqlite3_stmt *q, struct entries *l, struct arena *a, struct err *e)
{
	int rc;

	while ((rc = db_row(st, q, e)) == 1)
		add_entry(l, q, a);
	db_done(q);
	return rc;
}

int
store_acl_read(struct store *st, uint64_t mailbox, struct store_acl *out, struct arena *a, struct err *e)
{
	struct entries l = { 0 };
	struct store_ace *p;
	sqlite3_stmt *q;
	int rc;

	*out = (struct store_acl){ 0 };
	if (tx_begin(st, TX_READ, e) < 0)
		return -1;
	rc = store_acl_number(st, &out->number, e);
	if (rc == 0 && out->number > 0) { /* else there was never an entry */
		q = mailbox != 0 ? db_open_query(st, Q_ACL_OF, e, B_NUM(mailbox))
				 : db_open_query(st, Q_ACL_ALL, e);
		rc = read_entries(st, q, &l, a, e);
	}
	if ((rc = tx_end(st, rc, e)) == 0 && l.n > 0) {
		p = arena_array(a, l.n, sizeof *p);
		memcpy(p, l.p, l.n * sizeof *p);
		out->p = p;
		out->n = l.n;
	}
	free(l.p);
	return rc;
}

struct store_acl
store_acl_of(const struct store_acl *all, uint64_t mailbox)
{
	struct store_acl one = { .number = all->number };
	size_t lo = 0, hi = all->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (all->p[mid].mailbox < mailbox)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (hi = lo; hi < all->n && all->p[hi].mailbox == mailbox; hi++)
		;
	if (hi > lo)
		one.p = all->p + lo;
	one.n = hi - lo;
	return one;
}

/* ---- deciding */

/* `who` is that of the entry without its "-". */
static bool
means(const struct store_ace *ace, struct span who, const struct store_reader *r)
{
	if (span_eq(who, "anyone"))
		return true;
	if (span_eq(who, "owner"))
		return r->owner;
	if (span_starts(who, "group:")) {
		for (size_t i = 0; i < r->ngroups; i++)
			if (span_same(span_from(who, strlen("group:")), r->groups[i]))
				return true;
		return false;
	}
	return r->login.n > 0 && span_same(who, r->login) &&
	       (ace->account.n == 0 || span_same(ace->account, r->account));
}

unsigned
store_acl_rights(const struct store_acl *acl, const struct store_reader *r)
{
	unsigned has = r->owner ? STORE_MAY_ALL : 0, given = 0, taken = 0;

	for (size_t i = 0; i < acl->n; i++) {
		const struct store_ace *ace = &acl->p[i];

		if (ace->who.n > 0 && ace->who.p[0] == '-') {
			if (means(ace, span_from(ace->who, 1), r))
				taken |= ace->rights;
			continue;
		}
		if (span_eq(ace->who, "owner"))
			has = 0; /* what he has by being the owner is what stands there */
		if (means(ace, ace->who, r))
			given |= ace->rights;
	}
	has = (has | given) & ~taken;
	return r->owner ? has | STORE_OWNER_ALWAYS : has;
}

bool
store_acl_groups(const struct store_acl *acl)
{
	for (size_t i = 0; i < acl->n; i++)
		if (span_starts(acl->p[i].who, "group:") || span_starts(acl->p[i].who, "-group:"))
			return true;
	return false;
}

/* ---- changing */

/* What the entry has now. */
static int
present(struct store *st, uint64_t mailbox, struct span who, struct span account, unsigned *rights, struct err *e)
{
	int64_t v;

	if (db_one(st, db_open_query(st, Q_ACL_ONE, e, B_NUM(mailbox), B_TEXT(who), B_TEXT(account)), -1, &v, e) < 0)
		return -1;
	if (v >= 0)
		*rights = (unsigned)v & STORE_MAY_ALL;
	else
		*rights = span_eq(who, "owner") ? STORE_MAY_ALL : 0;
	return 0;
}

static int
room(struct store *st, uint64_t mailbox, struct err *e)
{
	int64_t n;

	if (db_one(st, db_open_query(st, Q_ACL_COUNT, e, B_NUM(mailbox)), 0, &n, e) < 0)
		return -1;
	if (n >= STORE_ENTRIES_MAX)
		return store_fail(
		    st, STORE_LIMIT, e, ERR_PERM, "an ACL has at most %d entries", STORE_ENTRIES_MAX);
	return 0;
}

static int
change(struct store *st, uint64_t mailbox, struct span who, struct span account, enum acl_op op, unsigned rights,
    struct err *e)
{
	unsigned old;

	if (mbox_open(st, mailbox, e) == NULL || present(st, mailbox, who, account, &old, e) < 0)
		return -1;
	if (op == ACL_ADD)
		rights |= old;
	else if (op == ACL_REMOVE)
		rights = old & ~rights;
	if (rights == 0 && !span_eq(who, "owner")) {
		if (db_run(st, Q_ACL_DELETE, e, B_NUM(mailbox), B_TEXT(who)) < 0)
			return -1;
	} else if (room(st, mailbox, e) < 0 ||
		   db_run(st, Q_ACL_SET, e, B_NUM(mailbox), B_TEXT(who), B_NUM(rights), B_TEXT(account)) < 0) {
		return -1;
	}
	return db_run(st, Q_ACL_CHANGED, e);
}

int
store_acl_change(struct store *st, uint64_t mailbox, struct span who, struct span account, enum acl_op op,
    unsigned rights, struct err *e)
{
	st->why = STORE_OTHER;
	if (who.n == 0 || who.n > STORE_WHO_MAX)
		return store_fail(st, STORE_CANNOT, e, ERR_PERM, "not an identifier");
	if (tx_begin(st, TX_DURABLE, e) < 0)
		return -1;
	return tx_end(st, change(st, mailbox, who, account, op, rights & STORE_MAY_ALL, e), e);
}

/* ---- what authd knows */

static int
by_octets(const void *a, const void *b)
{
	return span_cmp(*(const struct span *)a, *(const struct span *)b);
}

static void
list_who(const struct store_acl *all, struct store_shared *out, struct arena *a)
{
	struct span *who = arena_array(a, all->n, sizeof *who);
	size_t n = 0, to = 0;

	for (size_t i = 0; i < all->n; i++) {
		const struct store_ace *ace = &all->p[i];

		if (ace->who.p[0] != '-' && !span_eq(ace->who, "owner") &&
		    (ace->rights & STORE_MAY_LOOKUP) != 0)
			who[n++] = ace->who;
	}
	if (n > 0)
		qsort(who, n, sizeof *who, by_octets);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || !span_same(who[i - 1], who[i]))
			who[to++] = who[i];
	out->who = who;
	out->nwho = to;
}

static int
list_post(
    struct store *st, const struct store_acl *all, struct store_shared *out, struct arena *a, struct err *e)
{
	const struct store_reader stranger = { 0 };
	struct store_mailbox *box;
	struct span *post;
	size_t n;

	if (store_list(st, &box, &n, a, e) < 0)
		return -1;
	out->post = post = arena_array(a, n, sizeof *post);
	for (size_t i = 0; i < n; i++) {
		struct store_acl acl = store_acl_of(all, box[i].id);

		if (box[i].id != 0 && !box[i].noselect &&
		    (store_acl_rights(&acl, &stranger) & STORE_MAY_POST) != 0)
			post[out->npost++] = box[i].name;
	}
	return 0;
}

int
store_acl_shared(struct store *st, struct store_shared *out, struct arena *a, struct err *e)
{
	struct store_acl all;
	int rc;

	*out = (struct store_shared){ 0 };
	if (tx_begin(st, TX_READ, e) < 0)
		return -1;
	if ((rc = store_acl_read(st, 0, &all, a, e)) == 0) {
		out->number = all.number;
		list_who(&all, out, a);
		rc = list_post(st, &all, out, a, e);
	}
	return tx_end(st, rc, e);
}

int
store_acl_told(struct store *st, uint64_t *number, struct err *e)
{
	int64_t n;

	if (db_one(st, db_open_query(st, Q_ACL_TOLD, e), 0, &n, e) < 0)
		return -1;
	*number = (uint64_t)n;
	return 0;
}

int
store_acl_set_told(struct store *st, uint64_t number, struct err *e)
{
	if (tx_begin(st, TX_UNSYNCED, e) < 0) /* lost in a power cut it is told again */
		return -1;
	return tx_end(st, db_run(st, Q_ACL_SET_TOLD, e, B_NUM(number)), e);
}

/* ---- of mailboxes that come and go: in their transactions */

int
acl_inherit(struct store *st, int64_t id, struct span name, struct err *e)
{
	ssize_t slash = span_rchr(name, '/');
	struct span parent = slash > 0 ? span_head(name, (size_t)slash) : SPAN("INBOX");

	if (slash <= 0 && !st->inherit)
		return 0;
	if (db_run(st, Q_ACL_COPY, e, B_TEXT(parent), B_NUM(id)) < 0)
		return -1;
	return db_changes(st) > 0 ? db_run(st, Q_ACL_CHANGED, e) : 0;
}

int
acl_retire(struct store *st, uint64_t id, struct err *e)
{
	int64_t n;

	if (db_one(st, db_open_query(st, Q_ACL_COUNT, e, B_NUM(id)), 0, &n, e) < 0)
		return -1;
	return n > 0 ? db_run(st, Q_ACL_CHANGED, e) : 0;
}

int
acl_drop(struct store *st, uint64_t id, struct err *e)
{
	if (db_run(st, Q_SEEN_DROP, e, B_NUM(id)) < 0)
		return -1;
	return db_run(st, Q_ACL_DROP, e, B_NUM(id));
}

/* Which names may be posted to is another answer now. */
int
acl_renamed(struct store *st, struct err *e)
{
	return db_run(st, Q_ACL_RENAMED, e);
}
