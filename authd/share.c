/*
 * share.c - requests about groups, trees under Shared/, and who shares with whom.
 *
 * What a worker says about its owner's ACLs replaces what was said before. Nobody's rights come from here: the store
 * decides; so a worker that lies can only make names appear that lead nowhere.
 */
#include "authd/address.h"
#include "authd/admin.h"
#include "authd/authd.h"
#include "authd/db_share.h"
#include "base/log.h"

enum { NAMES_MAX = 100000 };

static struct span
lower(struct arena *a, struct span s)
{
	char *p = arena_cstr(a, s);

	for (size_t i = 0; i < s.n; i++)
		p[i] = ascii_lower(p[i]);
	return span_of(p, s.n);
}

/* ---- what is packed into answers */

static int
pack_name(void *arg, struct span name, struct err *e)
{
	struct authd_name m = { .name = name };

	return ipc_pack(&authd_def, (struct buf *)arg, authd_name, &m, e);
}

static void
list_init(struct buf *b)
{
	buf_init(b, authd_def.frame_max - 4096);
}

/* ---- groups of a login */

void
groups_request(struct peer *p, uint32_t id, const struct authd_groups *m)
{
	struct authd *a = p->a;
	struct buf names;
	struct err e = { 0 };

	list_init(&names);
	if (db_groups_of(a->db, m->login, pack_name, &names, &e) < 0)
		answer_refuse(p, id, &e);
	else
		answer(p, authd_groups_answer,
		    (&(struct authd_groups_answer){
			.groups = buf_span(&names), .generation = a->generation }),
		    id);
	buf_free(&names);
}

/* ---- identifiers */

/* 1 known, 0 not, -1; *who is empty if it can be none. */
static int
identify(struct authd *a, struct span in, struct span *who, struct span *owner, struct err *e)
{
	struct span text = lower(a->scratch, in), home = { 0 };
	struct address at;
	struct account acct;
	struct err bad = { 0 };
	int got;

	*who = text;
	if (span_eq(text, "anyone"))
		return 1;
	if (span_eq(text, "anonymous"))
		return 0;
	if (span_starts(text, "group:")) {
		if (group_name_valid(span_from(text, strlen("group:"))))
			return db_group(a->db, span_from(text, strlen("group:")), e);
		*who = (struct span){ 0 };
		return 0;
	}
	if (span_chr(text, '@') < 0 && db_default_domain(a->db, a->scratch, &home, e) < 0)
		return -1;
	if (address_of(text, home, a->scratch, &at, &bad) < 0) {
		*who = (struct span){ 0 };
		return 0;
	}
	*who = at.key;
	got = db_account(a->db, at.key, a->scratch, &acct, e);
	if (got > 0)
		*owner = acct.owner;
	return got;
}

void
identifier_request(struct peer *p, uint32_t id, const struct authd_identifier *m)
{
	struct authd_identifier_answer out = { 0 };
	struct err e = { 0 };
	int got = identify(p->a, m->who, &out.who, &out.owner, &e);

	if (got < 0) {
		answer_refuse(p, id, &e);
		return;
	}
	out.known = got > 0;
	answer(p, authd_identifier_answer, &out, id);
}

/* ---- what a store shares */

static int
put_names(struct db *d, struct span owner, struct span list,
    int (*add)(struct db *d, struct span owner, struct span name, struct err *e), struct err *e)
{
	struct authd_name m;
	int got, n = 0;

	while ((got = ipc_unpack(&authd_def, &list, authd_name, &m, e)) > 0) {
		if (++n > NAMES_MAX)
			return err_set(e, ERR_PERM, "more than %d names", NAMES_MAX);
		if (add(d, owner, m.name, e) < 0)
			return -1;
	}
	return got;
}

static int
apply_shared(struct authd *a, const void *req, struct err *e)
{
	const struct authd_shared *m = req;

	if (db_share_clear(a->db, m->owner, e) < 0 ||
	    put_names(a->db, m->owner, m->who, db_share_add, e) < 0 ||
	    put_names(a->db, m->owner, m->post, db_post_add, e) < 0)
		return -1;
	return 1;
}

void
shared_request(struct peer *p, uint32_t id, const struct authd_shared *m)
{
	admin_transact(p, id, apply_shared, m);
}

/* ---- who shares with a login */

struct sharers {
	struct buf list;
	uint32_t shares;
};

static int
pack_sharer(void *arg, struct span name, struct span owner, struct err *e)
{
	struct sharers *s = arg;
	struct authd_sharer m = { .name = name, .owner = owner, .shares = s->shares };

	return ipc_pack(&authd_def, &s->list, authd_sharer, &m, e);
}

/* The one of this name, whether or not it shares. */
static int
one_sharer(struct authd *a, const struct authd_sharing *m, struct sharers *s, struct err *e)
{
	struct span name = { 0 }, owner = { 0 };
	struct tree t = { 0 };
	int got;

	if (span_starts(m->name, "+")) {
		name = m->name;
		got = db_tree(a->db, span_from(m->name, 1), a->scratch, &t, e);
		owner = t.owner;
	} else {
		got = identify(a, m->name, &name, &owner, e);
		if (owner.n == 0 && got > 0)
			got = 0; /* "anyone", a group */
	}
	if (got > 0 && (got = db_shares(a->db, m->login, owner, e)) >= 0) {
		s->shares = got > 0;
		got = pack_sharer(s, name, owner, e);
	}
	return got < 0 ? -1 : 0;
}

void
sharing_request(struct peer *p, uint32_t id, const struct authd_sharing *m)
{
	struct authd *a = p->a;
	struct sharers s = { .shares = 1 };
	struct err e = { 0 };
	int rc;

	list_init(&s.list);
	rc = m->name.n > 0 ? one_sharer(a, m, &s, &e)
			   : db_sharers(a->db, m->login, m->after, pack_sharer, &s, &e);
	if (rc < 0)
		answer_refuse(p, id, &e);
	else
		answer(p, authd_sharing_answer,
		    &(struct authd_sharing_answer){ .sharers = buf_span(&s.list) }, id);
	buf_free(&s.list);
}

/* ---- trees */

static int
apply_tree(struct authd *a, const void *req, struct err *e)
{
	const struct authd_tree *m = req;
	struct tree t = { .name = m->name };
	int got;

	if (m->op == OP_DELETE) {
		got = db_tree_delete(a->db, m->name, e);
		return got == 0 ? admin_refused(e, m->name, "no such tree under Shared/") : got;
	}
	if (m->op != OP_ADD && m->op != OP_PUT)
		return err_set(e, ERR_PEER, "no such operation");
	if (m->op == OP_PUT && (got = db_tree(a->db, m->name, a->scratch, &t, e)) != 0)
		return got < 0 ? -1 : 0;
	return db_tree_add(a->db, a->scratch, &t, e);
}

static void
show_tree(struct peer *p, uint32_t id, struct span name)
{
	struct tree t = { 0 };
	struct err e = { 0 };
	int got = db_tree(p->a->db, name, p->a->scratch, &t, &e);

	if (got == 0)
		got = admin_refused(&e, name, "no such tree under Shared/");
	if (got < 0) {
		answer_refuse(p, id, &e);
		return;
	}
	answer(p, authd_tree,
	    (&(struct authd_tree){ .name = t.name, .owner = t.owner, .created = t.created }), id);
}

void
tree_request(struct peer *p, uint32_t id, const struct authd_tree *m)
{
	if (m->op == OP_SHOW)
		show_tree(p, id, m->name);
	else if (admin_transact(p, id, apply_tree, m) > 0)
		log_event(LOG_INFO, "authd.tree", KV_S("name", m->name), KV_STR("op", admin_op(m->op)));
}

/* ---- groups */

/* One member joins or leaves: 1 changed, 0 was so, -1. */
static int
move_member(struct authd *a, struct span group, struct span text, bool join, struct err *e)
{
	struct span who = { 0 }, owner = { 0 };
	int known = identify(a, text, &who, &owner, e);

	if (known < 0)
		return -1;
	if (!join)
		return db_member_delete(a->db, group, who.n > 0 ? who : text, e);
	if (known == 0 || span_eq(who, "anyone"))
		return admin_refused(e, text, "no such account or group");
	return db_member_add(a->db, group, who, e);
}

static int
move_members(struct authd *a, struct span group, struct span list, bool join, struct err *e)
{
	struct authd_name m;
	int got, count = 0;

	while ((got = ipc_unpack(&authd_def, &list, authd_name, &m, e)) > 0) {
		int moved = move_member(a, group, m.name, join, e);

		if (moved < 0)
			return -1;
		count += moved;
	}
	return got < 0 ? -1 : count;
}

static int
apply_group(struct authd *a, const void *req, struct err *e)
{
	const struct authd_group *m = req;
	struct span name = lower(a->scratch, m->name);
	int got;

	if (!group_name_valid(name))
		return admin_refused(e, m->name, "a group's name has 1 to 64 of a-z 0-9 . _ -");
	got = m->op == OP_ADD ? db_group_add(a->db, name, e) : db_group(a->db, name, e);
	if (got < 0)
		return -1;
	if (got == 0)
		return admin_refused(e, name, m->op == OP_ADD ? "the group exists already" : "no such group");
	switch ((enum account_op)m->op) {
	case OP_ADD:
		return move_members(a, name, m->members, true, e) < 0 ? -1 : 1;
	case OP_DELETE:
		return db_group_delete(a->db, name, e);
	case OP_JOIN:
	case OP_LEAVE:
		return move_members(a, name, m->members, m->op == OP_JOIN, e);
	case OP_CHANGE:
	case OP_SHOW:
	case OP_PUT:
		break;
	}
	return err_set(e, ERR_PEER, "no such operation");
}

int
pack_group(struct authd *a, struct span name, struct buf *out, struct err *e)
{
	struct authd_group m = { .name = name };
	struct buf members;
	int rc;

	list_init(&members);
	rc = db_members(a->db, name, pack_name, &members, e);
	m.members = buf_span(&members);
	if (rc >= 0)
		rc = ipc_pack(&authd_def, out, authd_group, &m, e);
	buf_free(&members);
	return rc < 0 ? -1 : 1;
}

static void
show_group(struct peer *p, uint32_t id, struct span in)
{
	struct authd *a = p->a;
	struct span name = lower(a->scratch, in);
	struct buf members;
	struct err e = { 0 };
	int got = db_group(a->db, name, &e);

	list_init(&members);
	if (got == 0)
		got = admin_refused(&e, name, "no such group");
	if (got > 0)
		got = db_members(a->db, name, pack_name, &members, &e);
	if (got < 0)
		answer_refuse(p, id, &e);
	else
		answer(p, authd_group, (&(struct authd_group){ .name = name, .members = buf_span(&members) }),
		    id);
	buf_free(&members);
}

void
group_request(struct peer *p, uint32_t id, const struct authd_group *m)
{
	if (m->op == OP_SHOW) {
		show_group(p, id, m->name);
		return;
	}
	if (admin_transact(p, id, apply_group, m) < 0)
		return;
	p->a->generation++;
	log_event(LOG_INFO, "authd.group", KV_S("name", m->name), KV_STR("op", admin_op(m->op)));
}
