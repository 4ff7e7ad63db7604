/* unit-rookery-text - what sendmail(1) makes of its input, what init makes of the templates, lines of the log. */
#include "ctl/init.h"
#include "ctl/logline.h"
#include "ctl/sendmail.h"
#include "ctl/templates.h"
#include "t/tap.h"

/* ---- sendmail */

/* The header has From, Date and Message-ID already, so that what comes out is known. */
#define HEAD "From: x\r\nDate: x\r\nMessage-ID: x\r\n"

static const struct {
	const char *in, *want, *name;
	bool dot_ends;
} messages[] = {
	{ "From: x\nDate: x\nMessage-ID: x\n\nbody\n", HEAD "\r\nbody\r\n", "LF becomes CRLF", false },
	{ "From: x\r\nDate: x\r\nMessage-ID: x\r\n\r\nbody", HEAD "\r\nbody\r\n", "a last line gets its end",
	    false },
	{ "From: x\r\r\nDate: x\nMessage-ID: x\n\na\rb\r\rc", HEAD "\r\na\r\nb\r\n\r\nc\r\n",
	    "CRs before an LF are one end, others are each", false },
	{ "From: x\nDate: x\nMessage-ID: x\n\na\n.\nb\n", HEAD "\r\na\r\n.\r\nb\r\n", "-i keeps the dot",
	    false },
	{ "From: x\nDate: x\nMessage-ID: x\n\na\n.\nb\n", HEAD "\r\na\r\n", "else it ends", true },
	{ "From: x\nDate: x\nMessage-ID: x\nBcc: a,\n b\nReturn-Path: <>\nTo: c\n\nz\n",
	    HEAD "To: c\r\n\r\nz\r\n", "Bcc goes, folded lines and all; so does Return-Path", false },
	{ "From: x\nDate: x\nMessage-ID: x\nno field here\nz\n", HEAD "\r\nno field here\r\nz\r\n",
	    "a header that is followed by text without an empty line gets one", false },
	{ "From u Thu Jan  1 00:00:00 1970\nFrom: x\nDate: x\nMessage-ID: x\n\nz\n", HEAD "\r\nz\r\n",
	    "a line of an mbox file goes", false },
};

static void
sendmail_messages(void)
{
	for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
		struct submission s = { .a = arena_new(1 << 24),
			.domain = "d.test",
			.host = "h.test",
			.dot_ends = messages[i].dot_ends };
		struct buf out;
		struct err e = { 0 };

		buf_init(&out, 1 << 20);
		sendmail_message(&s, span_str(messages[i].in), &out, &e);
		tap_span(buf_span(&out), span_str(messages[i].want), messages[i].name);
		buf_free(&out);
		arena_free(s.a);
	}
}

static const struct {
	const char *in, *want;
} recipients[] = {
	{ "u", "u@d.test" },
	{ "u@x.test", "u@x.test" },
	{ "A B <u@x.test>, v", "u@x.test v@d.test" },
	{ "u, U <u@d.test>", "u@d.test" },
	{ "\"a b\"@x.test", "\"a b\"@x.test" },
	{ "\"a\"@x.test", "a@x.test" },
	{ "\"a\\\"b\"@x.test", "\"a\\\"b\"@x.test" },
	{ "group: a, b@x.test;, c", "a@d.test b@x.test c@d.test" },
	{ "", "" },
	{ "\"a\r\n b\"@x.test", "\"a b\"@x.test" },
	{ "\"a>b\"@x.test", NULL },
};

static void
sendmail_recipients(void)
{
	for (size_t i = 0; i < sizeof recipients / sizeof recipients[0]; i++) {
		struct submission s = { .a = arena_new(1 << 24), .domain = "d.test" };
		struct buf all;
		struct err e = { 0 };
		int rc = sendmail_add(&s, span_str(recipients[i].in), &e);

		buf_init(&all, 4096);
		for (size_t k = 0; k < s.n; k++)
			buf_printf(&all, NULL, "%s%.*s", k > 0 ? " " : "", SPAN_ARG(s.recipients[k]));
		if (recipients[i].want == NULL)
			tap_ok(rc < 0 && e.kind == ERR_PEER, "recipient %zu is refused", i);
		else
			tap_span(buf_span(&all), span_str(recipients[i].want), recipients[i].in);
		buf_free(&all);
		arena_free(s.a);
	}
}

/* ---- init */

static void
templates(void)
{
	static const struct span template = SPAN(
	    "# c\nsmtp  inet:*:25  u  1  smtpd\n#lmtp inet:127.0.0.1:24 u 1 smtpd\nq internal u 1 q\n");
	struct init in = { .domain = "e.test", .hostname = "h.e.test", .port_base = 1000 };
	struct err e = { 0 };
	struct buf out;

	buf_init(&out, 1 << 20);
	init_master_cf(&in, template, &out, &e);
	tap_ok(span_find(buf_span(&out), SPAN("inet:*:1025 ")) > 0, "port_base moves ports");
	tap_ok(span_find(buf_span(&out), SPAN("\n#lmtp")) > 0, "what is commented stays so");
	tap_ok(span_find(buf_span(&out), SPAN("\nq internal u 1 q\n")) > 0, "other lines stay as they are");
	buf_clear(&out);
	in.listens[0].service = SPAN("lmtp");
	in.listens[0].address = SPAN("[::1]:24");
	in.listens[1].service = SPAN("smtp");
	in.listens[1].address = SPAN("off");
	in.n_listens = 2;
	init_master_cf(&in, template, &out, &e);
	tap_ok(span_find(buf_span(&out), SPAN("\nlmtp           inet:[::1]:24")) > 0,
	    "an address brings a service back");
	tap_ok(span_find(buf_span(&out), SPAN("\n#smtp")) > 0, "`off` comments one out");
	buf_clear(&out);
	in.port_base = 65530;
	tap_ok(init_master_cf(&in, SPAN("imap inet:*:143 u 1 p\n"), &out, &e) < 0, "no port is above 65535");
	err_clear(&e);
	buf_clear(&out);
	init_rookery_cf(&in, SPAN("hostname = @HOSTNAME@\nd = @DOMAIN@ a@b\n"), &out, &e);
	tap_span(buf_span(&out), SPAN("hostname = h.e.test\nd = e.test a@b\n"), "names are filled in");
	tap_ok(template_master_cf().n > 500 && template_rookery_cf().n > 200 && template_filters_cf().n > 50,
	    "the templates are in the program");
	buf_free(&out);
}

/* ---- lines of the log */

static void
loglines(void)
{
	struct arena *a = arena_new(1 << 20);
	struct logline line;
	struct span key, value;

	tap_ok(
	    logline_parse(
		SPAN("2026-01-31T12:00:00.123Z smtp[47] info smtpd.x sid=1 from=\"a \\\"b\\\\ \\x41\" n=2"),
		&line),
	    "a line is one");
	tap_span(line.service, SPAN("smtp"), "its service");
	tap_span(line.pid, SPAN("47"), "its process");
	tap_span(line.event, SPAN("smtpd.x"), "its event");
	tap_ok(logline_pair(&line.pairs, &key, &value, a) && span_eq(value, "1"), "a bare value");
	tap_ok(
	    logline_pair(&line.pairs, &key, &value, a) && span_eq(key, "from") && span_eq(value, "a \"b\\ A"),
	    "quotes and escapes are undone");
	tap_ok(logline_pair(&line.pairs, &key, &value, a) && span_eq(value, "2"), "and the next is found");
	tap_ok(!logline_pair(&line.pairs, &key, &value, a), "there are no more");
	tap_ok(!logline_parse(SPAN("no line of the log"), &line), "other text is no line");
	arena_free(a);
}

int
main(void)
{
	sendmail_messages();
	sendmail_recipients();
	templates();
	loglines();
	return tap_done();
}
