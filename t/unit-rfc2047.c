/* unit-rfc2047 - encoded words. */
#include "base/utf8.h"
#include "mail/charset.h"
#include "mail/rfc2047.h"
#include "t/tap.h"

static void
decoding(void)
{
	static const char *const rows[][2] = {
		/* RFC 2047, 8 */
		{ "=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>" },
		{ "=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?=", "Keld J\303\270rn Simonsen" },
		{ "=?ISO-8859-1?Q?Andr=E9?= Pirard", "Andr\303\251 Pirard" },
		{ "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?= "
		  "=?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
		    "If you can read this you understand the example." },
		{ "(=?ISO-8859-1?Q?a?=)", "(a)" },
		{ "(=?ISO-8859-1?Q?a?= b)", "(a b)" },
		{ "(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)" },
		{ "(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)" },
		{ "(=?ISO-8859-1?Q?a_b?=)", "(a b)" },
		{ "(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)" },
		/* RFC 2231, 5 */
		{ "=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore" },
		/* a character cut between two words */
		{ "=?utf-8?Q?=E2=82?= =?utf-8?Q?=AC?=", "\342\202\254" },
		{ "=?utf-8?B?4oI=?= =?UTF-8?B?rA==?=", "\342\202\254" },
		/* within a word, and in quotes */
		{ "\"=?utf-8?q?x?=\"=?utf-8?q?y?=z", "\"x\"yz" },
		/* broken, unknown: as they are */
		{ "=?utf-8?q?x", "=?utf-8?q?x" },
		{ "=?utf-8?x?x?=", "=?utf-8?x?x?=" },
		{ "=?none-such?q?x?=", "=?none-such?q?x?=" },
		{ "=?=?utf-8?q?x?=", "=?x" },
		{ "=??q?x?=", "=??q?x?=" },
		{ "a =? b ?= c", "a =? b ?= c" },
		/* UTF-8 in the raw, and what is none */
		{ "Gr\303\274\303\237e", "Gr\303\274\303\237e" },
		{ "Gr\374\337e", "Gr\357\277\275\357\277\275e" },
		{ "=?utf-8?q?=FF?=", "\357\277\275" },
		/* no line ends and NULs out of a word */
		{ "=?utf-8?q?a=0D=0Ab=00c?=", "a  b c" },
		{ "=?iso-2022-jp?B?GyRCJUYlOSVIGyhC?=", "\343\203\206\343\202\271\343\203\210" },
		{ "=?gb2312?B?xOO6ww==?=", "\344\275\240\345\245\275" },
		{ "=?koi8-r?B?8NLJ18XU?=", "\320\237\321\200\320\270\320\262\320\265\321\202" },
		{ "", "" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf out;

		buf_init(&out, 1000);
		rfc2047_decode(span_str(rows[i][0]), &out, NULL);
		tap_span(buf_span(&out), span_str(rows[i][1]), rows[i][0]);
		buf_free(&out);
	}
}

int
main(void)
{
	charset_preload();
	decoding();
	return tap_done();
}
