#include "imap/response.h"

#include "imap/lex.h"

enum shape { NO_NAME, FIRST, ALL, LISTED, CORRELATED };

static enum shape
shape_of(struct imap_lex *l)
{
	static const struct {
		const char *word;
		enum shape shape;
	} rows[] = {
		{ "LIST", LISTED },
		{ "LSUB", LISTED },
		{ "XLIST", LISTED },
		{ "STATUS", FIRST },
		{ "ACL", FIRST },
		{ "MYRIGHTS", FIRST },
		{ "LISTRIGHTS", FIRST },
		{ "METADATA", FIRST },
		{ "QUOTAROOT", ALL },
		{ "QUOTA", FIRST },
		{ "ESEARCH", CORRELATED },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (imap_word(l, rows[i].word))
			return rows[i].shape;
	return NO_NAME;
}

static int
name_at(struct imap_lex *l, struct span whole, struct arena *a, struct imap_response_name *out, struct err *e)
{
	out->at = whole.n - l->in.n;
	if (imap_astring(l, a, &out->name, e) < 0)
		return -1;
	out->end = whole.n - l->in.n;
	return 1;
}

/* "(\A \B) "/" " or NIL for the delimiter; what the attributes are is not looked at. */
static int
attributes(struct imap_lex *l, struct arena *a, struct err *e)
{
	struct span delimiter;
	ssize_t close;

	if (!imap_take(l, '(') || (close = span_chr(l->in, ')')) < 0)
		return err_set(e, ERR_PEER, "LIST without attributes");
	l->in = span_from(l->in, (size_t)close + 1);
	if (imap_sp(l, e) < 0 || imap_nstring(l, a, &delimiter, e) < 0)
		return -1;
	return imap_sp(l, e);
}

/* Behind the name of LIST: ("OLDNAME" ("old")) of RFC 9051, 6.3.9.7. */
static int
old_name(
    struct imap_lex *l, struct span whole, struct arena *a, struct imap_response_name *out, struct err *e)
{
	ssize_t at = span_find(l->in, SPAN("\"OLDNAME\" ("));

	if (at < 0)
		return 0;
	l->in = span_from(l->in, (size_t)at + SPAN("\"OLDNAME\" (").n);
	return name_at(l, whole, a, out, e);
}

static int
correlated(
    struct imap_lex *l, struct span whole, struct arena *a, struct imap_response_name *out, struct err *e)
{
	struct span value;

	if (!imap_take(l, '('))
		return 0;
	do {
		bool mailbox = imap_word(l, "MAILBOX");

		if (!mailbox && imap_atom(l, &value, e) < 0)
			return -1;
		if (imap_sp(l, e) < 0)
			return -1;
		if (mailbox)
			return name_at(l, whole, a, out, e);
		if (imap_astring(l, a, &value, e) < 0)
			return -1;
	} while (imap_take(l, ' '));
	return imap_take(l, ')') ? 0 : err_set(e, ERR_PEER, "ESEARCH without the end of its correlator");
}

/* A name and the names of its quota roots, which are names of mailboxes as well. */
static int
all_names(
    struct imap_lex *l, struct span whole, struct arena *a, struct imap_response_name *out, struct err *e)
{
	int n = 0;

	do {
		if (n == IMAP_RESPONSE_NAMES)
			return err_set(e, ERR_PEER, "QUOTAROOT with too many roots");
		if (name_at(l, whole, a, &out[n++], e) < 0)
			return -1;
	} while (imap_take(l, ' '));
	return n;
}

int
imap_response_names(
    struct span response, struct arena *a, struct imap_response_name out[IMAP_RESPONSE_NAMES], struct err *e)
{
	struct imap_lex l = { .in = response, .utf8 = true };
	enum shape shape;
	int old;

	if (!imap_take(&l, '*') || !imap_take(&l, ' '))
		return 0;
	shape = shape_of(&l);
	if (shape == NO_NAME)
		return 0;
	if (imap_sp(&l, e) < 0)
		return -1;
	switch (shape) {
	case NO_NAME:
		break;
	case FIRST:
		return name_at(&l, response, a, &out[0], e);
	case ALL:
		return all_names(&l, response, a, out, e);
	case CORRELATED:
		return correlated(&l, response, a, &out[0], e);
	case LISTED:
		if (attributes(&l, a, e) < 0 || name_at(&l, response, a, &out[0], e) < 0 ||
		    (old = old_name(&l, response, a, &out[1], e)) < 0)
			return -1;
		return 1 + old;
	}
	return 0;
}

bool
imap_response_attribute(struct span response, const char *attribute)
{
	ssize_t open = span_chr(response, '('), close = span_chr(response, ')');
	struct span list, word;

	if (open < 0 || close < open)
		return false;
	list = span_head(span_from(response, (size_t)open + 1), (size_t)(close - open - 1));
	while (list.n > 0) {
		word = span_word(&list);
		if (span_ieq(word, attribute))
			return true;
	}
	return false;
}

/* "(\Seen a)" */
static bool
flag_list(struct imap_lex *l, struct span *out)
{
	ssize_t close;

	if (!imap_take(l, '(') || (close = span_chr(l->in, ')')) < 0)
		return false;
	*out = span_head(l->in, (size_t)close);
	l->in = span_from(l->in, (size_t)close + 1);
	return true;
}

static bool
quoted_date(struct imap_lex *l, struct arena *a, struct span *out)
{
	struct span start = l->in, date;

	if (imap_string(l, a, &date, NULL) < 0)
		return false;
	*out = span_head(start, start.n - l->in.n);
	return true;
}

/* "{123}" CR LF */
static bool
body(struct imap_lex *l, struct span whole, struct imap_response_message *m)
{
	ssize_t eol = span_find(l->in, SPAN("\r\n"));
	struct imap_literal lit;

	if (eol < 0 || imap_line_literal(span_head(l->in, (size_t)eol), &lit, NULL) <= 0 || lit.text != 0)
		return false;
	m->has_body = true;
	m->size = lit.size;
	m->at = whole.n - l->in.n + (size_t)eol + 2;
	return true;
}

static bool
item(struct imap_lex *l, struct span whole, struct arena *a, struct imap_response_message *m)
{
	struct span ignored;

	if (imap_word(l, "UID"))
		return imap_take(l, ' ') && imap_nz_number(l, &m->uid, NULL) == 0;
	if (imap_word(l, "FLAGS"))
		return imap_take(l, ' ') && flag_list(l, &m->flags);
	if (imap_word(l, "MODSEQ"))
		return imap_take(l, ' ') && flag_list(l, &ignored);
	if (imap_word(l, "INTERNALDATE"))
		return imap_take(l, ' ') && quoted_date(l, a, &m->date);
	if (!span_istarts(l->in, "BODY[] "))
		return false;
	l->in = span_from(l->in, SPAN("BODY[] ").n);
	return body(l, whole, m);
}

int
imap_response_message(struct span response, struct arena *a, struct imap_response_message *out)
{
	struct imap_lex l = { .in = response, .utf8 = true };
	uint32_t number;
	bool uids;

	*out = (struct imap_response_message){ 0 };
	if (!imap_take(&l, '*') || !imap_take(&l, ' ') || imap_nz_number(&l, &number, NULL) < 0 ||
	    !imap_take(&l, ' '))
		return 0;
	uids = imap_word(&l, "UIDFETCH");
	if ((!uids && !imap_word(&l, "FETCH")) || !imap_take(&l, ' ') || !imap_take(&l, '('))
		return 0;
	out->uid = uids ? number : 0;
	do {
		if (!item(&l, response, a, out))
			return 0;
	} while (!out->has_body && imap_take(&l, ' '));
	return 1;
}
