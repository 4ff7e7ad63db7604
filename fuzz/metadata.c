/* fuzz/metadata - the arguments of GETMETADATA (first octet even) and SETMETADATA. */
#include "imap/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(64 << 20);
	struct imap_getmetadata get = { 0 };
	struct imap_setmetadata set = { 0 };
	struct imap_lex l = { .in = span_of(data, size) };
	struct err e = { 0 };
	int rc;

	if (size > 0) {
		l.in = span_from(l.in, 1);
		rc = (data[0] & 1) == 0 ? imap_getmetadata_parse(&l, a, &get, &e)
					: imap_setmetadata_parse(&l, a, &set, &e);
		need(rc == 0 || e.kind == ERR_PEER);
		for (size_t i = 0; rc == 0 && i < get.n; i++)
			need(get.entries[i].n > 2 && get.entries[i].p[0] == '/');
		for (size_t i = 0; rc == 0 && i < set.n; i++) /* each once */
			for (size_t k = 0; k < i; k++)
				need(!span_same(set.entries[i], set.entries[k]));
	}
	arena_free(a);
	return 0;
}
