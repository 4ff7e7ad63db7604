/* unit-authd-resolve - what addresses lead to: accounts, aliases, details, catch-alls, loops, quotas. */
#include <stdlib.h>
#include <unistd.h>

#include "authd/resolve.h"
#include "base/clock.h"
#include "ipc/authd.h"
#include "t/tap.h"

static const char *const accounts[] = {
	"ada@example.com",
	"bob@example.com",
	"postbox@example.com",
	"a+b@example.com",
	"sam@example.org",
};

static const struct {
	const char *addr, *targets;
} aliases[] = {
	{ "staff@example.com", "ada@example.com,bob@example.com" },
	{ "all@example.com", "staff@example.com,ada@example.com,carol@elsewhere.net,STAFF@example.com" },
	{ "bob@example.com", "bob@example.com,bob@elsewhere.net" },
	{ "loop1@example.com", "loop2@example.com" },
	{ "loop2@example.com", "loop1@example.com" },
	{ "half@example.com", "loop1@example.com,ada@example.com" },
	{ "gone@example.com", "nobody@example.com" },
	{ "both@example.com", "nobody@example.com,ada@example.com" },
	{ "off@example.com", "disabled@example.com" },
	{ "prog@example.com", "|/bin/sh" },
	{ "@example.org", "sam@example.org,catch@elsewhere.net" },
	{ "quoted@example.com", "\"a,b\"@elsewhere.net" },
};

static const struct {
	const char *addr;
	uint32_t kind;
	const char *want; /* owner/folder or =address of another host, one after the other */
} rows[] = {
	{ "ada@example.com", WHOIS_OK, "ada@example.com" },
	{ "Ada@EXAMPLE.com", WHOIS_OK, "ada@example.com" },
	{ "\"ada\"@example.com", WHOIS_OK, "ada@example.com" },
	{ "ada+Lists/x@example.com", WHOIS_OK, "ada@example.com/Lists/x" },
	{ "ada+@example.com", WHOIS_UNKNOWN, "" },
	{ "a+b@example.com", WHOIS_OK, "a+b@example.com" },
	{ "a+c@example.com", WHOIS_UNKNOWN, "" },
	{ "+c@example.com", WHOIS_UNKNOWN, "" },
	{ "\"ada+x\"@example.com", WHOIS_OK, "ada@example.com/x" },
	{ "\"ada x+y\"@example.com", WHOIS_UNKNOWN, "" },
	{ "ada+\x01@example.com", WHOIS_UNKNOWN, "" },
	{ "nobody@example.com", WHOIS_UNKNOWN, "" },
	{ "ada@example.net", WHOIS_RELAY, "=ada@example.net" },
	{ "Ada@Example.NET", WHOIS_RELAY, "=Ada@example.net" },
	{ "ada", WHOIS_OK, "ada@example.com" },
	{ "staff@example.com", WHOIS_OK, "ada@example.com bob@example.com =bob@elsewhere.net" },
	{ "staff+x@example.com", WHOIS_OK, "ada@example.com/x bob@example.com/x =bob@elsewhere.net" },
	{ "all@example.com", WHOIS_OK,
	    "ada@example.com bob@example.com =bob@elsewhere.net =carol@elsewhere.net" },
	{ "loop1@example.com", WHOIS_TEMP, "" },
	{ "half@example.com", WHOIS_OK, "ada@example.com" },
	{ "gone@example.com", WHOIS_UNKNOWN, "" },
	{ "both@example.com", WHOIS_OK, "ada@example.com" },
	{ "disabled@example.com", WHOIS_DISABLED, "" },
	{ "off@example.com", WHOIS_DISABLED, "" },
	{ "prog@example.com", WHOIS_TEMP, "" },
	{ "whoever@example.org", WHOIS_OK, "sam@example.org =catch@elsewhere.net" },
	{ "sam@example.org", WHOIS_OK, "sam@example.org" },
	{ "quoted@example.com", WHOIS_OK, "=\"a,b\"@elsewhere.net" },
	{ "postmaster", WHOIS_OK, "ada@example.com" },
	{ "PostMaster@example.com", WHOIS_OK, "ada@example.com" },
	{ "postmaster@example.net", WHOIS_RELAY, "=postmaster@example.net" },
	{ "webmaster@example.com", WHOIS_OK, "bob@example.com =bob@elsewhere.net" },
	{ "root@example.com", WHOIS_OK, "ada@example.com" },
	{ "hidden@example.com", WHOIS_TEMP, "" },
	{ "deep0@example.com", WHOIS_TEMP, "" },
	{ "deep9@example.com", WHOIS_OK, "ada@example.com" },
	{ "", WHOIS_UNKNOWN, "" },
	{ "@", WHOIS_UNKNOWN, "" },
	{ "a@b@example.com", WHOIS_UNKNOWN, "" },
	{ "\"ada@example.com", WHOIS_UNKNOWN, "" },
	{ "ada@[192.0.2.1]", WHOIS_RELAY, "=ada@[192.0.2.1]" },
	{ "ada@b\xc3\xbc"
	  "cher.example",
	    WHOIS_OK, "ada@xn--bcher-kva.example" },
};

static struct span
show(struct arena *a, const struct whois *w)
{
	struct span out = SPAN("");

	for (const struct target *t = w->targets; t != NULL; t = t->next)
		out = arena_printf(a, "%.*s%s%s%.*s%s%.*s", SPAN_ARG(out), out.n > 0 ? " " : "",
		    t->kind == TARGET_REMOTE ? "=" : "",
		    SPAN_ARG(t->kind == TARGET_REMOTE ? t->addr : t->owner), t->folder.n > 0 ? "/" : "",
		    SPAN_ARG(t->folder));
	return out;
}

static void
add(struct db *d, struct arena *a, const char *addr, bool enabled, uint64_t quota)
{
	struct account acct = {
		.addr = span_str(addr), .hash = SPAN("{PLAIN}x"), .enabled = enabled, .quota_bytes = quota
	};
	struct err e = { 0 };

	if (db_account_add(d, a, &acct, &e) < 0)
		tap_ok(false, "%s: %s", addr, e.text);
}

static void
fill(struct db *d, struct arena *a)
{
	struct err e = { 0 };

	need(db_config_domains(d, SPAN("example.com, xn--bcher-kva.example"), &e) == 0);
	need(db_begin(d, &e) == 0 && db_domain_add(d, SPAN("example.org"), &e) == 1);
	for (size_t i = 0; i < sizeof accounts / sizeof accounts[0]; i++)
		add(d, a, accounts[i], true, 0);
	add(d, a, "ada@xn--bcher-kva.example", true, 0);
	add(d, a, "disabled@example.com", false, 0);
	add(d, a, "full@example.com", true, 1000);
	for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
		need(db_alias_put(d, span_str(aliases[i].addr), span_str(aliases[i].targets), &e) == 0);
	for (int i = 0; i < 40; i++)
		need(db_alias_put(d, arena_printf(a, "deep%d@example.com", i),
			 i == 39 ? SPAN("ada@example.com") : arena_printf(a, "deep%d@example.com", i + 1),
			 &e) == 0);
	for (int i = 0; i < 11000; i++) {
		char addr[64];

		snprintf(addr, sizeof addr, "u%d@example.com", i);
		add(d, a, addr, true, 0);
	}
	need(db_commit(d, &e) == 0);
}

static void
table(const struct resolver *r)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena *a = arena_new(1 << 24);
		struct whois w;
		struct span got;

		resolve(r, span_str(rows[i].addr), 0, a, &w);
		got = show(a, &w);
		if (!tap_ok(w.kind == rows[i].kind && span_eq(got, rows[i].want), "%s is %s", rows[i].addr,
			rows[i].want))
			printf("# kind %u, %.*s\n", w.kind, SPAN_ARG(got));
		arena_free(a);
	}
}

static void
quotas(const struct resolver *r)
{
	static const struct {
		uint64_t used, size;
		bool full;
	} cases[] = {
		{ 0, 0, false },
		{ 0, 1000, false },
		{ 0, 1001, true },
		{ 999, 0, false },
		{ 999, 1, false },
		{ 999, 2, true },
		{ 1000, 0, true },
		{ 5000, 0, true },
		{ 1, UINT64_MAX, true },
	};
	struct arena *a = arena_new(1 << 24);
	struct err e = { 0 };
	struct whois w;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		need(db_usage_set(r->db, SPAN("full@example.com"), cases[i].used, 1, &e) == 0);
		resolve(r, SPAN("full@example.com"), cases[i].size, a, &w);
		tap_ok(w.kind == WHOIS_OK && w.full == cases[i].full,
		    "%llu of 1000 octets used, %llu more: %s", (unsigned long long)cases[i].used,
		    (unsigned long long)cases[i].size, cases[i].full ? "full" : "fits");
	}
	arena_free(a);
}

static void
senders(const struct resolver *r)
{
	static const struct {
		const char *owner, *addr;
		int want;
	} cases[] = {
		{ "ada@example.com", "Ada@example.com", 1 },
		{ "ada@example.com", "ada+x@example.com", 1 },
		{ "ada@example.com", "staff@example.com", 1 },
		{ "ada@example.com", "bob@example.com", 0 },
		{ "ada@example.com", "ada@example.net", 0 },
		{ "ada@example.com", "nobody@example.com", 0 },
		{ "sam@example.org", "anything@example.org", 1 },
		{ "u7@example.com", "everyone@example.com", 0 },
	};
	struct arena *a = arena_new(1 << 26);
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		tap_ok(resolve_sender(r, span_str(cases[i].owner), span_str(cases[i].addr), a, &e) ==
			   cases[i].want,
		    "%s %s send as %s", cases[i].owner, cases[i].want ? "may" : "may not", cases[i].addr);
	arena_free(a);
}

/* A list of everyone, and what a question costs. */
static void
large(const struct resolver *r)
{
	struct arena *a = arena_new(4 * (size_t)RESOLVE_MEMORY_MAX);
	struct buf list;
	struct err e = { 0 };
	struct whois w;
	uint64_t start;

	buf_init(&list, 1 << 20);
	for (int i = 0; i < 11000; i++)
		buf_printf(&list, NULL, "u%d@example.com,", i);
	need(db_alias_put(r->db, SPAN("everyone@example.com"), buf_span(&list), &e) == 0);
	start = clock_mono_ms();
	resolve(r, SPAN("everyone@example.com"), 0, a, &w);
	tap_ok(w.kind == WHOIS_OK && w.n == 11000, "a list of 11000 is expanded in %llu ms",
	    (unsigned long long)(clock_mono_ms() - start));
	start = clock_mono_ms();
	for (int i = 0; i < 10000; i++) {
		arena_reset(a);
		resolve(r, SPAN("u777+folder@example.com"), 0, a, &w);
	}
	tap_ok(w.n == 1, "10000 questions are answered in %llu ms",
	    (unsigned long long)(clock_mono_ms() - start));
	buf_clear(&list);
	for (int i = 0; i < 20001; i++)
		buf_printf(&list, NULL, "u%d@x.net,", i);
	need(db_alias_put(r->db, SPAN("toomany@example.com"), buf_span(&list), &e) == 0);
	resolve(r, SPAN("toomany@example.com"), 0, a, &w);
	tap_ok(w.kind == WHOIS_TEMP && w.n == 0, "an alias of more than 20000 is a temporary failure");
	arena_reset(a);
	buf_clear(&list);
	for (int i = 0; i < 45000; i++)
		buf_printf(&list, NULL, "n%d@example.com,", i);
	for (int i = 0; i < 4; i++)
		need(db_alias_put(r->db, arena_printf(a, "nobodies%d@example.com", i), buf_span(&list), &e) ==
		     0);
	need(
	    db_alias_put(r->db, SPAN("manynobodies@example.com"),
		SPAN(
		    "nobodies0@example.com,nobodies1@example.com,nobodies2@example.com,nobodies3@example.com"),
		&e) == 0);
	resolve(r, SPAN("manynobodies@example.com"), 0, a, &w);
	tap_ok(w.kind == WHOIS_TEMP && w.n == 0 && arena_used(a) < 2 * RESOLVE_MEMORY_MAX,
	    "lists that lead nowhere end too");
	buf_free(&list);
	arena_free(a);
}

static void
postmasters(struct resolver *r)
{
	struct arena *a = arena_new(1 << 24);
	struct whois w;

	r->postmaster = SPAN("postbox@example.com, sam@example.org");
	resolve(r, SPAN("Postmaster"), 0, a, &w);
	tap_span(show(a, &w), SPAN("postbox@example.com sam@example.org"), "postmaster of the configuration");
	resolve(r, SPAN("postmaster@example.org"), 0, a, &w);
	tap_span(show(a, &w), SPAN("postbox@example.com sam@example.org"), "goes before a catch-all");
	r->postmaster = SPAN("postmaster@example.com");
	resolve(r, SPAN("postmaster@example.com"), 0, a, &w);
	tap_span(show(a, &w), SPAN("ada@example.com"), "one that leads to itself is the first account");
	arena_free(a);
}

/* Without the tables an account cannot be told from an alias. */
static void
table_less(const struct resolver *r)
{
	struct arena *a = arena_new(1 << 20);
	struct whois w;

	resolve(r, SPAN("ada@example.com"), 0, a, &w);
	tap_ok(w.kind == WHOIS_TEMP, "while alias_maps cannot be read, lookups are temporary failures");
	arena_free(a);
}

/* Owners are never given twice, and are safe as names of directories. */
static void
owners(struct db *d)
{
	static const struct {
		const char *addr, *owner;
	} cases[] = {
		{ "x@example.com", "x@example.com" },
		{ "a/b@example.com", "u-" },
		{ ".x@example.com", "u-" },
		{ "-x@example.com", "u-" },
		{ "\"a b\"@example.com", "u-" },
		{ "\xc3\xa9@example.com", "u-" },
	};
	struct arena *a = arena_new(1 << 20);
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct account acct = { .addr = span_str(cases[i].addr), .hash = SPAN("{PLAIN}x") };

		tap_ok(db_account_add(d, a, &acct, &e) == 0 && span_starts(acct.owner, cases[i].owner),
		    "%s is %.*s", cases[i].addr, SPAN_ARG(acct.owner));
	}
	struct account again = { .addr = SPAN("x@example.com"), .hash = SPAN("{PLAIN}x") };

	tap_ok(db_account_add(d, a, &again, &e) < 0 && e.kind == ERR_PERM, "no account twice: %s", e.text);
	err_clear(&e);
	tap_ok(db_account_delete(d, again.addr, &e) == 1 && db_account_add(d, a, &again, &e) == 0 &&
		   span_eq(again.owner, "x@example.com-2"),
	    "an address that is used again is another owner");
	arena_free(a);
}

int
main(void)
{
	char dir[] = "/tmp/rk-authd-XXXXXX";
	struct arena *a = arena_new(1 << 26);
	struct err e = { 0 };
	struct resolver r = { .delimiter = '+' };

	need(freopen("/dev/null", "w", stderr) != NULL); /* the log */
	need(mkdtemp(dir) != NULL && chdir(dir) == 0);
	r.db = db_open("accounts.db", &e);
	if (!tap_ok(r.db != NULL, "accounts.db is made %s", e.text))
		return tap_done();
	fill(r.db, a);
	r.maps = table_open(
	    SPAN("inline:{webmaster=bob, root@example.com=ada, hidden=:include:/etc/passwd}"), &e);
	need(r.maps != NULL);
	table(&r);
	quotas(&r);
	large(&r);
	senders(&r);
	postmasters(&r);
	owners(r.db);
	table_close(r.maps);
	r.maps = NULL;
	table_less(&r);
	db_close(r.db);
	r.db = db_open("accounts.db", &e);
	tap_ok(r.db != NULL && db_account(r.db, SPAN("full@example.com"), a, &(struct account){ 0 }, &e) == 1,
	    "accounts.db is opened again");
	struct account acct;

	tap_ok(db_account(r.db, SPAN("full@example.com"), a, &acct, &e) == 1 && acct.used_bytes == 1,
	    "with the usage that was last told");
	db_close(r.db);
	need(unlink("accounts.db") == 0);
	unlink("accounts.db-wal");
	unlink("accounts.db-shm");
	rmdir(dir);
	arena_free(a);
	return tap_done();
}
