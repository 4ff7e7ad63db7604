/*
 * unit-acl - rights as letters, identifiers, who may what by which entries, and what becomes of ACLs when mailboxes
 * come and go (RFC 4314).
 */
#include "store/acl.h"

#include "t/mailstore.h"

static const char *
letters(unsigned rights, bool obsolete)
{
	static char text[32];
	struct buf b;

	buf_init(&b, sizeof text);
	need(rights_put(rights, obsolete, &b, NULL) == 0 && buf_byte(&b, NULL, '\0') == 0);
	memcpy(text, b.p, b.n);
	buf_free(&b);
	return text;
}

static void
texts(void)
{
	static const struct {
		const char *in, *out, *old;
		enum acl_op op;
	} rows[] = {
		{ "", "", "", ACL_SET },
		{ "lrs", "lrs", "lrs", ACL_SET },
		{ "+w", "w", "w", ACL_ADD },
		{ "-lr", "lr", "lr", ACL_REMOVE },
		{ "aetxkpiwsrl", "lrswipkxtea", "lrswipkxteacd", ACL_SET },
		/* RFC 4314, 2.1.1 and 3.1: the examples. */
		{ "lrswida", "lrswitea", "lrswitead", ACL_SET },
		{ "lrswikda", "lrswiktea", "lrswikteacd", ACL_SET },
		{ "+cda", "kxtea", "kxteacd", ACL_ADD },
		{ "dte", "te", "ted", ACL_SET },
	};
	static const char *const bad[] = { "lrQswicda", "lrqswicda", "l r", "lr0", "++l", "n", "l+", "\"",
		"\xc3\xa4" };
	struct err e = { 0 };
	enum acl_op op;
	unsigned rights;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		need(rights_parse_change(span_str(rows[i].in), &op, &rights, &e) == 0);
		tap_ok(op == rows[i].op && strcmp(letters(rights, false), rows[i].out) == 0 &&
			   strcmp(letters(rights, true), rows[i].old) == 0,
		    "rights \"%s\"", rows[i].in);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		err_clear(&e);
		tap_ok(rights_parse_change(span_str(bad[i]), &op, &rights, &e) < 0 && e.kind == ERR_PEER,
		    "no rights: %zu", i);
	}
	err_clear(&e);
	need(rights_of_role(SPAN("Editor"), &rights, &e) == 0);
	tap_ok((rights & STORE_MAY_ADMIN) == 0 && (rights & STORE_MAY_EXPUNGE) != 0, "a role");
	tap_ok(rights_of_role(SPAN("lr"), &rights, &e) == 0 && rights == (STORE_MAY_LOOKUP | STORE_MAY_READ),
	    "letters in the place of a role");
	tap_ok(rights_of_role(SPAN("boss"), &rights, &e) < 0, "no role");
}

static void
identifiers(struct lab *l)
{
	static const struct {
		const char *in, *name;
		bool negative;
	} rows[] = {
		{ "fred", "fred", false },
		{ "-fred", "fred", true },
		{ "$team", "group:team", false },
		{ "-$team", "group:team", true },
		{ "--fred", "-fred", true },
		{ "", NULL, false },
		{ "-", NULL, false },
		{ "$", NULL, false },
		{ " fred", NULL, false },
		{ "fr\x01", NULL, false },
		{ "fr\xff", NULL, false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct span name = { 0 };
		struct err e = { 0 };
		bool negative = false;
		int rc = acl_who_parse(span_str(rows[i].in), &negative, &name, l->a, &e);

		if (rows[i].name == NULL)
			tap_ok(rc < 0 && e.kind == ERR_PEER, "no identifier: %zu", i);
		else
			tap_ok(rc == 0 && span_eq(name, rows[i].name) && negative == rows[i].negative,
			    "identifier %s", rows[i].in);
	}
}

/* ---- who may what */

struct want {
	const char *who[4], *rights[4]; /* entries */
	const char *login;
	bool owner;
	const char *groups[2];
	const char *has;
};

static void
decide(const struct want *w)
{
	struct store_ace ace[4];
	struct span groups[2];
	struct store_acl acl = { .p = ace };
	struct store_reader r = { .owner = w->owner, .login = span_str(w->login), .groups = groups };

	for (; acl.n < 4 && w->who[acl.n] != NULL; acl.n++) {
		ace[acl.n] = (struct store_ace){ .mailbox = 1, .who = span_str(w->who[acl.n]) };
		need(rights_parse(span_str(w->rights[acl.n]), &ace[acl.n].rights, NULL) == 0);
	}
	for (; r.ngroups < 2 && w->groups[r.ngroups] != NULL; r.ngroups++)
		groups[r.ngroups] = span_str(w->groups[r.ngroups]);
	tap_ok(strcmp(letters(store_acl_rights(&acl, &r), false), w->has) == 0, "%s: %s",
	    w->owner ? "the owner" : w->login, w->has);
}

static void
decisions(void)
{
	static const struct want rows[] = {
		{ .login = "bob", .has = "" },
		{ .login = "", .owner = true, .has = "lrswipkxtea" },
		{ { "bob" }, { "lr" }, "bob", false, { NULL }, "lr" },
		{ { "bob" }, { "lr" }, "bo", false, { NULL }, "" },
		{ { "bob" }, { "lr" }, "alice", true, { NULL }, "lrswipkxtea" },
		{ { "anyone", "bob" }, { "l", "rw" }, "bob", false, { NULL }, "lrw" },
		{ { "-bob", "anyone" }, { "w", "lrw" }, "bob", false, { NULL }, "lr" },
		{ { "-bob", "anyone" }, { "w", "lrw" }, "carl", false, { NULL }, "lrw" },
		{ { "-anyone", "bob" }, { "r", "lr" }, "bob", false, { NULL }, "l" },
		{ { "-group:x", "anyone", "group:y" }, { "i", "lri", "t" }, "bob", false, { "y", "x" },
		    "lrt" },
		{ { "group:y" }, { "lr" }, "group:y", false, { NULL }, "" },
		{ { "owner" }, { "" }, "alice", true, { NULL }, "la" },
		{ { "anyone", "owner" }, { "rs", "" }, "alice", true, { NULL }, "lrsa" },
		{ { "-owner" }, { "lrswipkxtea" }, "alice", true, { NULL }, "la" },
		{ { "-anyone" }, { "wa" }, "alice", true, { NULL }, "lrsipkxtea" },
		{ { "owner" }, { "lr" }, "owner", false, { NULL }, "" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (!span_eq(span_str(rows[i].login), "owner") || rows[i].owner)
			decide(&rows[i]);
}

/* ---- in a store */

static uint64_t
id_of(struct lab *l, struct store *st, const char *name)
{
	struct store_mailbox m;
	struct err e = { 0 };

	return store_mailbox(st, span_str(name), &m, l->a, &e) == 1 ? m.id : 0;
}

static void
set(struct store *st, uint64_t id, const char *who, enum acl_op op, const char *rights)
{
	struct err e = { 0 };
	unsigned r;

	need(rights_parse(span_str(rights), &r, &e) == 0);
	need(store_acl_change(st, id, span_str(who), SPAN(""), op, r, &e) == 0);
}

/* "bob=lr carl=l" */
static bool
is(struct lab *l, struct store *st, uint64_t id, const char *want)
{
	struct store_acl acl;
	struct err e = { 0 };
	struct span text = SPAN("");

	need(store_acl_read(st, id, &acl, l->a, &e) == 0);
	for (size_t i = 0; i < acl.n; i++)
		text = arena_printf(l->a, "%.*s%s%.*s=%s", SPAN_ARG(text), i > 0 ? " " : "",
		    SPAN_ARG(acl.p[i].who), letters(acl.p[i].rights, false));
	if (!span_eq(text, want))
		printf("# %.*s, not %s\n", SPAN_ARG(text), want);
	return span_eq(text, want);
}

static void
stored(struct lab *l)
{
	struct store *st = lab_open("alice", "boot");
	struct err e = { 0 };
	uint64_t a, b, before, after, told;
	struct store_acl all;
	unsigned r = STORE_MAY_LOOKUP;
	int n = 0;

	need(store_acl_number(st, &before, &e) == 0);
	tap_ok(before == 0 && is(l, st, id_of(l, st, "INBOX"), ""), "nothing at first");
	need(store_create(st, SPAN("Projects"), STORE_USE_NONE, &a, &e) == 0);
	set(st, a, "bob", ACL_SET, "lr");
	set(st, a, "bob", ACL_ADD, "sw");
	set(st, a, "bob", ACL_REMOVE, "r");
	set(st, a, "-carl", ACL_SET, "w");
	need(store_acl_number(st, &after, &e) == 0);
	tap_ok(after == 4 && is(l, st, a, "-carl=w bob=lsw"), "set, add, remove, and each is counted");
	set(st, a, "owner", ACL_REMOVE, "x");
	tap_ok(is(l, st, a, "-carl=w bob=lsw owner=lrswipktea"), "the owner begins with all");
	set(st, a, "owner", ACL_SET, "");
	set(st, a, "-carl", ACL_SET, "");
	tap_ok(is(l, st, a, "bob=lsw owner="), "entries without rights go, but the owner's stays");

	need(store_create(st, SPAN("Projects/2026/May"), STORE_USE_NONE, &b, &e) == 0);
	tap_ok(is(l, st, b, "bob=lsw owner=") && is(l, st, id_of(l, st, "Projects/2026"), "bob=lsw owner="),
	    "CREATE takes over the parent's");
	need(store_rename(st, SPAN("Projects/2026"), SPAN("Old"), &e) == 0);
	tap_ok(id_of(l, st, "Old/May") == b && is(l, st, b, "bob=lsw owner="), "RENAME keeps it");
	need(store_acl_number(st, &before, &e) == 0);
	need(store_delete(st, SPAN("Old/May"), &e) == 0 && store_acl_number(st, &after, &e) == 0);
	tap_ok(is(l, st, b, "") && after > before, "DELETE drops it");
	need(store_create(st, SPAN("Old/May"), STORE_USE_NONE, &b, &e) == 0);
	tap_ok(is(l, st, b, "bob=lsw owner="), "a new one of the same name takes over its parent's");
	need(store_create(st, SPAN("Top"), STORE_USE_NONE, &b, &e) == 0);
	tap_ok(is(l, st, b, ""), "at the first level: nothing");

	need(store_acl_read(st, 0, &all, l->a, &e) == 0);
	tap_ok(store_acl_of(&all, a).n == 2 && store_acl_of(&all, b).n == 0 &&
		   store_acl_of(&all, 9999).n == 0 && !store_acl_groups(&all),
	    "one of all");
	need(store_acl_told(st, &told, &e) == 0 && told == 0);
	need(store_acl_set_told(st, all.number, &e) == 0 && store_acl_told(st, &told, &e) == 0);
	tap_ok(told == all.number, "what authd was told");

	tap_ok(
	    store_acl_change(st, 9999, SPAN("bob"), SPAN(""), ACL_SET, r, &e) < 0 && store_why(st) == STORE_NONEXISTENT,
	    "no such mailbox");
	err_clear(&e);
	while (n < 1000 &&
	       store_acl_change(st, b, arena_printf(l->a, "u%d", n), SPAN(""), ACL_SET, STORE_MAY_READ, &e) == 0)
		n++;
	tap_ok(n == STORE_ENTRIES_MAX && store_why(st) == STORE_LIMIT, "at most so many entries");
	store_close(st);
}

/* A tree has only its root, whose ACL is that of all that is made at its first level. */
static void
tree(struct lab *l)
{
	struct store_opts o = { .boot_id = "boot", .create = true, .tree = true };
	struct store_mailbox *p;
	struct err e = { 0 };
	struct store *st = store_open("+sales", &o, &e);
	uint64_t id;
	size_t n;

	need(st != NULL && store_list(st, &p, &n, l->a, &e) == 0);
	tap_ok(n == 1 && span_eq(p[0].name, "INBOX"), "a tree begins with its root");
	set(st, p[0].id, "group:sales", ACL_SET, "lr");
	need(store_create(st, SPAN("EU"), STORE_USE_NONE, &id, &e) == 0);
	tap_ok(is(l, st, id, "group:sales=lr"), "the first level takes over the root's");
	store_close(st);
}

int
main(void)
{
	struct lab l;

	lab_enter(&l);
	texts();
	identifiers(&l);
	decisions();
	stored(&l);
	tree(&l);
	lab_leave(&l);
	return tap_done();
}
