/* No input makes more text than it has octets, and groups are balanced. */
#include "mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(4 * size + (16 << 20));
	size_t count = 0, octets = 0;
	bool in_group = false, cut = false;

	for (struct address *it = address_parse(span_of(data, size), a, &cut); it != NULL; it = it->next) {
		count++;
		octets += it->route.n + it->mailbox.n + it->host.n + it->name.n;
		switch (it->kind) {
		case ADDRESS_MAILBOX:
			break;
		case ADDRESS_GROUP:
			need(!in_group);
			in_group = true;
			break;
		case ADDRESS_GROUP_END:
			need(in_group);
			in_group = false;
			break;
		}
	}
	need(count <= ADDRESSES_MAX && octets <= 2 * size && (cut || !in_group));
	arena_free(a);
	return 0;
}
