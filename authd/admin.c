/*
 * admin.c - what the admin tool asks: accounts, aliases, domains, lists.
 *
 * A change of accounts, one or 26,000, is collected (`struct change`), its plain passwords are hashed by the
 * workers, and then it is one transaction: all of it or nothing. Each address is checked before anything is
 * stored.
 */
#include <stdlib.h>

#include "authd/address.h"
#include "authd/authd.h"
#include "base/log.h"
#include "base/utf8.h"
#include "smtp/mailbox.h"

enum {
	CHANGE_MAX = 512 * 1024 * 1024,
	USERS_MAX = 1000000,
	NAME_MAX_OCTETS = 255,
	LIST_ITEMS = 1000,
	LIST_MAX = 1024 * 1024
};
enum { TARGETS_TEXT_MAX = 1024 * 1024 };

/* ---- answers */

static void
done(struct peer *p, uint32_t id, uint64_t count)
{
	answer(p, authd_done, &(struct authd_done){ .count = count }, id);
}

/* As a transaction: fn's result is the count, or -1. Answers, and returns the same. */
static int
transact(struct peer *p, uint32_t id, int (*fn)(struct authd *a, const void *m, struct err *e), const void *m)
{
	struct authd *a = p->a;
	struct err e = { 0 };
	int rc = db_begin(a->db, &e);

	if (rc == 0)
		rc = fn(a, m, &e);
	if (rc >= 0 && db_commit(a->db, &e) < 0)
		rc = -1;
	if (rc < 0) {
		db_rollback(a->db);
		answer_refuse(p, id, &e);
		return -1;
	}
	done(p, id, (uint64_t)rc);
	return rc;
}

static const char *
op_text(uint32_t op)
{
	switch ((enum account_op)op) {
	case OP_ADD:
		return "add";
	case OP_DELETE:
		return "delete";
	case OP_CHANGE:
		return "change";
	case OP_PUT:
		return "put";
	case OP_SHOW:
		break;
	}
	return "?";
}

static int
refused(struct err *e, struct span addr, const char *why)
{
	return err_set(e, ERR_PERM, "%.*s: %s", SPAN_ARG(span_head(addr, 100)), why);
}

/* An address at a domain of ours, in its one form. `bare` allows @domain. */
static int
our_address(struct authd *a, struct span in, bool bare, struct arena *mem, struct span *key, struct err *e)
{
	struct address at;
	struct span text = bare && span_starts(in, "@") ? arena_printf(mem, "x%.*s", SPAN_ARG(in)) : in;
	int ours;

	if (address_of(text, SPAN(""), mem, &at, e) < 0) {
		e->kind = ERR_PERM;
		return err_prefix(e, "%.*s: ", SPAN_ARG(span_head(in, 100)));
	}
	if (at.domain.n == 0)
		return refused(e, in, "no domain: write user@domain");
	ours = db_is_domain(a->db, at.domain, e);
	if (ours == 0)
		return refused(e, in, "not a domain of this system (see: rookery domain add)");
	*key = text.p != in.p ? span_from(at.key, 1) : at.key;
	return ours < 0 ? -1 : 0;
}

/* ---- changes of accounts */

struct user {
	struct authd_user m;		/* spans in the change's arena; the password is wiped once hashed */
	struct span hash;		/* given, or made */
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
	size_t hashing;			/* passwords with the workers */
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
		return refused(e, m->addr, "a password and a hash");
	if (m->password.n > 0 && pw_password_valid(m->password, e) < 0)
		return -1;
	if (m->hash.n > 0 && pw_scheme_valid(m->hash, e) < 0)
		return err_prefix(e, "%.*s: ", SPAN_ARG(span_head(m->addr, 100)));
	if (m->name.n > NAME_MAX_OCTETS || !utf8_valid(m->name) || span_chr(m->name, '\n') >= 0)
		return refused(e, m->addr, "a name that is too long or not UTF-8");
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
		if (our_address(a, item, true, a->scratch, &key, e) < 0)
			return -1;
		if (span_same(key, addr))
			continue;
		got = db_alias(a->db, key, a->scratch, &targets, e);
		if (got < 0)
			return -1;
		if (got > 0 && !span_same(targets, addr))
			return refused(e, key, "this alias exists and leads elsewhere");
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
		return refused(e, addr, "no password");
	return db_account_add(a->db, a->scratch, &acct, e);
}

static int
change_account(struct authd *a, const struct user *u, struct account *acct, uint32_t set, struct err *e)
{
	if (set & USER_SET_PASSWORD && u->hash.n == 0)
		return refused(e, acct->addr, "no password");
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

	if (our_address(a, u->m.addr, false, a->scratch, &addr, e) < 0)
		return -1;
	got = db_account(a->db, addr, a->scratch, &acct, e);
	if (got < 0)
		return -1;
	if (got == 0 && (u->m.op == OP_CHANGE || u->m.op == OP_DELETE))
		return refused(e, addr, "no such account");
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
		    KV_STR("op", op_text(c->first->m.op)));
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
	else if (transact(p, id, apply_change, c) >= 0)
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

static void show_user(struct peer *p, uint32_t id, struct span in);

void
user_request(struct peer *p, uint32_t id, const struct authd_user *m)
{
	struct change *c;
	struct err e = { 0 };

	if (m->op == OP_SHOW) {
		show_user(p, id, m->addr);
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
		done(p, id, 0);
	} else {
		change_start(c, id);
	}
}

/* ---- showing and listing; a hash never leaves, but its scheme does */

static struct authd_user
user_of(const struct account *acct)
{
	ssize_t end = span_chr(acct->hash, '}');

	return (struct authd_user){
		.addr = acct->addr,
		.hash = span_head(acct->hash, end >= 0 ? (size_t)end + 1 : 0),
		.name = acct->name,
		.quota_bytes = acct->quota_bytes,
		.quota_messages = acct->quota_messages,
		.enabled = acct->enabled,
		.owner = acct->owner,
		.used_bytes = acct->used_bytes,
		.used_messages = acct->used_messages,
		.created = acct->created,
	};
}

static void
show_user(struct peer *p, uint32_t id, struct span in)
{
	struct authd *a = p->a;
	struct authd_user m;
	struct account acct = { 0 };
	struct span addr = { 0 };
	struct err e = { 0 };
	int got = our_address(a, in, false, a->scratch, &addr, &e);

	if (got == 0)
		got = db_account(a->db, addr, a->scratch, &acct, &e);
	if (got == 0 && e.kind == ERR_NONE)
		got = refused(&e, addr, "no such account");
	if (got < 0) {
		answer_refuse(p, id, &e);
		return;
	}
	m = user_of(&acct);
	answer(p, authd_user, &m, id);
}

struct page {
	struct authd *a;
	struct span after, domain, only;	/* only: one address */
	struct buf items;
	size_t n;
};

/* Pack the next one: 1, 0 when there is none, -1. */
static int
next_user(struct page *g, struct err *e)
{
	struct account acct;
	struct authd_user m;
	int got;

	if (g->only.n > 0)
		got = g->n == 0 && g->after.n == 0 ? db_account(g->a->db, g->only, g->a->scratch, &acct, e)
						   : 0;
	else
		got = db_next_account(g->a->db, g->after, g->domain, g->a->scratch, &acct, e);
	if (got <= 0)
		return got;
	m = user_of(&acct);
	g->after = acct.addr;
	return ipc_pack(&authd_def, &g->items, authd_user, &m, e) < 0 ? -1 : 1;
}

static int
next_alias(struct page *g, struct err *e)
{
	struct authd_alias m = { 0 };
	struct alias al;
	int got;

	if (g->only.n > 0) {
		al.addr = g->only;
		got = g->n == 0 && g->after.n == 0
			  ? db_alias(g->a->db, g->only, g->a->scratch, &al.targets, e)
			  : 0;
	} else {
		got = db_next_alias(g->a->db, g->after, g->domain, g->a->scratch, &al, e);
	}
	if (got <= 0)
		return got;
	m.addr = al.addr;
	m.targets = al.targets;
	g->after = al.addr;
	return ipc_pack(&authd_def, &g->items, authd_alias, &m, e) < 0 ? -1 : 1;
}

static int
next_domain(struct page *g, struct err *e)
{
	struct authd_domain m = { 0 };
	int got = db_next_domain(g->a->db, g->after, g->a->scratch, &m.name, e);

	if (got <= 0)
		return got;
	m.fixed = db_domain_in_config(g->a->db, m.name, e) > 0;
	g->after = m.name;
	return ipc_pack(&authd_def, &g->items, authd_domain, &m, e) < 0 ? -1 : 1;
}

/*
 * "domain" or "@domain" is all of a domain; "user@domain" is one address; the catch-all is one among its
 * domain's.
 */
static int
page_match(struct page *g, struct span match, struct err *e)
{
	struct arena *mem = g->a->scratch;
	struct address at;
	bool whole;

	if (match.n == 0)
		return 0;
	whole = span_chr(match, '@') <= 0;
	if (whole)
		match = arena_printf(
		    mem, "x@%.*s", SPAN_ARG(span_starts(match, "@") ? span_from(match, 1) : match));
	if (address_of(match, SPAN(""), mem, &at, e) < 0)
		return -1;
	if (whole)
		g->domain = at.domain;
	else
		g->only = at.key;
	return 0;
}

void
list_request(struct peer *p, uint32_t id, const struct authd_list *m)
{
	struct page g = { .a = p->a, .after = m->after };
	struct err e = { 0 };
	int got;

	buf_init(&g.items, authd_def.frame_max - 4096);
	got = page_match(&g, m->match, &e);
	while (got >= 0 && g.n < LIST_ITEMS && g.items.n < LIST_MAX) {
		if (m->what == LIST_USERS)
			got = next_user(&g, &e);
		else if (m->what == LIST_ALIASES)
			got = next_alias(&g, &e);
		else if (m->what == LIST_DOMAINS)
			got = next_domain(&g, &e);
		else
			got = err_set(&e, ERR_PEER, "no such list");
		if (got == 0)
			break;
		g.n++;
	}
	if (got < 0)
		answer_refuse(p, id, &e);
	else
		answer(p, authd_list_answer, &(struct authd_list_answer){ .items = buf_span(&g.items) }, id);
	buf_free(&g.items);
}

/* ---- aliases */

/* Every target in its one form; a bare name is one of the alias's domain. */
static int
canonical_targets(struct authd *a, struct span list, struct span home, struct buf *out, struct err *e)
{
	struct address at;
	struct span item;
	int got;

	while ((got = address_next(&list, &item, e)) > 0) {
		if (address_of(item, home, a->scratch, &at, e) < 0) {
			e->kind = ERR_PERM;
			return err_prefix(e, "%.*s: ", SPAN_ARG(span_head(item, 100)));
		}
		if ((out->n > 0 && buf_byte(out, e, ',') < 0) || buf_add(out, e, at.canon) < 0)
			return -1;
	}
	return got;
}

static int
put_alias(struct authd *a, const struct authd_alias *m, struct span key, struct err *e)
{
	struct span home = span_from(key, (size_t)span_rchr(key, '@') + 1), old;
	struct buf targets;
	int rc = m->op == OP_ADD ? db_alias(a->db, key, a->scratch, &old, e) : 0;

	if (rc != 0)
		return rc < 0 ? -1 : refused(e, key, "the alias exists already");
	buf_init(&targets, TARGETS_TEXT_MAX);
	rc = canonical_targets(a, m->targets, home, &targets, e);
	if (rc == 0 && targets.n == 0)
		rc = refused(e, key, "no target");
	if (rc == 0)
		rc = db_alias_put(a->db, key, buf_span(&targets), e);
	buf_free(&targets);
	return rc < 0 ? -1 : 1;
}

static int
apply_alias(struct authd *a, const void *req, struct err *e)
{
	const struct authd_alias *m = req;
	struct span key = { 0 }, old = { 0 };
	int got;

	if (our_address(a, m->addr, true, a->scratch, &key, e) < 0)
		return -1;
	if (m->op == OP_ADD || m->op == OP_PUT)
		return put_alias(a, m, key, e);
	got = db_alias(a->db, key, a->scratch, &old, e);
	if (got < 0)
		return -1;
	if (got == 0)
		return refused(e, key, "no such alias");
	if (m->op == OP_CHANGE)
		return put_alias(a, m, key, e);
	if (m->op != OP_DELETE)
		return err_set(e, ERR_PEER, "no such operation");
	return db_alias_delete(a->db, key, e);
}

void
alias_request(struct peer *p, uint32_t id, const struct authd_alias *m)
{
	if (transact(p, id, apply_alias, m) >= 0)
		log_event(LOG_INFO, "authd.alias", KV_S("addr", m->addr), KV_STR("op", op_text(m->op)));
}

/* ---- domains */

static int
delete_domain(struct authd *a, struct span name, struct err *e)
{
	uint64_t used;
	int got = db_domain_in_config(a->db, name, e);

	if (got > 0)
		return refused(e, name, "this domain stands in rookery.cf (domains)");
	if (got < 0 || db_domain_used(a->db, name, &used, e) < 0)
		return -1;
	if (used > 0)
		return err_set(e, ERR_PERM, "%.*s: %llu accounts and aliases stand in this domain",
		    SPAN_ARG(name), (unsigned long long)used);
	got = db_domain_delete(a->db, name, e);
	return got == 0 ? refused(e, name, "no such domain") : got;
}

static int
apply_domain(struct authd *a, const void *req, struct err *e)
{
	const struct authd_domain *m = req;
	struct buf name;
	int rc;

	buf_init(&name, ADDRESS_MAX);
	rc = domain_canon(m->name, &name, e);
	if (rc < 0) {
		e->kind = ERR_PERM;
		err_prefix(e, "%.*s: ", SPAN_ARG(span_head(m->name, 100)));
	} else if (m->op == OP_ADD || m->op == OP_PUT) {
		rc = db_domain_add(a->db, buf_span(&name), e);
		if (rc == 0 && m->op == OP_ADD)
			rc = refused(e, buf_span(&name), "the domain exists already");
	} else if (m->op == OP_DELETE) {
		rc = delete_domain(a, buf_span(&name), e);
	} else {
		rc = err_set(e, ERR_PEER, "no such operation");
	}
	buf_free(&name);
	return rc;
}

void
domain_request(struct peer *p, uint32_t id, const struct authd_domain *m)
{
	if (transact(p, id, apply_domain, m) >= 0)
		log_event(LOG_INFO, "authd.domain", KV_S("name", m->name), KV_STR("op", op_text(m->op)));
}
