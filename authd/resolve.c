/* resolve.c - see resolve.h for the rules. One `struct walk` a question; nested aliases are a depth, bounded.
 */
#include "authd/resolve.h"

#include "authd/address.h"
#include "authd/db_share.h"
#include "authd/set.h"
#include "base/log.h"
#include "base/utf8.h"
#include "ipc/authd.h"

/* Who may send as a list: one of a few. */
enum { SENDERS_MAX = 50 };

struct open {
	struct span key;
	struct open *up;
};

struct walk {
	const struct resolver *r;
	struct arena *a;
	struct whois *out;
	struct target **tail;
	struct set *expanded; /* aliases, by their key */
	struct open *open;    /* those among them that are being expanded, the innermost first */
	struct set *given;    /* targets: owners, and addresses of other hosts */
	uint64_t size;
	unsigned steps;   /* addresses looked at */
	struct span ours; /* the domain that was last found to be one of ours */
	bool disabled, looped;
	struct err e;
};

static int expand(struct walk *w, struct span addr, struct span home, struct span folder, int depth);

static struct target *
add_target(struct walk *w, uint32_t kind, struct span once, struct span addr)
{
	struct target *t;

	if (!set_add(w->given, once))
		return NULL;
	if (++w->out->n > RESOLVE_TARGETS_MAX) {
		err_set(&w->e, ERR_TEMP, "more than %d targets", RESOLVE_TARGETS_MAX);
		return NULL;
	}
	t = arena_alloc(w->a, sizeof *t);
	t->kind = kind;
	t->addr = addr;
	*w->tail = t;
	w->tail = &t->next;
	return t;
}

static void
add_account(struct walk *w, const struct account *acct, struct span folder)
{
	struct target *t;

	if (!acct->enabled) {
		w->disabled = true;
		return;
	}
	t = add_target(w, TARGET_LOCAL, acct->owner, acct->addr);
	if (t == NULL)
		return;
	t->owner = acct->owner;
	t->folder = folder;
	t->quota_bytes = acct->quota_bytes;
	t->quota_messages = acct->quota_messages;
	t->full = (acct->quota_bytes > 0 && (acct->used_bytes >= acct->quota_bytes ||
						w->size > acct->quota_bytes - acct->used_bytes)) ||
		  (acct->quota_messages > 0 && acct->used_messages >= acct->quota_messages);
}

/*
 * A target "Shared/TREE" or "Shared/TREE/MAILBOX", if anyone may post there: 1; 0 there is none, or nobody may; -1. In
 * the store the root of a tree is INBOX.
 */
static int
add_shared(struct walk *w, struct span target, struct span from)
{
	struct span rest = span_from(target, strlen(SHARED_PREFIX)), name = span_cut(&rest, '/'), once;
	struct span folder = rest.n > 0 ? rest : SPAN("INBOX");
	struct tree tree;
	struct target *t;
	int got = db_tree(w->r->db, name, w->a, &tree, &w->e);

	if (got > 0)
		got = db_post(w->r->db, tree.owner, folder, &w->e);
	if (got <= 0)
		return got;
	once = arena_printf(w->a, "%.*s/%.*s", SPAN_ARG(tree.owner), SPAN_ARG(folder));
	t = add_target(w, TARGET_LOCAL, once, from);
	if (t != NULL) {
		t->owner = tree.owner;
		t->folder = rest.n > 0 ? arena_dup(w->a, rest) : SPAN("");
	}
	return w->e.kind == ERR_NONE ? 1 : -1;
}

/* Every address of a list; what leads nowhere is left out, with a line in the log. */
static int
expand_list(
    struct walk *w, struct span list, struct span from, struct span home, struct span folder, int depth)
{
	struct span item;
	int got;

	if (depth >= RESOLVE_DEPTH_MAX)
		return err_set(&w->e, ERR_TEMP, "alias %.*s: nested too deep", SPAN_ARG(from));
	while ((got = address_next(&list, &item, &w->e)) > 0) {
		if (shared_target(&item, w->a))
			got = add_shared(w, item, from);
		else
			got = expand(w, item, home, folder, depth + 1);
		if (got < 0)
			break;
		if (got == 0)
			log_event(LOG_WARN, "authd.alias_nobody", KV_S("alias", from), KV_S("target", item));
	}
	if (got >= 0)
		return 1;
	if (w->e.kind == ERR_PEER)
		w->e.kind = ERR_PERM; /* it is not the asker's address that is wrong */
	if (!span_starts(span_str(w->e.text), "alias "))
		err_prefix(&w->e, "alias %.*s: ", SPAN_ARG(span_head(from, 100)));
	return -1;
}

/* 1 and *list if the tables have an alias for the key, or for the bare name. */
static int
mapped(struct walk *w, struct span key, bool bare, struct span *list)
{
	ssize_t at = span_rchr(key, '@');
	int got;

	if (w->r->maps == NULL)
		return err_set(&w->e, ERR_TEMP, "alias_maps could not be read");
	got = table_get(w->r->maps, key, w->a, list, &w->e);
	if (got == 0 && bare && at > 0)
		got = table_get(w->r->maps, span_head(key, (size_t)at), w->a, list, &w->e);
	return got;
}

static int
expand_alias(
    struct walk *w, struct span key, struct span list, struct span home, struct span folder, int depth)
{
	struct open here = { key, w->open };
	int got;

	set_add(w->expanded, key);
	w->open = &here;
	got = expand_list(w, list, key, home, folder, depth);
	w->open = here.up;
	return got;
}

/* An alias that is met again: nothing new, but a loop if it leads back to where we come from. */
static void
note_repeat(struct walk *w, struct span key)
{
	for (const struct open *o = w->open; o != NULL; o = o->up)
		if (span_same(o->key, key)) {
			log_event(LOG_WARN, "authd.alias_loop", KV_S("alias", key));
			w->looped = true;
			return;
		}
}

/* Is the key an alias, or an account? 1 if so (and its targets are added), 0, -1. */
static int
lookup(struct walk *w, struct span key, struct span domain, struct span folder, int depth)
{
	bool catch_all = key.n > 0 && key.p[0] == '@', fresh = !set_has(w->expanded, key);
	struct account acct;
	struct span list;
	int got = 0;

	if (fresh) {
		got = db_alias(w->r->db, key, w->a, &list, &w->e);
		if (got == 0)
			got = mapped(w, key, !catch_all, &list);
	}
	if (got < 0)
		return -1;
	if (got > 0)
		return expand_alias(w, key, list, domain, folder, depth);
	got = catch_all ? 0 : db_account(w->r->db, key, w->a, &acct, &w->e);
	if (got > 0)
		add_account(w, &acct, folder);
	if (got == 0 && !fresh) {
		note_repeat(w, key);
		return 1; /* it is somebody, only not once more */
	}
	return got;
}

static int
postmaster(struct walk *w, const struct address *at, struct span folder, int depth)
{
	struct span self = SPAN("postmaster of the configuration");

	if (w->r->postmaster.n == 0 || !set_add(w->expanded, self))
		return 0;
	return expand_list(w, w->r->postmaster, self, at->domain, folder, depth);
}

static int
first_account(struct walk *w)
{
	struct account acct;
	int got = db_first_account(w->r->db, w->a, &acct, &w->e);

	if (got > 0)
		add_account(w, &acct, SPAN(""));
	return got;
}

/* A detail names a folder if it can be one; else the mail goes to INBOX. */
static struct span
folder_of(struct span detail)
{
	if (detail.n > FOLDER_MAX || !utf8_valid(detail))
		return SPAN("");
	for (size_t i = 0; i < detail.n; i++)
		if ((unsigned char)detail.p[i] < ' ' || detail.p[i] == 0x7f)
			return SPAN("");
	return detail;
}

/* At a domain of ours: 1 somebody, 0 nobody, -1. */
static int
local(struct walk *w, const struct address *at, struct span folder, int depth)
{
	bool is_postmaster = span_eq(at->local, "postmaster");
	struct span base, detail;
	int got = lookup(w, at->key, at->domain, folder, depth);

	if (got == 0 && address_detail(at, w->r->delimiter, w->a, &base, &detail) > 0)
		got = lookup(w, base, at->domain, folder_of(detail), depth);
	if (got == 0 && is_postmaster)
		got = postmaster(w, at, folder, depth);
	if (got == 0)
		got = lookup(
		    w, arena_printf(w->a, "@%.*s", SPAN_ARG(at->domain)), at->domain, SPAN(""), depth);
	if (is_postmaster && (got == 0 || (got > 0 && w->out->n == 0 && depth == 0)))
		got = first_account(w);
	return got;
}

/* The members of a list mostly have one domain. */
static int
is_ours(struct walk *w, struct span domain)
{
	int got;

	if (w->ours.n > 0 && span_same(w->ours, domain))
		return 1;
	got = db_is_domain(w->r->db, domain, &w->e);
	if (got > 0)
		w->ours = domain;
	return got;
}

/* 1 the address is somebody, 0 nobody, -1 with w->e. */
static int
expand(struct walk *w, struct span addr, struct span home, struct span folder, int depth)
{
	struct address at;
	int ours;

	if (++w->steps > RESOLVE_STEPS_MAX || arena_used(w->a) > RESOLVE_MEMORY_MAX)
		return err_set(&w->e, ERR_TEMP, "too many addresses");
	if (address_of(addr, home, w->a, &at, &w->e) < 0)
		return -1;
	if (at.domain.n == 0)
		return span_eq(at.local, "postmaster") ? local(w, &at, folder, depth) : 0;
	ours = is_ours(w, at.domain);
	if (ours < 0)
		return -1;
	if (ours)
		return local(w, &at, folder, depth);
	if (depth == 0)
		w->out->kind = WHOIS_RELAY;
	add_target(w, TARGET_REMOTE, at.canon, at.canon);
	return w->e.kind == ERR_NONE ? 1 : -1;
}

/* What there is to say when all is expanded. */
static void
conclude(struct walk *w, struct span addr, int got)
{
	struct whois *out = w->out;

	if (got < 0 || (w->looped && out->n == 0)) {
		out->kind = w->e.kind == ERR_PEER ? WHOIS_UNKNOWN : WHOIS_TEMP;
		out->text = w->e.kind == ERR_PEER ? "no valid address"
						  : "address lookup failed, try again later";
		if (out->kind == WHOIS_TEMP)
			log_event(LOG_ERROR, "authd.lookup_failed", KV_S("addr", addr), KV_ERR(&w->e));
	} else if (out->kind == WHOIS_RELAY || out->n > 0) {
		return;
	} else if (w->disabled) {
		out->kind = WHOIS_DISABLED;
		out->text = "mailbox disabled, not accepting messages";
	} else {
		out->kind = WHOIS_UNKNOWN;
		out->text = "no such mailbox";
	}
	out->targets = NULL;
	out->n = 0;
}

void
resolve(const struct resolver *r, struct span addr, uint64_t size, struct arena *a, struct whois *out)
{
	struct walk w = { .r = r, .a = a, .out = out, .size = size };
	struct span home = { 0 };
	int got = 0;

	*out = (struct whois){ .kind = WHOIS_OK, .text = "" };
	w.tail = &out->targets;
	w.expanded = set_new(a);
	w.given = set_new(a);
	db_view_begin(r->db);
	if (span_chr(addr, '@') < 0)
		got = db_default_domain(r->db, a, &home, &w.e);
	if (got >= 0)
		got = expand(&w, addr, home, SPAN(""), 0);
	db_view_end(r->db);
	if (got >= 0 && w.e.kind != ERR_NONE)
		got = -1; /* too many targets */
	conclude(&w, addr, got);
	out->full = out->n > 0;
	for (struct target *t = out->targets; t != NULL; t = t->next)
		out->full = out->full && t->full;
}

int
resolve_sender(const struct resolver *r, struct span owner, struct span addr, struct arena *a, struct err *e)
{
	struct whois who;

	resolve(r, addr, 0, a, &who);
	if (who.kind == WHOIS_TEMP)
		return err_set(e, ERR_TEMP, "%s", who.text);
	if (who.n > SENDERS_MAX)
		return 0;
	for (struct target *t = who.targets; t != NULL; t = t->next)
		if (t->kind == TARGET_LOCAL && span_same(t->owner, owner))
			return 1;
	return 0;
}
