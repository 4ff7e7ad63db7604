/* unit-retry.c - queue/retry: when again, when to warn, when to give up. */
#include "queue/retry.c"
#include "queue/marks.c"

#include "t/tap.h"

enum { MIN = 60000, HOUR = 60 * MIN, DAY = 24 * HOUR };

static const struct retry_rule rule = { 5 * MIN, HOUR, 5ULL * DAY, 4 * HOUR };

static bool
about(uint64_t got, uint64_t want)
{
	return got >= want - want / 10 && got <= want + want / 10;
}

static void
intervals(void)
{
	uint64_t now = 1000ULL * DAY, low = retry_next(&rule, now, now, 1, 0),
		 high = retry_next(&rule, now, now, 1, UINT32_MAX);

	tap_ok(about(retry_next(&rule, now, now, 1, 1u << 31) - now, 5 * MIN),
	    "the first pause is the shortest");
	tap_ok(about(retry_next(&rule, now, now, 2, 1u << 31) - now, 10 * MIN), "the second twice as long");
	tap_ok(about(retry_next(&rule, now, now, 4, 1u << 31) - now, 40 * MIN), "and so on");
	tap_ok(about(retry_next(&rule, now, now, 5, 1u << 31) - now, HOUR), "to the longest");
	tap_ok(about(retry_next(&rule, now, now, 65535, 1u << 31) - now, HOUR), "however often it is tried");
	tap_ok(low < high && about(low - now, 5 * MIN) && about(high - now, 5 * MIN),
	    "chance moves it a tenth up or down");
}

static void
ends(void)
{
	uint64_t arrived = 1000ULL * DAY, end = arrived + 5ULL * DAY;

	tap_ok(retry_next(&rule, arrived, end - 1000, 20, 0) == end,
	    "the last try is at the end of the lifetime");
	tap_ok(retry_next(&rule, arrived, end + 1, 20, 0) > end,
	    "past it (the report could not be written) pauses are as usual");
	tap_ok(!retry_expired(&rule, arrived, end - 1) && retry_expired(&rule, arrived, end),
	    "a failure at the end is final");
	tap_ok(!retry_warn(&rule, arrived, arrived + 4 * HOUR - 1, false), "no warning before its time");
	tap_ok(retry_warn(&rule, arrived, arrived + 4 * HOUR, false), "then one");
	tap_ok(!retry_warn(&rule, arrived, arrived + 5 * HOUR, true), "and only one");
	tap_ok(!retry_warn(&(struct retry_rule){ .warn = 0 }, arrived, arrived + DAY, false),
	    "or never, as configured");
}

/* ---- marks */

static bool
marks_are(const unsigned *v, size_t n, const char *want)
{
	struct buf b;
	bool ok;

	buf_init(&b, 10000);
	marks_start(&b, DSN_FAILED);
	for (size_t i = 0; i < n; i++)
		marks_add(&b, v[i]);
	ok = tap_span(buf_span(&b), span_str(want), want);
	buf_free(&b);
	return ok;
}

/* Every second of 20,000, and a range behind them. */
static void
many(void)
{
	struct buf b;
	struct span rest;
	uint32_t first, last, n = 0, want = 0;
	bool good = true;

	buf_init(&b, 1 << 20);
	marks_start(&b, DSN_DELIVERED);
	for (uint32_t i = 0; i < 20000; i += 2)
		marks_add(&b, i);
	for (uint32_t i = 20000; i < 2000000; i++)
		marks_add(&b, i);
	rest = buf_span(&b);
	good = marks_kind(&rest) == DSN_DELIVERED;
	for (; marks_next(&rest, &first, &last); n++, want += 2)
		good = good && first == want && last == (want < 20000 ? want : 1999999);
	tap_ok(good && n == 10001, "many indexes come back as they went in");
	buf_free(&b);
}

static void
marks(void)
{
	struct span s = SPAN("failed 0,3-7,9"), bad = SPAN("failed 0,x,9"), back = SPAN("failed 5-3");
	uint32_t a, b;

	marks_are((unsigned[]){ 0 }, 1, "failed 0");
	marks_are((unsigned[]){ 0, 1 }, 2, "failed 0-1");
	marks_are((unsigned[]){ 0, 3, 4, 5, 9, 10, 12 }, 7, "failed 0,3-5,9-10,12");
	marks_are((unsigned[]){ 8, 9, 10, 11 }, 4, "failed 8-11");
	many();
	tap_ok(marks_kind(&s) == DSN_FAILED, "the kind is read");
	tap_ok(marks_next(&s, &a, &b) && a == 0 && b == 0, "one index");
	tap_ok(marks_next(&s, &a, &b) && a == 3 && b == 7, "a range");
	tap_ok(marks_next(&s, &a, &b) && a == 9 && b == 9 && !marks_next(&s, &a, &b), "the last");
	marks_kind(&bad);
	tap_ok(marks_next(&bad, &a, &b) && !marks_next(&bad, &a, &b), "what is no number ends it");
	marks_kind(&back);
	tap_ok(!marks_next(&back, &a, &b), "a range does not go backwards");
	s = SPAN("QQ314159");
	tap_ok(marks_kind(&s) < 0, "another envelope id is no note");
}

int
main(void)
{
	intervals();
	ends();
	marks();
	return tap_done();
}
