/* unit-filters.c - etc/filters.cf: what is taken, and the errors that say where. */
#include "cfg/filters.h"

#include "t/tap.h"

int
main(void)
{
	static const struct {
		struct span text;
		size_t n;
		const char *error;
	} cases[] = {
		{ SPAN(""), 0, NULL },
		{ SPAN("# a comment\n\n   # another\n\t\r\n"), 0, NULL },
		{ SPAN("pass accept -\n"), 1, NULL },
		{ SPAN("a accept - # yes\n  b\taccept\t-"), 2, NULL },
		{ SPAN("\npass\n"), 0, "etc/filters.cf:2: a line is: name kind address [key=value ...]" },
		{ SPAN("pass accept"), 0, "etc/filters.cf:1: a line is: name kind address [key=value ...]" },
		{ SPAN("pass accept - x=1"), 0,
		    "etc/filters.cf:1: a filter of kind `accept` has the address `-` and no options" },
		{ SPAN("pass accept unix:x"), 0,
		    "etc/filters.cf:1: a filter of kind `accept` has the address `-` and no options" },
		{ SPAN("spam spamd inet:127.0.0.1:783"), 0,
		    "etc/filters.cf:1: filters of kind `spamd` are not part of this version" },
		{ SPAN("spam mitler x"), 0,
		    "etc/filters.cf:1: unknown kind `mitler`; did you mean `milter`?" },
		{ SPAN("spam frobnicate x"), 0, "etc/filters.cf:1: unknown kind `frobnicate`" },
		{ SPAN("a accept -\na accept -\n"), 0, "etc/filters.cf:2: `a` is in line 1 already" },
		{ SPAN("A accept -\n"), 0,
		    "etc/filters.cf:1: `A` is no name of a filter: small letters, digits and -" },
		{ SPAN("a\x01 accept -\n"), 0,
		    "etc/filters.cf:1: a line is: name kind address [key=value ...]" },
	};
	struct arena *a = arena_new(1 << 20);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct filters f;
		struct err e = { 0 };
		int rc = filters_parse(cases[i].text, "etc/filters.cf", a, &f, &e);

		if (cases[i].error == NULL)
			tap_ok(rc == 0 && f.n == cases[i].n, "case %zu has %zu filters", i, cases[i].n);
		else
			tap_span(span_str(e.text), span_str(cases[i].error), "its error says where and what");
	}
	arena_free(a);
	return tap_done();
}
