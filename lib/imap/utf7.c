#include "imap/utf7.h"

#include "base/utf8.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int
digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (ascii_isdigit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == ',' ? 63 : -1;
}

static bool
printable(uint32_t c)
{
	return c >= 0x20 && c <= 0x7e;
}

/* One UTF-16 unit of base64; *high keeps the first half of a pair. */
static int
unit(uint32_t u, uint32_t *high, struct buf *out, struct err *e)
{
	uint32_t cp = u;

	if (*high != 0) {
		if (u < 0xdc00 || u > 0xdfff)
			return err_set(e, ERR_PEER, "half a surrogate pair in a mailbox name");
		cp = 0x10000 + ((*high - 0xd800) << 10) + (u - 0xdc00);
		*high = 0;
	} else if (u >= 0xd800 && u <= 0xdbff) {
		*high = u;
		return 0;
	} else if (u >= 0xdc00 && u <= 0xdfff)
		return err_set(e, ERR_PEER, "half a surrogate pair in a mailbox name");
	if (cp == 0 || printable(cp))
		return err_set(e, ERR_PEER, "a mailbox name encodes what stands for itself");
	return utf8_put(cp, out, e);
}

/* Base64 from s.p[0] up to its '-'; the octets used, with the '-'. */
static ssize_t
shifted(struct span s, struct buf *out, struct err *e)
{
	uint32_t bits = 0, high = 0;
	int have = 0, d;
	size_t i = 0;

	for (; i < s.n && (d = digit(s.p[i])) >= 0; i++) {
		bits = (bits << 6 | (uint32_t)d) & 0xfffffU;
		have += 6;
		if (have < 16)
			continue;
		have -= 16;
		if (unit(bits >> have & 0xffff, &high, out, e) < 0)
			return -1;
	}
	if (i == s.n || s.p[i] != '-')
		return err_set(e, ERR_PEER, "a mailbox name has base64 that does not end");
	if (have >= 6 || (bits & ((1U << have) - 1)) != 0 || high != 0)
		return err_set(e, ERR_PEER, "a mailbox name has base64 that is cut");
	if (i + 2 < s.n && s.p[i + 1] == '&' && s.p[i + 2] != '-')
		return err_set(e, ERR_PEER, "a mailbox name ends base64 where it need not");
	return (ssize_t)i + 1;
}

int
utf7_decode(struct span name, struct buf *out, struct err *e)
{
	size_t start = out->n, i = 0;
	ssize_t used;

	while (i < name.n) {
		char c = name.p[i++];

		if ((c & 0x80) != 0 || !printable((uint8_t)c)) {
			err_set(e, ERR_PEER, "a mailbox name is not modified UTF-7");
			goto bad;
		}
		if (c != '&' || (i < name.n && name.p[i] == '-')) {
			if (buf_byte(out, e, c) < 0)
				goto bad;
			i += c == '&';
			continue;
		}
		if ((used = shifted(span_from(name, i), out, e)) < 0)
			goto bad;
		i += (size_t)used;
	}
	return 0;
bad:
	out->n = start;
	return -1;
}

/* The base64 that is being written. */
struct writer {
	uint32_t bits;
	int have;
};

static void
put_unit(struct writer *w, uint32_t u, struct buf *out, struct err *e)
{
	w->bits = (w->bits & 0x3f) << 16 | u;
	w->have += 16;
	while (w->have >= 6) {
		w->have -= 6;
		buf_byte(out, e, digits[w->bits >> w->have & 63]);
	}
}

static void
end_shift(struct writer *w, struct buf *out, struct err *e)
{
	if (w->have > 0)
		buf_byte(out, e, digits[w->bits << (6 - w->have) & 63]);
	buf_byte(out, e, '-');
	*w = (struct writer){ 0 };
}

int
utf7_encode(struct span name, struct buf *out, struct err *e)
{
	size_t start = out->n, len;
	struct writer w = { 0 };
	struct err first = { 0 };
	bool in_base64 = false;

	for (; name.n > 0; name = span_from(name, len)) {
		int32_t cp = utf8_get(name, &len);

		if (cp <= 0) {
			err_set(&first, ERR_PEER, "a mailbox name is not valid UTF-8");
			break;
		}
		if (printable((uint32_t)cp)) {
			if (in_base64)
				end_shift(&w, out, &first);
			in_base64 = false;
			buf_byte(out, &first, (char)cp);
			if (cp == '&')
				buf_byte(out, &first, '-');
			continue;
		}
		if (!in_base64)
			buf_byte(out, &first, '&');
		in_base64 = true;
		if (cp >= 0x10000) {
			put_unit(&w, 0xd800U + (((uint32_t)cp - 0x10000U) >> 10), out, &first);
			put_unit(&w, 0xdc00U + (((uint32_t)cp - 0x10000U) & 0x3ffU), out, &first);
		} else
			put_unit(&w, (uint32_t)cp, out, &first);
	}
	if (in_base64)
		end_shift(&w, out, &first);
	if (first.kind == ERR_NONE)
		return 0;
	out->n = start;
	return err_set(e, first.kind, "%s", first.text);
}
