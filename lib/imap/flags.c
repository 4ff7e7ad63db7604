#include "imap/flags.h"

static const struct {
	const char *name;
	unsigned bit;
} rows[] = {
	{ "\\Answered", IMAP_ANSWERED },
	{ "\\Flagged", IMAP_FLAGGED },
	{ "\\Deleted", IMAP_DELETED },
	{ "\\Seen", IMAP_SEEN },
	{ "\\Draft", IMAP_DRAFT },
	{ "\\Recent", IMAP_RECENT },
};
enum { ROWS = sizeof rows / sizeof rows[0] };

unsigned
imap_flag_bit(struct span name)
{
	for (size_t i = 0; i < ROWS; i++)
		if (span_ieq(name, rows[i].name))
			return rows[i].bit;
	return 0;
}

static int
system_flag(struct imap_lex *l, unsigned *system, struct err *e)
{
	struct span all = l->in, word;
	unsigned bit;

	imap_take(l, '\\');
	if (imap_atom(l, &word, e) < 0)
		return -1;
	bit = imap_flag_bit(span_head(all, word.n + 1));
	if (bit == 0)
		return err_set(e, ERR_PEER, "There is no such system flag");
	if (bit == IMAP_RECENT)
		return err_set(e, ERR_PEER, "\\Recent cannot be set or removed by a client");
	*system |= bit;
	return 0;
}

static int
keyword(struct imap_lex *l, struct imap_flags *f, struct err *e)
{
	struct span word;

	if (imap_atom(l, &word, e) < 0)
		return -1;
	if (word.n > IMAP_KEYWORD_MAX)
		return err_set(e, ERR_PEER, "A keyword is too long");
	for (size_t i = 0; i < f->n; i++)
		if (span_isame(f->keywords[i], word))
			return 0;
	if (f->n == IMAP_KEYWORDS_MAX)
		return err_set(e, ERR_PEER, "Too many keywords");
	f->keywords[f->n++] = word;
	return 0;
}

int
imap_flags_parse(struct imap_lex *l, bool bare, struct arena *a, struct imap_flags *out, struct err *e)
{
	struct imap_flags f = { 0 };
	bool list = imap_take(l, '(');

	if (!list && !bare)
		return err_set(e, ERR_PEER, "A list of flags in parentheses is missing");
	f.keywords = arena_array(a, IMAP_KEYWORDS_MAX, sizeof *f.keywords);
	if (!list || imap_peek(l) != ')') {
		do {
			if ((imap_peek(l) == '\\' ? system_flag(l, &f.system, e) : keyword(l, &f, e)) < 0)
				return -1;
		} while (imap_take(l, ' '));
	}
	if (list && !imap_take(l, ')'))
		return err_set(e, ERR_PEER, "The list of flags has no end");
	*out = f;
	return 0;
}

int
imap_flags_put(unsigned system, size_t *n, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < ROWS; i++) {
		if ((system & rows[i].bit) == 0)
			continue;
		if ((*n)++ > 0)
			buf_byte(out, e, ' ');
		if (buf_str(out, e, rows[i].name) < 0)
			return -1;
	}
	return 0;
}
