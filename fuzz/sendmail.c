/* fuzz/sendmail.c - what programs write into sendmail(1): the first octet chooses the options. */
#include "ctl/sendmail.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* No octet sequence may end the message early, or begin another command, when it is sent by SMTP. */
static void
check_lines(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		need(s.p[i] != '\n' || (i > 0 && s.p[i - 1] == '\r'));
		need(s.p[i] != '\r' || (i + 1 < s.n && s.p[i + 1] == '\n'));
	}
	need(s.n == 0 || s.p[s.n - 1] == '\n');
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint8_t flags = n > 0 ? p[0] : 0;
	struct submission s = {
		.a = arena_new(256 << 20),
		.domain = "example.test",
		.host = "mail.example.test",
		.sender = SPAN("a@example.test"),
		.full_name = (flags & 4) != 0 ? "A \"B\" C" : NULL,
		.from_header = (flags & 1) != 0,
		.dot_ends = (flags & 2) != 0,
	};
	struct err e = { 0 };
	struct buf out;

	buf_init(&out, 64 << 20);
	if (sendmail_message(&s, span_from(span_of(p, n), 1), &out, &e) == 0)
		check_lines(buf_span(&out));
	else
		need(e.kind != ERR_NONE);
	for (size_t i = 0; i < s.n; i++) {
		need(s.recipients[i].n > 0);
		for (size_t k = 0; k < s.recipients[i].n; k++)
			need((unsigned char)s.recipients[i].p[k] >= 0x20 && s.recipients[i].p[k] != '>');
	}
	buf_free(&out);
	arena_free(s.a);
	return 0;
}
