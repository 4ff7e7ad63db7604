#include "imap/list.h"

#include "imap/metadata.h"

enum { PATTERNS_MAX = 100 };

static const struct {
	const char *name;
	bool returns;
	unsigned option;
} words[] = {
	{ "SUBSCRIBED", false, LIST_SUBSCRIBED },
	{ "REMOTE", false, LIST_REMOTE },
	{ "RECURSIVEMATCH", false, LIST_RECURSIVEMATCH },
	{ "SPECIAL-USE", false, LIST_SPECIAL_USE },
	{ "SUBSCRIBED", true, LIST_RETURN_SUBSCRIBED },
	{ "CHILDREN", true, LIST_RETURN_CHILDREN },
	{ "SPECIAL-USE", true, LIST_RETURN_SPECIAL_USE },
	{ "STATUS", true, LIST_RETURN_STATUS },
	{ "MYRIGHTS", true, LIST_RETURN_MYRIGHTS },
	{ "METADATA", true, LIST_RETURN_METADATA },
};
enum { WORDS = sizeof words / sizeof words[0] };

/* What stands behind an option. */
static int
argument(struct imap_lex *l, struct arena *a, unsigned option, struct imap_list *list, struct err *e)
{
	if (option == LIST_RETURN_STATUS)
		return imap_sp(l, e) < 0 ? -1 : imap_status_parse(l, &list->status, e);
	if (option == LIST_RETURN_METADATA)
		return imap_sp(l, e) < 0 ? -1 : imap_entries_parse(l, a, &list->entries, &list->nentries, e);
	return 0;
}

/* A list of options in parentheses, which may be empty. */
static int
option_list(struct imap_lex *l, struct arena *a, bool returns, struct imap_list *list, struct err *e)
{
	size_t i;

	list->extended = true;
	if (!imap_take(l, '('))
		return err_set(e, ERR_PEER, "A list of options is missing");
	for (bool first = true; !imap_take(l, ')'); first = false) {
		if (!first && imap_sp(l, e) < 0)
			return -1;
		for (i = 0; i < WORDS && (words[i].returns != returns || !imap_word(l, words[i].name)); i++)
			;
		if (i == WORDS)
			return err_set(e, ERR_PEER, "There is no such option");
		list->options |= words[i].option;
		if (argument(l, a, words[i].option, list, e) < 0)
			return -1;
	}
	return 0;
}

static int
pattern(struct imap_lex *l, struct arena *a, struct imap_list *list, struct err *e)
{
	struct span wire;

	if (list->n == PATTERNS_MAX)
		return err_set(e, ERR_PEER, "Too many patterns");
	if (imap_pattern(l, a, &wire, e) < 0)
		return -1;
	return imap_name(l, wire, a, &list->patterns[list->n++], e);
}

static int
patterns(struct imap_lex *l, struct arena *a, struct imap_list *list, struct err *e)
{
	list->patterns = arena_array(a, PATTERNS_MAX, sizeof *list->patterns);
	if (!imap_take(l, '('))
		return pattern(l, a, list, e);
	list->extended = true;
	do {
		if (pattern(l, a, list, e) < 0)
			return -1;
	} while (imap_take(l, ' '));
	return imap_take(l, ')') ? 0 : err_set(e, ERR_PEER, "The list of patterns has no end");
}

/* RFC 5258, 3.1: RECURSIVEMATCH only goes with another selection option than REMOTE. */
static bool
recursion_alone(unsigned options)
{
	return (options & LIST_RECURSIVEMATCH) != 0 && (options & (LIST_SUBSCRIBED | LIST_SPECIAL_USE)) == 0;
}

int
imap_list_parse(struct imap_lex *l, struct arena *a, struct imap_list *out, struct err *e)
{
	struct imap_list list = { 0 };
	struct span wire;

	if (imap_peek(l) == '(' && (option_list(l, a, false, &list, e) < 0 || imap_sp(l, e) < 0))
		return -1;
	if (imap_astring(l, a, &wire, e) < 0 || imap_name(l, wire, a, &list.reference, e) < 0 ||
	    imap_sp(l, e) < 0 || patterns(l, a, &list, e) < 0)
		return -1;
	if (imap_take(l, ' ')) {
		if (!imap_word(l, "RETURN"))
			return err_set(e, ERR_PEER, "Only RETURN may follow the patterns");
		if (imap_sp(l, e) < 0 || option_list(l, a, true, &list, e) < 0)
			return -1;
	}
	if (recursion_alone(list.options))
		return err_set(e, ERR_PEER, "RECURSIVEMATCH needs another selection option");
	if (imap_end(l, e) < 0)
		return -1;
	*out = list;
	return 0;
}
