/* fuzz/acl - rights and identifiers (RFC 4314, 2) as clients write them. The first octet says which. */
#include "store/acl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
rights(struct span in)
{
	struct err e = { 0 };
	struct buf b;
	enum acl_op op;
	unsigned r, again;

	if (rights_parse_change(in, &op, &r, &e) < 0)
		need(e.kind == ERR_PEER);
	else {
		buf_init(&b, 64);
		need((r & ~(unsigned)STORE_MAY_ALL) == 0 && rights_put(r, true, &b, &e) == 0);
		need(rights_parse(buf_span(&b), &again, &e) == 0 && (again & r) == r);
		buf_clear(&b);
		need(rights_put(r, false, &b, &e) == 0 && rights_parse(buf_span(&b), &again, &e) == 0 &&
		     again == r);
		buf_free(&b);
	}
	err_clear(&e);
	rights_of_role(in, &r, &e);
}

static void
who(struct span in)
{
	struct arena *a = arena_new(1 << 16);
	struct span name;
	struct err e = { 0 };
	bool negative;

	if (acl_who_parse(in, &negative, &name, a, &e) == 0)
		need(name.n > 0 && name.n <= STORE_WHO_MAX + 6);
	else
		need(e.kind == ERR_PEER);
	arena_free(a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_from(span_of(data, size), 1);

	if (size == 0)
		return 0;
	if (data[0] % 2 == 0)
		rights(in);
	else
		who(in);
	return 0;
}
