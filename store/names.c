/* names.c - what a mailbox may be called. */
#include "base/utf8.h"
#include "store/inside.h"

static bool
level_valid(struct span level)
{
	int32_t c;
	size_t n;

	if (level.n == 0)
		return false;
	for (; level.n > 0; level = span_from(level, n)) {
		c = utf8_get(level, &n);
		if (c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == '%' || c == '*')
			return false;
	}
	return true;
}

void
name_init(struct buf *b)
{
	buf_init(b, STORE_NAME_MAX + 1);
}

int
name_check(struct store *st, struct span name, struct buf *out, struct err *e)
{
	struct span rest = name, level;
	size_t depth = 0;

	if (name.n == 0 || name.p[name.n - 1] == '/')
		return store_fail(st, STORE_CANNOT, e, ERR_PERM, "not a name for a mailbox");
	if (name.n > STORE_NAME_MAX)
		return store_fail(
		    st, STORE_LIMIT, e, ERR_PERM, "a mailbox name has at most %d octets", STORE_NAME_MAX);
	while (rest.n > 0) {
		level = span_cut(&rest, '/');
		if (level.n > STORE_LEVEL_MAX)
			return store_fail(st, STORE_LIMIT, e, ERR_PERM,
			    "a level of a mailbox name has at most %d octets", STORE_LEVEL_MAX);
		if (!level_valid(level))
			return store_fail(st, STORE_CANNOT, e, ERR_PERM, "not a name for a mailbox");
		if (++depth > STORE_DEPTH_MAX)
			return store_fail(st, STORE_LIMIT, e, ERR_PERM,
			    "a mailbox name has at most %d levels", STORE_DEPTH_MAX);
		if (depth == 1 && span_ieq(level, "INBOX")) /* RFC 3501, 5.1 */
			level = SPAN("INBOX");
		if ((depth > 1 && buf_byte(out, e, '/') < 0) || buf_add(out, e, level) < 0)
			return -1;
	}
	return 0;
}
