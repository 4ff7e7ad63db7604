#include "base/utf8.h"

#include "base/buf.h"

/* How many octets at the start are below 128; eight are looked at together. */
static size_t
ascii_run(struct span s)
{
	size_t i = 0;
	uint64_t word;

	for (; i + sizeof word <= s.n; i += sizeof word) {
		memcpy(&word, s.p + i, sizeof word);
		if ((word & 0x8080808080808080U) != 0)
			break;
	}
	while (i < s.n && (s.p[i] & 0x80) == 0)
		i++;
	return i;
}

bool
ascii_only(struct span s)
{
	return ascii_run(s) == s.n;
}

int32_t
utf8_get(struct span s, size_t *len)
{
	uint32_t lead = (uint8_t)s.p[0], cp, min = 0x80, max = 0xbf;
	size_t n;

	*len = 1;
	if (lead < 0x80)
		return (int32_t)lead;
	if (lead < 0xc2 || lead > 0xf4)
		return -1;
	n = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	cp = lead & (0x7fU >> n);
	/* The second octet's range excludes long forms, surrogates, and what is past U+10FFFF. */
	if (lead == 0xe0)
		min = 0xa0;
	else if (lead == 0xed)
		max = 0x9f;
	else if (lead == 0xf0)
		min = 0x90;
	else if (lead == 0xf4)
		max = 0x8f;
	for (size_t i = 1; i < n; i++) {
		uint32_t c;

		if (i == s.n) {
			*len = s.n;
			return -2;
		}
		c = (uint8_t)s.p[i];
		if (c < min || c > max)
			return -1;
		cp = cp << 6 | (c & 0x3f);
		min = 0x80;
		max = 0xbf;
	}
	*len = n;
	return (int32_t)cp;
}

bool
utf8_valid(struct span s)
{
	size_t len;

	for (;;) {
		s = span_from(s, ascii_run(s));
		if (s.n == 0)
			return true;
		if (utf8_get(s, &len) < 0)
			return false;
		s = span_from(s, len);
	}
}

int
utf8_put(uint32_t cp, struct buf *out, struct err *e)
{
	char *to = buf_room(out, e, 4);

	if (to == NULL)
		return -1;
	if (cp < 0x80) {
		to[0] = (char)cp;
		out->n += 1;
	} else if (cp < 0x800) {
		to[0] = (char)(0xc0 | cp >> 6);
		to[1] = (char)(0x80 | (cp & 0x3f));
		out->n += 2;
	} else if (cp < 0x10000) {
		to[0] = (char)(0xe0 | cp >> 12);
		to[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		to[2] = (char)(0x80 | (cp & 0x3f));
		out->n += 3;
	} else {
		to[0] = (char)(0xf0 | cp >> 18);
		to[1] = (char)(0x80 | (cp >> 12 & 0x3f));
		to[2] = (char)(0x80 | (cp >> 6 & 0x3f));
		to[3] = (char)(0x80 | (cp & 0x3f));
		out->n += 4;
	}
	return 0;
}

int
utf8_repair(struct span s, struct buf *out, struct err *e)
{
	size_t len, good = 0;

	for (;;) {
		good += ascii_run(span_from(s, good));
		if (good == s.n)
			return buf_add(out, e, s);
		if (utf8_get(span_from(s, good), &len) >= 0) {
			good += len;
			continue;
		}
		if (buf_add(out, e, span_head(s, good)) < 0 || buf_str(out, e, "\xef\xbf\xbd") < 0)
			return -1;
		s = span_from(s, good + 1);
		good = 0;
	}
}
