#include "ctl/mbox.h"

#include "mail/date.h"
#include "store/store.h"

enum { PIECE = 64 * 1024, KEYWORDS_MAX = 1 << 20 };

void
mbox_init(struct mbox *p)
{
	buf_init(&p->line, PIECE + 1);
	buf_init(&p->keywords, KEYWORDS_MAX);
	p->blank = true;
}

void
mbox_free(struct mbox *p)
{
	buf_free(&p->line);
	buf_free(&p->keywords);
}

/* ---- the line between */

static bool
is_day(struct span word)
{
	return word.n == 3 && span_find(SPAN("Sun Mon Tue Wed Thu Fri Sat"), word) >= 0;
}

/* "Jan  1 10:00:00 [zone] 2020" as RFC 5322 has it: zones stand where the writer liked, and are passed over. */
static int
date_of(struct span rest, int64_t *out)
{
	struct span month = span_word(&rest), day = span_word(&rest), time = span_word(&rest), word,
		    year = { 0 };
	struct date date;
	struct buf text;
	int rc;

	while (rest.n > 0 && year.n == 0) {
		word = span_word(&rest);
		if (word.n == 4 && span_u32(word, &(uint32_t){ 0 }, NULL) == 0)
			year = word;
	}
	if (month.n != 3 || day.n == 0 || day.n > 2 || span_chr(time, ':') < 0 || year.n == 0)
		return -1;
	buf_init(&text, 1000);
	rc = buf_printf(&text, &(struct err){ 0 }, "%.*s %.*s %.*s %.*s +0000", SPAN_ARG(day),
	    SPAN_ARG(month), SPAN_ARG(year), SPAN_ARG(time));
	if (rc == 0)
		rc = date_parse(buf_span(&text), &date, NULL);
	if (rc == 0)
		*out = date.utc;
	buf_free(&text);
	return rc;
}

int
mbox_from(struct span line, int64_t *date)
{
	if (!span_starts(line, "From ") || line.n > 1000)
		return -1;
	line = span_from(line, 5);
	while (line.n > 0)
		if (is_day(span_word(&line)))
			return date_of(line, date);
	return -1;
}

/* ---- fields */

static uint32_t
letters(struct span value, const char *which, const uint32_t *flags)
{
	uint32_t all = 0;

	for (size_t i = 0; which[i] != '\0'; i++)
		if (span_chr(value, which[i]) >= 0)
			all |= flags[i];
	return all;
}

static int
keywords(struct mbox *p, struct span words, struct err *e)
{
	while (words.n > 0) {
		struct span word = span_word(&words);
		bool good = word.n > 0 && word.n <= STORE_KEYWORD_MAX;

		for (size_t i = 0; i < word.n; i++)
			good = good && word.p[i] > ' ' && word.p[i] <= '~' &&
			       strchr("(){%*\"\\]", word.p[i]) == NULL;
		if (good && p->keywords.n < KEYWORDS_MAX - 200 &&
		    (buf_add(&p->keywords, e, word) < 0 || buf_byte(&p->keywords, e, ' ') < 0))
			return -1;
	}
	return 0;
}

static void
base(struct mbox *p, struct span value)
{
	uint32_t uidvalidity, last;

	if (p->uidvalidity == 0 && span_u32(span_word(&value), &uidvalidity, NULL) == 0 &&
	    span_u32(span_word(&value), &last, NULL) == 0 && last < UINT32_MAX) {
		p->uidvalidity = uidvalidity;
		p->uidlast = last;
	}
}

/* A field of ours: taken, and not part of the message. */
static int
field(struct mbox *p, struct span line, bool *ours, struct err *e)
{
	static const uint32_t status[] = { STORE_SEEN };
	static const uint32_t more[] = { STORE_ANSWERED, STORE_FLAGGED, STORE_DELETED, STORE_DRAFT };
	ssize_t colon = span_chr(line, ':');
	struct span name = span_head(line, colon < 0 ? 0 : (size_t)colon);
	struct span value = span_trim(span_from(line, (size_t)(colon + 1)));

	*ours = true;
	p->folded_keywords = false;
	if (span_ieq(name, "Status"))
		p->m.flags |= letters(value, "R", status);
	else if (span_ieq(name, "X-Status"))
		p->m.flags |= letters(value, "AFDT", more);
	else if (span_ieq(name, "X-UID"))
		span_u32(value, &p->m.uid, NULL);
	else if (span_ieq(name, "X-IMAPbase") || span_ieq(name, "X-IMAP")) {
		base(p, value);
		p->m.internal |= name.n == strlen("X-IMAP");
	} else if (span_ieq(name, "X-Keywords")) {
		p->folded_keywords = true;
		return keywords(p, value, e);
	} else
		*ours = false;
	return 0;
}

/* ---- lines */

static int
begin_message(struct mbox *p, uint64_t at, int64_t date)
{
	p->m = (struct mbox_message){ .at = at, .date = date };
	buf_clear(&p->keywords);
	p->in_message = p->header = true;
	p->dropping = p->held = p->blank = false;
	return 0;
}

static int
end_message(struct mbox *p, struct err *e)
{
	int rc = p->in_message ? p->end(p->arg, &p->m, e) : 0;

	p->in_message = false;
	p->enough = rc == 1;
	return rc;
}

static int
header_line(struct mbox *p, struct span line, struct span bare, struct err *e)
{
	if (bare.n > 0 && (bare.p[0] == ' ' || bare.p[0] == '\t')) {
		if (p->dropping)
			return p->folded_keywords ? keywords(p, span_trim(bare), e) : 0;
		return p->put(p->arg, line, e);
	}
	if (field(p, bare, &p->dropping, e) < 0)
		return -1;
	if (bare.n == 0)
		p->header = false;
	p->blank = bare.n == 0;
	/* What `rookery export` renamed. */
	if (span_istarts(bare, "X-Was-"))
		line = span_from(line, strlen("X-Was-"));
	return p->dropping ? 0 : p->put(p->arg, line, e);
}

static int
body_line(struct mbox *p, struct span line, struct span bare, struct err *e)
{
	size_t quotes = 0;

	p->blank = bare.n == 0;
	if (p->blank && !p->cut) {
		/* It may be the one that stands between two messages. */
		p->held = true;
		return 0;
	}
	while (quotes < bare.n && bare.p[quotes] == '>')
		quotes++;
	if (quotes > 0 && span_starts(span_from(bare, quotes), "From "))
		line = span_from(line, 1);
	return p->put(p->arg, line, e);
}

/* A line, or so much of the start of one that what it is can be told. */
static int
start_line(struct mbox *p, struct span line, uint64_t at, struct err *e)
{
	struct span bare = line;
	int64_t date;
	int rc = 0;

	if (span_ends(bare, "\n"))
		bare.n--;
	if (span_ends(bare, "\r"))
		bare.n--;
	if (p->blank && mbox_from(bare, &date) == 0)
		return (rc = end_message(p, e)) != 0 ? rc : begin_message(p, at, date);
	if (!p->in_message) {
		p->garbage |= bare.n > 0;
		p->blank = bare.n == 0;
		return 0;
	}
	if (p->held)
		rc = p->put(p->arg, SPAN("\n"), e);
	p->held = false;
	if (rc < 0)
		return -1;
	return p->header ? header_line(p, line, bare, e) : body_line(p, line, bare, e);
}

static int
take_line(struct mbox *p, bool whole, struct err *e)
{
	struct span line = buf_span(&p->line);
	uint64_t at = p->at - line.n;
	bool rest = p->cut;
	int rc = 0;

	p->cut = !whole;
	if (!rest)
		rc = start_line(p, line, at, e);
	else if (p->in_message && !(p->header && p->dropping))
		rc = p->put(p->arg, line, e);
	buf_clear(&p->line);
	return rc;
}

int
mbox_feed(struct mbox *p, struct span s, struct err *e)
{
	int rc = 0;

	while (s.n > 0 && rc == 0 && !p->enough) {
		ssize_t lf = span_chr(s, '\n');
		size_t n = lf < 0 ? s.n : (size_t)lf + 1, room = PIECE - p->line.n;
		bool whole = lf >= 0 && n <= room;

		if (n > room)
			n = room;
		if (buf_add(&p->line, e, span_head(s, n)) < 0)
			return -1;
		p->at += n;
		s = span_from(s, n);
		if (whole || p->line.n == PIECE)
			rc = take_line(p, whole, e);
	}
	return p->enough ? 1 : rc;
}

int
mbox_end(struct mbox *p, struct err *e)
{
	if (!p->enough && p->line.n > 0 && take_line(p, true, e) < 0)
		return -1;
	return p->enough ? 1 : end_message(p, e);
}
