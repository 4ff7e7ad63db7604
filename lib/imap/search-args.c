/* What stands around the keys: RETURN, CHARSET, the criteria of SORT, the algorithm of THREAD, the sources of ESEARCH. */
#include "imap/args.h"
#include "imap/search.h"

/* ---- RETURN (...) */

static const struct {
	const char *name;
	enum imap_search_return option;
} options[] = {
	{ "MIN", RETURN_MIN },
	{ "MAX", RETURN_MAX },
	{ "ALL", RETURN_ALL },
	{ "COUNT", RETURN_COUNT },
	{ "SAVE", RETURN_SAVE },
	{ "CONTEXT", RETURN_CONTEXT },
	{ "UPDATE", RETURN_UPDATE },
	{ "RELEVANCY", RETURN_RELEVANCY },
	{ "PARTIAL", RETURN_PARTIAL },
};
enum { OPTIONS = sizeof options / sizeof options[0] };

static int
one_return(struct imap_lex *l, struct imap_search_args *args, struct err *e)
{
	size_t i;

	for (i = 0; i < OPTIONS && !imap_word(l, options[i].name); i++)
		;
	if (i == OPTIONS)
		return err_set(e, ERR_PEER, "There is no such search result");
	if (options[i].option == RETURN_PARTIAL) {
		if (args->partial.given)
			return err_set(e, ERR_PEER, "One PARTIAL is all that can be asked for");
		if (imap_sp(l, e) < 0 || imap_partial_parse(l, &args->partial, e) < 0)
			return -1;
	}
	args->returns |= options[i].option;
	return 0;
}

/* Behind RETURN: the list, and the space after it. */
static int
returns(struct imap_lex *l, struct imap_search_args *args, struct err *e)
{
	args->extended = true;
	if (imap_sp(l, e) < 0)
		return -1;
	if (!imap_take(l, '('))
		return err_set(e, ERR_PEER, "RETURN has a list in parentheses");
	while (imap_peek(l) != ')') {
		if (args->returns != 0 && imap_sp(l, e) < 0)
			return -1;
		if (one_return(l, args, e) < 0)
			return -1;
	}
	imap_take(l, ')');
	if (args->returns == 0)
		args->returns = RETURN_ALL;
	if ((args->returns & RETURN_ALL) != 0 && args->partial.given) /* RFC 9394, 3.1 */
		return err_set(e, ERR_PEER, "ALL or PARTIAL, not both");
	return imap_sp(l, e);
}

static int
optional_returns(struct imap_lex *l, bool rev2, struct imap_search_args *args, struct err *e)
{
	if (imap_word(l, "RETURN"))
		return returns(l, args, e);
	args->extended = rev2;
	args->returns = RETURN_ALL;
	return 0;
}

/* Keys to the end, and what can be said only when they are known. */
static int
program(struct imap_lex *l, struct arena *a, bool rev2, struct imap_search_args *args, struct err *e)
{
	if (imap_search_keys(l, a, rev2, args, e) < 0)
		return -1;
	if ((args->returns & RETURN_RELEVANCY) != 0 && !args->fuzzy) /* RFC 6203, 4 */
		return err_set(e, ERR_PEER, "RELEVANCY is of a FUZZY search");
	return 0;
}

/* [CHARSET x ] keys */
static int
charset_and_program(
    struct imap_lex *l, struct arena *a, bool rev2, struct imap_search_args *args, struct err *e)
{
	if (imap_word(l, "CHARSET"))
		if (imap_sp(l, e) < 0 || imap_astring(l, a, &args->charset, e) < 0 || imap_sp(l, e) < 0)
			return -1;
	return program(l, a, rev2, args, e);
}

int
imap_search_parse(struct imap_lex *l, struct arena *a, bool rev2, struct imap_search_args *out, struct err *e)
{
	struct imap_search_args args = { 0 };

	if (optional_returns(l, rev2, &args, e) < 0 || charset_and_program(l, a, rev2, &args, e) < 0)
		return -1;
	*out = args;
	return 0;
}

/* ---- SORT and THREAD (RFC 5256, 5) */

static int
sort_key(struct imap_lex *l, struct imap_sort_key *k, struct err *e)
{
	static const char *const names[] = {
		[SORT_ARRIVAL] = "ARRIVAL",
		[SORT_CC] = "CC",
		[SORT_DATE] = "DATE",
		[SORT_FROM] = "FROM",
		[SORT_SIZE] = "SIZE",
		[SORT_SUBJECT] = "SUBJECT",
		[SORT_TO] = "TO",
		[SORT_DISPLAYFROM] = "DISPLAYFROM",
		[SORT_DISPLAYTO] = "DISPLAYTO",
		[SORT_RELEVANCY] = "RELEVANCY",
	};

	if (imap_word(l, "REVERSE")) {
		k->reverse = true;
		if (imap_sp(l, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (imap_word(l, names[i])) {
			k->by = (enum imap_sort_by)i;
			return 0;
		}
	return err_set(e, ERR_PEER, "There is no such sort key");
}

static int
sort_keys(struct imap_lex *l, struct imap_sort *s, struct err *e)
{
	if (!imap_take(l, '('))
		return err_set(e, ERR_PEER, "SORT takes a list of keys");
	do {
		if (s->n == IMAP_SORT_KEYS_MAX)
			return err_set(e, ERR_PEER, "Too many sort keys");
		if (sort_key(l, &s->key[s->n++], e) < 0)
			return -1;
	} while (imap_take(l, ' '));
	return imap_take(l, ')') ? imap_sp(l, e) : err_set(e, ERR_PEER, "A parenthesis is not closed");
}

/* Here the charset must be named. */
static int
needed_charset(struct imap_lex *l, struct arena *a, struct imap_search_args *args, struct err *e)
{
	return imap_astring(l, a, &args->charset, e) < 0 ? -1 : imap_sp(l, e);
}

int
imap_sort_parse(struct imap_lex *l, struct arena *a, bool rev2, struct imap_sort *out, struct err *e)
{
	struct imap_sort s = { 0 };

	if (optional_returns(l, false, &s.search, e) < 0 || sort_keys(l, &s, e) < 0 ||
	    needed_charset(l, a, &s.search, e) < 0 || program(l, a, rev2, &s.search, e) < 0)
		return -1;
	for (size_t i = 0; i < s.n; i++)
		if (s.key[i].by == SORT_RELEVANCY && !s.search.fuzzy) /* RFC 6203, 6 */
			return err_set(e, ERR_PEER, "RELEVANCY is of a FUZZY search");
	*out = s;
	return 0;
}

int
imap_thread_parse(struct imap_lex *l, struct arena *a, bool rev2, struct imap_thread *out, struct err *e)
{
	struct imap_thread t = { 0 };

	if (imap_word(l, "ORDEREDSUBJECT"))
		t.how = THREAD_ORDEREDSUBJECT;
	else if (imap_word(l, "REFERENCES"))
		t.how = THREAD_REFERENCES;
	else
		return err_set(e, ERR_PEER, "There is no such threading algorithm");
	if (imap_sp(l, e) < 0 || needed_charset(l, a, &t.search, e) < 0 ||
	    program(l, a, rev2, &t.search, e) < 0)
		return -1;
	*out = t;
	return 0;
}

/* ---- ESEARCH (RFC 7377, 4) */

/* mailbox, or a list of them */
static int
source_names(struct imap_lex *l, struct arena *a, struct imap_source *s, struct err *e)
{
	bool list;

	if (imap_sp(l, e) < 0)
		return -1;
	list = imap_take(l, '(');
	s->names = arena_array(a, list ? IMAP_SOURCES_MAX : 1, sizeof *s->names);
	do {
		if (s->n == IMAP_SOURCES_MAX)
			return err_set(e, ERR_PEER, "Too many mailboxes are named");
		if (imap_mailbox(l, a, &s->names[s->n++], e) < 0)
			return -1;
	} while (list && imap_take(l, ' '));
	return !list || imap_take(l, ')') ? 0 : err_set(e, ERR_PEER, "A parenthesis is not closed");
}

static int
source(struct imap_lex *l, struct arena *a, struct imap_source *s, struct err *e)
{
	static const struct {
		const char *name;
		enum imap_source_kind kind;
	} kinds[] = {
		{ "selected", SOURCE_SELECTED },
		{ "selected-delayed", SOURCE_SELECTED },
		{ "inboxes", SOURCE_INBOXES },
		{ "personal", SOURCE_PERSONAL },
		{ "subscribed", SOURCE_SUBSCRIBED },
		{ "subtree", SOURCE_SUBTREE },
		{ "subtree-one", SOURCE_SUBTREE_ONE },
		{ "mailboxes", SOURCE_MAILBOXES },
	};

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (!imap_word(l, kinds[i].name))
			continue;
		s->kind = kinds[i].kind;
		return s->kind >= SOURCE_SUBTREE ? source_names(l, a, s, e) : 0;
	}
	return err_set(e, ERR_PEER, "There is no such source of mailboxes");
}

/* IN (source source ...[ (scope options)]) and the space behind it. No scope option is known (RFC 7377, 4). */
static int
sources(struct imap_lex *l, struct arena *a, struct imap_esearch *s, struct err *e)
{
	size_t room = 1;

	for (size_t i = 0; i < l->in.n && room < 64; i++)
		room += l->in.p[i] == ' ';
	s->sources = arena_array(a, room, sizeof *s->sources);
	if (imap_sp(l, e) < 0)
		return -1;
	if (!imap_take(l, '('))
		return err_set(e, ERR_PEER, "IN has a list in parentheses");
	s->selected = true;
	do {
		if (imap_peek(l) == '(')
			return err_set(e, ERR_PEER, "There is no such scope option");
		if (s->n == room)
			return err_set(e, ERR_PEER, "Too many sources of mailboxes");
		if (source(l, a, &s->sources[s->n], e) < 0)
			return -1;
		s->selected &= s->sources[s->n++].kind == SOURCE_SELECTED;
	} while (imap_take(l, ' '));
	return imap_take(l, ')') ? imap_sp(l, e) : err_set(e, ERR_PEER, "A parenthesis is not closed");
}

int
imap_esearch_parse(struct imap_lex *l, struct arena *a, bool rev2, struct imap_esearch *out, struct err *e)
{
	struct imap_esearch s = { .selected = true };

	if (imap_word(l, "IN") && sources(l, a, &s, e) < 0)
		return -1;
	s.rest = l->in;
	if (optional_returns(l, true, &s.search, e) < 0 || charset_and_program(l, a, rev2, &s.search, e) < 0)
		return -1;
	*out = s;
	return 0;
}
