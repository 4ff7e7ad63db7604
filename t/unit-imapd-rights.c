/*
 * unit-imapd-rights - each right alone against each command: what RFC 4314, 4 allows, and nothing else; what is not to be
 * seen is answered as what is not there, octet for octet; what may not be set is left out; rights that change while the
 * mailbox is selected.
 */
#include "cfg/cfg.h"
#include "imapd/command.h"
#include "imapd/rights.h"
#include "imapd/worker.h"
#include "store/acl.h"
#include "t/mailstore.h"

static const char letters[] = "lrswipkxtea";
static unsigned made; /* mailboxes, so that each case has its own */

/* ---- sessions */

static struct store *
open_here(bool guest)
{
	struct store_opts o = { .boot_id = "boot", .create = true, .inherit = guest };
	struct err e = { 0 };
	struct store *st = store_open("alice", &o, &e);

	need(st != NULL);
	return st;
}

/* All that is answered to these commands, said by the owner or by a guest of that login. */
static struct span
say(struct lab *l, const char *guest, const char *text)
{
	struct conn_opts o = { .line_max = 10000, .timeout_ms = 1000 };
	struct session s;
	struct span said;
	struct err e = { 0 };

	session_init(&s, conn_memory(span_str(text), &o));
	s.owner = SPAN("alice");
	s.owner_login = SPAN("alice@x.test");
	s.guest = guest != NULL;
	s.login = guest != NULL ? span_str(guest) : s.owner_login;
	s.st = open_here(s.guest);
	while (command_serve(&s, &e) == 0)
		;
	conn_flush(s.c, &e);
	said = arena_dup(l->a, conn_sent(s.c));
	session_done(&s);
	return said;
}

static bool
has(struct span text, const char *what)
{
	return span_find(text, span_str(what)) >= 0;
}

/* The same with %s for the mailbox of this case. */
static struct span
say_of(struct lab *l, const char *guest, const char *fmt, const char *name)
{
	const char *text;
	struct buf b;

	buf_init(&b, 100000);
	for (const char *p = fmt; *p != '\0'; p++)
		if (p[0] == '%' && p[1] == 's') {
			need(buf_str(&b, NULL, name) == 0);
			p++;
		} else
			need(buf_byte(&b, NULL, *p) == 0);
	need(buf_byte(&b, NULL, '\0') == 0);
	text = arena_dup(l->a, buf_span(&b)).p;
	buf_free(&b);
	return say(l, guest, text);
}

#define MESSAGE "{3+}\r\nabc\r\n"

/* A mailbox of two messages, the second \Deleted, with this ACL for bob. Its name. */
static const char *
mailbox(struct lab *l, const char *rights)
{
	const char *name = arena_cstr(l->a, arena_printf(l->a, "M%05u", made++));
	struct span got = say_of(
	    l, NULL, "a CREATE %s\r\na APPEND %s " MESSAGE "a APPEND %s (\\Deleted) " MESSAGE, name);

	need(!has(got, "a NO") && !has(got, "a BAD"));
	if (*rights != '\0') {
		struct span set = arena_printf(l->a, "a SETACL %s bob@x.test %s\r\n", name, rights);

		need(has(say(l, NULL, arena_cstr(l->a, set)), "a OK"));
	}
	return name;
}

/* ---- each right alone */

static const struct {
	const char *name, *command; /* tag z; it is allowed if "z OK" is answered */
	const char *rights;         /* any one of these is enough, alone or with `with` */
	const char *with;           /* other rights that it needs to get so far */
} rows[] = {
	{ "STATUS", "z STATUS %s (MESSAGES)\r\n", "r", "" },
	{ "SELECT", "z SELECT %s\r\n", "r", "" },
	{ "EXAMINE", "z EXAMINE %s\r\n", "r", "" },
	{ "CREATE below", "z CREATE %s/sub\r\n", "k", "" },
	{ "CREATE far below", "z CREATE %s/sub/sub\r\n", "k", "" },
	{ "DELETE", "z DELETE %s\r\n", "x", "" },
	{ "RENAME away", "z RENAME %s Free/%s\r\n", "x", "" },
	{ "RENAME to below", "z RENAME Mine %s/Mine\r\nz2 RENAME %s/Mine Mine\r\n", "k", "" },
	{ "SETACL", "z SETACL %s carl@x.test lr\r\n", "a", "" },
	{ "DELETEACL", "z DELETEACL %s carl@x.test\r\n", "a", "" },
	{ "GETACL", "z GETACL %s\r\n", "a", "" },
	{ "LISTRIGHTS", "z LISTRIGHTS %s carl@x.test\r\n", "a", "" },
	{ "MYRIGHTS", "z MYRIGHTS %s\r\n", "lrikxa", "" },
	{ "APPEND", "z APPEND %s {3+}\r\nabc\r\n", "i", "" },
	{ "COPY to", "a SELECT Free\r\nz COPY 1 %s\r\n", "i", "" },
	{ "MOVE to", "a SELECT Free\r\nb APPEND Free {3+}\r\nabc\r\nz MOVE 1 %s\r\n", "i", "" },
	{ "EXPUNGE", "a SELECT %s\r\nz EXPUNGE\r\n", "e", "r" },
	{ "UID EXPUNGE", "a SELECT %s\r\nz UID EXPUNGE 1:2\r\n", "e", "r" },
	{ "MOVE from", "a SELECT %s\r\nz MOVE 1 Free\r\n", "e", "rt" },
	{ "MOVE from", "a SELECT %s\r\nz MOVE 1 Free\r\n", "t", "re" },
	{ "COPY from", "a SELECT %s\r\nz COPY 1 Free\r\n", "lrswipkxtea", "r" },
	{ "FETCH", "a SELECT %s\r\nz FETCH 1 BODY[]\r\n", "lrswipkxtea", "r" },
	{ "SEARCH", "a SELECT %s\r\nz SEARCH ALL\r\n", "lrswipkxtea", "r" },
	{ "STORE \\Seen", "a SELECT %s\r\nz STORE 1 +FLAGS (\\Seen)\r\n", "s", "r" },
	{ "STORE \\Deleted", "a SELECT %s\r\nz STORE 1 +FLAGS (\\Deleted)\r\n", "t", "r" },
	{ "STORE \\Flagged", "a SELECT %s\r\nz STORE 1 +FLAGS (\\Flagged)\r\n", "w", "r" },
	{ "STORE keyword", "a SELECT %s\r\nz STORE 1 +FLAGS (Work)\r\n", "w", "r" },
	{ "STORE two flags", "a SELECT %s\r\nz STORE 1 +FLAGS (\\Seen \\Deleted)\r\n", "st", "r" },
	{ "STORE all flags", "a SELECT %s\r\nz STORE 1 FLAGS (\\Seen)\r\n", "stw", "r" },
	{ "CLOSE", "a SELECT %s\r\nz CLOSE\r\n", "lrswipkxtea", "r" },
	{ "UNSUBSCRIBE", "z UNSUBSCRIBE %s\r\n", "lrswipkxtea", "" },
};

static void
alone(struct lab *l, size_t i)
{
	for (const char *c = letters; *c != '\0'; c++) {
		struct span rights = arena_printf(l->a, "%c%s", *c, rows[i].with);
		const char *name = mailbox(l, arena_cstr(l->a, rights));
		bool want = strchr(rows[i].rights, *c) != NULL;
		struct span got = say_of(l, "bob@x.test", rows[i].command, name);

		if (!tap_ok(has(got, "z OK") == want && has(got, "z NO") != want,
			"RFC 4314, 4: %s with %.*s: %s", rows[i].name, SPAN_ARG(rights), want ? "yes" : "no"))
			printf("# %.*s\n", SPAN_ARG(got));
		if (!want && !has(got, "z NO [NOPERM]") &&
		    !tap_ok(strchr(rights.p, 'l') == NULL &&
				(has(got, "z NO [NONEXISTENT]") || has(got, "z NO [TRYCREATE]")),
			"%s: the code", rows[i].name))
			printf("# %.*s\n", SPAN_ARG(got));
	}
}

static void
listed(struct lab *l)
{
	for (const char *c = letters; *c != '\0'; c++) {
		const char right[] = { *c, '\0' }, *name = mailbox(l, right);
		struct span got = say_of(l, "bob@x.test",
		    "a LIST \"\" %s\r\nb LIST \"\" * RETURN (STATUS (MESSAGES))\r\nc LSUB \"\" %s\r\n", name);

		if (!tap_ok(has(got, name) == (*c == 'l') && has(got, "a OK") && has(got, "b OK") &&
				!has(got, arena_cstr(l->a, arena_printf(l->a, "STATUS %s", name))),
			"RFC 4314, 4: LIST with %c", *c))
			printf("# %.*s\n", SPAN_ARG(got));
	}
}

/* ---- what is hidden is as what is not there */

static struct span
replaced(struct lab *l, struct span text, const char *name)
{
	char *p = arena_cstr(l->a, text);
	ssize_t at;

	while ((at = span_find(span_str(p), span_str(name))) >= 0)
		memset(p + at, '#', strlen(name));
	return span_str(p);
}

static void
hidden(struct lab *l, const char *rights)
{
	static const char *const commands[] = {
		"z STATUS %s (MESSAGES)\r\n",
		"z SELECT %s\r\n",
		"z EXAMINE %s\r\n",
		"z CREATE %s/sub\r\n",
		"z CREATE %s\r\n",
		"z DELETE %s\r\n",
		"z RENAME %s New\r\n",
		"z RENAME Free %s\r\n",
		"z RENAME Free %s/sub\r\n",
		"z SETACL %s carl@x.test lr\r\n",
		"z DELETEACL %s carl@x.test\r\n",
		"z GETACL %s\r\n",
		"z LISTRIGHTS %s carl@x.test\r\n",
		"z MYRIGHTS %s\r\n",
		"z APPEND %s {3+}\r\nabc\r\n",
		"z APPEND %s {3}\r\n",
		"a SELECT Free\r\nz COPY 1 %s\r\n",
		"a SELECT Free\r\nz MOVE 1 %s\r\n",
		"z LIST \"\" *\r\n",
		"z LIST \"\" %s\r\n",
		"z LIST \"\" (% %s %s/%)\r\n",
		"z LIST (SUBSCRIBED) \"\" * RETURN (STATUS (UIDNEXT))\r\n",
		"z LSUB \"\" *\r\n",
		"z LIST (RECURSIVEMATCH SUBSCRIBED) \"\" %\r\n",
		"z SUBSCRIBE %s\r\n",
		"z SETACL %s carl@x.test Q\r\n",
		"z SETACL %s \"\" lr\r\n",
	};
	const char *name = mailbox(l, rights);

	say_of(l, NULL, "a CREATE %s/child\r\na SUBSCRIBE %s\r\na SUBSCRIBE %s/child\r\n", name);
	say(l, "bob@x.test", "a SELECT Free\r\n"); /* nothing is \Recent there any more */
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		struct span one = replaced(l, say_of(l, "bob@x.test", commands[i], name), name);
		struct span none = replaced(l, say_of(l, "bob@x.test", commands[i], "Missin"), "Missin");

		say(l, NULL, "a DELETE Missin\r\na UNSUBSCRIBE Missin\r\n");
		if (!tap_ok(span_same(one, none) && !has(one, name),
			"RFC 4314, 6: no word of a mailbox with \"%s\": %zu", rights, i))
			printf("# %.*s# %.*s", SPAN_ARG(one), SPAN_ARG(none));
	}
}

/* A child that may be seen, of a parent that may not (RFC 4314, 4: LIST). */
static void
orphans(struct lab *l)
{
	const char *name = mailbox(l, "");
	struct span got;

	say_of(l, NULL, "a CREATE %s/a\r\na CREATE %s/a/b\r\na SETACL %s/a/b bob@x.test l\r\n", name);
	got = say_of(l, "bob@x.test", "a LIST \"\" *\r\nb LIST \"\" %s\r\nc LIST \"\" %s/a\r\n", name);
	tap_ok(has(got, "/a/b\r\n") && !has(got, "/a\r\n"),
	    "RFC 4314, 4: a child of a parent that may not be seen");
	say_of(l, NULL, "a SETACL %s bob@x.test l\r\n", name);
	got = say_of(l, "bob@x.test", "a LIST \"\" %s\r\n", name);
	tap_ok(has(got, "(\\HasChildren)"), "RFC 3348: and it is a child of the one above");
}

/* ---- flags that may not be set are left out */

static struct span
flags_of(struct lab *l, const char *name, const char *seq)
{
	struct span fmt = arena_printf(l->a, "a EXAMINE %%s\r\nz FETCH %s FLAGS\r\n", seq);
	struct span got = say_of(l, NULL, arena_cstr(l->a, fmt), name);
	ssize_t at = span_find(got, SPAN("FETCH (FLAGS ("));

	got = span_from(got, at < 0 ? got.n : (size_t)at + strlen("FETCH (FLAGS ("));
	at = span_chr(got, ')');
	return span_head(got, at < 0 ? 0 : (size_t)at);
}

static void
left_out(struct lab *l)
{
	static const struct {
		const char *rights;
		bool seen, deleted, others;
	} sets[] = {
		{ "rsi", true, false, false },
		{ "rit", false, true, false },
		{ "rwi", false, false, true },
		{ "ri", false, false, false },
		{ "rwits", true, true, true },
	};

	for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
		const char *name = mailbox(l, sets[i].rights);
		struct span a, c;

		say_of(
		    l, "bob@x.test", "z APPEND %s (\\Seen \\Deleted \\Flagged Work) {3+}\r\nabc\r\n", name);
		say_of(
		    l, NULL, "a SELECT Free\r\na STORE 1 FLAGS (\\Seen \\Deleted \\Answered Work)\r\n", name);
		c = say_of(l, "bob@x.test", "a SELECT Free\r\nz COPY 1 %s\r\n", name);
		tap_ok(has(c, "z OK"), "RFC 4314, 4: COPY does not fail for flags");
		say_of(l, NULL, "a SELECT Free\r\na STORE 1 FLAGS ()\r\n", name);
		a = flags_of(l, name, "3");
		c = flags_of(l, name, "4");
		tap_ok(has(a, "\\Deleted") == sets[i].deleted && has(a, "\\Flagged") == sets[i].others &&
			   has(a, "Work") == sets[i].others,
		    "RFC 4314, 4: APPEND with %s", sets[i].rights);
		tap_ok(has(c, "\\Deleted") == sets[i].deleted && has(c, "\\Answered") == sets[i].others &&
			   has(c, "Work") == sets[i].others,
		    "RFC 4314, 4: COPY with %s", sets[i].rights);
	}
}

/* STORE of several flags changes those that may be; FLAGS leaves the others; and PERMANENTFLAGS says so. */
static void
stored(struct lab *l)
{
	const char *name = mailbox(l, "lrt");
	struct span got;

	say_of(l, NULL, "a SELECT %s\r\na STORE 1 +FLAGS (\\Flagged Work)\r\n", name);
	got = say_of(
	    l, "bob@x.test", "a SELECT %s\r\nz STORE 1 FLAGS (\\Deleted \\Answered Other)\r\n", name);
	tap_ok(has(got, "[PERMANENTFLAGS (\\Deleted)]"), "RFC 4314, 5.1.1: PERMANENTFLAGS with t");
	tap_ok(has(got, "a OK [READ-WRITE]"), "RFC 4314, 5.2: READ-WRITE with t");
	got = flags_of(l, name, "1");
	tap_ok(has(got, "\\Flagged") && has(got, "Work") && has(got, "\\Deleted") &&
		   !has(got, "\\Answered") && !has(got, "Other"),
	    "RFC 4314, 4: STORE FLAGS with t changes \\Deleted alone");
	name = mailbox(l, "lr");
	got = say_of(
	    l, "bob@x.test", "a SELECT %s\r\nz FETCH 1 BODY[]\r\nz STORE 1 +FLAGS (\\Seen)\r\n", name);
	tap_ok(has(got, "[PERMANENTFLAGS ()]") && has(got, "a OK [READ-ONLY]"),
	    "RFC 4314, 5.2: READ-ONLY with lr");
	tap_ok(!has(got, "\\Seen)\r") && has(got, "z NO"), "RFC 4314, 4: FETCH sets no \\Seen without s");
	name = mailbox(l, "lri");
	got = say_of(l, "bob@x.test", "a SELECT %s\r\n", name);
	tap_ok(has(got, "a OK [READ-WRITE]"), "RFC 4314, 5.2: READ-WRITE with i");
}

static void
closed(struct lab *l)
{
	const char *name = mailbox(l, "rt");

	say_of(l, "bob@x.test", "a SELECT %s\r\nz CLOSE\r\n", name);
	tap_ok(has(say_of(l, NULL, "a STATUS %s (MESSAGES)\r\n", name), "MESSAGES 2"),
	    "RFC 4314, 4: CLOSE without e expunges nothing");
	name = mailbox(l, "re");
	say_of(l, "bob@x.test", "a SELECT %s\r\nz CLOSE\r\n", name);
	tap_ok(has(say_of(l, NULL, "a STATUS %s (MESSAGES)\r\n", name), "MESSAGES 1"),
	    "RFC 4314, 4: CLOSE with e expunges");
}

/* ---- the owner */

static void
owner(struct lab *l)
{
	const char *name = mailbox(l, "");
	struct span got;

	got = say_of(l, NULL,
	    "a SETACL %s alice@x.test \"\"\r\nb MYRIGHTS %s\r\nc SELECT %s\r\nd LIST \"\" %s\r\n"
	    "e SETACL %s alice@x.test lrswipkxtea\r\nf MYRIGHTS %s\r\n",
	    name);
	tap_ok(has(got, "b OK") && has(got, " la\r\n") && has(got, "c NO [NOPERM]"),
	    "the owner can take r from himself");
	tap_ok(has(got, "e OK") && has(got, " lrswipkxteacd\r\n"), "and give it back: a is always his");
	got = say_of(l, NULL,
	    "a SETACL %s -alice@x.test lra\r\nb MYRIGHTS %s\r\nc DELETEACL %s -alice@x.test\r\n", name);
	tap_ok(has(got, "lswipkxteacd") && has(got, "c OK"), "negative rights do not lock him out");
	got = say_of(l, NULL, "a LISTRIGHTS %s alice@x.test\r\nb LISTRIGHTS %s $team\r\n", name);
	tap_ok(has(got, "alice@x.test la r s w i p k x t e c d\r\n"), "RFC 4314, 3.7: his required rights");
	tap_ok(has(got, " $team \"\" l r s w i p k x t e a c d\r\n"),
	    "RFC 4314, 3.4: the identifier as it was given");
	got = say_of(l, NULL, "a SETACL %s anonymous lr\r\nb LISTRIGHTS %s anonymous\r\n", name);
	tap_ok(has(got, "a NO [CANNOT]") && has(got, " anonymous \"\"\r\n"), "anonymous gets nothing");
	got = say_of(l, NULL,
	    "a SETACL %s bob@x.test lrQ\r\nb SETACL %s bob@x.test lrq\r\nc SETACL %s \"\" l\r\n", name);
	tap_ok(has(got, "a BAD Upper") && has(got, "b BAD The q right is not supported") && has(got, "c BAD"),
	    "RFC 4314, 3.1: unknown rights are BAD");
	got = say_of(l, NULL, "a SETACL %s bob@x.test lrswida\r\nb GETACL %s\r\n", name);
	tap_ok(has(got, "alice@x.test lrswipkxteacd bob@x.test lrswitead\r\n"),
	    "RFC 4314, 2.1.1: d, and who owns comes first");
	got = say_of(
	    l, NULL, "a SETACL %s bob@x.test +c\r\nb SETACL %s bob@x.test -lrswid\r\nc GETACL %s\r\n", name);
	tap_ok(has(got, " bob@x.test kxac\r\n"), "RFC 4314, 3.1: + and -");
}

/* What a guest makes takes over the ACL of its parent; at the first level that of INBOX. */
static void
inherited(struct lab *l)
{
	const char *name = mailbox(l, "lrk");
	struct span got = say_of(
	    l, "bob@x.test", "a CREATE %s/new\r\nb MYRIGHTS %s/new\r\nz CREATE Top1\r\n", name);

	tap_ok(
	    has(got, "a OK") && has(got, "/new lrkc\r\n"), "RFC 4314, 4: CREATE takes over the parent's ACL");
	tap_ok(has(got, "z NO [NOPERM]"), "at the first level a guest needs k for INBOX");
	say(l, NULL, "a SETACL INBOX bob@x.test lk\r\n");
	got = say(l, "bob@x.test", "a CREATE Top1\r\nb MYRIGHTS Top1\r\n");
	tap_ok(has(got, "a OK") && has(got, "Top1 lkc\r\n"), "and then gets the rights of INBOX");
	say(l, NULL, "a DELETEACL INBOX bob@x.test\r\nb CREATE Top2\r\n");
	tap_ok(has(say(l, NULL, "a GETACL Top2\r\n"), "* ACL Top2 alice@x.test lrswipkxteacd\r\n"),
	    "what the owner makes there is his alone");
}

/* ---- changes while the mailbox is selected: two sessions, a command each in turn */

struct live {
	struct session s;
	struct buf in;
};

static struct span
turn(struct lab *l, struct session *s, const char *text)
{
	struct conn_opts o = { .line_max = 10000, .timeout_ms = 1000 };
	struct span said;
	struct err e = { 0 };

	conn_free(s->c);
	s->c = conn_memory(span_str(text), &o);
	while (command_serve(s, &e) == 0)
		;
	conn_flush(s->c, &e);
	said = arena_dup(l->a, conn_sent(s->c));
	return said;
}

static void
revoked(struct lab *l)
{
	struct conn_opts o = { .line_max = 10000, .timeout_ms = 1000 };
	const char *name = mailbox(l, "lrsw");
	struct session s;
	struct span got, select = arena_printf(l->a, "a SELECT %s\r\n", name);

	session_init(&s, conn_memory(SPAN(""), &o));
	s.owner = SPAN("alice");
	s.owner_login = SPAN("alice@x.test");
	s.login = SPAN("bob@x.test");
	s.guest = true;
	s.st = open_here(true);
	got = turn(l, &s, arena_cstr(l->a, select));
	tap_ok(has(got, "a OK [READ-WRITE]"), "selected");
	say_of(l, NULL, "a SETACL %s bob@x.test -w\r\n", name);
	got = turn(l, &s, "b NOOP\r\nc STORE 1 +FLAGS (\\Flagged)\r\n");
	tap_ok(has(got, "* OK [PERMANENTFLAGS (\\Seen)]") && has(got, "c NO [NOPERM]"),
	    "RFC 4314, 5.1.1: w revoked: PERMANENTFLAGS, and NO");
	say_of(l, NULL, "a SETACL %s bob@x.test +w\r\n", name);
	got = turn(l, &s, "c STORE 1 +FLAGS (\\Flagged)\r\n");
	tap_ok(has(got, "[PERMANENTFLAGS (\\Answered") && has(got, "c OK"), "given back: at once");
	say_of(l, NULL, "a SETACL %s bob@x.test -r\r\na APPEND %s {3+}\r\nabc\r\n", name);
	got = turn(l, &s, "c FETCH 1 BODY[]\r\nd SEARCH ALL\r\ne NOOP\r\nf STORE 1 +FLAGS (\\Seen)\r\n");
	tap_ok(has(got, "c NO [NOPERM]") && has(got, "d NO [NOPERM]") && has(got, "f NO [NOPERM]") &&
		   has(got, "e OK") && !has(got, "EXISTS") && !has(got, "abc"),
	    "RFC 4314, 5.1.1: r revoked: nothing is read or told any more");
	say_of(l, NULL, "a DELETEACL %s bob@x.test\r\n", name);
	got = turn(l, &s, "c FETCH 1 BODY[]\r\nd CLOSE\r\ne LIST \"\" *\r\n");
	tap_ok(has(got, "c NO [NONEXISTENT]") && has(got, "d OK") && !has(got, name),
	    "all revoked: CLOSE is still possible");
	session_done(&s);
}

int
main(void)
{
	struct lab l;
	struct err e = { 0 };

	need(cfg_load(SPAN(""), "", NULL, 0, &e) == 0);
	lab_enter(&l);
	say(&l, NULL,
	    "a CREATE Free\r\na SETACL Free bob@x.test lrswipkxte\r\na APPEND Free " MESSAGE
	    "a CREATE Mine\r\na SETACL Mine bob@x.test lrswipkxtea\r\n");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		alone(&l, i);
	listed(&l);
	hidden(&l, "");
	hidden(&l, "wpste");
	orphans(&l);
	left_out(&l);
	stored(&l);
	closed(&l);
	owner(&l);
	inherited(&l);
	revoked(&l);
	lab_leave(&l);
	return tap_done();
}
