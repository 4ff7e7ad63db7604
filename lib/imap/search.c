#include "imap/flags.h"
#include "imap/search.h"
#include "mail/date.h"

struct state {
	struct imap_lex *l;
	struct arena *a;
	unsigned keys, depth, fuzzy; /* fuzzy: how many FUZZY are around */
	bool rev2;
	struct imap_search_args *args;
};

/* What follows the word of a key. */
enum argument {
	NOTHING,
	KEYWORD,
	NUMBER,
	INTERVAL,
	DAY,
	TEXT,
	FIELD_TEXT,
	OBJECT_ID,
	UIDS,
	MODSEQ,
	ONE_KEY,
	TWO_KEYS
};

struct word {
	const char *name;
	enum argument arg;
	enum imap_search_op op;
	bool negate;       /* the key is NOT of this */
	unsigned flags;    /* of SEARCH_FLAG */
	const char *field; /* of SEARCH_HEADER */
};

static const struct word words[] = {
	{ "ALL", NOTHING, SEARCH_AND, false, 0, NULL },
	{ "ANSWERED", NOTHING, SEARCH_FLAG, false, IMAP_ANSWERED, NULL },
	{ "BCC", TEXT, SEARCH_HEADER, false, 0, "bcc" },
	{ "BEFORE", DAY, SEARCH_BEFORE, false, 0, NULL },
	{ "BODY", TEXT, SEARCH_BODY, false, 0, NULL },
	{ "CC", TEXT, SEARCH_HEADER, false, 0, "cc" },
	{ "DELETED", NOTHING, SEARCH_FLAG, false, IMAP_DELETED, NULL },
	{ "DRAFT", NOTHING, SEARCH_FLAG, false, IMAP_DRAFT, NULL },
	{ "EMAILID", OBJECT_ID, SEARCH_EMAILID, false, 0, NULL },
	{ "FLAGGED", NOTHING, SEARCH_FLAG, false, IMAP_FLAGGED, NULL },
	{ "FROM", TEXT, SEARCH_HEADER, false, 0, "from" },
	{ "HEADER", FIELD_TEXT, SEARCH_HEADER, false, 0, NULL },
	{ "KEYWORD", KEYWORD, SEARCH_KEYWORD, false, 0, NULL },
	{ "LARGER", NUMBER, SEARCH_LARGER, false, 0, NULL },
	{ "MODSEQ", MODSEQ, SEARCH_MODSEQ, false, 0, NULL },
	{ "NOT", ONE_KEY, SEARCH_NOT, false, 0, NULL },
	{ "OLD", NOTHING, SEARCH_FLAG, true, IMAP_RECENT, NULL },
	{ "OLDER", INTERVAL, SEARCH_OLDER, false, 0, NULL },
	{ "ON", DAY, SEARCH_ON, false, 0, NULL },
	{ "OR", TWO_KEYS, SEARCH_OR, false, 0, NULL },
	{ "RECENT", NOTHING, SEARCH_FLAG, false, IMAP_RECENT, NULL },
	{ "SAVEDATESUPPORTED", NOTHING, SEARCH_SAVEDATESUPPORTED, false, 0, NULL },
	{ "SAVEDBEFORE", DAY, SEARCH_SAVEDBEFORE, false, 0, NULL },
	{ "SAVEDON", DAY, SEARCH_SAVEDON, false, 0, NULL },
	{ "SAVEDSINCE", DAY, SEARCH_SAVEDSINCE, false, 0, NULL },
	{ "SEEN", NOTHING, SEARCH_FLAG, false, IMAP_SEEN, NULL },
	{ "SENTBEFORE", DAY, SEARCH_SENTBEFORE, false, 0, NULL },
	{ "SENTON", DAY, SEARCH_SENTON, false, 0, NULL },
	{ "SENTSINCE", DAY, SEARCH_SENTSINCE, false, 0, NULL },
	{ "SINCE", DAY, SEARCH_SINCE, false, 0, NULL },
	{ "SMALLER", NUMBER, SEARCH_SMALLER, false, 0, NULL },
	{ "SUBJECT", TEXT, SEARCH_HEADER, false, 0, "subject" },
	{ "TEXT", TEXT, SEARCH_TEXT, false, 0, NULL },
	{ "THREADID", OBJECT_ID, SEARCH_THREADID, false, 0, NULL },
	{ "TO", TEXT, SEARCH_HEADER, false, 0, "to" },
	{ "UID", UIDS, SEARCH_UID, false, 0, NULL },
	{ "UNANSWERED", NOTHING, SEARCH_FLAG, true, IMAP_ANSWERED, NULL },
	{ "UNDELETED", NOTHING, SEARCH_FLAG, true, IMAP_DELETED, NULL },
	{ "UNDRAFT", NOTHING, SEARCH_FLAG, true, IMAP_DRAFT, NULL },
	{ "UNFLAGGED", NOTHING, SEARCH_FLAG, true, IMAP_FLAGGED, NULL },
	{ "UNKEYWORD", KEYWORD, SEARCH_KEYWORD, true, 0, NULL },
	{ "UNSEEN", NOTHING, SEARCH_FLAG, true, IMAP_SEEN, NULL },
	{ "YOUNGER", INTERVAL, SEARCH_YOUNGER, false, 0, NULL },
};

static int one_key(struct state *st, struct imap_search **out, struct err *e);

static struct imap_search *
node(struct state *st, enum imap_search_op op)
{
	struct imap_search *k = arena_alloc(st->a, sizeof *k);

	k->op = op;
	k->fuzzy = st->fuzzy > 0;
	return k;
}

static struct imap_search *
negated(struct state *st, struct imap_search *k)
{
	struct imap_search *not = node(st, SEARCH_NOT);

	not ->child = k;
	return not ;
}

/* NEW is RECENT UNSEEN: the one word that is two keys. */
static struct imap_search *
new_key(struct state *st)
{
	struct imap_search *both = node(st, SEARCH_AND), *seen = node(st, SEARCH_FLAG);

	both->child = node(st, SEARCH_FLAG);
	both->child->flags = IMAP_RECENT;
	seen->flags = IMAP_SEEN;
	both->child->next = negated(st, seen);
	return both;
}

/* date: 1-Feb-1994, with or without quotes. */
static int
day(struct imap_lex *l, struct arena *a, int32_t *out, struct err *e)
{
	struct span s;

	if (imap_astring(l, a, &s, e) < 0)
		return -1;
	if (date_parse_day(s, out, NULL) < 0)
		return err_set(e, ERR_PEER, "A date is day-month-year: 1-Feb-1994");
	return 0;
}

/* [entry-name entry-type] number (RFC 7162, 3.1.5). All metadata shares one number here, so any will do. */
static int
modseq_key(struct state *st, struct imap_search *k, struct err *e)
{
	struct span entry;

	st->args->modseq = true;
	if (imap_peek(st->l) == '"') {
		if (imap_string(st->l, st->a, &entry, e) < 0 || imap_sp(st->l, e) < 0)
			return -1;
		if (!span_istarts(entry, "/flags/"))
			return err_set(e, ERR_PEER, "An entry of MODSEQ starts with /flags/");
		if (!imap_word(st->l, "all") && !imap_word(st->l, "priv") && !imap_word(st->l, "shared"))
			return err_set(e, ERR_PEER, "The type of an entry is all, priv or shared");
		if (imap_sp(st->l, e) < 0)
			return -1;
	}
	return imap_modseq(st->l, &k->modseq, e);
}

/* The name of a field, in lower case. */
static int
field_name(struct state *st, struct imap_search *k, struct err *e)
{
	struct span name;
	char *lower;

	if (imap_astring(st->l, st->a, &name, e) < 0)
		return -1;
	lower = arena_cstr(st->a, name);
	for (size_t i = 0; i < name.n; i++)
		lower[i] = ascii_lower(lower[i]);
	k->name = lower;
	return imap_sp(st->l, e);
}

/* objectid (RFC 8474, 7): what no message can have is an error of the client. */
static int
object_id(struct state *st, struct imap_search *k, struct err *e)
{
	if (imap_atom(st->l, &k->text, e) < 0)
		return -1;
	for (size_t i = 0; i < k->text.n; i++)
		if (!ascii_isalnum(k->text.p[i]) && k->text.p[i] != '_' && k->text.p[i] != '-')
			return err_set(e, ERR_PEER, "An object id is of letters, digits, _ and -");
	return k->text.n <= 255 ? 0 : err_set(e, ERR_PEER, "An object id has at most 255 characters");
}

/* Of UID: a set, or $ (RFC 5182, 2.1). */
static int
uids(struct state *st, struct imap_search *k, struct err *e)
{
	if (!imap_take(st->l, '$'))
		return imap_set_parse(st->l, st->a, &k->set, e);
	k->op = SEARCH_SAVED;
	st->args->saved = true;
	return 0;
}

static int
argument(struct state *st, enum argument arg, struct imap_search *k, struct err *e)
{
	if (arg != NOTHING && imap_sp(st->l, e) < 0)
		return -1;
	switch (arg) {
	case NOTHING:
		return 0;
	case KEYWORD:
		return imap_atom(st->l, &k->text, e);
	case NUMBER:
		return imap_number(st->l, &k->number, e);
	case INTERVAL:
		return imap_nz_number(st->l, &k->number, e);
	case OBJECT_ID:
		return object_id(st, k, e);
	case DAY:
		return day(st->l, st->a, &k->day, e);
	case FIELD_TEXT:
		if (field_name(st, k, e) < 0)
			return -1;
		return imap_astring(st->l, st->a, &k->text, e);
	case TEXT:
		return imap_astring(st->l, st->a, &k->text, e);
	case UIDS:
		return uids(st, k, e);
	case MODSEQ:
		return modseq_key(st, k, e);
	case ONE_KEY:
		return one_key(st, &k->child, e);
	case TWO_KEYS:
		if (one_key(st, &k->child, e) < 0 || imap_sp(st->l, e) < 0)
			return -1;
		return one_key(st, &k->child->next, e);
	}
	return -1;
}

/* FUZZY key (RFC 6203, 3): whatever texts are in it. */
static int
fuzzy_key(struct state *st, struct imap_search **out, struct err *e)
{
	int rc;

	st->args->fuzzy = true;
	st->fuzzy++;
	rc = imap_sp(st->l, e) < 0 ? -1 : one_key(st, out, e);
	st->fuzzy--;
	return rc;
}

/* RFC 9051, E, 12: there is no \Recent any more. */
static bool
of_recent(struct span name)
{
	return span_ieq(name, "NEW") || span_ieq(name, "OLD") || span_ieq(name, "RECENT");
}

static int
word_key(struct state *st, struct imap_search **out, struct err *e)
{
	struct span name;

	if (imap_atom(st->l, &name, e) < 0)
		return -1;
	if (st->rev2 && of_recent(name))
		return err_set(e, ERR_PEER, "IMAP4rev2 has no NEW, OLD and RECENT");
	if (span_ieq(name, "FUZZY"))
		return fuzzy_key(st, out, e);
	if (span_ieq(name, "NEW")) {
		*out = new_key(st);
		return 0;
	}
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		struct imap_search *k;

		if (!span_ieq(name, words[i].name))
			continue;
		k = node(st, words[i].op);
		k->flags = words[i].flags;
		k->name = words[i].field;
		*out = words[i].negate ? negated(st, k) : k;
		return argument(st, words[i].arg, k, e);
	}
	return err_set(e, ERR_PEER, "There is no such search key");
}

/* Keys with spaces between, to the end or a closing parenthesis. */
static int
key_list(struct state *st, struct imap_search **out, struct err *e)
{
	struct imap_search *all = node(st, SEARCH_AND), **tail = &all->child;

	do {
		if (one_key(st, tail, e) < 0)
			return -1;
		tail = &(*tail)->next;
	} while (imap_take(st->l, ' '));
	*out = all;
	return 0;
}

static int
parenthesis(struct state *st, struct imap_search **out, struct err *e)
{
	if (key_list(st, out, e) < 0)
		return -1;
	return imap_take(st->l, ')') ? 0 : err_set(e, ERR_PEER, "A parenthesis is not closed");
}

static int
one_key(struct state *st, struct imap_search **out, struct err *e)
{
	char c = imap_peek(st->l);
	int rc;

	if (++st->keys > IMAP_SEARCH_KEYS_MAX)
		return err_set(e, ERR_PEER, "Too many search keys");
	if (++st->depth > IMAP_SEARCH_DEPTH_MAX)
		return err_set(e, ERR_PEER, "Search keys are nested too deeply");
	if (imap_take(st->l, '(')) {
		rc = parenthesis(st, out, e);
	} else if (imap_take(st->l, '$')) {
		*out = node(st, SEARCH_SAVED);
		st->args->saved = true;
		rc = 0;
	} else if (ascii_isdigit(c) || c == '*') {
		st->args->numbers = true;
		*out = node(st, SEARCH_SET);
		rc = imap_set_parse(st->l, st->a, &(*out)->set, e);
	} else {
		rc = word_key(st, out, e);
	}
	st->depth--;
	return rc;
}

int
imap_search_keys(struct imap_lex *l, struct arena *a, bool rev2, struct imap_search_args *args, struct err *e)
{
	struct state st = { .l = l, .a = a, .rev2 = rev2, .args = args };

	return key_list(&st, &args->root, e) < 0 ? -1 : imap_end(l, e);
}
