/* unit-rookery-export - CR LF becomes LF, in pieces of any size. */
#include "ctl/export.h"
#include "t/tap.h"

static int
put(void *arg, struct span piece, struct err *e)
{
	return buf_add(arg, e, piece);
}

static const struct {
	const char *in, *out;
} cases[] = {
	{ "a\r\nb\r\n", "a\nb\n" },
	{ "a\rb\r\r\nc\r", "a\rb\r\nc\r" },
	{ "\r\n\r\n", "\n\n" },
	{ "a\nb", "a\nb" },
	{ "", "" },
};

int
main(void)
{
	struct buf got;

	buf_init(&got, 1000);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (size_t step = 1; step < 4; step++) {
			struct lines l = { .put = put, .arg = &got };
			struct span in = span_str(cases[i].in);

			buf_clear(&got);
			for (; in.n > 0; in = span_from(in, step < in.n ? step : in.n))
				need(lines_add(&l, span_head(in, step), NULL) == 0);
			need(lines_end(&l, NULL) == 0);
			tap_ok(span_eq(buf_span(&got), cases[i].out), "case %zu in pieces of %zu", i, step);
		}
	buf_free(&got);
	return tap_done();
}
