/*
 * unit-imap-args - the arguments of commands: what was parsed is written down again in one normal form, and
 * compared as text.
 */
#include "imap/args.h"
#include "imap/fetch.h"
#include "imap/list.h"
#include "imap/metadata.h"
#include "imap/notify.h"
#include "imap/search.h"
#include "t/tap.h"

struct row {
	const char *in;
	const char *want; /* NULL: refused with ERR_PEER */
};

static struct arena *a;
static struct buf out;

static void
put_flags(const struct imap_flags *f)
{
	size_t n = 0;

	imap_flags_put(f->system, &n, &out, NULL);
	for (size_t i = 0; i < f->n; i++)
		buf_printf(&out, NULL, "%s%.*s", n++ > 0 ? " " : "", SPAN_ARG(f->keywords[i]));
}

static int
fetch(struct imap_lex *l, struct err *e)
{
	struct imap_fetch f;

	if (imap_fetch_parse(l, a, &f, e) < 0)
		return -1;
	buf_printf(&out, NULL, "%u", f.items);
	for (struct imap_section *s = f.sections; s != NULL; s = s->next) {
		buf_printf(&out, NULL, " %.*s/%d%s", SPAN_ARG(s->label), (int)s->kind, s->seen ? "!" : "");
		if (s->partial)
			buf_printf(&out, NULL, "=%u", s->count);
	}
	if (f.changed)
		buf_printf(&out, NULL, " >%llu", (unsigned long long)f.since);
	return 0;
}

static const struct row fetches[] = {
	{ "FLAGS", "2" },
	{ "(UID FLAGS)", "3" },
	{ "ALL", "58" },
	{ "fast", "26" },
	{ "FULL", "122" },
	{ "(ALL)", NULL },
	{ "BODY", "64" },
	{ "BODYSTRUCTURE", "128" },
	{ "BODY[]", "0 BODY[]/0!" },
	{ "BODY.PEEK[]", "0 BODY[]/0" },
	{ "body.peek[header.fields (From \"to\" {2}\r\ncc)]", "0 BODY[HEADER.FIELDS (From to cc)]/2" },
	{ "BODY[HEADER.FIELDS.NOT (X)]", "0 BODY[HEADER.FIELDS.NOT (X)]/3!" },
	{ "BODY[1.2.MIME]", "0 BODY[1.2.MIME]/5!" },
	{ "BODY[3]", "0 BODY[3]/0!" },
	{ "BODY[3.TEXT]<100.200>", "0 BODY[3.TEXT]<100>/4!=200" },
	{ "(RFC822.SIZE RFC822 RFC822.HEADER RFC822.TEXT)", "16 RFC822/0! RFC822.HEADER/1 RFC822.TEXT/4!" },
	{ "(UID) (CHANGEDSINCE 17)", "5 >17" },
	{ "FLAGS (CHANGEDSINCE 18446744073709551616)", NULL },
	{ "FLAGS (CHANGEDSINCE 9223372036854775808)", NULL },
	{ "FLAGS (CHANGEDSINCE 1 CHANGEDSINCE 2)", NULL },
	{ "FLAGS (VANISHED)", NULL },
	{ "BODY[MIME]", NULL },
	{ "BODY[0]", NULL },
	{ "BODY[4294967297]", NULL },
	{ "BODY[1.]", NULL },
	{ "BODY[.1]", NULL },
	{ "BODY[1..2]", NULL },
	{ "BODY[1TEXT]", NULL },
	{ "BODY[TEXT", NULL },
	{ "BODY[]<1>", NULL },
	{ "BODY[]<1.0>", NULL },
	{ "BODY[]<4294967296.1>", NULL },
	{ "BODY[HEADER.FIELDS]", NULL },
	{ "BODY[HEADER.FIELDS ()]", NULL },
	{ "BODY[HEADER.FIELDS (a]", NULL },
	{ "FLAGS[]", NULL },
	{ "(FLAGS", NULL },
	{ "FLAGS UID", NULL },
	{ "", NULL },
	{ "()", NULL },
	{ "NONSENSE", NULL },
};

static void
put_key(const struct imap_search *k)
{
	static const char *const names[] = { "and", "or", "not", "set", "uid", "saved", "flag", "keyword",
		"larger", "smaller", "before", "on", "since", "sentbefore", "senton", "sentsince",
		"savedbefore", "savedon", "savedsince", "savedatesupported", "older", "younger", "header",
		"body", "text", "modseq", "emailid", "threadid" };
	size_t n = 0;

	buf_printf(&out, NULL, "(%s", names[k->op]);
	if (k->op == SEARCH_FLAG) {
		buf_byte(&out, NULL, ' ');
		imap_flags_put(k->flags, &n, &out, NULL);
	}
	if (k->op == SEARCH_HEADER)
		buf_printf(&out, NULL, " %s", k->name);
	if (k->text.p != NULL)
		buf_printf(&out, NULL, " '%.*s'", SPAN_ARG(k->text));
	if (k->op == SEARCH_LARGER || k->op == SEARCH_SMALLER || k->op == SEARCH_OLDER ||
	    k->op == SEARCH_YOUNGER)
		buf_printf(&out, NULL, " %u", k->number);
	if (k->op >= SEARCH_BEFORE && k->op <= SEARCH_SAVEDSINCE)
		buf_printf(&out, NULL, " %d", k->day);
	if (k->op == SEARCH_MODSEQ)
		buf_printf(&out, NULL, " %llu", (unsigned long long)k->modseq);
	for (size_t i = 0; i < k->set.n; i++)
		buf_printf(&out, NULL, " %u:%u", k->set.r[i].first, k->set.r[i].last);
	for (k = k->child; k != NULL; k = k->next)
		put_key(k);
	buf_byte(&out, NULL, ')');
}

static int
search(struct imap_lex *l, struct err *e)
{
	struct imap_search_args s;

	if (imap_search_parse(l, a, false, &s, e) < 0)
		return -1;
	if (s.extended)
		buf_printf(&out, NULL, "return=%u ", s.returns);
	if (s.charset.n > 0)
		buf_printf(&out, NULL, "charset=%.*s ", SPAN_ARG(s.charset));
	put_key(s.root);
	return 0;
}

static const struct row searches[] = {
	{ "ALL", "(and(and))" },
	{ "1:3,7 UNSEEN", "(and(set 1:3 7:7)(not(flag \\Seen)))" },
	{ "* UID 4:*", "(and(set 0:0)(uid 4:0))" },
	{ "NEW", "(and(and(flag \\Recent)(not(flag \\Seen))))" },
	{ "OLD", "(and(not(flag \\Recent)))" },
	{ "or seen (flagged not deleted)",
	    "(and(or(flag \\Seen)(and(flag \\Flagged)(not(flag \\Deleted)))))" },
	{ "SINCE 1-Feb-1994 BEFORE \"2-Jan-1970\"", "(and(since 8797)(before 1))" },
	{ "SENTON 32-Jan-2020", NULL },
	{ "FROM \"Smith\" Subject {5}\r\nhello", "(and(header from 'Smith')(header subject 'hello'))" },
	{ "HEADER X-Spam-Flag \"\"", "(and(header x-spam-flag ''))" },
	{ "CHARSET UTF-8 TEXT {2}\r\n\xc3\xa9", "charset=UTF-8 (and(text '\xc3\xa9'))" },
	{ "LARGER 4294967295 SMALLER 0", "(and(larger 4294967295)(smaller 0))" },
	{ "LARGER 4294967296", NULL },
	{ "KEYWORD $Junk UNKEYWORD b", "(and(keyword '$Junk')(not(keyword 'b')))" },
	{ "MODSEQ 620162338", "(and(modseq 620162338))" },
	{ "MODSEQ \"/flags/\\\\draft\" all 620162338", "(and(modseq 620162338))" },
	{ "MODSEQ \"/bad\" all 1", NULL },
	{ "RETURN (MIN COUNT) SEEN", "return=9 (and(flag \\Seen))" },
	{ "RETURN () CHARSET US-ASCII SEEN", "return=4 charset=US-ASCII (and(flag \\Seen))" },
	{ "RETURN (SAVE) SEEN", "return=16 (and(flag \\Seen))" },
	{ "RETURN (SAFE) SEEN", NULL },
	{ "", NULL },
	{ "ALL ", NULL },
	{ "OR SEEN", NULL },
	{ "NOT", NULL },
	{ "()", NULL },
	{ "(SEEN", NULL },
	{ "SEEN)", NULL },
	{ "XYZZY", NULL },
	{ "0", NULL },
	{ "4294967297", NULL },
	{ "BODY", NULL },
};

static int
store(struct imap_lex *l, struct err *e)
{
	struct imap_store s;

	if (imap_store_parse(l, a, &s, e) < 0)
		return -1;
	buf_printf(&out, NULL, "%c%s ", s.mode, s.silent ? "silent" : "");
	if (s.conditional)
		buf_printf(&out, NULL, "<=%llu ", (unsigned long long)s.unchanged);
	put_flags(&s.flags);
	return 0;
}

static const struct row stores[] = {
	{ "+FLAGS (\\Deleted)", "+ \\Deleted" },
	{ "FLAGS ()", "= " },
	{ "-flags.silent \\Seen x", "-silent \\Seen x" },
	{ "(UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\\Deleted)", "+silent <=320162338 \\Deleted" },
	{ "(UNCHANGEDSINCE 0) FLAGS a", "= <=0 a" },
	{ "(UNCHANGEDSINCE) FLAGS a", NULL },
	{ "+ FLAGS a", NULL },
	{ "+FLAGS", NULL },
	{ "+FLAGS (\\Recent)", NULL },
	{ "+FLAGS (a) b", NULL },
	{ "+FLAGS.LOUD (a)", NULL },
};

static int
append(struct imap_lex *l, struct err *e)
{
	struct imap_append p;

	if (imap_append_parse(l, a, &p, e) < 0)
		return -1;
	put_flags(&p.flags);
	if (p.dated)
		buf_printf(&out, NULL, "|%lld %d", (long long)p.date.utc, p.date.zone);
	return 0;
}

static const struct row appends[] = {
	{ "", "" },
	{ "(\\Seen) ", "\\Seen" },
	{ "\" 1-Jan-1970 00:00:00 +0100\" ", "|-3600 60" },
	{ "(\\Seen k) \"01-Jan-1970 00:00:01 +0000\" ", "\\Seen k|1 0" },
	{ "() CATENATE", "" },
	{ "\"32-Jan-1970 00:00:01 +0000\" ", NULL },
	{ "(\\Seen)", NULL },
	{ "(\\Recent) ", NULL },
};

static int
list(struct imap_lex *l, struct err *e)
{
	struct imap_list p;

	if (imap_list_parse(l, a, &p, e) < 0)
		return -1;
	buf_printf(
	    &out, NULL, "%s%u/%u [%.*s]", p.extended ? "x" : "", p.options, p.status, SPAN_ARG(p.reference));
	for (size_t i = 0; i < p.n; i++)
		buf_printf(&out, NULL, " [%.*s]", SPAN_ARG(p.patterns[i]));
	return 0;
}

static const struct row lists[] = {
	{ "\"\" *", "0/0 [] [*]" },
	{ "\"\" \"\"", "0/0 [] []" },
	{ "a/ %/b", "0/0 [a/] [%/b]" },
	{ "(SUBSCRIBED) \"\" (a b%)", "x1/0 [] [a] [b%]" },
	{ "() \"\" * RETURN (SUBSCRIBED CHILDREN SPECIAL-USE)", "x112/0 [] [*]" },
	{ "\"\" % RETURN (STATUS (MESSAGES UNSEEN))", "x128/17 [] [%]" },
	{ "(RECURSIVEMATCH) \"\" *", NULL },
	{ "(SUBSCRIBED RECURSIVEMATCH) \"\" *", "x5/0 [] [*]" },
	{ "(SPECIAL-USE) \"\" * RETURN ()", "x8/0 [] [*]" },
	{ "\"\" * RETURN (STATUS)", NULL },
	{ "\"\" * RETURNS ()", NULL },
	{ "(X) \"\" *", NULL },
	{ "\"\"", NULL },
	{ "\"\" ()", NULL },
	{ "\"\" * x", NULL },
};

static int
getmetadata(struct imap_lex *l, struct err *e)
{
	struct imap_getmetadata g;

	if (imap_getmetadata_parse(l, a, &g, e) < 0)
		return -1;
	buf_printf(&out, NULL, "'%.*s' %d %u", SPAN_ARG(g.mailbox), (int)g.depth, g.limited ? g.maxsize : 0);
	for (size_t i = 0; i < g.n; i++)
		buf_printf(&out, NULL, " %.*s", SPAN_ARG(g.entries[i]));
	return 0;
}

static const struct row getmetadatas[] = {
	{ "\"\" /shared/comment", "'' 0 0 /shared/comment" },
	{ "inbox (/shared/comment /Private/Comment)", "'INBOX' 0 0 /shared/comment /private/comment" },
	{ "\"INBOX\" (MAXSIZE 1024) (/shared/comment)", "'INBOX' 0 1024 /shared/comment" },
	{ "(DEPTH infinity MAXSIZE 7) x /private/a", "'x' 2 7 /private/a" },
	{ "x (DEPTH 1) (/private/vendor/x)", "'x' 1 0 /private/vendor/x" },
	{ "x /private/a /shared/b", "'x' 0 0 /private/a /shared/b" },
	{ "x /private", NULL },
	{ "x /private/", NULL },
	{ "x /private//a", NULL },
	{ "x private/a", NULL },
	{ "x /public/a", NULL },
	{ "x \"/private/a*\"", NULL },
	{ "x \"/private/a\\\\\"", "'x' 0 0 /private/a\\" },
	{ "x /private/vendor", "'x' 0 0 /private/vendor" },
	{ "x (DEPTH 2) /private/a", NULL },
	{ "x (MAXSIZE) /private/a", NULL },
	{ "x ()", NULL },
	{ "x (/private/a", NULL },
	{ "x", NULL },
};

static int
setmetadata(struct imap_lex *l, struct err *e)
{
	struct imap_setmetadata s;

	if (imap_setmetadata_parse(l, a, &s, e) < 0)
		return -1;
	buf_printf(&out, NULL, "'%.*s'", SPAN_ARG(s.mailbox));
	for (size_t i = 0; i < s.n; i++)
		buf_printf(&out, NULL, " %.*s=%.*s%s", SPAN_ARG(s.entries[i]), SPAN_ARG(s.values[i]),
		    s.values[i].p == NULL ? "NIL" : "");
	return 0;
}

static const struct row setmetadatas[] = {
	{ "INBOX (/private/comment \"x y\")", "'INBOX' /private/comment=x y" },
	{ "\"\" (/private/a NIL /shared/b \"\" /private/c {2}\r\nzz)",
	    "'' /private/a=NIL /shared/b= /private/c=zz" },
	{ "x (/private/a ~{2}\r\nzz)", "'x' /private/a=zz" },
	{ "x (/private/a \"1\" /PRIVATE/A \"2\")", "'x' /private/a=2" },
	{ "x (/private/vendor/x \"1\")", NULL },
	{ "x (/private/vendor/x/y \"1\")", "'x' /private/vendor/x/y=1" },
	{ "x (/private/a)", NULL },
	{ "x (/private/a 1)", NULL },
	{ "x (/private/a ~{3}\r\nzz)", NULL },
	{ "x (/private/a ~zz)", NULL },
	{ "x ()", NULL },
	{ "x /private/a \"1\"", NULL },
};

static int
notify(struct imap_lex *l, struct err *e)
{
	struct imap_notify n;

	if (imap_notify_parse(l, a, &n, e) < 0)
		return -1;
	buf_printf(
	    &out, NULL, "%s%s%s", n.none ? "none" : "", n.status ? "status" : "", n.unknown ? "unknown" : "");
	for (size_t i = 0; i < n.n; i++) {
		buf_printf(&out, NULL, "(%d %u", (int)n.groups[i].watch, n.groups[i].events);
		for (size_t k = 0; k < n.groups[i].n; k++)
			buf_printf(&out, NULL, " %.*s", SPAN_ARG(n.groups[i].names[k]));
		if (n.groups[i].fetch)
			buf_printf(&out, NULL, " fetch %u", n.groups[i].items.items);
		for (struct imap_section *s = n.groups[i].items.sections; s != NULL; s = s->next)
			buf_printf(&out, NULL, " %.*s%s", SPAN_ARG(s->label), s->seen ? "!" : "");
		buf_byte(&out, NULL, ')');
	}
	return 0;
}

static const struct row notifies[] = {
	{ "none", "none" },
	{ "SET (selected NONE)", "(0 0)" },
	{ "set status (selected MessageNew (uid body.peek[header.fields (from to subject)]) MessageExpunge) (subtree "
	  "Lists (MessageNew MessageExpunge))",
	    "status(0 3 fetch 1 BODY[HEADER.FIELDS (from to subject)])(5 3 Lists)" },
	{ "SET (selected-delayed (MessageNew (BODY[]) MessageExpunge FlagChange))", "(1 7 fetch 0 BODY[])" },
	{ "SET (mailboxes (a \"b c\" inbox) (MailboxName SubscriptionChange))", "(6 48 a b c INBOX)" },
	{ "SET (inboxes (MessageNew MessageExpunge AnnotationChange)) (personal (ServerMetadataChange))",
	    "(2 11)(3 128)" },
	{ "SET (personal (Thunder))", "unknown(3 0)" },
	{ "SET (selected (MessageNew (BODY[HEADER.FIELDS (\"(\")]) MessageExpunge))",
	    "(0 3 fetch 0 BODY[HEADER.FIELDS (\"(\")])" },
	{ "SET (selected (MessageNew))", NULL },
	{ "SET (personal (FlagChange))", NULL },
	{ "SET (selected (MessageNew MessageExpunge MailboxName))", NULL },
	{ "SET (selected NONE) (selected-delayed NONE)", NULL },
	{ "SET (personal (MessageNew (UID) MessageExpunge))", NULL },
	{ "SET (selected (MessageNew (UID MessageExpunge))", NULL },
	{ "SET (subtree () (MailboxName))", NULL },
	{ "SET (subtree (MailboxName))", NULL },
	{ "SET (personal (MailboxName)", NULL },
	{ "SET (personal ())", NULL },
	{ "SET STATUS", NULL },
	{ "NONE x", NULL },
	{ "", NULL },
};

static int
select_params(struct imap_lex *l, struct err *e)
{
	struct imap_select s;

	if (imap_select_params(l, a, &s, e) < 0)
		return -1;
	buf_printf(&out, NULL, "%s%s", s.condstore ? "condstore " : "", s.qresync ? "qresync" : "");
	if (s.qresync)
		buf_printf(&out, NULL, " %u %llu %zu/%zu/%zu", s.uidvalidity, (unsigned long long)s.modseq,
		    s.uids.n, s.numbers.n, s.number_uids.n);
	return 0;
}

static const struct row selects[] = {
	{ "", "" },
	{ " (CONDSTORE)", "condstore " },
	{ " (QRESYNC (67890007 20050715194045000 41,43:211,214:541))",
	    "qresync 67890007 20050715194045000 3/0/0" },
	{ " (QRESYNC (1 2 1:29997 (5000,7500,9000,9990:9999 15000,22500,27000,29970,29973,29976,29979,29982,29985,"
	  "29988,29991,29994,29997)) CONDSTORE)",
	    "condstore qresync 1 2 1/4/13" },
	{ " (QRESYNC (1 2 (1 1)))", "qresync 1 2 0/1/1" },
	{ " (QRESYNC (1 2 1:4294967295 (1:4294967295 1:4294967295)))", "qresync 1 2 1/1/1" },
	{ " (QRESYNC (1 2 $))", NULL },
	{ " (QRESYNC (1 2 1:*))", NULL },
	{ " (QRESYNC (1 2 1 (1 1:2)))", NULL },
	{ " (QRESYNC (1 2 1 (1)))", NULL },
	{ " (QRESYNC (0 2))", NULL },
	{ " (QRESYNC (1))", NULL },
	{ " (QRESYNC 1 2)", NULL },
	{ " (QRESYNC (1 2) QRESYNC (1 2))", NULL },
	{ " ()", NULL },
	{ " (X)", NULL },
};

static int
create(struct imap_lex *l, struct err *e)
{
	struct imap_create c;

	if (imap_create_params(l, a, &c, e) < 0)
		return -1;
	buf_str(&out, NULL, c.use ? "use" : "");
	for (size_t i = 0; i < c.n; i++)
		buf_printf(&out, NULL, " %.*s", SPAN_ARG(c.uses[i]));
	return 0;
}

static const struct row creates[] = {
	{ "", "" },
	{ " (USE (\\Drafts \\Sent))", "use \\Drafts \\Sent" },
	{ " (use ())", "use" },
	{ " (USE (Drafts))", NULL },
	{ " (USE (\\))", NULL },
	{ " (USE \\Drafts)", NULL },
	{ " ()", NULL },
	{ " (USE (\\Drafts)", NULL },
};

static int
command(struct imap_lex *l, struct err *e)
{
	struct span tag = { 0 }, name;
	bool uid;

	if (imap_command(l, &tag, &name, &uid, e) < 0)
		return -1;
	buf_printf(&out, NULL, "%.*s %s%.*s|%.*s", SPAN_ARG(tag), uid ? "uid " : "", SPAN_ARG(name),
	    SPAN_ARG(l->in));
	return 0;
}

static const struct row commands[] = {
	{ "a1 NOOP", "a1 NOOP|" },
	{ "a1 uid fetch 1:* FLAGS", "a1 uid fetch| 1:* FLAGS" },
	{ "a1 UID", NULL },
	{ "a+ NOOP", NULL },
	{ "a1", NULL },
	{ "a1  NOOP", NULL },
	{ "", NULL },
	{ " NOOP", NULL },
};

static void
table(const char *what, int (*parse)(struct imap_lex *, struct err *), const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct imap_lex l = { .in = span_str(rows[i].in) };
		struct err e = { 0 };
		int rc;

		buf_clear(&out);
		rc = parse(&l, &e);
		if (rows[i].want == NULL)
			tap_ok(rc < 0 && e.kind == ERR_PEER, "%s '%s' is refused", what, rows[i].in);
		else if (!tap_ok(rc == 0 && span_eq(buf_span(&out), rows[i].want), "%s row %zu is parsed",
			     what, i))
			printf("# '%s': got '%.*s', want '%s' %s\n", rows[i].in, SPAN_ARG(buf_span(&out)),
			    rows[i].want, e.text);
	}
}

static void
deep(void)
{
	struct buf text;
	struct err e = { 0 };
	struct imap_search_args s;
	struct imap_lex l;

	buf_init(&text, 1 << 20);
	for (int i = 0; i < 100000; i++)
		buf_byte(&text, NULL, '(');
	l.in = buf_span(&text);
	tap_ok(imap_search_parse(&l, a, false, &s, &e) < 0, "a hundred thousand parentheses are refused");
	buf_clear(&text);
	for (int i = 0; i < 100000; i++)
		buf_str(&text, NULL, "NOT ");
	l.in = buf_span(&text);
	err_clear(&e);
	tap_ok(imap_search_parse(&l, a, false, &s, &e) < 0, "so are a hundred thousand NOTs");
	buf_free(&text);
}

#define TABLE(what, rows) table(#what, what, rows, sizeof rows / sizeof rows[0])

int
main(void)
{
	a = arena_new(64 << 20);
	buf_init(&out, 1 << 20);
	TABLE(command, commands);
	TABLE(getmetadata, getmetadatas);
	TABLE(setmetadata, setmetadatas);
	TABLE(notify, notifies);
	TABLE(select_params, selects);
	TABLE(create, creates);
	TABLE(fetch, fetches);
	TABLE(search, searches);
	TABLE(store, stores);
	TABLE(append, appends);
	TABLE(list, lists);
	deep();
	buf_free(&out);
	arena_free(a);
	return tap_done();
}
