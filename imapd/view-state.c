#include "imapd/view-state.h"

enum { RECENT = sizeof((struct store_view_state *)0)->recent_uid / sizeof(uint32_t) };

int
view_state_put(const struct store_view_state *v, struct buf *out, struct err *e)
{
	buf_printf(out, e, " %llu %llu %u %u %u", (unsigned long long)v->mailbox,
	    (unsigned long long)v->modseq, v->uidvalidity, v->uidnext, v->read_only);
	for (size_t i = 0; i < RECENT; i++)
		buf_printf(out, e, " %u", v->recent_uid[i]);
	return e->kind == ERR_NONE ? 0 : -1;
}

static int
numbers(struct imap_lex *l, uint32_t *out, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (imap_sp(l, e) < 0 || imap_number(l, &out[i], e) < 0)
			return -1;
	return 0;
}

int
view_state_parse(struct imap_lex *l, struct store_view_state *v, struct err *e)
{
	if (imap_sp(l, e) < 0 || imap_modseq(l, &v->mailbox, e) < 0 || imap_sp(l, e) < 0 ||
	    imap_modseq(l, &v->modseq, e) < 0 || numbers(l, &v->uidvalidity, 1, e) < 0 ||
	    numbers(l, &v->uidnext, 1, e) < 0 || numbers(l, &v->read_only, 1, e) < 0)
		return -1;
	return numbers(l, v->recent_uid, RECENT, e);
}
