/* unit-address - address lists. */
#include "mail/address.h"
#include "t/tap.h"

static void
put(struct buf *out, struct span s)
{
	if (s.p == NULL)
		buf_str(out, NULL, "-");
	else
		buf_add(out, NULL, s);
}

/* name|route|mailbox|host; groups as {name; and }; */
static void
show(struct span value, struct buf *out)
{
	struct arena *a = arena_new(1 << 20);

	for (const struct address *it = address_parse(value, a, NULL); it != NULL; it = it->next) {
		switch (it->kind) {
		case ADDRESS_GROUP:
			buf_printf(out, NULL, "{%.*s;", SPAN_ARG(it->mailbox));
			continue;
		case ADDRESS_GROUP_END:
			buf_str(out, NULL, "};");
			continue;
		case ADDRESS_MAILBOX:
			break;
		}
		put(out, it->name);
		buf_byte(out, NULL, '|');
		put(out, it->route);
		buf_byte(out, NULL, '|');
		put(out, it->mailbox);
		buf_byte(out, NULL, '|');
		put(out, it->host);
		buf_byte(out, NULL, ';');
	}
	arena_free(a);
}

static const struct {
	const char *in, *want;
} rows[] = {
	/* RFC 5322, appendix A.1 */
	{ "John Doe <jdoe@machine.example>", "John Doe|-|jdoe|machine.example;" },
	{ "\"Joe Q. Public\" <john.q.public@example.com>", "Joe Q. Public|-|john.q.public|example.com;" },
	{ "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
	    "Mary Smith|-|mary|x.test;-|-|jdoe|example.org;Who?|-|one|y.test;" },
	{ "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
	    "-|-|boss|nil.test;Giant; \"Big\" Box|-|sysservices|example.net;" },
	{ "A Group:Ed Jones <joe@where.test>,jdoe@one.test,John <jdoe@one.test>;",
	    "{A Group;Ed Jones|-|joe|where.test;-|-|jdoe|one.test;John|-|jdoe|one.test;};" },
	{ "Undisclosed recipients:;", "{Undisclosed recipients;};" },
	/* A.5: white space, comments, and other oddities */
	{ "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "Pete|-|pete|silly.test;" },
	{ "A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n"
	  "         joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)",
	    "{A Group;Chris Jones|-|c|public.example;-|-|joe|example.org;John|-|jdoe|one.test;};" },
	{ "(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", "{Hidden recipients;};" },
	/* A.6: obsolete forms */
	{ "Joe Q. Public <john.q.public@example.com>", "Joe Q. Public|-|john.q.public|example.com;" },
	{ "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
	    "Mary Smith|@node.test|mary|example.net;-|-|jdoe|test.example;" },
	{ "<@a.test,@b.test:mary@example.net>", "-|@a.test,@b.test|mary|example.net;" },
	{ "john . doe @ example . com", "-|-|john.doe|example.com;" },
	/* RFC 5322, 3.4.1, and RFC 6532 */
	{ "\"john doe\"@example.com", "-|-|john doe|example.com;" },
	{ "x@[192.0.2.1], y@[IPv6:2001:db8::1]", "-|-|x|[192.0.2.1];-|-|y|[IPv6:2001:db8::1];" },
	{ "J\303\266rg <j\303\266rg@m\303\274ller.example>",
	    "J\303\266rg|-|j\303\266rg|m\303\274ller.example;" },
	/* the name in a comment */
	{ "gray@cac.washington.edu (Terry (T) Gray)", "Terry (T) Gray|-|gray|cac.washington.edu;" },
	{ "<a@b> (Name)", "Name|-|a|b;" },
	{ "=?utf-8?q?h=C3=A9?= =?utf-8?q?x?= <a@b>", "=?utf-8?q?h=C3=A9?= =?utf-8?q?x?=|-|a|b;" },
	/* strangers */
	{ "", "" },
	{ " , ,; ", "" },
	{ "root", "-|-|root|-;" },
	{ "a b c", "-|-|a b c|-;" },
	{ "a@b <c@d>", "a@b|-|c|d;" },
	{ "a@b@c", "-|-|a@b|c;" },
	{ "<a@b", "-|-|a|b;" },
	{ "x <a@b, y <c@d>", "x|-|a|b;y|-|c|d;" },
	{ "<a@b> <c@d>", "-|-|a|b;-|-|c|d;" },
	{ "a@b; c@d", "-|-|a|b;-|-|c|d;" },
	{ "<>", "-|-||-;" },
	{ "\"\" <a@b>", "-|-|a|b;" },
	{ "\"\"@b", "-|-||b;" },
	{ "\"unended <a@b>", "-|-|unended <a@b>|-;" },
	{ "(unended", "" },
	{ "[Foo Bar] <a@b>", "[Foo Bar]|-|a|b;" },
	{ "a@", "-|-|a|;" },
	{ "@b", "-|-||b;" },
	{ "g: a@b", "{g;-|-|a|b;};" },
};

int
main(void)
{
	struct arena *a = arena_new(64 << 20);
	struct buf out;
	size_t count = 0;
	bool cut;

	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char name[80];

		buf_clear(&out);
		show(span_str(rows[i].in), &out);
		snprintf(name, sizeof name, "the list \"%.50s\"", rows[i].in);
		for (char *p = name; *p != '\0'; p++)
			if (*p == '\r' || *p == '\n')
				*p = ' ';
		tap_span(buf_span(&out), span_str(rows[i].want), name);
	}
	buf_clear(&out);
	for (size_t i = 0; i < ADDRESSES_MAX + 1; i++)
		buf_str(&out, NULL, "a@b,");
	for (struct address *it = address_parse(buf_span(&out), a, &cut); it != NULL; it = it->next)
		count++;
	tap_ok(count == ADDRESSES_MAX && cut, "addresses past the limit are left out");
	buf_clear(&out);
	for (size_t i = 0; i < 1 << 19; i++)
		buf_byte(&out, NULL, '(');
	tap_ok(address_parse(buf_span(&out), a, &cut) == NULL, "comments nest to any depth");
	buf_free(&out);
	arena_free(a);
	return tap_done();
}
