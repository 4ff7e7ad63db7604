/* unit-match - the wildcards of LIST. */
#include <stdlib.h>

#include "imap/match.h"
#include "t/tap.h"

static void
table(void)
{
	static const struct {
		const char *pattern, *name;
		bool want;
	} rows[] = {
		{ "*", "", true },
		{ "*", "a/b/c", true },
		{ "%", "a", true },
		{ "%", "a/b", false },
		{ "", "", true },
		{ "", "a", false },
		{ "a/%", "a/b", true },
		{ "a/%", "a/b/c", false },
		{ "a/%", "a", false },
		{ "%/%", "a", false },
		{ "%/b", "a", false },
		{ "a/b/c", "a", false },
		{ "a/b/c", "a/b", false },
		{ "a/b/c", "a/x", false },
		{ "a*c", "abbc", true },
		{ "a*c", "a/b/c", true },
		{ "a*c", "ab", false },
		{ "a%c", "a/c", false },
		{ "a%c", "abcbc", true },
		{ "*/x", "a/b/x", true },
		{ "*a%/b", "xa/ya/b", true },
		{ "*a%b/c%d", "ab/aab/cxd", true },
		{ "*a%b/c%d", "ab/cx/aqb/cxd", true },
		{ "%a%b%c", "xaybzc", true },
		{ "%a%b%c", "xayb/zc", false },
		{ "*%", "a/b", true },
		{ "%*", "a/b", true },
		{ "inbox", "INBOX", true },
		{ "InBox/%", "INBOX/sent", true },
		{ "inbox*", "INBOX/sent", true },
		{ "inboxes", "INBOXES", false },
		{ "a/inbox", "a/INBOX", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		tap_ok(imap_match(span_str(rows[i].pattern), span_str(rows[i].name)) == rows[i].want,
		    "\"%s\" on \"%s\": %s", rows[i].pattern, rows[i].name, rows[i].want ? "yes" : "no");
	}
}

static void
below(void)
{
	static const struct {
		const char *pattern, *name;
		bool want;
	} rows[] = {
		{ "*", "a/b", true },
		{ "%", "a/b", false },
		{ "%", "a", false },
		{ "a/%", "a/b", false },
		{ "a/%/%", "a/b", true },
		{ "a/*", "a/b", true },
		{ "a/*", "c", false },
		{ "a/b/", "a/b", true },
		{ "a/b", "a/b", false },
		{ "a*x", "a/b", true },
		{ "*/x", "a/b", true },
		{ "%/b/c/d", "a/b", true },
		{ "%/c/c/d", "a/b", false },
		{ "", "a", false },
		{ "a/b*", "a/b", true },
		{ "a/bc*", "a/b", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		tap_ok(imap_match_below(span_str(rows[i].pattern), span_str(rows[i].name)) == rows[i].want,
		    "\"%s\" below \"%s\": %s", rows[i].pattern, rows[i].name, rows[i].want ? "may be" : "no");
}

/* What the wildcards mean, by trying all ways: for short texts only. */
static bool
slow(struct span p, struct span n)
{
	if (p.n == 0)
		return n.n == 0;
	if (p.p[0] == '*' || p.p[0] == '%') {
		for (size_t i = 0; i <= n.n; i++) {
			if (slow(span_from(p, 1), span_from(n, i)))
				return true;
			if (p.p[0] == '%' && i < n.n && n.p[i] == '/')
				break;
		}
		return false;
	}
	return n.n > 0 && p.p[0] == n.p[0] && slow(span_from(p, 1), span_from(n, 1));
}

static void
against_the_definition(void)
{
	static const char pattern_set[] = "ab/*%", name_set[] = "ab/";
	unsigned seed = 7;
	size_t bad = 0;

	for (int round = 0; round < 300000; round++) {
		char p[9], n[9];
		size_t np = (size_t)rand_r(&seed) % 9, nn = (size_t)rand_r(&seed) % 9;

		for (size_t i = 0; i < np; i++)
			p[i] = pattern_set[rand_r(&seed) % 5];
		for (size_t i = 0; i < nn; i++)
			n[i] = name_set[rand_r(&seed) % 3];
		if (imap_match(span_of(p, np), span_of(n, nn)) != slow(span_of(p, np), span_of(n, nn))) {
			if (bad++ == 0)
				printf("# '%.*s' on '%.*s'\n", (int)np, p, (int)nn, n);
		}
	}
	tap_ok(bad == 0, "300000 random pairs match as the definition says");
}

int
main(void)
{
	table();
	below();
	against_the_definition();
	return tap_done();
}
