/* unit-base - spans, numbers, buffers, arenas, ids. */
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "t/tap.h"

static void
numbers(void)
{
	static const struct {
		const char *in;
		bool ok;
		uint32_t want;
	} rows[] = {
		{ "0", true, 0 },
		{ "4294967295", true, UINT32_MAX },
		{ "4294967296", false, 0 },
		{ "4294967297", false, 0 },
		{ "18446744073709551617", false, 0 },
		{ "", false, 0 },
		{ "-1", false, 0 },
		{ "+1", false, 0 },
		{ " 1", false, 0 },
		{ "1x", false, 0 },
		{ "007", true, 7 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err e = { 0 };
		uint32_t v = 0;
		int rc = span_u32(span_str(rows[i].in), &v, &e);

		tap_ok((rc == 0) == rows[i].ok && v == rows[i].want, "span_u32(\"%s\") %s", rows[i].in,
		    rows[i].ok ? "is taken" : "is refused");
	}
}

static void
spans(void)
{
	struct span line = SPAN("MAIL  FROM:<a@b>"), rest = SPAN("a,b,,c");

	tap_span(span_word(&line), SPAN("MAIL"), "span_word gives the first word");
	tap_span(line, SPAN("FROM:<a@b>"), "span_word drops all blanks behind it");
	tap_span(span_cut(&rest, ','), SPAN("a"), "span_cut gives the first field");
	span_cut(&rest, ',');
	tap_span(span_cut(&rest, ','), SPAN(""), "span_cut gives empty fields");
	tap_span(span_cut(&rest, ','), SPAN("c"), "span_cut gives the last field");
	tap_ok(rest.n == 0, "span_cut leaves nothing behind the last field");
	tap_ok(span_find(SPAN("abc"), SPAN("abcd")) == -1, "span_find does not read past the end");
	tap_span(span_trim_ws(SPAN(" \r\n\tx y \n")), SPAN("x y"), "span_trim_ws trims both ends");
}

static void
buffers(void)
{
	struct buf b;
	struct err e = { 0 };

	buf_init(&b, 10);
	tap_ok(buf_str(&b, &e, "0123456789") == 0, "a buffer takes as much as its maximum");
	tap_ok(buf_byte(&b, &e, 'x') < 0 && e.kind == ERR_PEER && b.n == 10,
	    "one octet more is ERR_PEER and changes nothing");
	buf_consume(&b, 8);
	tap_span(buf_span(&b), SPAN("89"), "buf_consume drops from the front");
	err_clear(&e);
	buf_u64(&b, &e, 1234567);
	tap_span(buf_span(&b), SPAN("891234567"), "buf_u64 writes decimal");
	buf_free(&b);
	buf_init(&b, 4096);
	tap_ok(buf_printf(&b, &e, "%01000d", 7) == 0 && b.n == 1000,
	    "buf_printf writes more than fits its own buffer");
	buf_free(&b);
}

static void
arenas(void)
{
	struct arena *a = arena_new(1 << 20);
	char *p = arena_alloc(a, 3);
	struct span s;

	tap_ok((uintptr_t)arena_alloc(a, 1) % 16 == 0 && p != NULL, "arena memory is aligned");
	s = arena_printf(a, "%s-%d", "x", 12);
	tap_span(s, SPAN("x-12"), "arena_printf formats");
	arena_alloc(a, 100000);
	tap_ok(arena_used(a) >= 100000, "arena_used counts");
	arena_reset(a);
	tap_ok(arena_used(a) == 0, "arena_reset empties");
	arena_free(a);
}

static void
ids(void)
{
	struct id a = id_new(), b = id_new();
	uint64_t now = clock_wall_ms(), t = id_time_ms(id_span(&a));

	tap_ok(id_valid(id_span(&a)), "an id has the form of one: %s", a.s);
	tap_ok(strcmp(a.s, b.s) != 0, "two ids differ");
	tap_ok(t <= now && now - t < 60000, "an id tells its time");
	tap_ok(!id_valid(SPAN("../../etc/passwd")), "a path is no id");
	tap_ok(id_from(SPAN("x")).s[0] == '\0', "what has not the form gives the empty id");
}

int
main(void)
{
	numbers();
	spans();
	buffers();
	arenas();
	ids();
	return tap_done();
}
