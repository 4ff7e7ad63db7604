/* An mbox file of any octets: what comes out does not depend on the pieces in which it is read. */
#include "ctl/mbox.h"

static int
put(void *arg, struct span s, struct err *e)
{
	return buf_add(arg, e, s);
}

static int
end(void *arg, const struct mbox_message *m, struct err *e)
{
	return buf_printf(arg, e, "\n[%llu %lld %u %u %d]\n", (unsigned long long)m->at, (long long)m->date,
	    m->uid, m->flags, m->internal);
}

static void
run(struct span in, size_t step, struct buf *out)
{
	struct mbox p = { .put = put, .end = end, .arg = out };
	struct err e = { 0 };

	mbox_init(&p);
	for (; in.n > 0; in = span_from(in, step))
		need(mbox_feed(&p, span_head(in, step), &e) == 0);
	need(mbox_end(&p, &e) == 0);
	need(buf_printf(out, &e, "%u %u %d", p.uidvalidity, p.uidlast, p.garbage) == 0);
	mbox_free(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf a, b;

	buf_init(&a, 1 << 24);
	buf_init(&b, 1 << 24);
	run(span_of(data, size), size + 1, &a);
	run(span_of(data, size), 7, &b);
	need(span_same(buf_span(&a), buf_span(&b)));
	buf_free(&a);
	buf_free(&b);
	return 0;
}
