/* unit-match - the wildcards of LIST. */
#include <stdlib.h>

#include "imap/match.h"
#include "t/tap.h"

static void
table(void)
{
	static const struct {
		const char *pattern, *name;
		enum imap_match want;
	} rows[] = {
		{ "*", "", IMAP_MATCH_YES },
		{ "*", "a/b/c", IMAP_MATCH_YES },
		{ "%", "a", IMAP_MATCH_YES },
		{ "%", "a/b", IMAP_MATCH_NO },
		{ "", "", IMAP_MATCH_YES },
		{ "", "a", IMAP_MATCH_NO },
		{ "a/%", "a/b", IMAP_MATCH_YES },
		{ "a/%", "a/b/c", IMAP_MATCH_NO },
		{ "a/%", "a", IMAP_MATCH_PARENT },
		{ "%/%", "a", IMAP_MATCH_PARENT },
		{ "%/b", "a", IMAP_MATCH_PARENT },
		{ "a/b/c", "a", IMAP_MATCH_PARENT },
		{ "a/b/c", "a/b", IMAP_MATCH_PARENT },
		{ "a/b/c", "a/x", IMAP_MATCH_NO },
		{ "a*c", "abbc", IMAP_MATCH_YES },
		{ "a*c", "a/b/c", IMAP_MATCH_YES },
		{ "a*c", "ab", IMAP_MATCH_PARENT },
		{ "a%c", "a/c", IMAP_MATCH_NO },
		{ "a%c", "abcbc", IMAP_MATCH_YES },
		{ "*/x", "a/b/x", IMAP_MATCH_YES },
		{ "*a%/b", "xa/ya/b", IMAP_MATCH_YES },
		{ "*a%b/c%d", "ab/aab/cxd", IMAP_MATCH_YES },
		{ "*a%b/c%d", "ab/cx/aqb/cxd", IMAP_MATCH_YES },
		{ "%a%b%c", "xaybzc", IMAP_MATCH_YES },
		{ "%a%b%c", "xayb/zc", IMAP_MATCH_NO },
		{ "*%", "a/b", IMAP_MATCH_YES },
		{ "%*", "a/b", IMAP_MATCH_YES },
		{ "inbox", "INBOX", IMAP_MATCH_YES },
		{ "InBox/%", "INBOX/sent", IMAP_MATCH_YES },
		{ "inbox*", "INBOX/sent", IMAP_MATCH_YES },
		{ "inboxes", "INBOXES", IMAP_MATCH_NO },
		{ "a/inbox", "a/INBOX", IMAP_MATCH_NO },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		static const char *const said[] = { "no", "above", "yes" };

		tap_ok(imap_match_below(span_str(rows[i].pattern), span_str(rows[i].name)) == rows[i].want,
		    "\"%s\" on \"%s\": %s", rows[i].pattern, rows[i].name, said[rows[i].want]);
	}
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
	against_the_definition();
	return tap_done();
}
