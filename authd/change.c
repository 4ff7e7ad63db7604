/*
 * change.c - changes of accounts.
 *
 * A change, of one account or 26,000, is collected (`struct change`), its plain passwords are hashed by the
 * workers, and then it is one transaction: all of it or nothing. Each address is checked before anything is
 * stored.
 */
#include <stdlib.h>

#include "authd/address.h"
#include "authd/admin.h"
#include "authd/authd.h"
#include "base/log.h"
#include "base/utf8.h"

enum { CHANGE_MAX = 512 * 1024 * 1024, USERS_MAX = 1000000, NAME_MAX_OCTETS = 255 };

struct user {
	struct authd_user m; /* spans in the change's arena; the password is wiped once hashed */
	struct span hash;    /* given, or made */
	struct hash_job job;
	struct change *change;
	struct user *next;
};

struct change {
	struct pending pending;
	struct peer *peer;
	struct arena *mem;
	struct user *first, **last;
	size_t n;
	size_t hashing; /* passwords with the workers */
	struct err e;
};

static struct change *
change_new(struct peer *p)
{
	struct change *c = mem_zero(1, sizeof *c);

	c->peer = p;
	c->mem = arena_new(CHANGE_MAX);
	c->last = &c->first;
	return c;
}

static void
wipe_password(struct user *u)
{
	if (u->m.password.n > 0)
		explicit_bzero((void *)(uintptr_t)u->m.password.p, u->m.password.n);
	u->m.password.n = 0;
}

static void
change_free(struct change *c)
{
	for (struct user *u = c->first; u != NULL; u = u->next)
		wipe_password(u);
	arena_free(c->mem);
	free(c);
}

static void
change_cancel(struct pending *w)
{
	struct change *c = (struct change *)(void *)w;

	for (struct user *u = c->first; u != NULL; u = u->next)
		hash_cancel(c->peer->a->pool, &u->job);
	change_free(c);
}

void
import_forget(struct peer *p)
{
	if (p->batches != NULL)
		change_free(p->batches);
	p->batches = NULL;
}

/* What can be told without the database. */
static int
check_user(const struct authd_user *m, struct err *e)
{
	if (m->password.n > 0 && m->hash.n > 0)
		return admin_refused(e, m->addr, "a password and a hash");
	if (m->password.n > 0 && pw_password_valid(m->password, e) < 0)
		return -1;
	if (m->hash.n > 0 && pw_scheme_valid(m->hash, e) < 0)
		return err_prefix(e, "%.*s: ", SPAN_ARG(span_head(m->addr, 100)));
	if (m->name.n > NAME_MAX_OCTETS || !utf8_valid(m->name) || span_chr(m->name, '\n') >= 0)
		return admin_refused(e, m->addr, "a name that is too long or not UTF-8");
	return 0;
}

static int
change_add(struct change *c, const struct authd_user *m, struct err *e)
{
	struct user *u;

	if (check_user(m, e) < 0)
		return -1;
	if (c->n >= USERS_MAX || arena_used(c->mem) > CHANGE_MAX / 2)
		return err_set(e, ERR_PERM, "more than %d accounts at once, or too much text", USERS_MAX);
	u = arena_alloc(c->mem, sizeof *u);
	u->change = c;
	u->m = *m;
	u->m.addr = arena_dup(c->mem, m->addr);
	u->m.name = arena_dup(c->mem, m->name);
	u->m.aliases = arena_dup(c->mem, m->aliases);
	u->m.password = arena_dup(c->mem, m->password);
	u->hash = u->m.hash = arena_dup(c->mem, m->hash);
	*c->last = u;
	c->last = &u->next;
	c->n++;
	return 0;
}

/* Other addresses of the user: an alias that leads elsewhere is not taken away. */
static int
add_aliases(struct authd *a, struct span list, struct span addr, struct err *e)
{
	struct span item, key = { 0 }, targets = { 0 };
	int got;

	while ((got = address_next(&list, &item, e)) > 0) {
		if (admin_address(a, item, true, a->scratch, &key, e) < 0)
			return -1;
		if (span_same(key, addr))
			continue;
		got = db_alias(a->db, key, a->scratch, &targets, e);
		if (got < 0)
			return -1;
		if (got > 0 && !span_same(targets, addr))
			return admin_refused(e, key, "this alias exists and leads elsewhere");
		if (db_alias_put(a->db, key, addr, e) < 0)
			return -1;
	}
	return got;
}

static int
add_account(struct authd *a, const struct user *u, struct span addr, struct err *e)
{
	struct account acct = { .addr = addr,
		.hash = u->hash,
		.name = u->m.name,
		.quota_bytes = u->m.quota_bytes,
		.quota_messages = u->m.quota_messages,
		.enabled = u->m.enabled != 0 };

	if (acct.hash.n == 0)
		return admin_refused(e, addr, "no password");
	return db_account_add(a->db, a->scratch, &acct, e);
}

static int
change_account(struct authd *a, const struct user *u, struct account *acct, uint32_t set, struct err *e)
{
	if (set & USER_SET_PASSWORD && u->hash.n == 0)
		return admin_refused(e, acct->addr, "no password");
	if (set & USER_SET_PASSWORD)
		acct->hash = u->hash;
	if (set & USER_SET_NAME)
		acct->name = u->m.name;
	if (set & USER_SET_QUOTA) {
		acct->quota_bytes = u->m.quota_bytes;
		acct->quota_messages = u->m.quota_messages;
	}
	if (set & USER_SET_ENABLED)
		acct->enabled = u->m.enabled != 0;
	return db_account_change(a->db, acct, e);
}

static int
apply_user(struct authd *a, const struct user *u, struct err *e)
{
	uint32_t all = USER_SET_PASSWORD | USER_SET_NAME | USER_SET_QUOTA | USER_SET_ENABLED;
	struct account acct = { 0 };
	struct span addr = { 0 };
	int got, rc;

	if (admin_address(a, u->m.addr, false, a->scratch, &addr, e) < 0)
		return -1;
	got = db_account(a->db, addr, a->scratch, &acct, e);
	if (got < 0)
		return -1;
	if (got == 0 && (u->m.op == OP_CHANGE || u->m.op == OP_DELETE))
		return admin_refused(e, addr, "no such account");
	switch ((enum account_op)u->m.op) {
	case OP_DELETE:
		return db_account_delete(a->db, addr, e) < 0 ? -1 : 0;
	case OP_CHANGE:
		return change_account(a, u, &acct, u->m.set, e);
	case OP_PUT:
		rc = got > 0 ? change_account(a, u, &acct, u->m.set != 0 ? u->m.set : all, e)
			     : add_account(a, u, addr, e);
		break;
	case OP_ADD:
		rc = add_account(a, u, addr, e);
		break;
	case OP_SHOW:
	default:
		return err_set(e, ERR_PEER, "no such operation");
	}
	return rc < 0 ? -1 : add_aliases(a, u->m.aliases, addr, e);
}

static int
apply_change(struct authd *a, const void *m, struct err *e)
{
	const struct change *c = m;

	for (const struct user *u = c->first; u != NULL; u = u->next) {
		arena_reset(a->scratch);
		if (apply_user(a, u, e) < 0)
			return -1;
	}
	return (int)c->n;
}

/* One line, also for an import of thousands. */
static void
log_change(const struct change *c)
{
	if (c->n == 1)
		log_event(LOG_INFO, "authd.account", KV_S("addr", c->first->m.addr),
		    KV_STR("op", admin_op(c->first->m.op)));
	else
		log_event(LOG_INFO, "authd.import", KV_U("accounts", c->n));
}

/* All passwords are hashed, or one could not be. */
static void
change_ready(struct change *c)
{
	struct peer *p = c->peer;
	uint32_t id = c->pending.id;

	pending_remove(&c->pending);
	if (c->e.kind != ERR_NONE)
		answer_refuse(p, id, &c->e);
	else if (admin_transact(p, id, apply_change, c) >= 0)
		log_change(c);
	change_free(c);
}

static void
hashed(struct hash_job *j, int result, struct span text)
{
	struct user *u = j->arg;
	struct change *c = u->change;

	if (result == 0)
		u->hash = arena_dup(c->mem, text);
	else
		err_set(&c->e, ERR_TEMP, "%.*s", SPAN_ARG(text));
	wipe_password(u);
	if (--c->hashing == 0)
		change_ready(c);
}

static void
change_start(struct change *c, uint32_t id)
{
	struct hash_pool *pool = c->peer->a->pool;
	size_t plain = 0;

	pending_add(c->peer, &c->pending, id, change_cancel);
	for (const struct user *u = c->first; u != NULL; u = u->next)
		plain += u->m.password.n > 0;
	c->hashing = plain;
	for (struct user *u = c->first; u != NULL && plain > 0; u = u->next) {
		u->job = (struct hash_job){ .done = hashed, .arg = u };
		if (u->m.password.n > 0)
			need(hash_submit(pool, &u->job, HASH_NEW, SPAN(""), u->m.password, true, NULL) == 0);
	}
	if (plain == 0)
		change_ready(c);
}

void
user_request(struct peer *p, uint32_t id, const struct authd_user *m)
{
	struct change *c;
	struct err e = { 0 };

	if (m->op == OP_SHOW) {
		admin_show_user(p, id, m->addr);
		return;
	}
	c = change_new(p);
	if (change_add(c, m, &e) < 0) {
		change_free(c);
		answer_refuse(p, id, &e);
		return;
	}
	change_start(c, id);
}

/* A batch that is refused takes those before it with it. */
void
import_request(struct peer *p, uint32_t id, const struct authd_import *m)
{
	struct span rest = m->users;
	struct change *c = p->batches != NULL ? p->batches : change_new(p);
	struct authd_user u;
	struct err e = { 0 };

	p->batches = NULL;
	while (ipc_unpack(&authd_def, &rest, authd_user, &u, &e) > 0)
		if (change_add(c, &u, &e) < 0)
			break;
	if (e.kind != ERR_NONE) {
		change_free(c);
		answer_refuse(p, id, &e);
	} else if (m->more != 0) {
		p->batches = c;
		admin_done(p, id, 0);
	} else {
		change_start(c, id);
	}
}
