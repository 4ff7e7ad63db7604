/* unit-date - the dates of mail and of IMAP. */
#include "mail/date.h"
#include "t/tap.h"

/* A text on one line, for the name of a check; good up to the next call. */
static const char *
one_line(const char *s)
{
	static char line[60];
	size_t i = 0;

	for (; i + 1 < sizeof line && s[i] != '\0'; i++)
		line[i] = s[i] == '\r' || s[i] == '\n' ? ' ' : s[i];
	line[i] = '\0';
	return line;
}

static void
parsing(void)
{
	static const struct {
		const char *in;
		int64_t utc; /* -1: no date */
		int zone;
	} rows[] = {
		/* RFC 5322, appendix A */
		{ "Fri, 21 Nov 1997 09:55:06 -0600", 880127706, -360 },
		{ "Tue, 1 Jul 2003 10:52:37 +0200", 1057049557, 120 },
		{ "Thu, 13 Feb 1969 23:32:54 -0330", -27723426, -210 },
		{ "Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 "
		  "(Newfoundland Time)",
		    -27723480, -210 },
		{ "21 Nov 97 09:55:06 GMT", 880106106, 0 },
		{ "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", 880127706, -360 },
		/* obsolete zones and years */
		{ "21 Nov 97 09:55:06 EST", 880124106, -300 },
		{ "21 Nov 97 09:55:06 PDT", 880131306, -420 },
		{ "21 Nov 97 09:55:06 Z", 880106106, 0 },
		{ "21 Nov 97 09:55:06 A", 880106106, 0 },
		{ "21 Nov 03 09:55:06 UT", 1069408506, 0 },
		{ "21 Nov 103 09:55:06 UT", 1069408506, 0 },
		/* strangers */
		{ "21 Nov 1997 09:55:06", 880106106, 0 },
		{ "21 Nov 1997 09:55", 880106100, 0 },
		{ "21-Nov-1997 09:55:06 +0000", 880106106, 0 },
		{ "Fri Nov 21 09:55:06 1997", 880106106, 0 },
		{ "Friday, 21 November 1997 9.55.06 +01:00", 880102506, 60 },
		{ "Fri, 21 Nov 1997 09:55:06 +0100 (CET)", 880102506, 60 },
		{ "Fri, 21 Nov 1997 09:55:06.123 -0600", 880127706, -360 },
		{ "29 Feb 2000 00:00:00 +0000", 951782400, 0 },
		{ "31 Dec 2016 23:59:60 +0000", 1483228800, 0 },
		{ "1 Jan 0001 00:00:00 +0000", -62135596800, 0 },
		{ "31 Dec 9999 23:59:59 +0000", 253402300799, 0 },
		{ "", -1, 0 },
		{ "yesterday", -1, 0 },
		{ "21 Foo 1997 09:55:06", -1, 0 },
		{ "0 Nov 1997 09:55:06", -1, 0 },
		{ "32 Nov 1997 09:55:06", -1, 0 },
		{ "21 Nov 1997 25:55:06", -1, 0 },
		{ "21 Nov 1997 09:60:06", -1, 0 },
		{ "21 Nov 99999999999999999999 09:55", -1, 0 },
		{ "(((((", -1, 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct date d = { -1, 0 };
		int rc = date_parse(span_str(rows[i].in), &d, NULL);

		if (!tap_ok(
			(rc == 0) == (rows[i].utc != -1) && d.utc == rows[i].utc && d.zone == rows[i].zone,
			"\"%s\" %s", one_line(rows[i].in), rows[i].utc != -1 ? "is read" : "is no date"))
			printf("# got %lld %d\n", (long long)d.utc, d.zone);
	}
}

static void
imap(void)
{
	static const struct {
		const char *in;
		bool ok;
		const char *out;
	} rows[] = {
		{ "17-Jul-1996 02:44:25 -0700", true, "17-Jul-1996 02:44:25 -0700" },
		{ " 7-Feb-1994 21:52:25 -0800", true, " 7-Feb-1994 21:52:25 -0800" },
		{ "07-Feb-1994 21:52:25 -0800", true, " 7-Feb-1994 21:52:25 -0800" },
		{ "29-feb-2000 00:00:00 +0000", true, "29-Feb-2000 00:00:00 +0000" },
		{ "29-Feb-1900 00:00:00 +0000", false, "" },
		{ "31-Apr-2000 00:00:00 +0000", false, "" },
		{ "7-Feb-1994 21:52:25 -0800", false, "" },
		{ "17-Jul-1996 24:44:25 -0700", false, "" },
		{ "17-Jul-1996 02:60:25 -0700", false, "" },
		{ "17-Jul-1996 02:44:25 -0760", false, "" },
		{ "17-Jul-1996 02:44:25", false, "" },
		{ "17-Jul-1996 02:44:25 0700", false, "" },
		{ "17-Jul-1996 02:44:25 -0700 ", false, "" },
		{ "17-July-1996 02:44:25 -0700", false, "" },
		{ "", false, "" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err e = { 0 };
		struct date d;
		struct buf out;
		int rc;

		buf_init(&out, 100);
		rc = date_parse_imap(span_str(rows[i].in), &d, &e);
		if (rc == 0)
			date_format_imap(d, &out, NULL);
		tap_ok((rc == 0) == rows[i].ok && span_eq(buf_span(&out), rows[i].out),
		    "INTERNALDATE \"%s\" %s", rows[i].in, rows[i].ok ? "is read and written" : "is refused");
		buf_free(&out);
	}
}

static void
days(void)
{
	struct date d = { 0, 0 };
	int32_t day = 0;
	struct buf out;

	tap_ok(date_parse_day(SPAN("1-Feb-1994"), &day, NULL) == 0 && day == 8797, "SEARCH: 1-Feb-1994");
	tap_ok(date_parse_day(SPAN("01-Jan-1970"), &day, NULL) == 0 && day == 0, "SEARCH: two digits");
	tap_ok(date_parse_day(SPAN("30-Feb-1994"), &day, NULL) < 0, "SEARCH: 30-Feb is refused");
	tap_ok(date_parse_day(SPAN("1-Feb-94"), &day, NULL) < 0, "SEARCH: a year of two digits is refused");
	tap_ok(date_parse_day(SPAN("001-Feb-1994"), &day, NULL) < 0, "SEARCH: three digits are refused");
	date_parse(SPAN("21 Nov 1997 23:55:06 -0600"), &d, NULL);
	date_parse_day(SPAN("21-Nov-1997"), &day, NULL);
	tap_ok(date_day(d) == day, "the day is the one where the date was written");
	buf_init(&out, 100);
	date_format(d, &out, NULL);
	tap_span(
	    buf_span(&out), SPAN("Fri, 21 Nov 1997 23:55:06 -0600"), "a date is written as RFC 5322 has it");
	buf_clear(&out);
	date_format((struct date){ -1, 0 }, &out, NULL);
	tap_span(buf_span(&out), SPAN("Wed, 31 Dec 1969 23:59:59 +0000"), "and before 1970");
	buf_free(&out);
}

int
main(void)
{
	parsing();
	imap();
	days();
	return tap_done();
}
