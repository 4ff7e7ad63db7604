/*
 * date.h - the dates of mail: RFC 5322, 3.3 and 4.3, and IMAP's (RFC 3501, 9: date, date-time).
 *
 * Pure; no time zone database, no locale (t/unit-date.c, fuzz/date.c).
 */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include "base/base.h"

struct date {
	int64_t utc; /* seconds since 1970-01-01 UTC; years 0001 to 9999 */
	int zone;    /* minutes east of UTC: -5999..5999; where it was written */
};

/*
 * The date of a Date field, in the current and the obsolete syntax (names of zones, years of two and three
 * digits, comments), and what strangers write: no day of the week, no seconds, no zone (then UTC), English
 * month names in full, a day that its month lacks (counted on). 0, or -1 if there is no date in it.
 */
int date_parse(struct span in, struct date *out, struct err *e);

/* Append as RFC 5322 date-time: "Fri, 21 Nov 1997 09:55:06 -0600". */
int date_format(struct date d, struct buf *out, struct err *e);

/*
 * IMAP's date-time between its quotes, for APPEND and INTERNALDATE: "17-Jul-1996 02:44:25 -0700", the day
 * with a space or zero before a single digit. Strict: an impossible date or time is -1 with ERR_PEER.
 */
int date_parse_imap(struct span in, struct date *out, struct err *e);
int date_format_imap(struct date d, struct buf *out, struct err *e);

/*
 * IMAP's date of SEARCH, quotes removed by the caller: "1-Feb-1994". Gives days since 1970-01-01.
 * To compare: date_day() of a message's date (RFC 3501, 6.4.4: time and zone are disregarded, so the day is
 * the one at the place where the date was written).
 */
int date_parse_day(struct span in, int32_t *day, struct err *e);
int32_t date_day(struct date d);

#endif
