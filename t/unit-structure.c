/* unit-structure - the record of a message: what FETCH, SORT and THREAD want. */
#include "imap/format.h"
#include "imap/record.h"
#include "imap/structure.h"
#include "mail/charset.h"
#include "t/tap.h"

/* Builds and opens; the record lives in out. */
static struct structure
record(struct span message, struct buf *out)
{
	struct structure s = { 0 };
	struct err e = { 0 };

	buf_clear(out);
	if (structure_build(message, out, &e) < 0 || structure_open(buf_span(out), &s, &e) < 0)
		printf("# %s\n", e.text);
	return s;
}

static const struct {
	const char *name, *header, *want;
} envelopes[] = {
	{ "RFC 3501, 8",
	    "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n"
	    "Subject: IMAP4rev1 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n"
	    "cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
	    "Message-Id: <B27397-0100000@cac.washington.edu>\r\n",
	    "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" "
	    "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
	    "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
	    "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
	    "((NIL NIL \"imap\" \"cac.washington.edu\")) "
	    "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL "
	    "NIL "
	    "\"<B27397-0100000@cac.washington.edu>\")" },
	{ "nothing in it", "X: y\r\n", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)" },
	{ "fields that are there and empty",
	    "Date:\r\nSubject: \r\nFrom:\r\nIn-Reply-To: \r\nMessage-ID:\r\n",
	    "(\"\" \"\" NIL NIL NIL NIL NIL NIL \"\" \"\")" },
	{ "Sender and Reply-To of their own, an empty one is From's",
	    "From: a@b\r\nSender: c@d\r\nReply-To: ,\r\n",
	    "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"c\" \"d\")) ((NIL NIL \"a\" \"b\")) NIL NIL NIL "
	    "NIL NIL)" },
	{ "a group", "To: A Group:joe@where.test;, undisclosed:;\r\n",
	    "(NIL NIL NIL NIL NIL ((NIL NIL \"A Group\" NIL)(NIL NIL \"joe\" \"where.test\")(NIL NIL NIL NIL)"
	    "(NIL NIL \"undisclosed\" NIL)(NIL NIL NIL NIL)) NIL NIL NIL NIL)" },
	{ "a source route, an address without a host", "To: <@x,@y:a@b>, root\r\n",
	    "(NIL NIL NIL NIL NIL ((NIL \"@x,@y\" \"a\" \"b\")(NIL NIL \"root\" \"\")) NIL NIL NIL NIL)" },
	{ "quotes and backslashes", "Subject: a \"b\" \\c\r\nFrom: \"x \\\"y\\\"\" <a@b>\r\n",
	    "(NIL \"a \\\"b\\\" \\\\c\" ((\"x \\\"y\\\"\" NIL \"a\" \"b\")) ((\"x \\\"y\\\"\" NIL \"a\" "
	    "\"b\")) "
	    "((\"x \\\"y\\\"\" NIL \"a\" \"b\")) NIL NIL NIL NIL NIL)" },
	{ "8-bit text is a literal", "Subject: h\303\251\r\n",
	    "(NIL {3}\r\nh\303\251 NIL NIL NIL NIL NIL NIL NIL NIL)" },
	{ "a folded subject is on one line", "Subject: one\r\n two\r\n",
	    "(NIL \"one two\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
	{ "encoded words stay", "Subject: =?utf-8?q?x?=\r\n",
	    "(NIL \"=?utf-8?q?x?=\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
	{ "of fields given twice the first counts", "Subject: a\r\nSubject: b\r\n",
	    "(NIL \"a\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
	{ "RFC 5322, 4.5.3: several To are one", "To: a@b\r\nCc:\r\nTo: c@d,\r\n e@f\r\nCc: g@h\r\n",
	    "(NIL NIL NIL NIL NIL ((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")(NIL NIL \"e\" \"f\")) "
	    "((NIL NIL \"g\" \"h\")) NIL NIL NIL)" },
	{ "LF only", "Subject: a\nTo: b@c\n",
	    "(NIL \"a\" NIL NIL NIL ((NIL NIL \"b\" \"c\")) NIL NIL NIL NIL)" },
};

static void
envelope(struct buf *out)
{
	struct buf message;

	buf_init(&message, 10000);
	for (size_t i = 0; i < sizeof envelopes / sizeof envelopes[0]; i++) {
		buf_clear(&message);
		buf_printf(&message, NULL, "%s\r\nbody\r\n", envelopes[i].header);
		tap_span(
		    record(buf_span(&message), out).envelope, span_str(envelopes[i].want), envelopes[i].name);
	}
	buf_free(&message);
	tap_span(record(SPAN("Subject: a\0b\351\r\n\r\n"), out).envelope,
	    SPAN("(NIL {4}\r\na b\351 NIL NIL NIL NIL NIL NIL NIL NIL)"), "a NUL is not sent");
}

static const struct {
	const char *name, *in, *body, *bodystructure;
} bodies[] = {
	{ "RFC 3501, 7.4.2: a text of 48 lines",
	    "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\na\r\nb\r\n",
	    "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7bit\" 6 2)",
	    "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7bit\" 6 2 NIL NIL NIL NIL)" },
	{ "no MIME", "Subject: x\n\na\nb",
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1)",
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1 NIL NIL NIL NIL)" },
	{ "RFC 3501, 7.4.2: text and an attachment",
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n--b\r\n"
	    "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII; NAME=\"cc.diff\"\r\n"
	    "Content-ID: <960723163407.20117h@cac.washington.edu>\r\nContent-Description: Compiler diff\r\n"
	    "Content-Transfer-Encoding: BASE64\r\nContent-Disposition: attachment; filename=cc.diff\r\n"
	    "Content-Language: en, de\r\nContent-Location: loc\r\nContent-MD5: md5\r\n\r\nAAAA\r\n--b--\r\n",
	    "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 0)"
	    "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\" \"NAME\" \"cc.diff\") "
	    "\"<960723163407.20117h@cac.washington.edu>\" \"Compiler diff\" \"BASE64\" 4 0) \"mixed\")",
	    "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 0 NIL NIL NIL NIL)"
	    "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\" \"NAME\" \"cc.diff\") "
	    "\"<960723163407.20117h@cac.washington.edu>\" \"Compiler diff\" \"BASE64\" 4 0 "
	    "\"md5\" (\"attachment\" (\"filename\" \"cc.diff\")) (\"en\" \"de\") \"loc\") "
	    "\"mixed\" (\"boundary\" \"b\") NIL NIL NIL)" },
	{ "a message within, its lines of CRLF",
	    "Content-Type: message/rfc822\r\nContent-Disposition: inline\r\nContent-Language: en\r\n\r\n"
	    "Subject: in\r\n\r\nx\r\ny\r\n",
	    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 21 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) "
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 6 2) 4)",
	    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 21 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) "
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 6 2 NIL NIL NIL NIL) 4 NIL "
	    "(\"inline\" NIL) (\"en\") "
	    "NIL)" },
	{ "message/global (RFC 6532, 3.7) is told as message/rfc822 is (RFC 9051, 9: media-message)",
	    "Content-Type: message/global\r\n\r\nSubject: in\r\n\r\nx\r\ny",
	    "(\"message\" \"global\" NIL NIL NIL \"7bit\" 19 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) "
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 4 1) 3)",
	    "(\"message\" \"global\" NIL NIL NIL \"7bit\" 19 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) "
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 4 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)" },
	{ "an encoded one (RFC 6532, 3.7) cannot be walked",
	    "Content-Type: message/global\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nSubject: =C3=A9\r\n",
	    "(\"application\" \"octet-stream\" NIL NIL NIL \"quoted-printable\" 17)",
	    "(\"application\" \"octet-stream\" NIL NIL NIL \"quoted-printable\" 17 NIL NIL NIL NIL)" },
	{ "and of LF", "Content-Type: message/rfc822\n\nSubject: in\n\nx\ny",
	    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 16 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) "
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1) 3)",
	    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 16 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) "
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1 NIL NIL NIL NIL) 3 NIL NIL "
	    "NIL NIL)" },
	{ "other types have no lines", "Content-Type: image/png\n\nx\n",
	    "(\"image\" \"png\" NIL NIL NIL \"7bit\" 2)",
	    "(\"image\" \"png\" NIL NIL NIL \"7bit\" 2 NIL NIL NIL NIL)" },
};

static void
body(struct buf *out)
{
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		struct structure s = record(span_str(bodies[i].in), out);

		tap_span(s.body, span_str(bodies[i].body), bodies[i].name);
		tap_span(s.bodystructure, span_str(bodies[i].bodystructure), "the same with extension data");
	}
}

/* The message of RFC 3501, 6.4.5, with the parts' numbers as their texts. */
static const char sections_message[] =
    "Content-Type: multipart/mixed; boundary=m\r\n\r\n"
    "--m\r\nContent-Type: text/plain\r\n\r\n1\r\n"
    "--m\r\nContent-Type: application/octet-stream\r\n\r\n2\r\n"
    "--m\r\nContent-Type: message/rfc822\r\n\r\n"
    "Subject: 3\r\nContent-Type: multipart/mixed; boundary=n\r\n\r\n"
    "--n\r\nContent-Type: text/plain\r\n\r\n3.1\r\n"
    "--n\r\nContent-Type: application/octet-stream\r\n\r\n3.2\r\n--n--\r\n"
    "--m\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n"
    "--o\r\nContent-Type: image/gif\r\n\r\n4.1\r\n"
    "--o\r\nContent-Type: message/rfc822\r\n\r\n"
    "Subject: 4.2\r\nContent-Type: multipart/mixed; boundary=p\r\n\r\n"
    "--p\r\nContent-Type: text/plain\r\n\r\n4.2.1\r\n"
    "--p\r\nContent-Type: multipart/alternative; boundary=q\r\n\r\n"
    "--q\r\nContent-Type: text/plain\r\n\r\n4.2.2.1\r\n"
    "--q\r\nContent-Type: text/richtext; charset=utf-8\r\n\r\n4.2.2.2\r\n--q--\r\n--p--\r\n--o--\r\n"
    "--m\r\nContent-Type: message/rfc822\r\n\r\nSubject: 5\r\n\r\n5.1\r\n--m--\r\n";

static void
sections(struct buf *out)
{
	static const char *const leaves[] = { "1", "2", "3.1", "3.2", "4.1", "4.2.1", "4.2.2.1", "4.2.2.2",
		"5.1" };
	static const char *const none[] = { "6", "1.1", "3.3", "4.3", "4.2.2.3", "5.2", "5.1.1",
		"4294967295" };
	static const char *const bad[] = { "0", "1.0", ".", "1.", ".1", "1..1", "x", "1.HEADER", "4294967296",
		"-1" };
	struct span message = span_str(sections_message);
	struct structure s = record(message, out);
	struct structure_part p = { 0 };
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof leaves / sizeof leaves[0]; i++) {
		int rc = structure_part(&s, span_str(leaves[i]), &p, &e);

		tap_ok(rc == 1 && span_eq(span_of(message.p + p.body_at, p.body_size), leaves[i]), "BODY[%s]",
		    leaves[i]);
	}
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		tap_ok(structure_part(&s, span_str(none[i]), &p, &e) == 0, "there is no part %s", none[i]);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		err_clear(&e);
		tap_ok(structure_part(&s, span_str(bad[i]), &p, &e) < 0 && e.kind == ERR_PEER,
		    "%s is no section", bad[i]);
	}
	err_clear(&e);
	tap_ok(structure_part(&s, SPAN("3"), &p, &e) == 1 && p.message, "part 3 is a message");
	tap_span(span_head(span_of(message.p + p.message_header_at, p.message_header_size), 12),
	    SPAN("Subject: 3\r\n"), "BODY[3.HEADER] starts there");
	tap_span(span_head(span_of(message.p + p.message_body_at, p.message_body_size), 5), SPAN("--n\r\n"),
	    "BODY[3.TEXT] starts there");
	tap_span(span_of(message.p + p.header_at, p.header_size),
	    SPAN("Content-Type: message/rfc822\r\n\r\n"), "BODY[3.MIME]");
	structure_part(&s, SPAN("4.2.2.2"), &p, &e);
	tap_span(p.charset, SPAN("utf-8"), "the charset of a part");
	tap_ok(
	    p.kind == MIME_TEXT && p.encoding == MIME_7BIT && p.lines == 0, "its kind, encoding and lines");
	tap_ok(structure_part(&s, SPAN(""), &p, &e) == 1 && p.message && p.message_header_size == 45 &&
		   p.message_body_at + p.message_body_size == message.n,
	    "the empty section is the message");
	s = record(SPAN("Subject: x\r\n\r\nbody"), out);
	tap_ok(structure_part(&s, SPAN("1"), &p, &e) == 1 && p.body_at == 14 && p.body_size == 4,
	    "a message without parts is its own part 1");
	tap_ok(structure_part(&s, SPAN("1.1"), &p, &e) == 0 && structure_part(&s, SPAN("2"), &p, &e) == 0,
	    "and has no other");
	s = record(SPAN("Content-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\nz"), out);
	tap_ok(structure_part(&s, SPAN("1"), &p, &e) == 1 && p.message && p.message_body_size == 1,
	    "a message that is a message: part 1 is it");
	tap_ok(structure_part(&s, SPAN("1.1"), &p, &e) == 1 && p.body_size == 1 && !p.message,
	    "and 1.1 the text within");
}

static int
kept_fields(const struct structure *s, const struct span *names, size_t n, struct buf *out, bool *complete,
    struct err *e)
{
	struct structure_names want = structure_names(names, n);

	return structure_fields(s, &want, out, complete, e);
}

static void
header_fields(struct buf *out)
{
	struct span names[3] = { SPAN("SUBJECT"), SPAN("list-id"), SPAN("Reply-To") },
		    received = SPAN("Received");
	struct structure s = record(
	    SPAN("Received: x\r\nTo: a\r\n b\r\nSubject: c\r\nList-Id: d\r\nsubject: e\r\n\r\n"), out);
	struct err e = { 0 };
	struct buf fields, big;
	bool complete;

	buf_init(&fields, 1000);
	kept_fields(&s, names, 3, &fields, &complete, &e);
	tap_ok(complete, "usual fields are answered from the record, those that are not there too");
	tap_span(buf_span(&fields), SPAN("Subject: c\r\nList-Id: d\r\nsubject: e\r\n"),
	    "raw, in order, all of a name");
	buf_clear(&fields);
	kept_fields(&s, &received, 1, &fields, &complete, &e);
	tap_ok(!complete && fields.n == 0, "for an unusual one the message must be read");
	buf_init(&big, 1 << 20);
	buf_str(&big, NULL, "Subject: c\r\nTo: ");
	for (size_t i = 0; i < STRUCTURE_FIELDS_MAX; i++)
		buf_byte(&big, NULL, 'x');
	buf_str(&big, NULL, "\r\n\r\n");
	s = record(buf_span(&big), out);
	kept_fields(&s, names, 1, &fields, &complete, &e);
	tap_ok(
	    !complete && (s.flags & STRUCTURE_FIELDS_CUT) != 0, "so too when they are too long to be kept");
	buf_free(&big);
	buf_free(&fields);
}

static void
keys(struct buf *out)
{
	struct structure s = record(
	    SPAN("Date: Fri, 21 Nov 1997 09:55:06 -0600\r\nFrom: \"A\" <first@x>, second@x\r\n"
		 "To: Group: one@x;\r\nCc: two@x\r\nSubject: Re: [l] =?utf-8?q?h=C3=A9?= (fwd)\r\n"
		 "Message-ID: (c) <\"01KF\"@xxx.yyy.com>\r\n"
		 "References: <a@b> junk <\"c d\"@e>\r\n <f@g>\r\nIn-Reply-To: <h@i>\r\n\r\n"),
	    out);

	tap_ok((s.flags & STRUCTURE_DATED) != 0 && s.sent.utc == 880127706 && s.sent.zone == -360,
	    "the sent date");
	tap_span(s.from, SPAN("first"), "the first From");
	tap_span(s.to, SPAN("Group"), "the first To: a group's name");
	tap_span(s.cc, SPAN("two"), "the first Cc");
	tap_span(s.subject, SPAN("h\303\251"), "the base subject, decoded");
	tap_ok((s.flags & STRUCTURE_REPLY) != 0, "which is a reply's");
	tap_span(s.message_id, SPAN("01KF@xxx.yyy.com"), "RFC 5256: the message id without needless quotes");
	tap_span(s.references, SPAN("a@b\0c d@e\0f@g\0"), "the references");
	s = record(SPAN("References: none\r\nIn-Reply-To: your mail <h@i> <j@k>\r\nDate: soon\r\n\r\n"), out);
	tap_span(s.references, SPAN("h@i\0"), "the first of In-Reply-To where there are none");
	tap_ok((s.flags & STRUCTURE_DATED) == 0, "a date that is none");
	tap_span(s.message_id, SPAN(""), "no message id");
}

static void
subjects(void)
{
	static const struct {
		const char *in, *want;
		bool reply;
	} rows[] = {
		{ "hello", "hello", false },
		{ "", "", false },
		{ "  hello  \tworld ", "hello world", false },
		{ "Re: hello", "hello", true },
		{ "RE : hello", "hello", true },
		{ "Fwd: Re: fw: hello", "hello", true },
		{ "re[4]: hello", "hello", true },
		{ "Re: [list] Re: [other] hello", "hello", true },
		{ "[list] hello", "hello", false },
		{ "[list] [other]", "[other]", false },
		{ "[list]", "[list]", false },
		{ "[list] Re:", "", true },
		{ "hello (fwd) (FWD) ", "hello", true },
		{ "[Fwd: Re: hello]", "hello", true },
		{ "[fwd: [fwd: hello] (fwd)]", "hello", true },
		{ "[a[b] hello", "[a[b] hello", false },
		{ "reply", "reply", false },
		{ "=?utf-8?q?Re=3A_h=C3=A9?=", "h\303\251", true },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf out;
		bool reply;

		buf_init(&out, 10000);
		subject_base(span_str(rows[i].in), &out, &reply, NULL);
		tap_span(buf_span(&out), span_str(rows[i].want), rows[i].in);
		tap_ok(reply == rows[i].reply, rows[i].reply ? "which is a reply" : "which is no reply");
		buf_free(&out);
	}
}

static void
damage(struct buf *out)
{
	struct structure s = record(span_str(sections_message), out);
	struct structure_part p = { 0 };
	size_t taken = 0;
	struct buf copy;

	buf_init(&copy, out->n);
	buf_add(&copy, NULL, buf_span(out));
	for (size_t n = 0; n < out->n; n++)
		taken += structure_open(span_head(buf_span(out), n), &s, NULL) == 0;
	tap_ok(taken == 0, "no record that is cut is opened");
	/* Whatever octet is wrong, nothing is read outside (seen under ASan). */
	for (size_t i = 0; i < copy.n; i++) {
		copy.p[i] ^= (char)0xff;
		if (structure_open(buf_span(&copy), &s, NULL) == 0) {
			structure_part(&s, SPAN("4.2.2.2"), &p, NULL);
			for (uint32_t k = 0; k < s.parts; k++)
				structure_part_at(&s, k, &p, NULL);
		}
		copy.p[i] ^= (char)0xff;
	}
	tap_ok(structure_open(buf_span(&copy), &s, NULL) == 0, "a record with an octet changed does no harm");
	buf_free(&copy);
}

static void
opaque(struct buf *out)
{
	struct structure_part p = { 0 };
	struct structure s = { 0 };
	struct err e = { 0 };
	struct buf m;
	bool complete;

	buf_clear(out);
	tap_ok(structure_opaque(1000, 100, 20, out, &e) == 0 && structure_open(buf_span(out), &s, &e) == 0,
	    "a message that could not be parsed has a record");
	tap_span(s.envelope, SPAN("(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"), "its envelope is empty");
	tap_span(s.body, SPAN("(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 900 20)"),
	    "its body is text");
	tap_ok(s.size == 1000 && s.header_size == 100 && structure_part(&s, SPAN("1"), &p, &e) == 1 &&
		   p.body_at == 100 && p.body_size == 900,
	    "of the sizes that are known");
	kept_fields(&s, (struct span[]){ SPAN("Subject") }, 1, out, &complete, &e);
	tap_ok(!complete, "its header fields must be read");

	/* A header of addresses whose envelope would be too large. */
	buf_init(&m, 32 << 20);
	buf_str(&m, NULL, "Content-Type: multipart/mixed; boundary=b\n\n");
	for (int i = 0; i < 10; i++) {
		buf_str(&m, NULL, "--b\nContent-Type: message/rfc822\n\nTo: ");
		for (int k = 0; k < 10000; k++)
			buf_str(&m, NULL, "a@b,");
		buf_str(&m, NULL, "\n\n");
	}
	s = record(buf_span(&m), out);
	tap_ok((s.flags & STRUCTURE_OPAQUE) != 0 && s.size == m.n && out->n < 1000,
	    "a record that would be too large is opaque");
	buf_free(&m);
}

/* What it is longer by with CR LF everywhere, and whether there is a NUL. */
static void
octets(struct buf *out)
{
	static const struct {
		struct span msg;
		uint32_t crlf;
		bool nul;
	} rows[] = {
		{ SPAN(""), 0, false },
		{ SPAN("a: b\r\n\r\nx\r\n"), 0, false },
		{ SPAN("a: b\n\nx\n"), 3, false },
		{ SPAN("\na\r\nb"), 3, false },
		{ SPAN("\r\na\r"), 1, false },
		{ SPAN("\r\n\n\r\r\n\r"), 2, false },
		{ SPAN("a: b\r\n\r\nx\0y\r\n"), 0, true },
	};
	struct structure s = { 0 };
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		buf_clear(out);
		tap_ok(structure_build(rows[i].msg, out, &e) == 0 && structure_open(buf_span(out), &s, &e) == 0 &&
			   s.crlf == rows[i].crlf && ((s.flags & STRUCTURE_NUL) != 0) == rows[i].nul,
		    "octets of message %zu: %u more with CR LF", i, s.crlf);
	}
}

/* The record of `now` as version 1 had it: six sections, no preview. */
static void
as_version_1(struct span now, struct buf *old)
{
	enum { gone = RECORD_FIXED - RECORD_FIXED_1 };
	char fixed[RECORD_FIXED_1];
	size_t end = record_get_u32(now.p + RECORD_SECTIONS + 4 * (RECORD_SECTIONS_1 - 1));

	memcpy(fixed, now.p, sizeof fixed);
	fixed[3] = 1;
	for (size_t i = 0; i < RECORD_SECTIONS_1; i++)
		record_put_u32(
		    fixed + RECORD_SECTIONS + 4 * i, record_get_u32(now.p + RECORD_SECTIONS + 4 * i) - gone);
	record_put_u32(fixed + RECORD_SIZE, (uint32_t)end - gone);
	buf_clear(old);
	buf_add(old, NULL, span_of(fixed, sizeof fixed));
	buf_add(old, NULL, span_from(span_head(now, end), RECORD_FIXED));
}

static void
versions(struct buf *out)
{
	struct structure s = { 0 }, was = { 0 };
	struct buf old;
	struct err e = { 0 };

	buf_init(&old, 1 << 20);
	buf_clear(out);
	structure_build(SPAN("Subject: s\r\nMessage-ID: <a@b>\r\n\r\nSome  words\r\n"), out, &e);
	tap_ok(structure_open(buf_span(out), &s, &e) == 0 && s.previewed && span_eq(s.preview, "Some words"),
	    "a record has a preview");
	as_version_1(buf_span(out), &old);
	tap_ok(structure_open(buf_span(&old), &was, &e) == 0 && !was.previewed && was.preview.n == 0,
	    "one of version 1 is read, and has none");
	tap_ok(span_same(was.envelope, s.envelope) && span_same(was.bodystructure, s.bodystructure) &&
		   span_same(was.fields, s.fields) && span_same(was.message_id, s.message_id),
	    "the rest of it is the same");
	old.p[3] = 3;
	tap_ok(structure_open(buf_span(&old), &was, &e) < 0 && e.kind == ERR_TEMP,
	    "a version that is not known is refused");
	buf_free(&old);
}

int
main(void)
{
	struct buf out;

	charset_preload();
	buf_init(&out, 32 << 20);
	envelope(&out);
	body(&out);
	sections(&out);
	header_fields(&out);
	keys(&out);
	subjects();
	damage(&out);
	opaque(&out);
	octets(&out);
	versions(&out);
	buf_free(&out);
	return tap_done();
}
