/* unit-services - master.cf: what its lines say, and errors that name the line. */
#include "cfg/services.h"
#include "t/tap.h"

/* NULL for a good file. */
static const struct {
	const char *text, *want;
} files[] = {
	{ "a inet:127.0.0.1:25 - 1 smtpd\n", NULL },
	{ "a internal root:wheel 1 smtpd -o log_level=debug -o stop_wait=1s # x\n", NULL },
	{ "# c\n\na unix:run/submit - 1 smtpd\n  -o log_level=debug\nb internal - 2 queue", NULL },
	{ "a inet:[::1]:25,*:26,1.2.3.4:27 - 1000000 x", NULL },
	{ "", "m: no service in it" },
	{ "# c\n", "m: no service in it" },
	{ "\n\na internal - 1\n",
	    "m:3: 4 of 5 columns: service listen user limit program [-o key=value ...]" },
	{ "A internal - 1 x\n", "m:1: `A` is no name of a service: small letters, digits and -" },
	{ "a internal - 1 ../x\n", "m:1: `../x` is no name of a program: small letters, digits and -" },
	{ "a internal a:b: 1 x\n", "m:1: `b:` is no name of a group: small letters, digits and -" },
	{ "a inet - 1 x\n", "m:1: `inet`: listen is inet:ADDRESS:PORT, unix:run/NAME or internal" },
	{ "a inet: - 1 x\n", "m:1: no address behind inet:" },
	{ "a inet:host:25 - 1 x\n",
	    "m:1: `host:25` is no ADDRESS:PORT, as in 192.0.2.1:25, [2001:db8::1]:25 or *:25" },
	{ "a unix:run/../x - 1 x\n", "m:1: `unix:run/../x`: a socket is unix:run/NAME" },
	{ "a unix:/tmp/x - 1 x\n", "m:1: `unix:/tmp/x`: a socket is unix:run/NAME" },
	{ "a internal - 0 x\n", "m:1: `0`: the limit is 1 to 1000000" },
	{ "a internal - x x\n", "m:1: `x`: the limit is 1 to 1000000" },
	{ "a internal - 1 x -p\n", "m:1: `-p`: an option is -o key=value" },
	{ "a internal - 1 x -o\n", "m:1: `-o`: an option is -o key=value" },
	{ "a internal - 1 x\n\t-o log_levle=debug\n",
	    "m:1: unknown key `log_levle`; did you mean `log_level`?" },
	{ "a internal - 1 x -o log_level=loud",
	    "m:1: log_level: `loud` is not one of error|warn|info|debug" },
	{ "a internal - 1 x\nb internal - 1 x\na internal - 1 y\n",
	    "m:3: `a` is a service already in line 1" },
	{ "a internal - 1 x\nb \x01 - 1 x\n", "m:2: a control character in the line" },
};

static void
errors(void)
{
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		struct arena *a = arena_new(1 << 20);
		struct services s;
		struct err e = { 0 };
		int rc = services_parse(span_str(files[i].text), "m", a, &s, &e);
		const char *want = files[i].want != NULL ? files[i].want : "";

		tap_ok(
		    (rc < 0) == (files[i].want != NULL), "file %zu is %s", i, rc < 0 ? "refused" : "taken");
		tap_span(span_str(e.text), span_str(want), *want != '\0' ? want : "no complaint");
		arena_free(a);
	}
}

static void
columns(void)
{
	struct arena *a = arena_new(1 << 20);
	struct services s;
	const struct service *v;

	services_parse(
	    SPAN("# c\nsmtp inet:127.0.0.1:25,[::1]:25 u:g 7 smtpd -o log_level=warn\nq unix:run/s - 1 z\n"),
	    "m", a, &s, NULL);
	tap_ok(s.n == 2, "two lines are two services");
	v = services_find(&s, "smtp");
	tap_ok(v != NULL && v->line == 2 && v->limit == 7 && v->n_inet == 2 && v->n_options == 1,
	    "the numbers are right");
	tap_span(span_str(v->inet[1]), SPAN("[::1]:25"), "addresses are separated by commas");
	tap_span(span_str(v->user), SPAN("u"), "the user");
	tap_span(span_str(v->group), SPAN("g"), "and group");
	tap_span(span_str(v->command), SPAN("smtpd -o log_level=warn"), "the command as one text");
	tap_ok(s.v[1].user == NULL && s.v[1].n_inet == 0, "`-` is no user");
	tap_span(span_str(s.v[1].unix_path), SPAN("run/s"), "a socket of the file system");
	tap_ok(services_find(&s, "x") == NULL, "a service that is not there is not found");
	arena_free(a);
}

int
main(void)
{
	errors();
	columns();
	return tap_done();
}
