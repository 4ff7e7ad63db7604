/* Text made ready for comparison by i;unicode-casemap: RFC 5051, 2. */
#include "base/buf.h"
#include "base/fold-tables.h"
#include "base/utf8.h"

/*
 * n octets below 128 in upper case, up to the first that is not; gives how many. Adding carries into bit 7 of each octet that
 * is past 'a' - 1 or past 'z'.
 */
static size_t
upper_ascii(char *to, const char *from, size_t n)
{
	size_t i = 0;
	uint64_t word, lower;

	for (; i + sizeof word <= n; i += sizeof word) {
		memcpy(&word, from + i, sizeof word);
		if ((word & 0x8080808080808080U) != 0)
			break;
		lower = (word + 0x1f1f1f1f1f1f1f1fU) & ~(word + 0x0505050505050505U) & 0x8080808080808080U;
		word -= lower >> 2;
		memcpy(to + i, &word, sizeof word);
	}
	for (; i < n && (from[i] & 0x80) == 0; i++)
		to[i] = ascii_upper(from[i]);
	return i;
}

/* What a code point becomes; empty: it stays. */
static struct span
folded(uint32_t cp)
{
	unsigned at;

	if (cp / 64 >= FOLD_PAGES || (at = fold_row[fold_page[cp / 64]][cp % 64]) == 0)
		return (struct span){ 0 };
	return span_of(&fold_text[at + 1], (uint8_t)fold_text[at]);
}

/* One character, or an octet that begins none: gives its length. 0 when there is no room. */
static size_t
one(struct span s, struct buf *out, struct err *e)
{
	struct span to = { 0 };
	size_t len;
	int32_t cp = utf8_get(s, &len);

	if (cp < 0)
		len = 1;
	else
		to = folded((uint32_t)cp);
	return buf_add(out, e, to.n > 0 ? to : span_head(s, len)) < 0 ? 0 : len;
}

int
utf8_fold(struct span s, struct buf *out, struct err *e)
{
	while (s.n > 0) {
		char *to = buf_room(out, e, s.n);
		size_t n;

		if (to == NULL)
			return -1;
		n = upper_ascii(to, s.p, s.n);
		out->n += n;
		for (s = span_from(s, n); s.n > 0 && (s.p[0] & 0x80) != 0; s = span_from(s, n))
			if ((n = one(s, out, e)) == 0)
				return -1;
	}
	return 0;
}
