/* Fuzz target: the trailer and the footer of a spool file. What is read is written again as it was. */
#include <stdlib.h>

#include "spool/trailer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_offsets(struct span text, const struct spool_msg *m, uint64_t trailer_at)
{
	need(m->state_at >= trailer_at && m->state_at + STATE_LINE < trailer_at + text.n);
	for (size_t i = 0; i < m->nrcpts; i++) {
		need(m->rcpts[i].state_at < trailer_at + text.n);
		need(text.p[m->rcpts[i].state_at - trailer_at] == m->rcpts[i].state);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of(data, size);
	struct arena *a = arena_new(size * sizeof(struct spool_rcpt) + 4096);
	struct spool_msg m, again;
	struct footer footer;
	struct err e = { 0 };
	struct buf out;

	if (size >= SPOOL_FOOTER)
		footer_parse((const char *)data, &footer);
	buf_init(&out, 4 * size + 4096);
	if (spool_parse(text, 1 << 20, &m, a, &e) == 0) {
		check_offsets(text, &m, 1 << 20);
		trailer_sum(text, &m);
		if (trailer_format(&m, &out, &e) == 0) {
			arena_reset(a);
			need(spool_parse(buf_span(&out), 1 << 20, &again, a, &e) == 0);
			need(
			    again.nrcpts == m.nrcpts && again.prefix.n == m.prefix.n && again.size == m.size);
		}
	}
	buf_free(&out);
	arena_free(a);
	return 0;
}
