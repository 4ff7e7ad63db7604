/*
 * unit-smtpd.c - sessions of smtpd as transcripts: what the client says, and the codes that it hears.
 *
 * The world around is made up (t/smtpd-world.h). A reply is shown as its code and, behind a slash, its
 * enhanced code; all lines of one reply are one.
 */
#include "t/smtpd-world.h"
#include "t/tap.h"

#define HELLO "EHLO client.example.net\r\n"
#define MAIL  "MAIL FROM:<a@example.net>\r\n"
#define RCPT  "RCPT TO:<bob@example.org>\r\n"
#define START HELLO MAIL RCPT
#define TEXT  "Subject: x\r\n\r\ntext\r\n"
#define QUIT  "QUIT\r\n"

/* The codes of what was said, separated by blanks. */
static void
codes(struct span said, struct buf *out)
{
	while (said.n > 0) {
		struct span line = span_cut(&said, '\n');
		size_t n;

		if (line.n < 4 || line.p[3] == '-')
			continue;
		if (out->n > 0)
			buf_byte(out, NULL, ' ');
		buf_add(out, NULL, span_head(line, 3));
		if ((n = status_at(span_from(line, 4))) > 0)
			buf_printf(out, NULL, "/%.*s", (int)n, line.p + 4);
	}
}

static void
session_check(const char *name, const char *user, struct span in, const char *want, unsigned commits)
{
	struct buf said, got;

	buf_init(&said, 64 << 20);
	buf_init(&got, 1 << 20);
	world.commits = 0;
	world_session(in, span_str(user), &said);
	codes(buf_span(&said), &got);
	tap_span(buf_span(&got), span_str(want), name);
	if (world.commits != commits)
		tap_ok(false, "%s: %u messages taken, not %u", name, world.commits, commits);
	buf_free(&said);
	buf_free(&got);
}

static void
configure(const char *a, const char *b, const char *c)
{
	const char *options[] = { "hostname=mx.example.org", "message_size_max=1K", a, b, c };
	struct err e = { 0 };
	size_t n = 2;

	while (n < sizeof options / sizeof *options && options[n] != NULL)
		n++;
	if (cfg_load(SPAN(""), "", options, n, &e) < 0)
		tap_ok(false, "%s", e.text);
	world.verdict = FILTER_ACCEPT;
	world.verdict_reply = (struct span){ 0 };
	world.prefix = SPAN("X-Filter: yes\r\n");
	world.no_space = world.queue_dead = world.commit_fails = false;
}

#define HEARD "220 250 250/2.1.0 250/2.1.5"

static void
transactions(void)
{
	configure(NULL, NULL, NULL);
	session_check("a message is taken", NULL, SPAN(START "DATA\r\n" TEXT ".\r\n" QUIT),
	    HEARD " 354 250/2.0.0 221/2.0.0", 1);
	session_check("two in one session, all pipelined", NULL,
	    SPAN(START "DATA\r\n" TEXT ".\r\n" MAIL RCPT "DATA\r\n..\r\n.\r\n" QUIT),
	    HEARD " 354 250/2.0.0 250/2.1.0 250/2.1.5 354 250/2.0.0 221/2.0.0", 2);
	session_check(
	    "an empty message", NULL, SPAN(START "DATA\r\n.\r\n" QUIT), HEARD " 354 250/2.0.0 221/2.0.0", 1);
	session_check("the null sender, and postmaster without a domain", NULL,
	    SPAN(HELLO "MAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\nDATA\r\n.\r\n" QUIT),
	    HEARD " 354 250/2.0.0 221/2.0.0", 1);
	session_check("HELO instead of EHLO", NULL, SPAN("HELO x\r\n" MAIL RCPT "DATA\r\n.\r\n" QUIT),
	    HEARD " 354 250/2.0.0 221/2.0.0", 1);
	session_check("with HELO no parameters", NULL, SPAN("HELO x\r\nMAIL FROM:<a@b.c> SIZE=1\r\n" QUIT),
	    "220 250 555/5.5.4 221/2.0.0", 0);
	session_check("a list and one of its members", NULL,
	    SPAN(START "RCPT TO:<list@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n.\r\n" QUIT),
	    HEARD " 250/2.1.5 250/2.1.5 354 250/2.0.0 221/2.0.0", 1);
	tap_ok(world.last_rcpts == 2, "are two recipients, each once");
	session_check("our own address literal", NULL,
	    SPAN(HELLO MAIL "RCPT TO:<bob@[127.0.0.1]>\r\nDATA\r\n.\r\n" QUIT),
	    HEARD " 354 250/2.0.0 221/2.0.0", 1);
	session_check("a source route is dropped", NULL,
	    SPAN(HELLO MAIL "RCPT TO:<@x.y,@z.y:bob@example.org>\r\nDATA\r\n.\r\n" QUIT),
	    HEARD " 354 250/2.0.0 221/2.0.0", 1);
}

static void
order(void)
{
	configure(NULL, NULL, NULL);
	session_check("MAIL before EHLO", NULL, SPAN(MAIL QUIT), "220 503/5.5.1 221/2.0.0", 0);
	session_check("RCPT and DATA before MAIL", NULL, SPAN(HELLO RCPT "DATA\r\n" QUIT),
	    "220 250 503/5.5.1 503/5.5.1 221/2.0.0", 0);
	session_check(
	    "MAIL twice", NULL, SPAN(HELLO MAIL MAIL QUIT), "220 250 250/2.1.0 503/5.5.1 221/2.0.0", 0);
	session_check("DATA without a recipient", NULL, SPAN(HELLO MAIL "DATA\r\n" QUIT),
	    "220 250 250/2.1.0 554/5.5.1 221/2.0.0", 0);
	session_check("RSET ends a transaction", NULL, SPAN(START "RSET\r\nDATA\r\n" QUIT),
	    HEARD " 250/2.0.0 503/5.5.1 221/2.0.0", 0);
	session_check("so does EHLO", NULL, SPAN(START HELLO RCPT QUIT), HEARD " 250 503/5.5.1 221/2.0.0", 0);
	session_check("the other commands", NULL,
	    SPAN("NOOP x\r\nHELP\r\nVRFY bob\r\nEXPN list\r\nLHLO x\r\nSTARTTLS\r\nFOO\r\n\r\n" QUIT),
	    "220 250/2.0.0 214/2.0.0 252/2.0.0 502/5.5.1 500/5.5.1 502/5.5.1 500/5.5.2 500/5.5.2 221/2.0.0",
	    0);
	configure("smtpd_errors_max=3", NULL, NULL);
	session_check("too many errors", NULL, SPAN("A\r\nB\r\nC\r\nNOOP\r\n"),
	    "220 500/5.5.2 500/5.5.2 500/5.5.2 421/4.7.0", 0);
	session_check("no QUIT", NULL, SPAN(START), HEARD, 0);
	session_check("nothing", NULL, SPAN(""), "220", 0);
	configure("tls=required", NULL, NULL);
	session_check("TLS required", NULL, SPAN(HELLO "NOOP\r\n" MAIL "RSET\r\n" QUIT),
	    "220 250 250/2.0.0 530/5.7.0 530/5.7.0 221/2.0.0", 0);
	session_check("BDAT where it may not be ends the session", NULL, SPAN(HELLO "BDAT 4\r\nQUIT"),
	    "220 250 530/5.7.0", 0);
}

static void
recipients(void)
{
	configure("smtpd_recipients_max=100", NULL, NULL);
	session_check("each kind of recipient", NULL,
	    SPAN(HELLO MAIL
		"RCPT TO:<nobody@example.org>\r\nRCPT TO:<full@example.org>\r\nRCPT TO:<temp@example.org>\r\n"
		"RCPT TO:<gone@example.org>\r\nRCPT TO:<x@elsewhere.test>\r\nRCPT "
		"TO:<b\xc3\xb6@example.org>\r\n"
		"RCPT TO:<bob@example.org> NOTIFY=NEVER,SUCCESS\r\nRCPT TO:<bob@example.org> FOO=1\r\n" QUIT),
	    "220 250 250/2.1.0 550/5.1.1 452/4.2.2 451/4.3.0 550/5.2.1 550/5.7.1 553/5.6.7 501/5.5.4 "
	    "555/5.5.4 221/2.0.0",
	    0);
	session_check("an address that leads to nobody", NULL,
	    SPAN(HELLO MAIL "RCPT TO:<nowhere@example.org>\r\n" QUIT),
	    "220 250 250/2.1.0 550/5.1.1 221/2.0.0", 0);
	session_check("a list that is too long, with a member that is there already", NULL,
	    SPAN(START "RCPT TO:<huge@example.org>\r\nRCPT TO:<carol@example.org>\r\n" RCPT
		       "DATA\r\n.\r\n" QUIT),
	    HEARD " 452/4.5.3 250/2.1.5 250/2.1.5 354 250/2.0.0 221/2.0.0", 1);
	tap_ok(world.last_rcpts == 2, "is refused whole");
	session_check("DSN parameters", NULL,
	    SPAN(HELLO "MAIL FROM:<a@example.net> RET=HDRS ENVID=QQ+2B1\r\n"
		       "RCPT TO:<bob@example.org> NOTIFY=SUCCESS,FAILURE "
		       "ORCPT=rfc822;b+2Bc@example.org\r\nDATA\r\n.\r\n" QUIT),
	    HEARD " 354 250/2.0.0 221/2.0.0", 1);
	tap_ok(span_find(buf_span(&world.last_trailer), SPAN("ret HDRS\nenvid QQ+2B1\n")) >= 0 &&
		   span_find(buf_span(&world.last_trailer),
		       SPAN(" orcpt=rfc822;b+2Bc@example.org notify=SUCCESS,FAILURE\n")) >= 0,
	    "are kept as received");
	configure("relay_networks=127.0.0.0/8", NULL, NULL);
	session_check("relay_networks may send anywhere", NULL,
	    SPAN(HELLO MAIL "RCPT TO:<x@elsewhere.test>\r\nDATA\r\n.\r\n" QUIT),
	    HEARD " 354 250/2.0.0 221/2.0.0", 1);
	configure("auth=required", NULL, NULL);
	session_check("so may a local user, who needs no login", "root",
	    SPAN(HELLO MAIL "RCPT TO:<x@elsewhere.test>\r\nDATA\r\n.\r\n" QUIT),
	    HEARD " 354 250/2.0.0 221/2.0.0", 1);
	tap_ok(span_find(buf_span(&world.last_trailer), SPAN("login root\n")) >= 0, "whose name is recorded");
}

static void
many_recipients(void)
{
	struct buf in, want;

	configure("smtpd_recipients_max=100", NULL, NULL);
	buf_init(&in, 1 << 16);
	buf_init(&want, 1 << 16);
	buf_str(&in, NULL, HELLO MAIL);
	buf_str(&want, NULL, "220 250 250/2.1.0");
	for (int i = 0; i < 102; i++) {
		buf_str(&in, NULL, RCPT);
		buf_str(&want, NULL, i < 100 ? " 250/2.1.5" : " 452/4.5.3");
	}
	buf_str(&in, NULL, "DATA\r\n.\r\n");
	buf_str(&want, NULL, " 354 250/2.0.0");
	buf_byte(&want, NULL, '\0');
	session_check("100 recipients, and no more", NULL, buf_span(&in), want.p, 1);
	tap_ok(world.last_rcpts == 1, "the same one a hundred times is one");
	buf_free(&in);
	buf_free(&want);
}

/* Refused lists leave memory behind that is only freed with the transaction: that has its limit too. */
static void
many_lists(void)
{
	struct buf in, want;

	configure(NULL, NULL, NULL);
	buf_init(&in, 1 << 16);
	buf_init(&want, 1 << 16);
	buf_str(&in, NULL, START);
	buf_str(&want, NULL, HEARD);
	for (int i = 0; i < 30; i++) {
		buf_str(&in, NULL, "RCPT TO:<huge@example.org>\r\n");
		buf_str(&want, NULL, " 452/4.5.3");
	}
	buf_str(&in, NULL, "DATA\r\n.\r\n");
	buf_str(&want, NULL, " 354 250/2.0.0");
	buf_byte(&want, NULL, '\0');
	session_check("a list that is too long, thirty times", NULL, buf_span(&in), want.p, 1);
	buf_free(&in);
	buf_free(&want);
}

static void
sizes(void)
{
	struct buf in;

	configure(NULL, NULL, NULL);
	session_check("a SIZE that is too large", NULL,
	    SPAN(HELLO "MAIL FROM:<a@b.c> SIZE=1025\r\nMAIL FROM:<a@b.c> SIZE=1024\r\n" QUIT),
	    "220 250 552/5.3.4 250/2.1.0 221/2.0.0", 0);
	buf_init(&in, 1 << 20);
	for (int n = 1022; n <= 1023; n++) {
		buf_clear(&in);
		buf_str(&in, NULL, START "DATA\r\n");
		for (int i = 0; i < n; i++)
			buf_byte(&in, NULL, 'x');
		buf_str(&in, NULL, "\r\n.\r\n" START "DATA\r\n.\r\n" QUIT);
		session_check(
		    n == 1022 ? "a message of just that size" : "one octet more, and the session goes on",
		    NULL, buf_span(&in),
		    n == 1022 ? HEARD " 354 250/2.0.0 250 250/2.1.0 250/2.1.5 354 250/2.0.0 221/2.0.0"
			      : HEARD " 354 552/5.3.4 250 250/2.1.0 250/2.1.5 354 250/2.0.0 221/2.0.0",
		    n == 1022 ? 2 : 1);
	}
	buf_clear(&in);
	buf_str(&in, NULL, "NOOP ");
	for (int i = 0; i < 4100; i++)
		buf_byte(&in, NULL, 'x');
	buf_str(&in, NULL, "\r\n");
	for (int i = 0; i < 20000; i++)
		buf_byte(&in, NULL, 'x');
	buf_str(&in, NULL, "\r\nNOOP\r\n" QUIT);
	session_check(
	    "lines that are too long", NULL, buf_span(&in), "220 500/5.5.6 500/5.5.6 250/2.0.0 221/2.0.0", 0);
	buf_free(&in);
}

static void
chunking(void)
{
	configure(NULL, NULL, NULL);
	session_check("BDAT in chunks", NULL,
	    SPAN(START "BDAT 12\r\nSubject: x\r\nBDAT 6\r\n\r\n.\r\n.BDAT 5 LAST\r\n\r\nabcRSET\r\n" QUIT),
	    HEARD " 250/2.0.0 250/2.0.0 250/2.0.0 250/2.0.0 221/2.0.0", 1);
	tap_ok(span_ends(buf_span(&world.last), "Subject: x\r\n\r\n.\r\n.\r\nabc\r\n"),
	    "the text as sent, its last line ended");
	session_check("BDAT LAST alone, and empty", NULL,
	    SPAN(START "BDAT 3 LAST\r\na\r\nRSET\r\n" MAIL RCPT "BDAT 0 LAST\r\n" QUIT),
	    HEARD " 250/2.0.0 250/2.0.0 250/2.1.0 250/2.1.5 250/2.0.0 221/2.0.0", 2);
	session_check("BDAT without a transaction keeps in step", NULL,
	    SPAN(HELLO "BDAT 6\r\nQUIT\r\nNOOP\r\n" QUIT), "220 250 503/5.5.1 250/2.0.0 221/2.0.0", 0);
	session_check("BDAT without a recipient", NULL, SPAN(HELLO MAIL "BDAT 6 LAST\r\nQUIT\r\n" RCPT QUIT),
	    "220 250 250/2.1.0 554/5.5.1 503/5.5.1 221/2.0.0", 0);
	session_check("DATA, MAIL and RCPT after BDAT", NULL,
	    SPAN(START "BDAT 2\r\n\r\nDATA\r\n" MAIL RCPT "BDAT 0 LAST\r\n" QUIT),
	    HEARD " 250/2.0.0 503/5.5.1 503/5.5.1 503/5.5.1 250/2.0.0 221/2.0.0", 1);
	session_check("a chunk out of all proportion", NULL,
	    SPAN(START "BDAT 18446744073709551615\r\nQUIT\r\n"), HEARD " 552/5.3.4", 0);
	session_check(
	    "bare LF in a chunk", NULL, SPAN(START "BDAT 4 LAST\r\na\nb\n" QUIT), HEARD " 554/5.5.2", 0);
	session_check(
	    "CR at the very end", NULL, SPAN(START "BDAT 2 LAST\r\na\r" QUIT), HEARD " 554/5.5.2", 0);
	session_check("CR and LF in two chunks are a line end", NULL,
	    SPAN(START "BDAT 2\r\na\rBDAT 1 LAST\r\n\n" QUIT), HEARD " 250/2.0.0 250/2.0.0 221/2.0.0", 1);
	session_check("a bad size", NULL, SPAN(START "BDAT x\r\n" QUIT), HEARD " 501/5.5.4 221/2.0.0", 0);
}

static void
chunk_sizes(void)
{
	struct buf in;

	buf_init(&in, 1 << 16);
	buf_str(&in, NULL, START "BDAT 1025 LAST\r\n");
	for (int i = 0; i < 1025; i++)
		buf_byte(&in, NULL, 'x');
	buf_str(&in, NULL, "NOOP\r\n" MAIL RCPT "BDAT 1000\r\n");
	for (int i = 0; i < 1000; i++)
		buf_byte(&in, NULL, 'x');
	buf_str(&in, NULL, "BDAT 25 LAST\r\n.........................NOOP\r\n" QUIT);
	session_check("BDAT that is too large, at once and in sum", NULL, buf_span(&in),
	    HEARD " 552/5.3.4 250/2.0.0 250/2.1.0 250/2.1.5 250/2.0.0 552/5.3.4 250/2.0.0 221/2.0.0", 0);
	buf_free(&in);
}

/* A mail that some other server took for one, and that we would take for two (or the other way round). */
static void
smuggling(void)
{
	static const struct span ends[] = { SPAN("\n.\n"), SPAN("\n.\r\n"), SPAN("\r\n.\n"), SPAN("\r.\r"),
		SPAN("\r\n.\r"), SPAN("\r.\r\n"), SPAN("\r\r\n.\r\r\n"), SPAN("\n\n.\n\n"),
		SPAN("\r\n.\r\r\n"), SPAN("\r\0\n.\r\n"), SPAN("\n.\r"), SPAN("\r\n\n.\r\n"),
		SPAN("\n\r.\n\r"), SPAN("\r.\n") };

	configure(NULL, NULL, NULL);
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		struct buf in;
		char name[64];

		buf_init(&in, 1 << 16);
		snprintf(name, sizeof name, "smuggling %zu: 554, and nothing behind it is read", i);
		buf_str(&in, NULL, START "DATA\r\n" TEXT "one");
		buf_add(&in, NULL, ends[i]);
		buf_str(&in, NULL, MAIL RCPT "DATA\r\nsmuggled\r\n.\r\n" QUIT);
		session_check(name, NULL, buf_span(&in), HEARD " 354 554/5.5.2", 0);
		buf_free(&in);
	}
	session_check(
	    "bare LF behind a command", NULL, SPAN("NOOP\r\nNOOP\nNOOP\r\n"), "220 250/2.0.0 554/5.5.2", 0);
	session_check("bare CR within a command", NULL, SPAN("NOOP a\rb\r\nNOOP\r\n"), "220 554/5.5.2", 0);
	session_check("bare LF in an AUTH response", NULL, SPAN(HELLO "NOOP\n"), "220 250 554/5.5.2", 0);
}

static void
logins(void)
{
	/* alice@example.org NUL secret */
	configure("auth=required", NULL, NULL);
	session_check("AUTH PLAIN, then anywhere", NULL,
	    SPAN(HELLO MAIL
		"AUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldA==\r\nMAIL FROM:<alice@example.org>\r\n"
		"RCPT TO:<x@elsewhere.test>\r\nDATA\r\n" TEXT ".\r\n" QUIT),
	    "220 250 530/5.7.0 235/2.7.0 250/2.1.0 250/2.1.5 354 250/2.0.0 221/2.0.0", 1);
	tap_ok(span_find(buf_span(&world.last), SPAN("\r\nSubject: x\r\nDate: ")) > 0 &&
		   span_find(buf_span(&world.last), SPAN("\r\nMessage-ID: <")) > 0 &&
		   span_ends(buf_span(&world.last), ">\r\n\r\ntext\r\n"),
	    "Date and Message-ID are added to what is submitted");
	tap_ok(span_find(buf_span(&world.last), SPAN("with ESMTPA\r\n")) > 0 &&
		   span_find(buf_span(&world.last), SPAN("(login alice@example.org)")) > 0,
	    "and Received tells of the login");
	session_check("PLAIN by challenge; the sender of somebody else", NULL,
	    SPAN(HELLO "AUTH PLAIN\r\nAGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldA==\r\nMAIL "
		       "FROM:<bob@example.org>\r\nMAIL FROM:<>\r\n" QUIT),
	    "220 250 334 235/2.7.0 553/5.7.1 250/2.1.0 221/2.0.0", 0);
	session_check("LOGIN", NULL,
	    SPAN(HELLO "AUTH LOGIN\r\nYWxpY2VAZXhhbXBsZS5vcmc=\r\nc2VjcmV0\r\nAUTH LOGIN\r\n" QUIT),
	    "220 250 334 334 235/2.7.0 503/5.5.1 221/2.0.0", 0);
	session_check("what is no login", NULL,
	    SPAN(HELLO "AUTH PLAIN AGEAYg==\r\nAUTH PLAIN ====\r\nAUTH PLAIN =\r\nAUTH PLAIN\r\n*\r\nAUTH "
		       "FOO\r\nAUTH PLAIN YQ==\r\n"
		       "AUTH LOGIN YQ==\r\n=\r\nAUTH PLAIN\r\n?\r\n" QUIT),
	    "220 250 535/5.7.8 501/5.5.2 501/5.5.2 334 501/5.7.0 504/5.5.4 501/5.5.2 334 535/5.7.8 334 "
	    "501/5.5.2 221/2.0.0",
	    0);
	session_check("AUTH before EHLO, and in a transaction", NULL, SPAN("AUTH PLAIN\r\n" QUIT),
	    "220 503/5.5.1 221/2.0.0", 0);
	configure("auth=optional", "plain_auth=never", NULL);
	session_check("no password without TLS", NULL, SPAN(HELLO "AUTH PLAIN AGEAYg==\r\n" QUIT),
	    "220 250 538/5.7.11 221/2.0.0", 0);
	configure(NULL, NULL, NULL);
	session_check("no AUTH where it is off", NULL, SPAN(HELLO "AUTH PLAIN AGEAYg==\r\n" QUIT),
	    "220 250 502/5.5.1 221/2.0.0", 0);
}

static void
loops(void)
{
	struct buf in;

	configure("smtpd_hops_max=10", "message_size_max=10K", NULL);
	buf_init(&in, 1 << 16);
	for (int n = 10; n <= 11; n++) {
		buf_clear(&in);
		buf_str(&in, NULL, START "DATA\r\n");
		for (int i = 0; i < n; i++)
			buf_str(&in, NULL, "Received: x\r\n");
		buf_str(&in, NULL, "\r\n.\r\n" QUIT);
		session_check(n == 10 ? "ten hops" : "eleven", NULL, buf_span(&in),
		    n == 10 ? HEARD " 354 250/2.0.0 221/2.0.0" : HEARD " 354 554/5.4.6 221/2.0.0", n == 10);
	}
	session_check("a message that has been here", NULL,
	    SPAN(START "DATA\r\nDelivered-To:\r\n BOB@example.org\r\n\r\n.\r\n" QUIT),
	    HEARD " 354 554/5.4.6 221/2.0.0", 0);
	session_check("or somewhere else", NULL,
	    SPAN(START "DATA\r\nDelivered-To: carol@example.org\r\n\r\n.\r\n" QUIT),
	    HEARD " 354 250/2.0.0 221/2.0.0", 1);
	buf_free(&in);
}

static void
world_fails(void)
{
	configure(NULL, NULL, NULL);
	world.no_space = true;
	session_check(
	    "no space", NULL, SPAN(HELLO MAIL RCPT QUIT), "220 250 452/4.3.1 503/5.5.1 221/2.0.0", 0);
	world.no_space = false;
	world.queue_dead = true;
	session_check("no queue", NULL, SPAN(HELLO MAIL QUIT), "220 250 451/4.3.0 221/2.0.0", 0);
	world.queue_dead = false;
	world.commit_fails = true;
	session_check("a queue that dies in between gets no 250", NULL, SPAN(START "DATA\r\n.\r\n" QUIT),
	    HEARD " 354 452/4.3.1 221/2.0.0", 0);
}

static void
filters(void)
{
	static const struct {
		enum filter_verdict verdict;
		struct span reply;
		const char *want;
		unsigned commits;
	} cases[] = {
		{ FILTER_ACCEPT, SPAN(""), HEARD " 354 250/2.0.0 221/2.0.0", 1 },
		{ FILTER_HOLD, SPAN(""), HEARD " 354 250/2.0.0 221/2.0.0", 1 },
		{ FILTER_REJECT, SPAN("550 5.7.1 Spam"), HEARD " 354 550/5.7.1 221/2.0.0", 0 },
		{ FILTER_REJECT, SPAN("554 5.7.0 a\r\n250 b"), HEARD " 354 550/5.7.1 221/2.0.0", 0 },
		{ FILTER_REJECT, SPAN("250 2.0.0 Ok"), HEARD " 354 550/5.7.1 221/2.0.0", 0 },
		{ FILTER_DEFER, SPAN("451 4.7.0 Later"), HEARD " 354 451/4.7.0 221/2.0.0", 0 },
		{ FILTER_DEFER, SPAN(""), HEARD " 354 451/4.7.1 221/2.0.0", 0 },
		{ FILTER_DISCARD, SPAN(""), HEARD " 354 250/2.0.0 221/2.0.0", 0 },
		{ 0, SPAN(""), HEARD " 354 451/4.3.0 221/2.0.0", 0 },
	};

	configure("filter=yes", NULL, NULL);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		world.verdict = cases[i].verdict;
		world.verdict_reply = cases[i].reply;
		session_check("a filter's verdict", NULL, SPAN(START "DATA\r\n" TEXT ".\r\n" QUIT),
		    cases[i].want, cases[i].commits);
		if (cases[i].commits > 0)
			tap_ok(span_find(buf_span(&world.last_trailer),
				   SPAN("\nprefix 15\nX-Filter: yes\r\n\nstate ")) >= 0 &&
				   (span_find(buf_span(&world.last_trailer), SPAN("\nstate h ")) >= 0) ==
				       (cases[i].verdict == FILTER_HOLD),
			    "its header lines are kept, and that it holds the message");
	}
}

static void
prefixes(void)
{
	static const struct {
		struct span prefix;
		bool good;
	} cases[] = {
		{ SPAN("X-A: a\r\n b\r\nX-B: c\r\n"), true },
		{ SPAN("X-A: a"), false },
		{ SPAN("X-A: a\n"), false },
		{ SPAN("X-A: a\r\n\r\nno header\r\n"), false },
		{ SPAN("\r\n"), false },
		{ SPAN("X-A: \ra\r\n"), false },
	};

	configure("filter=yes", NULL, NULL);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		world.prefix = cases[i].prefix;
		session_check("header lines of a filter", NULL, SPAN(START "DATA\r\n" TEXT ".\r\n" QUIT),
		    cases[i].good ? HEARD " 354 250/2.0.0 221/2.0.0" : HEARD " 354 451/4.7.1 221/2.0.0",
		    cases[i].good);
	}
}

static void
lmtp(void)
{
	configure("protocol=lmtp", NULL, NULL);
	session_check("LMTP answers for each recipient", NULL,
	    SPAN("EHLO x\r\nLHLO x\r\n" MAIL RCPT "RCPT TO:<nobody@example.org>\r\n" RCPT
		 "RCPT TO:<carol@example.org>\r\nDATA\r\n" TEXT ".\r\n" QUIT),
	    "220 500/5.5.1 250 250/2.1.0 250/2.1.5 550/5.1.1 250/2.1.5 250/2.1.5 354 250/2.0.0 250/2.0.0 "
	    "250/2.0.0 221/2.0.0",
	    1);
	tap_ok(span_find(buf_span(&world.last), SPAN(" with LMTP\r\n")) > 0, "and says so in Received");
	session_check("without any 503", NULL, SPAN("LHLO x\r\n" MAIL "DATA\r\n" QUIT),
	    "220 250 250/2.1.0 503/5.5.1 221/2.0.0", 0);
}

int
main(void)
{
	log_level_set(LOG_ERROR);
	need(freopen("/dev/null", "w", stderr) != NULL); /* log lines of failures that are wanted */
	transactions();
	order();
	recipients();
	many_recipients();
	many_lists();
	sizes();
	chunking();
	chunk_sizes();
	smuggling();
	logins();
	loops();
	world_fails();
	filters();
	prefixes();
	lmtp();
	return tap_done();
}
