/* names.c - what a mailbox may be called. */
#include "store/inside.h"

/*
 * One character of UTF-8 (RFC 3629): its octets, or 0 if it is not one. No surrogates, nothing overlong,
 * nothing above U+10FFFF.
 */
static size_t
character(struct span s, uint32_t *out)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 0;
	uint32_t v;

	if (n == 0 || n > s.n || c > 0xf4)
		return 0;
	v = n == 1 ? c : (uint32_t)(c & (0xff >> (n + 1)));
	for (size_t i = 1; i < n; i++) {
		if ((s.p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (s.p[i] & 0x3f);
	}
	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	*out = v;
	return n;
}

static bool
level_valid(struct span level)
{
	uint32_t c;
	size_t n;

	if (level.n == 0)
		return false;
	for (; level.n > 0; level = span_from(level, n)) {
		if ((n = character(level, &c)) == 0 || c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == '%' ||
		    c == '*')
			return false;
	}
	return true;
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
