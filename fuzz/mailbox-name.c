/* A mailbox name that was taken is valid, within its limits, and its own normal form. */
#include "base/utf8.h"
#include "store/inside.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store st = { 0 };
	struct buf name, again;
	struct err e = { 0 };
	size_t levels = 1;

	buf_init(&name, STORE_NAME_MAX + 1);
	buf_init(&again, STORE_NAME_MAX + 1);
	if (name_check(&st, span_of(data, size), &name, &e) == 0) {
		need(name.n == size && size > 0 && size <= STORE_NAME_MAX && utf8_valid(buf_span(&name)));
		need(name.p[0] != '/' && name.p[name.n - 1] != '/');
		for (size_t i = 0; i < name.n; i++) {
			need((unsigned char)name.p[i] >= 0x20 && name.p[i] != '*' && name.p[i] != '%');
			levels += name.p[i] == '/';
		}
		need(levels <= STORE_DEPTH_MAX && span_find(buf_span(&name), SPAN("//")) < 0);
		need(name_check(&st, buf_span(&name), &again, &e) == 0);
		need(span_same(buf_span(&name), buf_span(&again)));
	} else
		need(e.kind == ERR_PERM && (st.why == STORE_CANNOT || st.why == STORE_LIMIT));
	buf_free(&name);
	buf_free(&again);
	return 0;
}
