/* fuzz/notify - the arguments of NOTIFY; the text that is kept of them gives the same again. */
#include "imap/notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
again(const struct imap_notify *n, struct arena *a)
{
	struct imap_lex l = { .in = n->text };
	struct imap_notify same = { 0 };
	struct err e = { 0 };

	need(imap_notify_groups(&l, a, &same, &e) == 0 && same.n == n->n);
	for (size_t i = 0; i < n->n; i++)
		need(same.groups[i].events == n->groups[i].events &&
		     same.groups[i].watch == n->groups[i].watch && same.groups[i].n == n->groups[i].n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imap_lex l = { .in = span_of(data, size) };
	struct arena *a = arena_new(64 << 20);
	struct imap_notify n;
	struct err e = { 0 };

	if (imap_notify_parse(&l, a, &n, &e) < 0)
		need(e.kind == ERR_PEER);
	else if (!n.none)
		again(&n, a);
	arena_free(a);
	return 0;
}
