/* unit-mailbox - addresses and domains in one form. */
#include "smtp/mailbox.h"
#include "t/tap.h"

typedef int canon(struct span in, struct buf *out, struct err *e);

struct row {
	const char *in, *want; /* NULL: refused */
};

static void
table(const char *what, canon *f, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct err e = { 0 };
		struct buf out;
		int rc;

		buf_init(&out, 2000);
		rc = f(span_str(rows[i].in), &out, &e);
		if (rows[i].want == NULL)
			tap_ok(rc < 0 && e.kind == ERR_PEER && out.n == 0, "%s of \"%.60s\" is refused", what,
			    rows[i].in);
		else if (!tap_ok(rc == 0 && span_eq(buf_span(&out), rows[i].want), "%s of \"%.60s\"", what,
			     rows[i].in))
			printf("# got '%.*s' %s\n", SPAN_ARG(buf_span(&out)), e.text);
		buf_free(&out);
	}
}

#define TABLE(what, f, rows) table(what, f, rows, sizeof(rows) / sizeof(rows)[0])

int
main(void)
{
	static const struct row domains[] = {
		{ "Example.COM", "example.com" },
		{ "localhost", "localhost" },
		{ "host_name.example", "host_name.example" },
		{ "B\303\234CHER.example", "xn--bcher-kva.example" },
		{ "b\303\274cher.example", "xn--bcher-kva.example" },
		{ "XN--BCHER-KVA.example", "xn--bcher-kva.example" },
		{ "fa\303\237.de", "xn--fa-hia.de" }, /* IDNA2008: not fass.de */
		{ "[192.0.2.1]", "[192.0.2.1]" },
		{ "[IPv6:2001:DB8:0:0:0:0:0:1]", "[IPv6:2001:db8::1]" },
		{ "[ipv6:::ffff:192.0.2.1]", "[IPv6:::ffff:192.0.2.1]" },
		{ "", NULL },
		{ ".", NULL },
		{ "a..b", NULL },
		{ "a.", NULL },
		{ "-a", NULL },
		{ "a-.b", NULL },
		{ "a b", NULL },
		{ "a\303", NULL },
		{ "[192.0.2]", NULL },
		{ "[192.0.2.256]", NULL },
		{ "[2001:db8::1]", NULL },
		{ "[IPv6:192.0.2.1]", NULL },
		{ "[x-tag:y]", NULL },
		{ "[", NULL },
		{ "[]", NULL },
		{ "[IPv6:2001:db8:0000000000000000000000000000000000000000000000000000000::1]", NULL },
	};
	static const struct row mailboxes[] = {
		{ "John.Doe@EXAMPLE.com", "John.Doe@example.com" },
		{ "\"john.doe\"@example.com", "john.doe@example.com" },
		{ "\"john\\.doe\"@example.com", "john.doe@example.com" },
		{ "\"john doe\"@example.com", "\"john doe\"@example.com" },
		{ "\"a\\\"b\\\\c\"@x", "\"a\\\"b\\\\c\"@x" },
		{ "\"a@b\"@x", "\"a@b\"@x" },
		{ "\"\"@x", "\"\"@x" },
		{ "postmaster", "postmaster" },
		{ "j\303\266rg@m\303\274ller.example", "j\303\266rg@xn--mller-kva.example" },
		{ "a@[IPv6:0:0::1]", "a@[IPv6:::1]" },
		{ "a@b@c", NULL },
		{ "\"a@x", NULL },
		{ "\"a\"b@x", NULL },
		{ "a@", NULL },
		{ "@x", NULL },
		{ "", NULL },
		{ "a\tb@x", NULL },
		{ "\"a\177\"@x", NULL },
		{ "a\377@x", NULL },
	};
	struct span local = { 0 }, domain = { 0 };

	TABLE("the one form", domain_canon, domains);
	TABLE("the one form", mailbox_canon, mailboxes);
	tap_ok(mailbox_split(SPAN("a@b"), &local, &domain, NULL) == 0 && span_eq(local, "a") &&
		   span_eq(domain, "b"),
	    "an address is split");
	tap_ok(mailbox_split(SPAN("a"), &local, &domain, NULL) == 0 && domain.p == NULL,
	    "one without a domain too");
	return tap_done();
}
