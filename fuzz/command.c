/* Fuzz target: command lines with their parameters. */
#include "smtp/command.h"
#include "smtp/params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
within(struct span part, struct span whole)
{
	return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span line = span_of(data, size);
	struct arena *a = arena_new(1 << 20);
	struct smtp_command c;
	struct mail_params mp;
	struct rcpt_params rp;
	struct err e = { 0 };

	if (size < 16384 && smtp_command_parse(line, &c, &e) == 0) {
		need(within(c.arg, line) && within(c.path.local, line) && within(c.path.domain, line));
		need(within(c.params, line) && within(c.mechanism, line) && within(c.initial, line));
		if (c.verb == SMTP_MAIL)
			mail_params_parse(c.params, 63, &mp, a, &e);
		if (c.verb == SMTP_RCPT)
			rcpt_params_parse(c.params, 63, &rp, a, &e);
	}
	arena_free(a);
	return 0;
}
