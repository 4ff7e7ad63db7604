/* Fuzz target: a whole session of smtpd, the world around it made up (t/smtpd-world.h). */
#include "t/smtpd-world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything that the server says is a reply line. */
static void
check_replies(struct span said)
{
	while (said.n > 0) {
		struct span line = span_cut(&said, '\n');

		need(line.n >= 5 && line.n <= 511 && line.p[line.n - 1] == '\r');
		need(line.p[0] >= '2' && line.p[0] <= '5' && ascii_isdigit(line.p[1]) &&
		     ascii_isdigit(line.p[2]));
		need(line.p[3] == ' ' || line.p[3] == '-');
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const lmtp[] = { "message_size_max=1K", "protocol=lmtp", "filter=yes",
		"smtpd_recipients_max=100" };
	static const char *const smtp[] = { "message_size_max=1K", "auth=optional",
		"smtpd_recipients_max=100" };
	struct err e = { 0 };
	struct buf said;

	if (size < 2)
		return 0;
	world = (struct world){ .last = world.last, .last_trailer = world.last_trailer };
	world.no_space = (data[0] & 31) == 31;
	world.commit_fails = (data[0] & 15) == 14;
	world.verdict = data[0] >> 4 & 7;
	log_level_set(LOG_ERROR);
	need(data[0] & 128 ? cfg_load(SPAN(""), "", lmtp, 4, &e) == 0
			   : cfg_load(SPAN(""), "", smtp, 3, &e) == 0);
	buf_init(&said, 64 << 20);
	world_session(span_of(data + 1, size - 1), data[0] & 64 ? SPAN("root") : SPAN(""), &said);
	check_replies(buf_span(&said));
	buf_free(&said);
	return 0;
}
