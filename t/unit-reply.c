/* unit-reply.c - lib/smtp/reply: what servers answer, and what only pretends to be an answer. */
#include "smtp/reply.h"
#include "t/tap.h"

struct want {
	const char *in; /* lines with \n between */
	int rc;
	unsigned code;
	const char *status, *text, *name;
};

static const struct want table[] = {
	{ "250 2.1.0 ok", 1, 250, "2.1.0", "ok", "an enhanced code is taken from the text" },
	{ "250 ok", 1, 250, "2.0.0", "ok", "without one it is made from the code" },
	{ "250", 1, 250, "2.0.0", "", "a code alone is a reply" },
	{ "250 ", 1, 250, "2.0.0", "", "so is one with a blank behind it" },
	{ "550-5.7.1 first\n550-5.7.1 second\n550 5.7.1 third", 1, 550, "5.7.1", "first second third",
	    "lines are joined, the enhanced code told once" },
	{ "451 5.7.1 odd", 1, 451, "4.0.0", "5.7.1 odd", "a status of another class is not believed" },
	{ "550 5.07.1 odd", 1, 550, "5.0.0", "5.07.1 odd", "leading zeros make no status" },
	{ "550 5.1.1x", 1, 550, "5.0.0", "5.1.1x", "a status ends with a blank" },
	{ "550 5.1234.1 x", 1, 550, "5.0.0", "5.1234.1 x", "numbers have three digits at most" },
	{ "550 5.1.1", 1, 550, "5.1.1", "", "a status may be all of the text" },
	{ "550 Empf\xc3\xa4nger\x01", 1, 550, "5.0.0", "Empf??nger?",
	    "octets that are not printable are shown as ?" },
	{ "250-a", 0, 250, NULL, NULL, "a hyphen says that more follows" },
	{ "250-a\n251 b", -1, 250, NULL, NULL, "two codes in one reply are refused" },
	{ "what a strange answer", -1, 0, NULL, NULL, "text is no reply" },
	{ "25", -1, 0, NULL, NULL, "two digits are none" },
	{ "", -1, 0, NULL, NULL, "an empty line is none" },
	{ "150 x", -1, 0, NULL, NULL, "a code below 200 is none" },
	{ "650 x", -1, 0, NULL, NULL, "a code above 599 is none" },
	{ "260 x", -1, 0, NULL, NULL, "the second digit goes to 5 (RFC 5321, 4.2.1)" },
	{ "2501 x", -1, 0, NULL, NULL, "four digits are none" },
	{ "250_x", -1, 0, NULL, NULL, "only a blank or a hyphen follows the code" },
};

static int
feed(struct reply *r, const char *in, struct err *e)
{
	struct span rest = span_str(in);
	int rc = 0;

	reply_init(r);
	do {
		rc = reply_line(r, span_cut(&rest, '\n'), e);
	} while (rc == 0 && rest.n > 0);
	return rc;
}

static void
limits(void)
{
	struct err e = { 0 };
	struct reply r;
	char line[2000];
	int rc = 0, n = 0;

	reply_init(&r);
	memset(line, 'x', sizeof line);
	memcpy(line, "250-", 4);
	while (rc == 0 && n < 1000)
		rc = reply_line(&r, span_of(line, sizeof line), &e), n++;
	tap_ok(rc == -1 && n == REPLY_LINES_MAX + 1, "a reply has %d lines at most", REPLY_LINES_MAX);
	tap_ok(e.kind == ERR_PEER, "and more are the peer's mistake");
	tap_ok(r.text_n == REPLY_TEXT_MAX - 1 && r.text[r.text_n] == '\0', "its text is cut at %d octets",
	    REPLY_TEXT_MAX - 1);
}

int
main(void)
{
	struct err e = { 0 };
	struct reply r;

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		const struct want *w = &table[i];
		int rc;

		err_clear(&e);
		rc = feed(&r, w->in, &e);
		tap_ok(rc == w->rc && r.code == w->code && (rc >= 0) == (e.kind == ERR_NONE), "%s", w->name);
		if (w->status != NULL) {
			tap_span(span_str(r.status), span_str(w->status), "  its status");
			tap_span(span_of(r.text, r.text_n), span_str(w->text), "  its text");
		}
	}
	feed(&r, "452 4.3.1 full", &e);
	tap_ok(reply_kind(&r) == ERR_TEMP, "4yz is temporary");
	feed(&r, "552 5.3.4 large", &e);
	tap_ok(reply_kind(&r) == ERR_PERM, "5yz is final");
	feed(&r, "354 go", &e);
	tap_ok(reply_kind(&r) == ERR_NONE, "3yz is no failure");
	tap_span(reply_line_text(SPAN("250-SIZE 10")), SPAN("SIZE 10"), "the text of an EHLO line");
	tap_span(reply_line_text(SPAN("250")), SPAN(""), "which may be empty");
	tap_ok(status_at(SPAN("4.4.1 x")) == 5, "a status in front of a text is found");
	limits();
	return tap_done();
}
