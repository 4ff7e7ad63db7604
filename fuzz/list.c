/* fuzz/list - the arguments of LIST, in either form of names; what is found wrong is the peer's. */
#include "imap/list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int utf8 = 0; utf8 < 2; utf8++) {
		struct imap_lex l = { .in = span_of(data, size), .utf8 = utf8 != 0 };
		struct arena *a = arena_new(64 << 20);
		struct imap_list list;
		struct err e = { 0 };

		if (imap_list_parse(&l, a, &list, &e) < 0)
			need(e.kind == ERR_PEER);
		else
			need(list.n > 0 && l.in.n == 0);
		arena_free(a);
	}
	return 0;
}
