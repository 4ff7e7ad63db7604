/* unit-rookery-import - the CSV that `rookery user import` takes. */
#include <stdlib.h>

#include "ctl/csv.h"
#include "ctl/import.h"
#include "pw/pw.h"
#include "t/tap.h"

#define HASH "{SHA}KhZ1Vc2++p3skRshFI8qdPsViZI="

/* Fields of all records, each in [] and records parted by /. */
static const struct {
	const char *in, *want;
} records[] = {
	{ "", "" },
	{ "a", "[a]" },
	{ "a,b\n", "[a][b]" },
	{ "a,b\r\nc\r\n", "[a][b]/[c]" },
	{ "a,,\n", "[a][][]" },
	{ "\n\n", "[]/[]" },
	{ "\"a,b\",\"c\"\"d\"\n", "[a,b][c\"d]" },
	{ "\"a\nb\",c\nd", "[a\nb][c]/[d]" },
	{ "\"\",\"\"\"\"\n", "[][\"]" },
	{ "a\"b,c\n", "[a\"b][c]" },
	{ " a , b \n", "[ a ][ b ]" },
	{ "a\rb\n", "[a\rb]" },
	{ "a,\"b\"", "[a][b]" },
	{ "\"a\"x,b\nc\n", "!/[c]" },
	{ "a,\"b", "!" },
};

static struct span
all_records(struct span in, struct arena *a)
{
	struct span out = SPAN("");
	struct csv r;
	int got = 1;

	while (got != 0) {
		struct err e = { 0 };

		got = csv_next(&in, a, &r, &e);
		if (got != 0 && out.n > 0)
			out = arena_printf(a, "%.*s/", SPAN_ARG(out));
		if (got < 0)
			out = arena_printf(a, "%.*s!", SPAN_ARG(out));
		for (size_t i = 0; got > 0 && i < r.n; i++)
			out = arena_printf(a, "%.*s[%.*s]", SPAN_ARG(out), SPAN_ARG(r.field[i]));
	}
	return out;
}

/* "line:address:secret:quota:messages:name:aliases:enabled:set" of each account, or what is wrong. */
static const struct {
	const char *in, *want;
} files[] = {
	{ "", "" },
	{ "ada@x.org,secret\n", "1:ada@x.org:secret:0:0:::1:1" },
	{ "ada@x.org," HASH ",1G,Ada L,a@x.org,b@x.org\n",
	    "1:ada@x.org:#" HASH ":1073741824:0:Ada L:a@x.org,b@x.org:1:7" },
	{ "\xef\xbb\xbf"
	  "address,password\r\nada@x.org,s\r\n",
	    "2:ada@x.org:s:0:0:::1:1" },
	{ "# head\n\nada@x.org,s\n", "3:ada@x.org:s:0:0:::1:1" },
	{ "Name,Address,Enabled,Password,Phone,Messages\nA B,ada@x.org,no,s,123,7\n",
	    "2:ada@x.org:s:0:7:A B::0:15" },
	{ "address,password,aliases\na@x,s,b@x c@x;d@x|e@x\n", "2:a@x:s:0:0::b@x,c@x,d@x,e@x:1:1" },
	{ "address,aliases\na@x,b@x,c@x\n", "2:a@x::0:0::b@x,c@x:1:0" },
	{ "a@x,\"s,\"\"t\"\nb@x,u\n", "1:a@x:s,\"t:0:0:::1:1 2:b@x:u:0:0:::1:1" },
	{ "a@x,{not a hash}\n", "1:a@x:{not a hash}:0:0:::1:1" },
	{ "a@x, blank \n", "1:a@x: blank :0:0:::1:1" },
	{ "a@x,\"s\nt\"\nb@x,\n", "!3 an empty password" },
	{ "a@x,{SHA}short\nb@x,s\nc@x,{NOPE}x\n",
	    "!1 {SHA}: not base64, or too long !3 {NOPE} is not a supported password scheme" },
	{ "ada,s\n", "!1 the address is not user@domain" },
	{ ",s\n", "!1 no address" },
	{ "a@x,s,many\n", "!1 quota: " },
	{ "a@x,s,,\xff\n", "!1 the name is not UTF-8" },
	{ "address,enabled\na@x,maybe\n", "!2 enabled is yes or no" },
	{ "address,password,password\na@x,s,t\n", "!1 two columns are named password" },
	{ "address,password\na@x,s,t\n", "!2 3 fields where there are 2 columns" },
	{ "a@x,\"s\n", "!1 a quote is not closed" },
};

struct shown {
	struct arena *a;
	struct span text;
};

static void
complain(void *arg, uint32_t line, const char *why)
{
	struct shown *s = arg;

	s->text = arena_printf(s->a, "%.*s%s!%u %s", SPAN_ARG(s->text), s->text.n > 0 ? " " : "", line, why);
}

static void
show(struct shown *s, const struct import_user *u)
{
	const struct authd_user *m = &u->m;

	s->text = arena_printf(s->a, "%.*s%s%u:%.*s:%s%.*s:%llu:%llu:%.*s:%.*s:%u:%u", SPAN_ARG(s->text),
	    s->text.n > 0 ? " " : "", u->line, SPAN_ARG(m->addr), m->hash.n > 0 ? "#" : "",
	    SPAN_ARG(m->hash.n > 0 ? m->hash : m->password), (unsigned long long)m->quota_bytes,
	    (unsigned long long)m->quota_messages, SPAN_ARG(m->name), SPAN_ARG(m->aliases), m->enabled,
	    m->set);
}

int
main(void)
{
	struct err e = { 0 };

	need(pw_init(&e) == 0);
	for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
		struct arena *a = arena_new(1 << 20);

		tap_span(all_records(span_str(records[i].in), a), span_str(records[i].want), "records");
		arena_free(a);
	}
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		struct shown s = { .a = arena_new(1 << 20), .text = SPAN("") };
		struct err why = { 0 };
		struct import in;
		int rc = import_parse(span_str(files[i].in), s.a, complain, &s, &in, &why);

		for (size_t k = 0; rc == 0 && k < in.n; k++)
			show(&s, &in.user[k]);
		tap_ok(span_starts(s.text, files[i].want) && (rc < 0) == (files[i].want[0] == '!') &&
			   (rc < 0 || s.text.n == strlen(files[i].want)),
		    "accounts: %s", files[i].want);
		if (!span_starts(s.text, files[i].want))
			printf("# got: %.*s\n", SPAN_ARG(s.text));
		free(in.user);
		arena_free(s.a);
	}
	return tap_done();
}
