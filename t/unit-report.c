/*
 * unit-report.c - deliver/dsn/report: what strangers say stays in its place; the forms of RFC 3464 and 6533.
 * /
 */
#include "deliver/dsn/report.c"

#include "t/tap.h"

static struct buf out;

static void
write_for(struct dsn_write m, struct dsn_rcpt r)
{
	struct err e = { 0 };
	struct buf list;

	buf_init(&list, 100000);
	ipc_pack(&dsn_def, &list, dsn_rcpt, &r, &e);
	m.mid = SPAN("0123456789abcdef");
	m.about = SPAN("fedcba9876543210");
	m.rcpts = buf_span(&list);
	if (m.sender.n == 0)
		m.sender = SPAN("s@example.test");
	if (m.kind == 0)
		m.kind = DSN_FAILED;
	buf_clear(&out);
	if (report_write(&m, SPAN("mail.example.test"), 1764021600123, &out, &e) < 0)
		printf("# %s\n", e.text);
	buf_free(&list);
}

static bool
has(const char *text)
{
	return span_find(buf_span(&out), span_str(text)) >= 0;
}

int
main(void)
{
	struct dsn_write m = { .headers = SPAN("Subject: x\r\nMessage-ID: <a@b>\r\nCut: of") };
	struct dsn_rcpt r = { .addr = SPAN("a@x.test"),
		.status = SPAN("5.1.1"),
		.text = SPAN("550 5.1.1 no\r\nAction: delivered"),
		.host = SPAN("[192.0.2.1]:25") };

	buf_init(&out, REPORT_MAX);
	write_for(m, r);
	tap_ok(has("\r\nDiagnostic-Code: smtp; 550 5.1.1 no  Action: delivered\r\n"),
	    "a reply with line ends makes no field");
	tap_ok(has("\r\nRemote-MTA: dns; [192.0.2.1]\r\n"), "a server without a name is its address");
	tap_ok(has("\r\nIn-Reply-To: <a@b>\r\n"), "it answers the message");
	tap_ok(!has("Cut:"), "a header that is cut loses its last line");
	tap_ok(has("\r\n--=_0123456789abcdef--\r\n"), "it ends with its boundary");
	r.status = SPAN("5.1.1\r\nX: y");
	write_for(m, r);
	tap_ok(has("\r\nStatus: 5.0.0\r\n") && !has("X: y"), "a status that is none is replaced");
	r.host = r.status = (struct span){ 0 };
	r.text = SPAN(
	    "a word and another word and a third word and a fourth word and a fifth word and a sixth word");
	r.orcpt = SPAN("rfc822;old+40x.test");
	write_for(m, r);
	tap_ok(has("\r\nOriginal-Recipient: rfc822; old@x.test\r\n"), "ORCPT is decoded");
	tap_ok(!has("Remote-MTA") && has("Diagnostic-Code: X-Rookery;"),
	    "what no server said is not said to be SMTP");
	tap_ok(has("fifth\r\n word") || has("fourth\r\n word") || has("word\r\n"), "long fields are folded");
	r.orcpt = SPAN("rfc822;bad+xx");
	r.orig = SPAN("staff@x.test");
	write_for(m, r);
	tap_ok(has("\r\nOriginal-Recipient: rfc822; staff@x.test\r\n"),
	    "one that is no xtext is not; the address given is");
	tap_ok(has("\r\n<staff@x.test>:\r\n") && has("Final-Recipient: rfc822; a@x.test"),
	    "people see the address that they wrote to");
	r.orig = (struct span){ 0 };
	r.addr = SPAN("j\xc3\xb6rg+x@x.test");
	write_for(m, r);
	tap_ok(has("Final-Recipient: utf-8; j\\x{F6}rg\\x{2B}x@x.test\r\n"),
	    "UTF-8 for a sender without it is encoded (RFC 6533, 3)");
	tap_ok(has("charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"),
	    "the text for people says its charset");
	m.sender = SPAN("\xc3\xa4@example.test");
	write_for(m, r);
	tap_ok(has("Final-Recipient: utf-8; j\xc3\xb6rg+x@x.test\r\n") &&
		   has("report-type=global-delivery-status"),
	    "for a sender with it, it is not");
	tap_ok(report_flags(&m, buf_span(&out)) == (SPOOL_8BIT | SPOOL_UTF8), "and its spool file says so");
	m.sender = SPAN("s@example.test\r\nBcc: x@y");
	write_for(m, r);
	tap_ok(!has("\nBcc:"), "an address with a line end makes no field");
	buf_free(&out);
	return tap_done();
}
