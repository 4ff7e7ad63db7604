/* unit-path - the address part of MAIL and RCPT. */
#include "smtp/path.h"
#include "t/tap.h"

static const struct {
	const char *in;
	ssize_t used; /* -1: refused */
	const char *local, *domain;
} rows[] = {
	{ "<>", 2, "", "" },
	{ "<> SIZE=1", 2, "", "" },
	{ "<Postmaster>", 12, "Postmaster", "" },
	{ "<a@b>", 5, "a", "b" },
	{ "<Smith@bar.com> X", 15, "Smith", "bar.com" },
	{ "<a.b+c-d_e@x-1.example>", 23, "a.b+c-d_e", "x-1.example" },
	{ "<!#$%&'*+-/=?^_`{|}~@x>", 23, "!#$%&'*+-/=?^_`{|}~", "x" },
	{ "<\"a b\"@x>", 9, "\"a b\"", "x" },
	{ "<\"a\\\"b\\\\\"@x>", 12, "\"a\\\"b\\\\\"", "x" },
	{ "<\"\"@x>", 6, "\"\"", "x" },
	{ "<\"a>b\"@x>", 9, "\"a>b\"", "x" },
	{ "<a@[192.0.2.1]>", 15, "a", "[192.0.2.1]" },
	{ "<a@[IPv6:2001:db8::1]>", 22, "a", "[IPv6:2001:db8::1]" },
	{ "<a@[x-tag:y]>", 13, "a", "[x-tag:y]" },
	/* RFC 5321, F.2: a source route */
	{ "<@one,@two:joe@three>", 21, "joe", "three" },
	{ "<@[192.0.2.1]:joe@three>", 24, "joe", "three" },
	/* RFC 6531 */
	{ "<j\303\266rg@m\303\274ller.example>", 23, "j\303\266rg", "m\303\274ller.example" },
	{ "<\"j\303\266\"@x>", 9, "\"j\303\266\"", "x" },
	{ "<a@host_name>", 13, "a", "host_name" },
	{ "", -1, NULL, NULL },
	{ "a@b", -1, NULL, NULL },
	{ "<", -1, NULL, NULL },
	{ "<a@b", -1, NULL, NULL },
	{ "< a@b>", -1, NULL, NULL },
	{ "<a@b >", -1, NULL, NULL },
	{ "<a @b>", -1, NULL, NULL },
	{ "<a@>", -1, NULL, NULL },
	{ "<@b>", -1, NULL, NULL },
	{ "<@one:>", -1, NULL, NULL },
	{ "<@one joe@three>", -1, NULL, NULL },
	{ "<@one,joe@three>", -1, NULL, NULL },
	{ "<.a@b>", -1, NULL, NULL },
	{ "<a.@b>", -1, NULL, NULL },
	{ "<a..b@c>", -1, NULL, NULL },
	{ "<a@b.>", -1, NULL, NULL },
	{ "<a@.b>", -1, NULL, NULL },
	{ "<a@b..c>", -1, NULL, NULL },
	{ "<a@-b>", -1, NULL, NULL },
	{ "<a@b->", -1, NULL, NULL },
	{ "<a@b!c>", -1, NULL, NULL },
	{ "<a@b@c>", -1, NULL, NULL },
	{ "<a,b@c>", -1, NULL, NULL },
	{ "<a(c)@b>", -1, NULL, NULL },
	{ "<\"a@b>", -1, NULL, NULL },
	{ "<\"a\"b@c>", -1, NULL, NULL },
	{ "<\"a\r\"@c>", -1, NULL, NULL },
	{ "<\"a\\", -1, NULL, NULL },
	{ "<a@[>", -1, NULL, NULL },
	{ "<a@[]>", -1, NULL, NULL },
	{ "<a@[1.2.3.4>", -1, NULL, NULL },
	{ "<a@[1 2]>", -1, NULL, NULL },
	{ "<a\377@b>", -1, NULL, NULL },
	{ "<a@b\300\200>", -1, NULL, NULL },
};

static void
table(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err e = { 0 };
		struct path p = { .local = SPAN("untouched") };
		ssize_t used = path_parse(span_str(rows[i].in), &p, &e);

		if (rows[i].used < 0)
			tap_ok(used == -1 && e.kind == ERR_PEER && span_eq(p.local, "untouched"),
			    "path %zu is refused: %s", i, e.text);
		else
			tap_ok(used == rows[i].used && span_eq(p.local, rows[i].local) &&
				   span_eq(p.domain, rows[i].domain),
			    "%s is a path", rows[i].in);
	}
}

static void
limits(void)
{
	static const struct {
		size_t local, label, labels;
		bool ok;
	} sizes[] = {
		{ 64, 63, 1, true },
		{ 255, 63, 1, true },
		{ 256, 63, 1, false },
		{ 1, 64, 1, false },
		{ 1, 63, 4, true }, /* 255 octets with their dots */
		{ 1, 63, 5, false },
	};
	struct buf b;

	buf_init(&b, 10000);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct path p;

		buf_clear(&b);
		buf_byte(&b, NULL, '<');
		for (size_t k = 0; k < sizes[i].local; k++)
			buf_byte(&b, NULL, 'a');
		for (size_t l = 0; l < sizes[i].labels; l++) {
			buf_byte(&b, NULL, l == 0 ? '@' : '.');
			for (size_t k = 0; k < sizes[i].label; k++)
				buf_byte(&b, NULL, 'b');
		}
		buf_byte(&b, NULL, '>');
		tap_ok((path_parse(buf_span(&b), &p, NULL) > 0) == sizes[i].ok,
		    "a local part of %zu and %zu labels of %zu are %s", sizes[i].local, sizes[i].labels,
		    sizes[i].label, sizes[i].ok ? "taken" : "refused");
	}
	buf_free(&b);
}

int
main(void)
{
	table();
	limits();
	return tap_done();
}
