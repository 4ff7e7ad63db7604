/* unit-url - IMAP URLs of messages (RFC 5092, 4469): what is one, and what it names. */
#include "imap/url.h"
#include "t/tap.h"

static const struct {
	const char *in, *want; /* want: "mailbox uidvalidity uid label [from count]"; NULL: refused */
} rows[] = {
	/* RFC 4469, 3: the examples. */
	{ "/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER", "Drafts 385759045 20 BODY[HEADER]" },
	{ "/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME", "Drafts 385759045 20 BODY[1.MIME]" },
	{ "/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1", "Drafts 385759045 20 BODY[1]" },
	{ "/Drafts;UIDVALIDITY=385759045/;UID=30", "Drafts 385759045 30 BODY[]" },
	/* RFC 5092, 6 and 11. */
	{ "/INBOX/;uid=20", "INBOX 0 20 BODY[]" },
	{ "/gray-council;UIDVALIDITY=385759045/;UID=20/;PARTIAL=0.1024",
	    "gray-council 385759045 20 BODY[] 0 1024" },
	{ "/INBOX/;UID=20/;SECTION=1.2/;PARTIAL=5", "INBOX 0 20 BODY[1.2] 5 4294967295" },
	{ "/a/b%20c/%C3%A9/;UID=1", "a/b c/\xc3\xa9 0 1 BODY[]" },
	{ "/INBOX/;UID=1/;SECTION=HEADER.FIELDS%20(From%20To)", "INBOX 0 1 BODY[HEADER.FIELDS (From To)]" },
	{ ";UID=7/;SECTION=TEXT", " 0 7 BODY[TEXT]" },

	{ "imap://u@h/INBOX/;UID=1", NULL },
	{ "imap:///INBOX/;UID=1", NULL },
	{ "//h/INBOX/;UID=1", NULL },
	{ "", NULL },
	{ "/", NULL },
	{ "/INBOX", NULL },
	{ "/INBOX;UID=1", NULL },
	{ "/;UID=1", NULL },
	{ "INBOX/;UID=1", NULL },
	{ "/INBOX/;UID=0", NULL },
	{ "/INBOX/;UID=", NULL },
	{ "/INBOX/;UID=4294967296", NULL },
	{ "/INBOX/;UID=1/", NULL },
	{ "/INBOX/;UID=1:2", NULL },
	{ "/INBOX/;UID=*", NULL },
	{ "/INBOX;UIDVALIDITY=0/;UID=1", NULL },
	{ "/INBOX;UIDVALIDITY=1;X=2/;UID=1", NULL },
	{ "/INBOX;X=1/;UID=1", NULL },
	{ "/IN%BOX/;UID=1", NULL },
	{ "/IN%0/;UID=1", NULL },
	{ "/IN%00BOX/;UID=1", NULL },
	{ "/IN%0D%0ABOX/;UID=1", NULL },
	{ "/IN BOX/;UID=1", NULL },
	{ "/%FF/;UID=1", NULL },
	{ "/INBOX?TEXT/;UID=1", NULL },
	{ "/INBOX/;UID=1/;SECTION=", NULL },
	{ "/INBOX/;UID=1/;SECTION=1.", NULL },
	{ "/INBOX/;UID=1/;SECTION=MIME", NULL },
	{ "/INBOX/;UID=1/;SECTION=X", NULL },
	{ "/INBOX/;UID=1/;SECTION=1%5D%20BODY%5B", NULL },
	{ "/INBOX/;UID=1/;SECTION=1/;PARTIAL=", NULL },
	{ "/INBOX/;UID=1/;PARTIAL=1.0", NULL },
	{ "/INBOX/;UID=1/;PARTIAL=1.2.3", NULL },
	{ "/INBOX/;UID=1/;PARTIAL=0.1/;SECTION=1", NULL },
	{ "/INBOX/;UID=1;URLAUTH=anonymous:internal:x", NULL },
};

int
main(void)
{
	struct arena *a = arena_new(1 << 20);

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct imap_url u;
		struct err e = { 0 };
		struct span got = { 0 };

		if (imap_url_parse(span_str(rows[i].in), a, &u, &e) == 0) {
			got = arena_printf(a, "%.*s %u %u %.*s", SPAN_ARG(u.mailbox), u.uidvalidity, u.uid,
			    SPAN_ARG(u.section->label));
			if (u.section->partial)
				got = arena_printf(
				    a, "%.*s %u %u", SPAN_ARG(got), u.section->from, u.section->count);
		}
		tap_ok(
		    rows[i].want == NULL ? got.p == NULL && e.kind == ERR_PEER : span_eq(got, rows[i].want),
		    "%s: %.*s", rows[i].in, SPAN_ARG(got));
		arena_reset(a);
	}
	arena_free(a);
	return tap_done();
}
