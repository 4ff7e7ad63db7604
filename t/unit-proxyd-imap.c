/* unit-proxyd-imap - IMAP before login, as transcripts. */
#include "t/dialogue.h"

#define CAPS_OPEN "IMAP4rev1 IMAP4rev2 LITERAL- SASL-IR AUTH=PLAIN AUTH=LOGIN ID ENABLE IDLE"
#define CAPS_SHUT "IMAP4rev1 IMAP4rev2 LITERAL- LOGINDISABLED STARTTLS ID ENABLE IDLE"
#define NO        " NO [AUTHENTICATIONFAILED] No\r\n"

static const struct dialogue_case cases[] = {
	{ "CAPABILITY", PLAIN, SPAN("a CAPABILITY\r\n"),
	    "* CAPABILITY " CAPS_OPEN "\r\na OK CAPABILITY\r\n" },
	{ "CAPABILITY before TLS", OFFER, SPAN("a capability\r\n"),
	    "* CAPABILITY " CAPS_SHUT "\r\na OK CAPABILITY\r\n" },
	{ "pipelined, then LOGOUT", PLAIN, SPAN("a NOOP\r\nb NOOP\r\nc LOGOUT\r\nd NOOP\r\n"),
	    "a OK NOOP\r\nb OK NOOP\r\n* BYE Goodbye\r\nc OK LOGOUT\r\n<CLOSE>" },
	{ "LOGIN with atoms", PLAIN, SPAN("a LOGIN u@x pw\r\n"), "<LOGIN u@x||pw>a" NO },
	{ "LOGIN with quoted strings", PLAIN, SPAN("a LOGIN \"u x\" \"p\\\"\\\\\"\r\n"),
	    "<LOGIN u x||p\"\\>a" NO },
	{ "LOGIN with literals", PLAIN, SPAN("a LOGIN {3}\r\nu@x {4}\r\np\r\nw\r\n"),
	    "+ OK\r\n+ OK\r\n<LOGIN u@x||p\r\nw>a" NO },
	{ "with LITERAL-", PLAIN, SPAN("a LOGIN {3+}\r\nu@x {2+}\r\npw\r\nb NOOP\r\n"),
	    "<LOGIN u@x||pw>a" NO "b OK NOOP\r\n" },
	{ "a literal of 4097 octets", PLAIN, SPAN("a LOGIN {4097}\r\nb NOOP\r\n"),
	    "a BAD [TOOBIG] Literals have at most 4096 octets here\r\nb OK NOOP\r\n" },
	{ "which the client does not wait for", PLAIN, SPAN("a LOGIN {4097+}\r\nb NOOP\r\n"),
	    "* BYE [TOOBIG] Literals have at most 4096 octets here\r\n<CLOSE>" },
	{ "of 2^64 + 1", PLAIN, SPAN("a LOGIN {18446744073709551617}\r\n"),
	    "a BAD The size of the literal is no number of 64 bits\r\n" },
	{ "LOGIN before TLS", OFFER, SPAN("a LOGIN u p\r\n"),
	    "a NO [PRIVACYREQUIRED] Passwords are taken over TLS only\r\n" },
	{ "LOGIN without password", PLAIN, SPAN("a LOGIN u \"\"\r\n"),
	    "a BAD the password is empty or has a NUL in it\r\n" },
	{ "three failures", PLAIN, SPAN("a LOGIN u p\r\nb LOGIN u p\r\nc LOGIN u p\r\nd LOGIN u p\r\n"),
	    "<LOGIN u||p>a" NO "<LOGIN u||p>b" NO "<LOGIN u||p>c" NO
	    "* BYE Too many failed logins\r\n<CLOSE>" },
	{ "STARTTLS", OFFER, SPAN("a STARTTLS\r\n"), "a OK Begin TLS\r\n<TLS>" },
	{ "STARTTLS under TLS", PLAIN | SECRET, SPAN("a STARTTLS\r\n"), "a BAD TLS is active\r\n" },
	{ "STARTTLS where there is none", PLAIN, SPAN("a STARTTLS\r\n"), "a BAD TLS is not available\r\n" },
	{ "AUTHENTICATE PLAIN", PLAIN, SPAN("a AUTHENTICATE PLAIN\r\nAHUAcA==\r\n"),
	    "+ \r\n<LOGIN u||p>a" NO },
	{ "with initial response", PLAIN, SPAN("a AUTHENTICATE plain YQB1AHA=\r\n"), "<LOGIN u|a|p>a" NO },
	{ "with an empty one", PLAIN, SPAN("a AUTHENTICATE PLAIN =\r\n"),
	    "a BAD not a message of PLAIN\r\n" },
	{ "AUTHENTICATE LOGIN", PLAIN, SPAN("a AUTHENTICATE LOGIN\r\ndQ==\r\ncA==\r\n"),
	    "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n<LOGIN u||p>a" NO },
	{ "LOGIN with initial response", PLAIN, SPAN("a AUTHENTICATE LOGIN dQ==\r\ncA==\r\n"),
	    "+ UGFzc3dvcmQ6\r\n<LOGIN u||p>a" NO },
	{ "cancelled", PLAIN, SPAN("a AUTHENTICATE PLAIN\r\n*\r\nb NOOP\r\n"),
	    "+ \r\na BAD AUTHENTICATE was cancelled\r\nb OK NOOP\r\n" },
	{ "not base64", PLAIN, SPAN("a AUTHENTICATE PLAIN\r\nAHUAcA=\r\nb NOOP\r\n"),
	    "+ \r\na BAD base64 is cut\r\nb OK NOOP\r\n" },
	{ "no such mechanism", PLAIN, SPAN("a AUTHENTICATE GSSAPI\r\n"),
	    "a NO There is no such mechanism\r\n" },
	{ "ID", PLAIN, SPAN("a ID NIL\r\nb ID (\"name\" \"x\" \"os\" NIL)\r\nc ID (x)\r\n"),
	    "* ID (\"name\" \"Rookery\")\r\na OK ID\r\n* ID (\"name\" \"Rookery\")\r\nb OK ID\r\n"
	    "c BAD A string is missing\r\n" },
	{ "what needs a login", PLAIN, SPAN("a SELECT INBOX\r\nb\r\n\r\nc LOGIN\r\n"),
	    "a BAD Log in first, or this is no command\r\nb BAD A space and an argument are missing\r\n"
	    "* BAD A tag is missing\r\nc BAD A space and an argument are missing\r\n" },
	{ "a NUL", PLAIN, SPAN("a LOGIN u \"p\0q\"\r\n"),
	    "a BAD A quoted string cannot hold NUL, CR or LF\r\n" },
};

/* Things of a length that no table holds. */
static void
long_lines(void)
{
	static char text[COMMAND_MAX + 100];
	struct dialogue_case c = { "a line that is too long", PLAIN, { text, sizeof text }, NULL };
	struct buf out;

	buf_init(&out, 1 << 20);
	memset(text, 'x', sizeof text);
	memcpy(text, "a LOGIN ", 8);
	memcpy(text + sizeof text - 12, "\r\nb NOOP\r\n\r\n", 12);
	run_dialogue(&imap_protocol, &c, 1000, &out);
	tap_span(buf_span(&out),
	    SPAN("a BAD The command is too long\r\nb OK NOOP\r\n* BAD A tag is missing\r\n"),
	    "a line that is too long is skipped to its end");
	memcpy(text, "a LOGIN {2+}\r\nx\n", 16);
	run_dialogue(&imap_protocol, &c, 1000, &out);
	tap_span(buf_span(&out),
	    SPAN("a BAD The command is too long\r\nb OK NOOP\r\n* BAD A tag is missing\r\n"),
	    "and a literal in it is not taken for a line");
	memset(text, '\n', sizeof text);
	run_dialogue(&imap_protocol, &c, 1000, &out);
	tap_ok(span_ends(buf_span(&out), "* BYE Too many errors\r\n<CLOSE>") && out.n < 1000,
	    "too many errors are the end");
	for (size_t i = 0; i + 7 <= sizeof text; i += 7)
		memcpy(text + i, "a NOOP\n", 7);
	run_dialogue(&imap_protocol, &c, 1000, &out);
	tap_ok(span_ends(buf_span(&out), "* BYE Too many commands\r\n<CLOSE>"), "and too many commands");
	buf_free(&out);
}

int
main(void)
{
	struct dialogue d;
	struct buf out;

	buf_init(&out, 1000);
	dialogue_init(&d);
	d.tls_offered = true;
	imap_protocol.greet(&d, &out);
	tap_span(buf_span(&out), SPAN("* OK [CAPABILITY " CAPS_SHUT "] Rookery is ready\r\n"),
	    "the greeting has the capabilities");
	dialogue_done(&d);
	buf_free(&out);
	dialogues(&imap_protocol, cases, sizeof cases / sizeof cases[0]);
	long_lines();
	return tap_done();
}
