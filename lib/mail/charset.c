#include "mail/charset.h"

#include <errno.h>
#include <iconv.h>

#include "mail/charset-tables.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

enum { LINE_MAX_SHIFTED = 4096 };

/* The charsets that iconv decodes; `shifts`: each line starts in the initial state (RFC 1468, 1554, 1557). */
static const struct {
	const char *name;
	bool shifts;
} multibyte[] = {
	{ "CP932", false },
	{ "EUC-JP-MS", false },
	{ "ISO-2022-JP", true },
	{ "ISO-2022-JP-2", true },
	{ "GB18030", false },
	{ "BIG5-HKSCS", false },
	{ "CP949", false },
	{ "ISO-2022-KR", true },
	{ "UTF-16LE", false },
	{ "UTF-16BE", false },
	{ "UTF-7", true },
};

enum {
	CP932,
	EUC_JP,
	ISO_2022_JP,
	ISO_2022_JP_2,
	GB18030,
	BIG5,
	CP949,
	ISO_2022_KR,
	UTF_16LE,
	UTF_16BE,
	UTF_7,
	MULTIBYTE
};

_Static_assert(MULTIBYTE == sizeof multibyte / sizeof multibyte[0], "one name each");

/*
 * iconv_t of each, valid where `loaded`. Written once, before the process is confined; the conversions
 * reset the descriptor they use, so no call sees another's state.
 */
static iconv_t descriptors[MULTIBYTE];
static bool loaded[MULTIBYTE];

void
charset_preload(void)
{
	for (size_t i = 0; i < MULTIBYTE; i++) {
		if (loaded[i])
			continue;
		descriptors[i] = iconv_open("UTF-8", multibyte[i].name);
		loaded[i] = descriptors[i] != (iconv_t)-1;
	}
}

unsigned
charset_preloaded(void)
{
	unsigned bits = 0;

	for (size_t i = 0; i < MULTIBYTE; i++)
		bits |= loaded[i] ? 1U << i : 0;
	return bits;
}

#define TABLE(t)                                                                                             \
	{                                                                                                    \
		CHARSET_TABLE, charset_##t, 0                                                                \
	}
#define UTF8                                                                                                 \
	{                                                                                                    \
		CHARSET_UTF8, NULL, 0                                                                        \
	}
#define MULTI(i)                                                                                             \
	{                                                                                                    \
		CHARSET_ICONV, NULL, i                                                                       \
	}

/* Names without what is no letter or digit, in lower case. */
static const struct {
	const char *name;
	struct charset cs;
} names[] = {
	{ "utf8", UTF8 },
	{ "usascii", UTF8 },
	{ "ascii", UTF8 },
	{ "ansix341968", UTF8 },
	{ "iso646us", UTF8 },
	{ "unicode11utf8", UTF8 },
	{ "iso88591", TABLE(cp1252) },
	{ "iso885911987", TABLE(cp1252) },
	{ "latin1", TABLE(cp1252) },
	{ "l1", TABLE(cp1252) },
	{ "iso88592", TABLE(iso8859_2) },
	{ "iso885921987", TABLE(iso8859_2) },
	{ "latin2", TABLE(iso8859_2) },
	{ "iso88593", TABLE(iso8859_3) },
	{ "latin3", TABLE(iso8859_3) },
	{ "iso88594", TABLE(iso8859_4) },
	{ "latin4", TABLE(iso8859_4) },
	{ "iso88595", TABLE(iso8859_5) },
	{ "cyrillic", TABLE(iso8859_5) },
	{ "iso88596", TABLE(iso8859_6) },
	{ "iso88596e", TABLE(iso8859_6) },
	{ "iso88596i", TABLE(iso8859_6) },
	{ "arabic", TABLE(iso8859_6) },
	{ "iso88597", TABLE(iso8859_7) },
	{ "greek", TABLE(iso8859_7) },
	{ "iso88598", TABLE(iso8859_8) },
	{ "iso88598e", TABLE(iso8859_8) },
	{ "iso88598i", TABLE(iso8859_8) },
	{ "hebrew", TABLE(iso8859_8) },
	{ "iso88599", TABLE(iso8859_9) },
	{ "latin5", TABLE(iso8859_9) },
	{ "iso885910", TABLE(iso8859_10) },
	{ "latin6", TABLE(iso8859_10) },
	{ "iso885911", TABLE(iso8859_11) },
	{ "tis620", TABLE(iso8859_11) },
	{ "windows874", TABLE(iso8859_11) },
	{ "iso885913", TABLE(iso8859_13) },
	{ "iso885914", TABLE(iso8859_14) },
	{ "iso885915", TABLE(iso8859_15) },
	{ "latin9", TABLE(iso8859_15) },
	{ "iso885916", TABLE(iso8859_16) },
	{ "windows1250", TABLE(cp1250) },
	{ "cp1250", TABLE(cp1250) },
	{ "windows1251", TABLE(cp1251) },
	{ "cp1251", TABLE(cp1251) },
	{ "windows1252", TABLE(cp1252) },
	{ "cp1252", TABLE(cp1252) },
	{ "windows1253", TABLE(cp1253) },
	{ "cp1253", TABLE(cp1253) },
	{ "windows1254", TABLE(cp1254) },
	{ "cp1254", TABLE(cp1254) },
	{ "windows1255", TABLE(cp1255) },
	{ "cp1255", TABLE(cp1255) },
	{ "windows1256", TABLE(cp1256) },
	{ "cp1256", TABLE(cp1256) },
	{ "windows1257", TABLE(cp1257) },
	{ "cp1257", TABLE(cp1257) },
	{ "windows1258", TABLE(cp1258) },
	{ "cp1258", TABLE(cp1258) },
	{ "koi8r", TABLE(koi8_r) },
	{ "koi8u", TABLE(koi8_u) },
	{ "ibm437", TABLE(cp437) },
	{ "cp437", TABLE(cp437) },
	{ "ibm850", TABLE(cp850) },
	{ "cp850", TABLE(cp850) },
	{ "ibm852", TABLE(cp852) },
	{ "cp852", TABLE(cp852) },
	{ "ibm866", TABLE(cp866) },
	{ "cp866", TABLE(cp866) },
	{ "macintosh", TABLE(mac_roman) },
	{ "macroman", TABLE(mac_roman) },
	{ "shiftjis", MULTI(CP932) },
	{ "sjis", MULTI(CP932) },
	{ "xsjis", MULTI(CP932) },
	{ "cp932", MULTI(CP932) },
	{ "mskanji", MULTI(CP932) },
	{ "windows31j", MULTI(CP932) },
	{ "eucjp", MULTI(EUC_JP) },
	{ "xeucjp", MULTI(EUC_JP) },
	{ "iso2022jp", MULTI(ISO_2022_JP) },
	{ "iso2022jp2", MULTI(ISO_2022_JP_2) },
	{ "iso2022jpms", MULTI(ISO_2022_JP) },
	{ "cp50221", MULTI(ISO_2022_JP) },
	{ "gb2312", MULTI(GB18030) },
	{ "gbk", MULTI(GB18030) },
	{ "cp936", MULTI(GB18030) },
	{ "euccn", MULTI(GB18030) },
	{ "gb18030", MULTI(GB18030) },
	{ "big5", MULTI(BIG5) },
	{ "big5hkscs", MULTI(BIG5) },
	{ "cp950", MULTI(BIG5) },
	{ "euckr", MULTI(CP949) },
	{ "ksc56011987", MULTI(CP949) },
	{ "ksc5601", MULTI(CP949) },
	{ "cp949", MULTI(CP949) },
	{ "uhc", MULTI(CP949) },
	{ "iso2022kr", MULTI(ISO_2022_KR) },
	{ "utf16le", MULTI(UTF_16LE) },
	{ "utf16", MULTI(UTF_16BE) }, /* RFC 2781, 4.3: big endian where no mark says other */
	{ "utf16be", MULTI(UTF_16BE) },
	{ "utf7", MULTI(UTF_7) },
	{ "unicode11utf7", MULTI(UTF_7) },
};

/* True if s is this name, by its letters and digits. */
static bool
same_name(struct span s, const char *name)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!ascii_isalnum(s.p[i]))
			continue;
		if (ascii_lower(s.p[i]) != *name++)
			return false;
	}
	return *name == '\0';
}

struct charset
charset_of(struct span name)
{
	if (name.n == 0)
		return names[0].cs;
	for (size_t i = 0; name.n <= 40 && i < sizeof names / sizeof names[0]; i++) {
		if (!same_name(name, names[i].name))
			continue;
		if (names[i].cs.kind == CHARSET_ICONV && !loaded[names[i].cs.index])
			break;
		return names[i].cs;
	}
	return (struct charset){ CHARSET_UNKNOWN, NULL, 0 };
}

struct charset
charset_marked(struct charset cs, struct span text)
{
	if (cs.kind == CHARSET_ICONV && cs.index == UTF_16BE && span_starts(text, "\xff\xfe"))
		cs.index = UTF_16LE;
	return cs;
}

/* All of one octet: what is below 128 stands for itself. A NULL table defines nothing above. */
static int
by_table(const uint16_t *table, struct span s, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < s.n;) {
		size_t start = i;
		uint32_t cp = 0;

		while (i < s.n && (s.p[i] & 0x80) == 0)
			i++;
		if (buf_add(out, e, span_of(s.p + start, i - start)) < 0)
			return -1;
		if (i == s.n)
			break;
		if (table != NULL)
			cp = table[(uint8_t)s.p[i] - 128];
		i++;
		if (utf8_put(cp != 0 ? cp : 0xfffd, out, e) < 0)
			return -1;
	}
	return 0;
}

/* How much of a UTF-8 piece ends at a character's end. */
static size_t
whole_utf8(struct span s)
{
	size_t len;

	for (size_t back = 1; back <= 3 && back <= s.n; back++) {
		if ((s.p[s.n - back] & 0xc0) == 0x80)
			continue;
		if (utf8_get(span_from(s, s.n - back), &len) == -2)
			return s.n - back;
		break;
	}
	return s.n;
}

static int
by_iconv(iconv_t cd, struct span s, bool last, struct buf *out, size_t *used, struct err *e)
{
	char *in = (char *)(uintptr_t)s.p, *to; /* iconv does not write there */
	size_t left = s.n, room;

	iconv(cd, NULL, NULL, NULL, NULL);
	while (left > 0) {
		size_t rc;

		/* An octet gives at most 3, but for a pair of GB18030 or a composed one of Big5. */
		room = left * 3 + 16;
		if (room > out->max - out->n)
			room = out->max - out->n;
		if ((to = buf_room(out, e, room)) == NULL)
			return -1;
		rc = iconv(cd, &in, &left, &to, &room);
		if (rc != (size_t)-1)
			rc = iconv(cd, NULL, NULL, &to, &room); /* what a composing charset holds back */
		out->n = (size_t)(to - out->p);
		if (rc != (size_t)-1)
			break;
		if (errno == EINVAL && !last)
			break;
		if (errno == E2BIG && out->n + 16 > out->max)
			return err_set(e, ERR_PEER, "more than %zu octets", out->max);
		if (errno == E2BIG)
			continue;
		if (buf_str(out, e, REPLACEMENT) < 0)
			return -1;
		in++;
		left--;
	}
	*used = s.n - left;
	return 0;
}

int
charset_feed(struct charset cs, struct span text, bool last, struct buf *out, size_t *used, struct err *e)
{
	ssize_t line;

	*used = text.n;
	switch (cs.kind) {
	case CHARSET_UNKNOWN:
	case CHARSET_TABLE:
		return by_table(cs.table, text, out, e);
	case CHARSET_UTF8:
		if (!last)
			*used = whole_utf8(text);
		return utf8_repair(span_head(text, *used), out, e);
	case CHARSET_ICONV:
		break;
	}
	if (multibyte[cs.index].shifts && !last) {
		line = span_rchr(text, '\n');
		if (line < 0 && text.n < LINE_MAX_SHIFTED) {
			*used = 0;
			return 0;
		}
		if (line >= 0)
			text = span_head(text, (size_t)line + 1);
	}
	return by_iconv(descriptors[cs.index], text, last, out, used, e);
}

int
charset_to_utf8(struct charset cs, struct span text, struct buf *out, struct err *e)
{
	size_t used;

	return charset_feed(charset_marked(cs, text), text, true, out, &used, e);
}
