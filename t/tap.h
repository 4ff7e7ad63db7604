/*
 * tap.h - what a unit test needs: a plan counted as it goes, and one line a check.
 *
 * A test is a main() of checks that ends with `return tap_done();`. The name of a check is the sentence
 * that it proves.
 */
#ifndef T_TAP_H
#define T_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/span.h"

static int tap_count, tap_failed;

/* One check. Returns ok, so that a failing one can print more with tap_note(). */
__attribute__((format(printf, 2, 3))) static inline bool
tap_ok(bool ok, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", ok ? "" : "not ", ++tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	if (!ok)
		tap_failed++;
	return ok;
}

/* got and want are the same octets; both are shown when not. */
static inline bool
tap_span(struct span got, struct span want, const char *name)
{
	bool ok = tap_ok(span_same(got, want), "%s", name);

	if (!ok)
		printf("# got:  '%.*s'\n# want: '%.*s'\n", SPAN_ARG(got), SPAN_ARG(want));
	return ok;
}

static inline int
tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed > 0;
}

#endif
