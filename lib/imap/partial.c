#include "imap/partial.h"

int
imap_partial_parse(struct imap_lex *l, struct imap_partial *out, struct err *e)
{
	struct imap_partial p = { .given = true };

	p.from_end = imap_take(l, '-');
	if (imap_nz_number(l, &p.a, e) < 0)
		return -1;
	if (!imap_take(l, ':') || imap_take(l, '-') != p.from_end)
		return err_set(e, ERR_PEER, "A page is 1:100, or -1:-100");
	if (imap_nz_number(l, &p.b, e) < 0)
		return -1;
	*out = p;
	return 0;
}

void
imap_partial_cut(const struct imap_partial *p, size_t n, size_t *from, size_t *to)
{
	size_t lo = p->a < p->b ? p->a : p->b, hi = p->a < p->b ? p->b : p->a;

	hi = hi < n ? hi : n;
	lo = lo <= hi ? lo - 1 : hi;
	*from = p->from_end ? n - hi : lo;
	*to = p->from_end ? n - lo : hi;
}

int
imap_partial_format(const struct imap_partial *p, struct buf *out, struct err *e)
{
	const char *sign = p->from_end ? "-" : "";

	return buf_printf(out, e, "%s%u:%s%u", sign, p->a, sign, p->b);
}
