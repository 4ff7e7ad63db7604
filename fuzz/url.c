/* fuzz/url - IMAP URLs of CATENATE. */
#include "base/utf8.h"
#include "imap/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(64 << 20);
	struct imap_url u;
	struct err e = { 0 };

	if (imap_url_parse(span_of(data, size), a, &u, &e) == 0)
		need(u.uid > 0 && u.section != NULL && u.section->next == NULL && utf8_valid(u.mailbox) &&
		     span_chr(u.mailbox, '\0') < 0);
	else
		need(e.kind == ERR_PEER);
	arena_free(a);
	return 0;
}
