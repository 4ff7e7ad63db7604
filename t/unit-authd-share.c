/*
 * unit-authd-share - groups that are in groups, never in themselves; trees; who shares with whom; mail to shared folders;
 * and a file of version 1, which is brought forward.
 */
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "authd/address.h"
#include "authd/db_share.h"
#include "authd/resolve.h"
#include "ipc/authd.h"
#include "t/tap.h"

static const char *const accounts[] = { "ada@x.test", "bob@x.test", "carl@x.test", "dora@x.test" };

static void
fill(struct db *d)
{
	struct arena *a = arena_new(1 << 20);
	struct err e = { 0 };

	need(db_domain_add(d, SPAN("x.test"), &e) == 1);
	for (size_t i = 0; i < sizeof accounts / sizeof accounts[0]; i++) {
		struct account acct = {
			.addr = span_str(accounts[i]), .hash = SPAN("{PLAIN}x"), .enabled = true
		};

		need(db_account_add(d, a, &acct, &e) == 0);
	}
	arena_free(a);
}

/* ---- names, one after the other */

static int
append(void *arg, struct span name, struct err *e)
{
	struct buf *b = arg;

	return (b->n > 0 && buf_byte(b, e, ' ') < 0) || buf_add(b, e, name) < 0 ? -1 : 0;
}

static bool
groups_are(struct db *d, const char *login, const char *want)
{
	struct err e = { 0 };
	struct buf b;
	bool ok;

	buf_init(&b, 10000);
	ok = db_groups_of(d, span_str(login), append, &b, &e) == 0 && span_eq(buf_span(&b), want);
	if (!ok)
		printf("# %.*s\n", SPAN_ARG(buf_span(&b)));
	buf_free(&b);
	return ok;
}

static void
groups(struct db *d)
{
	static const char *const names[] = { "all", "east", "team", "west" };
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		need(db_group_add(d, span_str(names[i]), &e) == 1);
	tap_ok(db_group_add(d, SPAN("all"), &e) == 0, "a group is there once");
	need(db_member_add(d, SPAN("team"), SPAN("ada@x.test"), &e) == 1);
	need(db_member_add(d, SPAN("east"), SPAN("group:team"), &e) == 1);
	need(db_member_add(d, SPAN("west"), SPAN("group:team"), &e) == 1);
	need(db_member_add(d, SPAN("all"), SPAN("group:east"), &e) == 1);
	need(db_member_add(d, SPAN("all"), SPAN("group:west"), &e) == 1);
	need(db_member_add(d, SPAN("all"), SPAN("bob@x.test"), &e) == 1);
	tap_ok(groups_are(d, "ada@x.test", "all east team west"), "by others, each once");
	tap_ok(groups_are(d, "bob@x.test", "all") && groups_are(d, "carl@x.test", ""), "and nobody else");
	tap_ok(db_member_add(d, SPAN("team"), SPAN("group:team"), &e) < 0 && e.kind == ERR_PERM,
	    "not in itself");
	err_clear(&e);
	tap_ok(
	    db_member_add(d, SPAN("team"), SPAN("group:all"), &e) < 0 && e.kind == ERR_PERM, "nor by others");
	err_clear(&e);
	tap_ok(db_member_add(d, SPAN("west"), SPAN("group:east"), &e) == 1, "a diamond is no loop");
	need(db_group_delete(d, SPAN("team"), &e) == 1);
	tap_ok(groups_are(d, "ada@x.test", ""), "deleted, it is in no group any more");
	need(db_account_delete(d, SPAN("bob@x.test"), &e) == 1);
	tap_ok(groups_are(d, "bob@x.test", ""), "a deleted account is in no group");
	tap_ok(group_name_valid(SPAN("a.b-c_1")) && !group_name_valid(SPAN("A")) &&
		   !group_name_valid(SPAN("")) && !group_name_valid(SPAN("a b")) &&
		   !group_name_valid(SPAN("a@b")),
	    "names of groups");
}

/* ---- shares */

static int
append_sharer(void *arg, struct span name, struct span owner, struct err *e)
{
	return owner.n > 0 ? append(arg, name, e) : -1;
}

static bool
sharers_are(struct db *d, const char *login, const char *after, const char *want)
{
	struct err e = { 0 };
	struct buf b;
	bool ok;

	buf_init(&b, 10000);
	ok = db_sharers(d, span_str(login), span_str(after), append_sharer, &b, &e) == 0 &&
	     span_eq(buf_span(&b), want);
	if (!ok)
		printf("# %.*s\n", SPAN_ARG(buf_span(&b)));
	buf_free(&b);
	return ok;
}

static void
shares(struct db *d, struct arena *a)
{
	struct tree sales = { .name = SPAN("sales") }, odd = { .name = SPAN("R\xc3\xa4ume & more") };
	struct tree bad[] = { { .name = SPAN("") }, { .name = SPAN("a/b") }, { .name = SPAN("a*") },
		{ .name = SPAN("\xff") } };
	struct err e = { 0 };

	need(db_tree_add(d, a, &sales, &e) == 1 && db_tree_add(d, a, &odd, &e) == 1);
	tap_ok(span_eq(sales.owner, "+sales") && span_starts(odd.owner, "+t-"), "the stores of trees");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		err_clear(&e);
		tap_ok(
		    db_tree_add(d, a, &bad[i], &e) < 0 && e.kind == ERR_PERM, "no name for a tree: %zu", i);
	}
	err_clear(&e);
	need(db_share_add(d, SPAN("ada@x.test"), SPAN("carl@x.test"), &e) == 0);
	need(db_share_add(d, SPAN("dora@x.test"), SPAN("anyone"), &e) == 0);
	need(db_share_add(d, SPAN("+sales"), SPAN("group:all"), &e) == 0);
	tap_ok(sharers_are(d, "carl@x.test", "", "ada@x.test dora@x.test"), "by login and anyone");
	tap_ok(sharers_are(d, "dora@x.test", "", ""), "not with oneself");
	need(db_member_add(d, SPAN("all"), SPAN("carl@x.test"), &e) == 1);
	tap_ok(sharers_are(d, "carl@x.test", "", "+sales ada@x.test dora@x.test"), "by group");
	tap_ok(sharers_are(d, "carl@x.test", "+sales", "ada@x.test dora@x.test"), "behind a name");
	tap_ok(db_shares(d, SPAN("carl@x.test"), SPAN("+sales"), &e) == 1 &&
		   db_shares(d, SPAN("ada@x.test"), SPAN("+sales"), &e) == 0,
	    "one of them");
	need(db_share_clear(d, SPAN("+sales"), &e) == 0);
	tap_ok(sharers_are(d, "carl@x.test", "", "ada@x.test dora@x.test"), "no more");
}

/* ---- mail */

static void
posts(struct db *d, struct arena *a)
{
	struct err e = { 0 };
	struct table *maps = table_open(SPAN(""), &e);
	struct resolver r = { .db = d, .maps = maps, .delimiter = '+' };
	struct whois w;

	need(maps != NULL);
	need(db_alias_put(d, SPAN("eu@x.test"), SPAN("Shared/sales/EU,carl@x.test"), &e) == 0);
	need(db_alias_put(d, SPAN("sales@x.test"), SPAN("\"Shared/sales\""), &e) == 0);
	resolve(&r, SPAN("eu@x.test"), 0, a, &w);
	tap_ok(w.kind == WHOIS_OK && w.n == 1, "without p: only the others of the list");
	resolve(&r, SPAN("sales@x.test"), 0, a, &w);
	tap_ok(w.kind == WHOIS_UNKNOWN, "or nobody");
	need(db_post_add(d, SPAN("+sales"), SPAN("EU"), &e) == 0 &&
	     db_post_add(d, SPAN("+sales"), SPAN("INBOX"), &e) == 0);
	resolve(&r, SPAN("eu@x.test"), 0, a, &w);
	tap_ok(w.kind == WHOIS_OK && w.n == 2 && span_eq(w.targets->owner, "+sales") &&
		   span_eq(w.targets->folder, "EU"),
	    "with p: owner and folder");
	resolve(&r, SPAN("sales@x.test"), 0, a, &w);
	tap_ok(w.kind == WHOIS_OK && w.n == 1 && w.targets->folder.n == 0, "the root of a tree");
	need(db_tree_delete(d, SPAN("sales"), &e) == 1);
	resolve(&r, SPAN("sales@x.test"), 0, a, &w);
	tap_ok(w.kind == WHOIS_UNKNOWN, "a tree that is gone");
	table_close(maps);
}

/* As the program of version 1 left it. */
static void
forward(const char *path)
{
	struct err e = { 0 };
	struct db *d = db_open(path, &e);
	sqlite3 *h;

	need(d != NULL);
	fill(d);
	db_close(d);
	need(sqlite3_open(path, &h) == SQLITE_OK);
	need(sqlite3_exec(h,
		 "DROP TABLE grp; DROP TABLE member; DROP TABLE tree; DROP TABLE share; DROP TABLE post;"
		 "PRAGMA user_version = 1",
		 NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(h);
	d = db_open(path, &e);
	tap_ok(d != NULL && db_is_domain(d, SPAN("x.test"), &e) == 1 && db_group_add(d, SPAN("g"), &e) == 1,
	    "version 1 is brought forward");
	db_close(d);
}

int
main(void)
{
	char dir[] = "/tmp/rk-unit-share-XXXXXX", path[64], old[64], more[80];
	struct arena *a = arena_new(1 << 24);
	struct err e = { 0 };
	struct db *d;

	need(mkdtemp(dir) != NULL);
	snprintf(path, sizeof path, "%s/accounts.db", dir);
	snprintf(old, sizeof old, "%s/old.db", dir);
	need((d = db_open(path, &e)) != NULL);
	fill(d);
	groups(d);
	shares(d, a);
	posts(d, a);
	db_close(d);
	forward(old);
	for (const char *const *p = (const char *const[]){ path, old, NULL }; *p != NULL; p++)
		for (const char *const *s = (const char *const[]){ "", "-wal", "-shm", NULL }; *s != NULL;
		     s++) {
			snprintf(more, sizeof more, "%s%s", *p, *s);
			unlink(more);
		}
	rmdir(dir);
	arena_free(a);
	return tap_done();
}
