/* unit-charset - charsets, and UTF-8 itself. */
#include <seccomp.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mail/charset.h"
#include "t/tap.h"

static void
converting(void)
{
	static const struct {
		const char *charset, *in, *want;
	} rows[] = {
		{ "us-ascii", "abc", "abc" },
		{ "us-ascii", "\303\251", "\303\251" },
		{ "UTF-8", "h\303\251 \360\237\230\200", "h\303\251 \360\237\230\200" },
		{ "utf8", "a\300\200b", "a\357\277\275\357\277\275b" },
		{ "ISO-8859-1", "h\351", "h\303\251" },
		{ "iso-8859-1", "\200", "\342\202\254" },
		{ "ISO_8859-15", "\244", "\342\202\254" },
		{ "iso-8859-2", "\261", "\304\205" },
		{ "windows-1251", "\317\360\350", "\320\237\321\200\320\270" },
		{ "KOI8-R", "\360\322\311", "\320\237\321\200\320\270" },
		{ "windows-1252", "\201", "\357\277\275" },
		{ "Shift_JIS", "\203e\203X\203g", "\343\203\206\343\202\271\343\203\210" },
		{ "EUC-JP", "\245\306\245\271\245\310", "\343\203\206\343\202\271\343\203\210" },
		{ "ISO-2022-JP", "\033$B%F%9%H\033(B", "\343\203\206\343\202\271\343\203\210" },
		{ "GBK", "\304\343\272\303", "\344\275\240\345\245\275" },
		{ "Big5", "\247A\246n", "\344\275\240\345\245\275" },
		{ "EUC-KR", "\307\321", "\355\225\234" },
		{ "UTF-7", "Hi +Jjo-!", "Hi \342\230\272!" },
		{ "Shift_JIS", "a\203", "a\357\277\275" },
		{ "x-none-such", "a\351b", "a\357\277\275b" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf out;

		buf_init(&out, 1000);
		charset_to_utf8(charset_of(span_str(rows[i].charset)), span_str(rows[i].in), &out, NULL);
		tap_span(buf_span(&out), span_str(rows[i].want), rows[i].charset);
		buf_free(&out);
	}
}

/* Convert texts in all charsets where opening a file or mapping code kills the process. */
static void
convert_confined(void)
{
	static const char *const names[] = { "shift_jis", "euc-jp", "iso-2022-jp", "iso-2022-jp-2", "gb18030",
		"big5", "euc-kr", "iso-2022-kr", "utf-16le", "utf-16", "utf-7", "koi8-r", "none-such" };
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (filter == NULL || seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(openat), 0) != 0 ||
	    seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(mprotect), 0) != 0 ||
	    seccomp_load(filter) != 0)
		_exit(2);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct buf out;

		buf_init(&out, 1000);
		if (charset_to_utf8(charset_of(span_str(names[i])),
			SPAN("a \033$B%F\033(B \203e\304\343 +Jjo- \377"), &out, NULL) < 0 ||
		    !utf8_valid(buf_span(&out)))
			_exit(3);
		buf_free(&out);
	}
	_exit(0);
}

static void
confined(void)
{
	pid_t child = fork();
	int status = -1;

	if (child == 0)
		convert_confined();
	waitpid(child, &status, 0);
	tap_ok(status == 0, "what is preloaded needs no file later");
}

static void
marks(void)
{
	static const struct span little = { "\377\376a\0", 4 }, big = { "\376\377\0a", 4 };
	static const struct span none = { "\0a", 2 };
	struct buf out;

	buf_init(&out, 100);
	charset_to_utf8(charset_of(SPAN("utf-16")), little, &out, NULL);
	charset_to_utf8(charset_of(SPAN("utf-16")), big, &out, NULL);
	charset_to_utf8(charset_of(SPAN("utf-16")), none, &out, NULL);
	tap_span(buf_span(&out), SPAN("\357\273\277a\357\273\277aa"), "UTF-16: the mark says the order");
	buf_free(&out);
}

static void
pieces(void)
{
	static const struct {
		const char *charset, *in;
	} rows[] = {
		{ "utf-8", "h\303\251 \342\202\254 \360\237\230\200 \377x" },
		{ "shift_jis", "\203e\203X\203g abc \203e" },
		{ "iso-2022-jp", "\033$B%F%9%H\033(B\nabc\n\033$B%F\033(B\n" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct charset cs = charset_of(span_str(rows[i].charset));
		bool same = true;

		for (size_t step = 1; step < 12; step++) {
			struct span rest = span_str(rows[i].in);
			struct buf whole, cut, held;
			size_t used;

			buf_init(&whole, 1000);
			buf_init(&cut, 1000);
			buf_init(&held, 1000);
			charset_to_utf8(cs, rest, &whole, NULL);
			while (rest.n > 0) {
				struct span piece = span_head(rest, step);

				rest = span_from(rest, piece.n);
				buf_add(&held, NULL, piece);
				charset_feed(cs, buf_span(&held), rest.n == 0, &cut, &used, NULL);
				buf_consume(&held, used);
			}
			same &= span_same(buf_span(&whole), buf_span(&cut)) && held.n == 0;
			buf_free(&whole);
			buf_free(&cut);
			buf_free(&held);
		}
		tap_ok(same, "%s in pieces of any size is the same as whole", rows[i].charset);
	}
}

static void
utf8(void)
{
	static const struct {
		const char *in;
		bool valid;
	} rows[] = {
		{ "", true },
		{ "abc", true },
		{ "\302\200", true },
		{ "\337\277", true },
		{ "\340\240\200", true },
		{ "\355\237\277", true },
		{ "\357\277\277", true },
		{ "\360\220\200\200", true },
		{ "\364\217\277\277", true },
		{ "\200", false },
		{ "\300\200", false }, /* long forms */
		{ "\301\277", false },
		{ "\340\237\277", false },
		{ "\360\217\277\277", false },
		{ "\355\240\200", false },     /* a surrogate */
		{ "\364\220\200\200", false }, /* past U+10FFFF */
		{ "\365\200\200\200", false },
		{ "\342\202", false }, /* cut */
		{ "a long text of ASCII and \377 one that is not", false },
	};
	struct buf out;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		tap_ok(utf8_valid(span_str(rows[i].in)) == rows[i].valid, "UTF-8 %zu is %s", i,
		    rows[i].valid ? "valid" : "refused");
	buf_init(&out, 1000);
	utf8_fold(SPAN("ABCXYZ[]@`{} \303\211T\303\211 \320\237\320\240 \316\243\317\202 \304\260 "
		       "\342\204\252 \377"),
	    &out, NULL);
	tap_span(buf_span(&out),
	    SPAN("ABCXYZ[]@`{} E\314\201TE\314\201 \320\237\320\240 \316\243\316\243 I\314\207 K \377"),
	    "titlecase, decomposed");
	buf_free(&out);
}

int
main(void)
{
	tap_ok(charset_of(SPAN("big5")).kind == CHARSET_UNKNOWN, "what is not preloaded is unknown");
	charset_preload();
	tap_ok(charset_of(SPAN("big5")).kind == CHARSET_ICONV, "what is preloaded is known");
	converting();
	marks();
	confined();
	pieces();
	utf8();
	return tap_done();
}
