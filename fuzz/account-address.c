/* fuzz/account-address.c - addresses and lists of them as authd takes them apart. */
#include "authd/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* The canonical form of a canonical form is itself, and what is split joins again. */
static void
one(struct span in, struct arena *a)
{
	struct address first, again;
	struct span key, detail;

	if (address_of(in, SPAN("home.example"), a, &first, NULL) < 0)
		return;
	need(address_of(first.canon, SPAN(""), a, &again, NULL) == 0 && span_same(first.canon, again.canon));
	need(first.canon.n == first.key.n && first.local.n + 1 + first.domain.n == first.key.n);
	if (address_detail(&first, '+', a, &key, &detail) > 0)
		need(key.n + 1 + detail.n == first.key.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span list = span_of(p, n), item;
	struct arena *a = arena_new(64 * n + (1 << 20));
	struct err e = { 0 };

	one(list, a);
	while (address_next(&list, &item, &e) > 0)
		one(item, a);
	arena_free(a);
	return 0;
}
