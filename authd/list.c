/*
 * list.c - accounts, aliases, domains, groups and trees as the admin tool sees them, a page a request. A hash never leaves,
 * but its scheme does.
 */
#include "authd/address.h"
#include "authd/admin.h"
#include "authd/authd.h"
#include "authd/db_share.h"

enum { LIST_ITEMS = 1000, LIST_MAX = 1024 * 1024 };

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

void
admin_show_user(struct peer *p, uint32_t id, struct span in)
{
	struct authd *a = p->a;
	struct authd_user m;
	struct account acct = { 0 };
	struct span addr = { 0 };
	struct err e = { 0 };
	int got = admin_address(a, in, false, a->scratch, &addr, &e);

	if (got == 0)
		got = db_account(a->db, addr, a->scratch, &acct, &e);
	if (got == 0 && e.kind == ERR_NONE)
		got = admin_refused(&e, addr, "no such account");
	if (got < 0) {
		answer_refuse(p, id, &e);
		return;
	}
	m = user_of(&acct);
	answer(p, authd_user, &m, id);
}

struct page {
	struct authd *a;
	struct span after, domain, only; /* only: one address */
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

static int
next_group(struct page *g, struct err *e)
{
	struct span name = { 0 };
	int got = db_next_group(g->a->db, g->after, g->a->scratch, &name, e);

	g->after = name;
	return got <= 0 ? got : pack_group(g->a, name, &g->items, e);
}

static int
next_tree(struct page *g, struct err *e)
{
	struct tree t;
	struct authd_tree m;
	int got = db_next_tree(g->a->db, g->after, g->a->scratch, &t, e);

	if (got <= 0)
		return got;
	m = (struct authd_tree){ .name = t.name, .owner = t.owner, .created = t.created };
	g->after = t.name;
	return ipc_pack(&authd_def, &g->items, authd_tree, &m, e) < 0 ? -1 : 1;
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
		else if (m->what == LIST_GROUPS)
			got = next_group(&g, &e);
		else if (m->what == LIST_TREES)
			got = next_tree(&g, &e);
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
