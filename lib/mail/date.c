/*
 * Dates are read as a run of tokens: words, numbers and marks. Day numbers are counted by the algorithm for
 * the proleptic Gregorian calendar with years that start in March.
 */
#include "mail/date.h"

#include "mail/header.h"

enum { DAY = 86400, ZONE_MAX = 99 * 60 + 59 };

static const char *const months[12] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct",
	"Nov", "Dec" };
static const char *const weekdays[7] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };

/* Days from 1970-01-01 to a day of the Gregorian calendar; month 1..12. */
static int64_t
days_from(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct civil {
	int64_t year;
	int month, day;
};

static struct civil
civil_from(int64_t days)
{
	struct civil c;
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, d = z - era * 146097;
	int64_t y = (d - d / 1460 + d / 36524 - d / 146096) / 365;
	int64_t of_year = d - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

	c.day = (int)(of_year - (153 * m + 2) / 5 + 1);
	c.month = (int)(m < 10 ? m + 3 : m - 9);
	c.year = y + era * 400 + (c.month <= 2);
	return c;
}

static int
month_length(int64_t year, int month)
{
	static const int length[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return 29;
	return length[month - 1];
}

/* 1..12 for a month's name, its first three letters in any case; exact: not longer. 0: it is none. */
static int
month_of(struct span word, bool exact)
{
	if (word.n < 3 || (exact && word.n > 3))
		return 0;
	for (int i = 0; i < 12; i++)
		if (span_ieq(span_head(word, 3), months[i]))
			return i + 1;
	return 0;
}

/* The next token of a date: blanks and comments (nested, RFC 5322, 3.2.2) are walked over. */
enum token { T_END, T_NUMBER, T_WORD, T_MARK };

struct lexer {
	struct span rest;
	struct span text; /* of the token */
	int number;       /* of T_NUMBER; 100000 when it is more */
};

static enum token
lex(struct lexer *l)
{
	struct span s = l->rest;
	enum token t = T_MARK;
	size_t n = 1;

	for (;;) {
		s = span_trim_ws(s);
		if (s.n == 0 || s.p[0] != '(')
			break;
		header_comment(&s);
	}
	l->rest = s;
	if (s.n == 0)
		return T_END;
	if (ascii_isdigit(s.p[0])) {
		t = T_NUMBER;
		l->number = 0;
		for (n = 0; n < s.n && ascii_isdigit(s.p[n]); n++)
			l->number = l->number >= 10000 ? 100000 : l->number * 10 + (s.p[n] - '0');
	} else if (ascii_isalpha(s.p[0])) {
		t = T_WORD;
		while (n < s.n && ascii_isalpha(s.p[n]))
			n++;
	}
	l->text = span_head(s, n);
	l->rest = span_from(s, n);
	return t;
}

/* Minutes of a zone's name: RFC 5322, 4.3. Military letters and unknown names mean -0000. */
static int
named_zone(struct span word)
{
	static const struct {
		const char *name;
		int minutes;
	} zones[] = {
		{ "EST", -300 },
		{ "EDT", -240 },
		{ "CST", -360 },
		{ "CDT", -300 },
		{ "MST", -420 },
		{ "MDT", -360 },
		{ "PST", -480 },
		{ "PDT", -420 },
		{ "CET", 60 },
		{ "CEST", 120 },
		{ "MET", 60 },
		{ "MEST", 120 },
		{ "BST", 60 },
		{ "EET", 120 },
		{ "EEST", 180 },
		{ "MSK", 180 },
		{ "JST", 540 },
	};

	for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++)
		if (span_ieq(word, zones[i].name))
			return zones[i].minutes;
	return 0;
}

/* +hhmm, +hh:mm; a number of other length than four is no zone that can be read: UTC. */
static int
numeric_zone(struct lexer *l, char sign)
{
	int minutes;

	if (lex(l) != T_NUMBER)
		return 0;
	if (l->text.n == 2 && l->rest.n >= 3 && l->rest.p[0] == ':' && ascii_isdigit(l->rest.p[1]) &&
	    ascii_isdigit(l->rest.p[2]))
		minutes = l->number * 60 + (l->rest.p[1] - '0') * 10 + (l->rest.p[2] - '0');
	else if (l->text.n == 4)
		minutes = l->number / 100 * 60 + l->number % 100;
	else
		return 0;
	if (minutes > ZONE_MAX)
		return 0;
	return sign == '-' ? -minutes : minutes;
}

/* RFC 5322, 4.3: two digits below 50 are 20yy, other two and three digits count from 1900. */
static int
full_year(struct span text, int number)
{
	if (text.n == 2)
		return number < 50 ? number + 2000 : number + 1900;
	return text.n == 3 ? number + 1900 : number;
}

/* The next number, a mark before it allowed; -1 if there is none. */
static int
next_number(struct lexer *l)
{
	enum token t = lex(l);

	if (t == T_MARK)
		t = lex(l);
	return t == T_NUMBER ? l->number : -1;
}

/*
 * The day, month and year, in this order or as asctime() writes them ("Nov 21 09:55:06 1997": the year is
 * then 0, and comes behind the time).
 */
static int
lex_day(struct lexer *l, struct civil *c)
{
	enum token t = lex(l);

	while (t == T_WORD || t == T_MARK) {
		if (t == T_WORD && (c->month = month_of(l->text, false)) > 0)
			break;
		t = lex(l); /* the day of the week, its comma */
	}
	if (c->month > 0) {
		c->day = next_number(l);
		return c->day < 0 ? -1 : 0;
	}
	if (t != T_NUMBER)
		return -1;
	c->day = l->number;
	while ((t = lex(l)) == T_MARK)
		;
	if (t != T_WORD || (c->month = month_of(l->text, false)) == 0)
		return -1;
	if ((c->year = next_number(l)) < 0)
		return -1;
	c->year = full_year(l->text, (int)c->year);
	return 0;
}

/* True if this mark comes next; it stays there. */
static bool
next_is(const struct lexer *l, char mark)
{
	struct lexer ahead = *l;

	return lex(&ahead) == T_MARK && ahead.text.p[0] == mark;
}

/* hh:mm[:ss], dots for colons too; nothing is midnight. Gives seconds, or -1. */
static int
lex_time(struct lexer *l)
{
	int hour, minute, second = 0;
	enum token t = lex(l);

	while (t == T_MARK)
		t = lex(l);
	if (t == T_END)
		return 0;
	if (t != T_NUMBER || l->number > 24)
		return -1;
	hour = l->number;
	if ((minute = next_number(l)) < 0 || minute > 59)
		return -1;
	if (next_is(l, ':') || next_is(l, '.')) {
		if ((second = next_number(l)) < 0 || second > 60)
			return -1;
		if (next_is(l, '.'))
			next_number(l); /* a fraction */
	}
	return hour * 3600 + minute * 60 + second;
}

int
date_parse(struct span in, struct date *out, struct err *e)
{
	struct lexer l = { .rest = in };
	struct civil c = { 0 };
	int seconds, zone = 0;
	enum token t;

	if (lex_day(&l, &c) < 0 || (seconds = lex_time(&l)) < 0)
		return err_set(e, ERR_PEER, "not a date");
	t = lex(&l);
	if (t == T_NUMBER && c.year == 0) {
		c.year = full_year(l.text, l.number);
		t = lex(&l);
	}
	if (t == T_WORD)
		zone = named_zone(l.text);
	else if (t == T_MARK && (l.text.p[0] == '+' || l.text.p[0] == '-'))
		zone = numeric_zone(&l, l.text.p[0]);
	if (c.day < 1 || c.day > 31 || c.year < 1 || c.year > 9999)
		return err_set(e, ERR_PEER, "not a date");
	out->utc = days_from(c.year, c.month, c.day) * DAY + seconds - zone * 60;
	out->zone = zone;
	return 0;
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

int32_t
date_day(struct date d)
{
	return (int32_t)floor_div(d.utc + (int64_t)d.zone * 60, DAY);
}

static char *
put_text(char *to, const char *s)
{
	while (*s != '\0')
		*to++ = *s++;
	return to;
}

/* Append with this many digits, zeros in front. */
static char *
put_digits(char *to, int64_t v, int digits)
{
	for (int i = digits - 1; i >= 0; i--, v /= 10)
		to[i] = (char)('0' + v % 10);
	return to + digits;
}

static char *
put_time_zone(char *to, struct date d)
{
	int64_t second = d.utc + (int64_t)d.zone * 60 - (int64_t)date_day(d) * DAY;
	int zone = d.zone < 0 ? -d.zone : d.zone;

	to = put_digits(to, second / 3600, 2);
	*to++ = ':';
	to = put_digits(to, second / 60 % 60, 2);
	*to++ = ':';
	to = put_digits(to, second % 60, 2);
	*to++ = ' ';
	*to++ = d.zone < 0 ? '-' : '+';
	return put_digits(to, zone / 60 * 100 + zone % 60, 4);
}

static struct civil
civil_year_in_range(struct date d)
{
	struct civil c = civil_from(date_day(d));

	c.year = c.year < 0 ? 0 : c.year > 9999 ? 9999 : c.year; /* four digits is all that the syntax has */
	return c;
}

int
date_format(struct date d, struct buf *out, struct err *e)
{
	struct civil c = civil_year_in_range(d);
	int32_t day = date_day(d);
	char *start = buf_room(out, e, 40), *to = start;

	if (to == NULL)
		return -1;
	to = put_text(to, weekdays[((day + 4) % 7 + 7) % 7]);
	to = put_text(to, ", ");
	to = put_digits(to, c.day, c.day < 10 ? 1 : 2);
	*to++ = ' ';
	to = put_text(to, months[c.month - 1]);
	*to++ = ' ';
	to = put_digits(to, c.year, 4);
	*to++ = ' ';
	to = put_time_zone(to, d);
	out->n += (size_t)(to - start);
	return 0;
}

int
date_format_imap(struct date d, struct buf *out, struct err *e)
{
	struct civil c = civil_year_in_range(d);
	char *start = buf_room(out, e, 40), *to = start;

	if (to == NULL)
		return -1;
	to = put_digits(to, c.day, 2);
	if (start[0] == '0')
		start[0] = ' '; /* date-day-fixed */
	*to++ = '-';
	to = put_text(to, months[c.month - 1]);
	*to++ = '-';
	to = put_digits(to, c.year, 4);
	*to++ = ' ';
	to = put_time_zone(to, d);
	out->n += (size_t)(to - start);
	return 0;
}

/* The n digits at *s, which is moved behind them; -1 if they are not there. */
static int
fixed_digits(struct span *s, size_t n)
{
	int v = 0;

	if (s->n < n)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (!ascii_isdigit(s->p[i]))
			return -1;
		v = v * 10 + (s->p[i] - '0');
	}
	*s = span_from(*s, n);
	return v;
}

static bool
fixed_char(struct span *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = span_from(*s, 1);
	return true;
}

/* "-Feb-1994" and whether the day exists. */
static int
month_year(struct span *s, int day, struct civil *c)
{
	c->day = day;
	if (!fixed_char(s, '-') || (c->month = month_of(span_head(*s, 3), true)) == 0)
		return -1;
	*s = span_from(*s, 3);
	if (!fixed_char(s, '-') || (c->year = fixed_digits(s, 4)) < 1)
		return -1;
	return day < 1 || day > month_length(c->year, c->month) ? -1 : 0;
}

int
date_parse_day(struct span in, int32_t *day, struct err *e)
{
	struct civil c;
	int n = fixed_digits(&in, in.n > 1 && ascii_isdigit(in.p[1]) ? 2 : 1);

	if (n < 0 || month_year(&in, n, &c) < 0 || in.n > 0)
		return err_set(e, ERR_PEER, "not a date");
	*day = (int32_t)days_from(c.year, c.month, c.day);
	return 0;
}

int
date_parse_imap(struct span in, struct date *out, struct err *e)
{
	struct civil c;
	int day, hour, minute, second, zone;
	bool west;

	day = fixed_char(&in, ' ') ? fixed_digits(&in, 1) : fixed_digits(&in, 2);
	if (day < 0 || month_year(&in, day, &c) < 0 || !fixed_char(&in, ' ') ||
	    (hour = fixed_digits(&in, 2)) < 0 || !fixed_char(&in, ':') ||
	    (minute = fixed_digits(&in, 2)) < 0 || !fixed_char(&in, ':') ||
	    (second = fixed_digits(&in, 2)) < 0 || !fixed_char(&in, ' '))
		return err_set(e, ERR_PEER, "not a date and time");
	west = fixed_char(&in, '-');
	if ((!west && !fixed_char(&in, '+')) || (zone = fixed_digits(&in, 4)) < 0 || in.n > 0)
		return err_set(e, ERR_PEER, "not a date and time");
	if (hour > 23 || minute > 59 || second > 60 || zone % 100 > 59)
		return err_set(e, ERR_PEER, "no such time");
	zone = zone / 100 * 60 + zone % 100;
	out->zone = west ? -zone : zone;
	out->utc = days_from(c.year, c.month, c.day) * DAY + hour * 3600 + minute * 60 + second -
		   (int64_t)out->zone * 60;
	return 0;
}
