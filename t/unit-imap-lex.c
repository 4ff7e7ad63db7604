/* unit-imap-lex - the words of IMAP, sets of numbers, flags, strings of replies. */
#include <stdlib.h>

#include "imap/caps.h"
#include "imap/flags.h"
#include "imap/lex.h"
#include "imap/reply.h"
#include "imap/set.h"
#include "t/tap.h"

static struct arena *a;

static void
strings(void)
{
	static const struct {
		const char *in;
		const char *want; /* NULL: refused */
		const char *rest;
	} rows[] = {
		{ "atom rest", "atom", " rest" },
		{ "a]b)", "a]b", ")" },
		{ "\"\"x", "", "x" },
		{ "\"a b\" c", "a b", " c" },
		{ "\"a\\\"\\\\b\"", "a\"\\b", "" },
		{ "\"a\\b\"", NULL, NULL },
		{ "\"open", NULL, NULL },
		{ "\"open\\", NULL, NULL },
		{ "\"cr\r\"", NULL, NULL },
		{ "{3}\r\na\r\n b", "a\r\n", " b" },
		{ "{3+}\r\nabcd", "abc", "d" },
		{ "{0}\r\n", "", "" },
		{ "{4}\r\nabc", NULL, NULL },
		{ "{}\r\n", NULL, NULL },
		{ "{-1}\r\nabc", NULL, NULL },
		{ "{4294967297}\r\nabc", NULL, NULL },
		{ "{18446744073709551617}\r\nabc", NULL, NULL },
		{ "{3}abc", NULL, NULL },
		{ "", NULL, NULL },
		{ "(x", NULL, NULL },
		{ "\\Seen", NULL, NULL },
		{ "\xc3\xa9", NULL, NULL },
		{ "\"\xc3\xa9\"", "\xc3\xa9", "" },
		{ "%", NULL, NULL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct imap_lex l = { .in = span_str(rows[i].in) };
		struct span s = { 0 };
		struct err e = { 0 };
		int rc = imap_astring(&l, a, &s, &e);

		if (rows[i].want == NULL)
			tap_ok(rc < 0 && e.kind == ERR_PEER, "row %zu is no astring", i);
		else
			tap_ok(rc == 0 && span_eq(s, rows[i].want) && span_eq(l.in, rows[i].rest),
			    "row %zu is an astring", i);
	}
}

static void
nul_is_refused(void)
{
	struct imap_lex quoted = { .in = SPAN("\"a\0b\"") }, literal = { .in = SPAN("{3}\r\na\0b") },
			atom = { .in = SPAN("a\0b") };
	struct err e = { 0 };
	struct span s;

	tap_ok(imap_string(&quoted, a, &s, &e) < 0, "NUL in a quoted string is refused (CVE-2019-11500)");
	err_clear(&e);
	tap_ok(imap_string(&literal, a, &s, &e) < 0, "NUL in a literal is refused");
	err_clear(&e);
	tap_ok(imap_atom(&atom, &s, &e) == 0 && s.n == 1, "NUL ends an atom");
}

static void
line_literals(void)
{
	static const struct {
		const char *line;
		int want;
		uint64_t size;
		bool nonsync;
		size_t text;
	} rows[] = {
		{ "A APPEND x {10}", 1, 10, false, 11 },
		{ "A APPEND x {10+}", 1, 10, true, 11 },
		{ "{0}", 1, 0, false, 0 },
		{ "A LOGIN x", 0, 0, false, 0 },
		{ "A x}", 0, 0, false, 0 },
		{ "A {}", 0, 0, false, 0 },
		{ "A {+}", 0, 0, false, 0 },
		{ "}", 0, 0, false, 0 },
		{ "", 0, 0, false, 0 },
		{ "12}", 0, 0, false, 0 },
		{ "A {18446744073709551615}", 1, UINT64_MAX, false, 2 },
		{ "A {18446744073709551616}", -1, 0, false, 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct imap_literal lit = { 0 };
		struct err e = { 0 };
		int rc = imap_line_literal(span_str(rows[i].line), &lit, &e);

		tap_ok(rc == rows[i].want &&
			   (rc != 1 || (lit.size == rows[i].size && lit.nonsync == rows[i].nonsync &&
					   lit.text == rows[i].text)),
		    "line '%s'", rows[i].line);
	}
}

static void
sets(void)
{
	static const struct {
		const char *in;
		uint32_t last;
		const char *want; /* NULL: refused */
	} rows[] = {
		/* clang-format off */
		{ "1", 10, "1" },
		{ "1:3", 10, "1:3" },
		{ "3:1", 10, "1:3" },
		{ "*", 10, "10" },
		{ "*:4", 10, "4:10" },
		{ "12:*", 10, "10:12" },
		{ "5,1,3,2", 10, "1:3,5" },
		{ "1:5,3:8,20", 10, "1:8,20" },
		{ "1:4294967295,7", 10, "1:4294967295" },
		{ "4294967295,4294967294", 10, "4294967294:4294967295" },
		{ "4294967296", 10, NULL },
		{ "4294967297", 10, NULL },
		{ "18446744073709551617", 10, NULL },
		{ "0", 10, NULL },
		{ "1:0", 10, NULL },
		{ "1,", 10, NULL },
		{ ":2", 10, NULL },
		{ "-1", 10, NULL },
		{ "", 10, NULL },
		{ "$", 10, "" }, /* RFC 5182, and nothing is saved */
		/* clang-format on */
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct imap_lex l = { .in = span_str(rows[i].in) };
		struct imap_set set;
		struct err e = { 0 };
		struct buf out;
		int rc = imap_set_parse(&l, a, &set, &e);

		buf_init(&out, 1000);
		if (rc == 0) {
			imap_set_resolve(&set, rows[i].last);
			imap_set_format(&set, &out, NULL);
		}
		tap_ok(rows[i].want == NULL ? rc < 0 : rc == 0 && span_eq(buf_span(&out), rows[i].want),
		    "set '%s' with * = %u %s", rows[i].in, rows[i].last,
		    rows[i].want ? rows[i].want : "is refused");
		buf_free(&out);
	}
}

static void
set_membership(void)
{
	struct imap_lex l = { .in = SPAN("2:4,8,10:12") };
	struct imap_set set, built = { .r = arena_array(a, 20, sizeof(struct imap_range)) };
	bool same = true;

	imap_set_parse(&l, a, &set, NULL);
	imap_set_resolve(&set, 1);
	for (uint32_t n = 1; n < 15; n++)
		if (imap_set_has(&set, n))
			imap_set_append(&built, n);
	for (size_t i = 0; i < 3; i++)
		same &= built.r[i].first == set.r[i].first && built.r[i].last == set.r[i].last;
	tap_ok(built.n == 3 && same, "a set built from its members is the same set");
}

static void
flags(void)
{
	static const struct {
		const char *in;
		bool bare;
		unsigned want;
		size_t keywords;
		bool ok;
	} rows[] = {
		{ "(\\Seen \\deleted)", false, IMAP_SEEN | IMAP_DELETED, 0, true },
		{ "()", false, 0, 0, true },
		{ "($Forwarded NonJunk $forwarded)", false, 0, 2, true },
		{ "\\Flagged Work", true, IMAP_FLAGGED, 1, true },
		{ "\\Flagged", false, 0, 0, false },
		{ "(\\Recent)", false, 0, 0, false },
		{ "(\\Nonsense)", false, 0, 0, false },
		{ "(\\*)", false, 0, 0, false },
		{ "(\\Seen", false, 0, 0, false },
		{ "(\\Seen  \\Draft)", false, 0, 0, false },
		{ "", true, 0, 0, false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct imap_lex l = { .in = span_str(rows[i].in) };
		struct imap_flags f = { 0 };
		struct err e = { 0 };
		int rc = imap_flags_parse(&l, rows[i].bare, a, &f, &e);

		tap_ok((rc == 0) == rows[i].ok && f.system == rows[i].want && f.n == rows[i].keywords,
		    "flags '%s' %s", rows[i].in, rows[i].ok ? "are taken" : "are refused");
	}
}

static void
replies(void)
{
	static const struct {
		struct span in;
		const char *astring, *string;
	} rows[] = {
		{ SPAN("abc"), "abc", "\"abc\"" },
		{ SPAN(""), "\"\"", "\"\"" },
		{ SPAN("nil"), "\"nil\"", "\"nil\"" },
		{ SPAN("a b\"\\"), "\"a b\\\"\\\\\"", "\"a b\\\"\\\\\"" },
		{ SPAN("a\r\nb"), "{4}\r\na\r\nb", "{4}\r\na\r\nb" },
		{ SPAN("\xc3\xa9"), "{2}\r\n\xc3\xa9", "{2}\r\n\xc3\xa9" },
		{ SPAN("a\0b"), "\"ab\"", "\"ab\"" },
		{ SPAN("\xff\0b"),
		    "{2}\r\n\xff"
		    "b",
		    "{2}\r\n\xff"
		    "b" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf x, y;

		buf_init(&x, 1000);
		buf_init(&y, 1000);
		imap_put_astring(rows[i].in, &x, NULL);
		imap_put_string(rows[i].in, &y, NULL);
		tap_span(buf_span(&x), span_str(rows[i].astring), "put as an astring");
		tap_span(buf_span(&y), span_str(rows[i].string), "put as a string");
		buf_free(&x);
		buf_free(&y);
	}
}

static void
capabilities(void)
{
	struct buf out;

	buf_init(&out, 4096);
	imap_caps(IMAP_CAPS_BEFORE | IMAP_CAPS_TLS | IMAP_CAPS_NO_AUTH, &out, NULL);
	tap_ok(span_starts(buf_span(&out), "IMAP4rev1 ") &&
		   span_find(buf_span(&out), SPAN(" STARTTLS")) > 0 &&
		   span_find(buf_span(&out), SPAN("AUTH=PLAIN")) < 0,
	    "before TLS no password is asked for");
	buf_clear(&out);
	imap_caps(IMAP_CAPS_AFTER, &out, NULL);
	tap_ok(span_find(buf_span(&out), SPAN(" CONDSTORE")) > 0 &&
		   span_find(buf_span(&out), SPAN("STARTTLS")) < 0,
	    "after login the capabilities are those of a session");
	buf_free(&out);
}

int
main(void)
{
	a = arena_new(16 << 20);
	strings();
	nul_is_refused();
	line_literals();
	sets();
	set_membership();
	flags();
	replies();
	capabilities();
	arena_free(a);
	return tap_done();
}
