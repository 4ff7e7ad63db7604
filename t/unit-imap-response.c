/* unit-imap-response - where responses name mailboxes, and messages on their way. */
#include "imap/response.h"
#include "t/tap.h"

static void
names(void)
{
	static const struct {
		const char *in;
		int n;
		const char *name[2], *raw[2];
	} rows[] = {
		{ "* LIST (\\HasNoChildren) \"/\" INBOX", 1, { "INBOX" }, { "INBOX" } },
		{ "* LIST () NIL \"a \\\"b\"", 1, { "a \"b" }, { "\"a \\\"b\"" } },
		{ "* list (\\A \\B) \"/\" {3}\r\na b (\"CHILDINFO\" (\"SUBSCRIBED\"))", 1, { "a b" },
		    { "{3}\r\na b" } },
		{ "* LIST () \"/\" new (\"OLDNAME\" (\"old one\"))", 2, { "new", "old one" },
		    { "new", "\"old one\"" } },
		{ "* LSUB (\\Noselect) \"/\" a]b", 1, { "a]b" }, { "a]b" } },
		{ "* STATUS \"x y\" (MESSAGES 3)", 1, { "x y" }, { "\"x y\"" } },
		{ "* ACL x bob lr", 1, { "x" }, { "x" } },
		{ "* MYRIGHTS x lr", 1, { "x" }, { "x" } },
		{ "* LISTRIGHTS x bob l r", 1, { "x" }, { "x" } },
		{ "* METADATA \"\" (/shared/admin \"a\")", 1, { "" }, { "\"\"" } },
		{ "* QUOTAROOT x \"a b\"", 2, { "x", "a b" }, { "x", "\"a b\"" } },
		{ "* QUOTAROOT x", 1, { "x" }, { "x" } },
		{ "* ESEARCH (TAG \"a1\" MAILBOX \"x y\" UIDVALIDITY 3) UID ALL 1:2", 1, { "x y" },
		    { "\"x y\"" } },
		{ "* ESEARCH (TAG \"a1\") UID ALL 1:2", 0, { 0 }, { 0 } },
		{ "* ESEARCH UID COUNT 0", 0, { 0 }, { 0 } },
		{ "* 3 FETCH (FLAGS ())", 0, { 0 }, { 0 } },
		{ "* OK [X] STATUS x", 0, { 0 }, { 0 } },
		{ "* STATUSES x", 0, { 0 }, { 0 } },
		{ "+ STATUS x", 0, { 0 }, { 0 } },
		{ "", 0, { 0 }, { 0 } },
		{ "* STATUS", -1, { 0 }, { 0 } },
		{ "* STATUS \"x", -1, { 0 }, { 0 } },
		{ "* LIST \\A \"/\" x", -1, { 0 }, { 0 } },
		{ "* LIST (\\A \"/\" x", -1, { 0 }, { 0 } },
		{ "* ESEARCH (TAG \"a1\" MAILBOX", -1, { 0 }, { 0 } },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct imap_response_name got[IMAP_RESPONSE_NAMES];
		struct span in = span_str(rows[i].in);
		struct arena *a = arena_new(1 << 20);
		struct err e = { 0 };
		int n = imap_response_names(in, a, got, &e);
		bool good = n == rows[i].n;

		for (int k = 0; good && k < n; k++)
			good = span_eq(got[k].name, rows[i].name[k]) &&
			       span_eq(span_head(span_from(in, got[k].at), got[k].end - got[k].at),
				   rows[i].raw[k]);
		tap_ok(good, "%s: %d", rows[i].in, rows[i].n);
		arena_free(a);
	}
}

static void
attributes(void)
{
	struct span in = SPAN("* LIST (\\HasChildren \\Noselect) \"/\" \"(\\Marked)\"");

	tap_ok(imap_response_attribute(in, "\\noselect") && imap_response_attribute(in, "\\HasChildren"),
	    "attributes of LIST, in any case");
	tap_ok(!imap_response_attribute(in, "\\Marked") && !imap_response_attribute(in, "\\No"),
	    "not what stands elsewhere, nor parts");
	tap_ok(!imap_response_attribute(SPAN("* LIST"), "\\A"), "none where there are none");
}

static void
messages(void)
{
	struct arena *a = arena_new(1 << 20);
	struct imap_response_message m;
	struct span in = SPAN(
	    "* 5 FETCH (UID 12 FLAGS (\\Seen x) MODSEQ (7) INTERNALDATE \" 5-Nov-2020 10:00:00 +0100\" "
	    "BODY[] {3}\r\nabc)");

	tap_ok(imap_response_message(in, a, &m) == 1 && m.uid == 12 && span_eq(m.flags, "\\Seen x") &&
		   span_eq(m.date, "\" 5-Nov-2020 10:00:00 +0100\"") && m.has_body && m.size == 3 &&
		   span_starts(span_from(in, m.at), "abc"),
	    "a message with its flags and date");
	tap_ok(
	    imap_response_message(SPAN("* 12 UIDFETCH (FLAGS ())"), a, &m) == 1 && m.uid == 12 && !m.has_body,
	    "UIDFETCH (RFC 9586)");
	tap_ok(
	    imap_response_message(SPAN("* 1 FETCH (UID 3)"), a, &m) == 1 && m.uid == 3 && m.flags.p == NULL,
	    "a UID alone");
	tap_ok(imap_response_message(SPAN("* 1 FETCH (UID 3 X 1)"), a, &m) == 0,
	    "something else in it: not of this kind");
	tap_ok(imap_response_message(SPAN("* 1 FETCH (UID 3 BODY[] NIL)"), a, &m) == 0,
	    "without its octets neither");
	tap_ok(imap_response_message(SPAN("* 1 EXISTS"), a, &m) == 0, "nor are other responses");
	arena_free(a);
}

int
main(void)
{
	names();
	attributes();
	messages();
	return tap_done();
}
