#include "imap/match.h"

/*
 * Names are compared level by level for INBOX: the first level, when it is INBOX in any case, counts as
 * written in capitals.
 */
static char
name_at(struct span name, size_t i, bool inbox)
{
	return inbox && i < 5 ? ascii_upper(name.p[i]) : name.p[i];
}

static bool
starts_inbox(struct span s)
{
	return span_istarts(s, "INBOX") && (s.n == 5 || s.p[5] == '/' || s.p[5] == '*' || s.p[5] == '%');
}

/* Where the level behind the next '/' at or after i starts; past the end when there is none. */
static size_t
next_level(struct span name, size_t i)
{
	ssize_t at = span_chr(span_from(name, i), '/');

	return at < 0 ? name.n + 1 : i + (size_t)at + 1;
}

/*
 * The greedy match with two places to come back to. Behind the last * the match is retried one octet
 * further when all else fails, and never earlier: what an earlier * or % took does not matter once a later *
 * was reached. Behind a % the match is retried one octet further as long as no '/' is crossed, which is as
 * far as that % goes.
 *
 * When a % behind the * was reached and failed, each start in the same level would fail in the same way: it
 * would find the same literals no earlier, and the same '/' behind them. So the * goes on in the next level,
 * and the levels of the name, not its octets, count how often a stretch of the name is tried.
 */
bool
imap_match(struct span pattern, struct span name)
{
	const size_t none = (size_t)-1;
	size_t p = 0, n = 0, star_p = none, star_n = 0, level_p = none, level_n = 0;
	bool inbox = starts_inbox(name) && starts_inbox(pattern);

	for (;;) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star_p = ++p;
			star_n = n;
			level_p = none;
			continue;
		}
		if (p < pattern.n && pattern.p[p] == '%') {
			level_p = ++p;
			level_n = n;
			continue;
		}
		if (n == name.n && p == pattern.n)
			return true;
		if (n < name.n && p < pattern.n && (name_at(name, n, inbox) == name_at(pattern, p, inbox))) {
			n++;
			p++;
			continue;
		}
		if (level_p != none && level_n < name.n && name.p[level_n] != '/') {
			n = ++level_n;
			p = level_p;
			continue;
		}
		if (star_p == none || star_n >= name.n)
			return false;
		star_n = level_p == none ? star_n + 1 : next_level(name, star_n);
		if (star_n > name.n)
			return false;
		n = star_n;
		p = star_p;
		level_p = none;
	}
}

/* A start of the pattern that takes in "name/": it ends there, or with a * that may take in more. */
bool
imap_match_below(struct span pattern, struct span name)
{
	for (size_t n = 1; n <= pattern.n; n++) {
		struct span start = span_head(pattern, n);

		if (pattern.p[n - 1] == '*' && imap_match(start, name))
			return true;
		if (pattern.p[n - 1] == '/' && imap_match(span_head(start, n - 1), name))
			return true;
	}
	return false;
}
