/* unit-utf7 - modified UTF-7. */
#include "imap/utf7.h"
#include "t/tap.h"

static void
both_ways(void)
{
	static const char *const rows[][2] = {
		{ "INBOX", "INBOX" },
		{ "", "" },
		/* RFC 3501, 5.1.3 */
		{ "~peter/mail/&U,BTFw-/&ZeVnLIqe-",
		    "~peter/mail/\345\217\260\345\214\227/\346\227\245\346\234\254\350\252\236" },
		{ "&Jjo-!", "\342\230\272!" },
		{ "&U,BTF2XlZyyKng-", "\345\217\260\345\214\227\346\227\245\346\234\254\350\252\236" },
		{ "A&-B", "A&B" },
		{ "&-&-", "&&" },
		{ "Entw&APw-rfe", "Entw\303\274rfe" },
		{ "&2D3eAA-", "\360\237\230\200" },
		{ "&AOk-&-", "\303\251&" },
		{ "&AAk-", "\t" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err e = { 0 };
		struct buf out;

		buf_init(&out, 100);
		utf7_decode(span_str(rows[i][0]), &out, &e);
		tap_span(buf_span(&out), span_str(rows[i][1]), "it decodes");
		buf_clear(&out);
		utf7_encode(span_str(rows[i][1]), &out, &e);
		tap_span(buf_span(&out), span_str(rows[i][0]), "and encodes back");
		buf_free(&out);
	}
}

static void
refused(void)
{
	static const char *const rows[] = {
		"&",
		"&AOk",               /* does not end */
		"&Jjo!",              /* RFC 3501: does not shift back */
		"&U,BTFw-&ZeVnLIqe-", /* RFC 3501: a superfluous shift */
		"&AGE-",              /* an a */
		"&ACY-",              /* an & */
		"&AOl-",              /* unused bits are set */
		"&AOkA-",             /* too many of them */
		"&2D0-",              /* half a pair */
		"&3gA-",              /* the other half */
		"&2D0A6Q-",           /* half a pair and a letter */
		"&AAA-",              /* NUL */
		"&A-",
		"&AO/-",           /* / is not of the alphabet */
		"Entw\303\274rfe", /* UTF-8 */
		"a\tb",
		"a\177",
	};
	struct err e = { 0 };
	struct buf out;

	buf_init(&out, 100);
	buf_str(&out, NULL, "x");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		err_clear(&e);
		tap_ok(utf7_decode(span_str(rows[i]), &out, &e) < 0 && e.kind == ERR_PEER && out.n == 1,
		    "name %zu is refused: %s", i, e.text);
	}
	err_clear(&e);
	tap_ok(utf7_encode(SPAN("a\377"), &out, &e) < 0 && e.kind == ERR_PEER && out.n == 1,
	    "what is not UTF-8 is not encoded");
	buf_free(&out);
}

int
main(void)
{
	both_ways();
	refused();
	return tap_done();
}
