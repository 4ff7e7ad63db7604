/* fuzz/reply.c - lines of a server, of any content. */
#include "smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span rest = span_of(p, n);
	struct err e = { 0 };
	struct reply r;

	reply_init(&r);
	while (rest.n > 0) {
		int rc = reply_line(&r, span_cut(&rest, '\n'), &e);

		need((rc < 0) == (e.kind != ERR_NONE));
		need(r.lines <= REPLY_LINES_MAX + 1 && r.text_n < REPLY_TEXT_MAX && r.text[r.text_n] == '\0');
		need(strlen(r.status) < REPLY_STATUS_MAX);
		if (rc < 0)
			return 0;
		if (rc > 0) {
			need(r.code >= 200 && r.code < 600);
			need(status_at(span_str(r.status)) == strlen(r.status) || r.code / 100 == 3);
			reply_init(&r);
		}
	}
	return 0;
}
