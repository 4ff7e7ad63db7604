/* unit-command.c - command lines of SMTP. */
#include "smtp/command.h"

#include "t/tap.h"

static void
replies(void)
{
	static const struct {
		struct span line;
		const char *reply; /* NULL: it parses */
	} cases[] = {
		{ SPAN("HELO mx.example.org"), NULL },
		{ SPAN("ehlo [192.0.2.1]"), NULL },
		{ SPAN("EHLO [IPv6:2001:db8::1] "), NULL },
		{ SPAN("EHLO MY_PC"), NULL },
		{ SPAN("EHLO"), "501 5.5.4 Syntax: EHLO hostname" },
		{ SPAN("HELO two words"), "501 5.5.4 Syntax: HELO hostname" },
		{ SPAN("HELO caf\xc3\xa9"), "501 5.5.4 Syntax: HELO hostname" },
		{ SPAN("HELO a\0b"), "501 5.5.4 Syntax: HELO hostname" },
		{ SPAN("MAIL FROM:<a@example.org>"), NULL },
		{ SPAN("mail from: <a@example.org>  "), NULL },
		{ SPAN("MAIL FROM:<>"), NULL },
		{ SPAN("MAIL FROM:<a@example.org> SIZE=1 BODY=8BITMIME"), NULL },
		{ SPAN("MAIL FROM:a@example.org"), "501 5.1.7 Syntax: MAIL FROM:<address>" },
		{ SPAN("MAIL FROM:"), "501 5.1.7 Syntax: MAIL FROM:<address>" },
		{ SPAN("MAIL <a@example.org>"), "501 5.5.4 Syntax: MAIL FROM:<address>" },
		{ SPAN("MAIL"), "501 5.5.4 Syntax: MAIL FROM:<address>" },
		{ SPAN("MAIL TO:<a@example.org>"), "501 5.5.4 Syntax: MAIL FROM:<address>" },
		{ SPAN("MAIL FROM:<bob>"), "501 5.1.7 Sender address needs a domain" },
		{ SPAN("RCPT TO:<a@example.org> NOTIFY=NEVER"), NULL },
		{ SPAN("RCPT TO:<PostMaster>"), NULL },
		{ SPAN("RCPT TO:<@a,@b:c@example.org>"), NULL },
		{ SPAN("RCPT TO:<bob>"), "501 5.1.3 Recipient address needs a domain" },
		{ SPAN("RCPT TO:<>"), "501 5.1.3 Recipient address needs a domain" },
		{ SPAN("DATA"), NULL },
		{ SPAN("DATA now"), "501 5.5.4 Syntax: DATA" },
		{ SPAN("BDAT 0 LAST"), NULL },
		{ SPAN("bdat 12 last"), NULL },
		{ SPAN("BDAT 18446744073709551616"), "501 5.5.4 Syntax: BDAT size [LAST]" },
		{ SPAN("BDAT"), "501 5.5.4 Syntax: BDAT size [LAST]" },
		{ SPAN("BDAT -1"), "501 5.5.4 Syntax: BDAT size [LAST]" },
		{ SPAN("BDAT 5 FIRST"), "501 5.5.4 Syntax: BDAT size [LAST]" },
		{ SPAN("RSET"), NULL },
		{ SPAN("RSET x"), "501 5.5.4 Syntax: RSET" },
		{ SPAN("NOOP anything at all"), NULL },
		{ SPAN("VRFY bob"), NULL },
		{ SPAN("VRFY"), "501 5.5.4 Syntax: VRFY string" },
		{ SPAN("EXPN staff"), NULL },
		{ SPAN("HELP"), NULL },
		{ SPAN("QUIT"), NULL },
		{ SPAN("STARTTLS"), NULL },
		{ SPAN("STARTTLS now"), "501 5.5.4 Syntax: STARTTLS" },
		{ SPAN("AUTH PLAIN"), NULL },
		{ SPAN("AUTH PLAIN ="), NULL },
		{ SPAN("AUTH"), "501 5.5.4 Syntax: AUTH mechanism [initial-response]" },
		{ SPAN("AUTH PLAIN a b"), "501 5.5.4 Syntax: AUTH mechanism [initial-response]" },
		{ SPAN(""), "500 5.5.2 Command not recognized" },
		{ SPAN(" RSET"), "500 5.5.2 Command not recognized" },
		{ SPAN("RSETX"), "500 5.5.2 Command not recognized" },
		{ SPAN("GET / HTTP/1.1"), "500 5.5.2 Command not recognized" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct smtp_command c;
		struct err e = { 0 };
		int rc = smtp_command_parse(cases[i].line, &c, &e);

		tap_ok((rc == 0) == (cases[i].reply == NULL), "`%.*s` is %s", SPAN_ARG(cases[i].line),
		    cases[i].reply == NULL ? "taken" : "refused");
		if (cases[i].reply != NULL)
			tap_span(span_str(e.text), span_str(cases[i].reply), "with this reply");
	}
}

static void
fields(void)
{
	struct smtp_command c;
	struct err e = { 0 };

	smtp_command_parse(SPAN("MAIL FROM: <\"a b\"@example.org> SIZE=10"), &c, &e);
	tap_ok(c.verb == SMTP_MAIL, "MAIL");
	tap_span(c.path.local, SPAN("\"a b\""), "its local part");
	tap_span(c.path.domain, SPAN("example.org"), "its domain");
	tap_span(c.params, SPAN(" SIZE=10"), "its parameters");
	smtp_command_parse(SPAN("BDAT 4096 LAST"), &c, &e);
	tap_ok(c.chunk == 4096 && c.last, "BDAT with size and LAST");
	smtp_command_parse(SPAN("BDAT 7"), &c, &e);
	tap_ok(c.chunk == 7 && !c.last, "BDAT without LAST");
	smtp_command_parse(SPAN("AUTH plain dGVzdA=="), &c, &e);
	tap_ok(span_eq(c.mechanism, "plain") && span_eq(c.initial, "dGVzdA=="),
	    "AUTH with its initial response");
	smtp_command_parse(SPAN("AUTH LOGIN"), &c, &e);
	tap_ok(c.initial.p == NULL, "AUTH without");
	smtp_command_parse(SPAN("EHLO  a.b "), &c, &e);
	tap_span(c.arg, SPAN("a.b"), "EHLO's name without blanks");
}

int
main(void)
{
	replies();
	fields();
	return tap_done();
}
