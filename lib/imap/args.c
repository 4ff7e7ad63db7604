#include "imap/args.h"

#include "base/utf8.h"
#include "imap/utf7.h"

enum { NAME_MAX_OCTETS = 4096 };

int
imap_command(struct imap_lex *l, struct span *tag, struct span *name, bool *uid, struct err *e)
{
	if (imap_tag(l, tag, e) < 0 || imap_sp(l, e) < 0 || imap_atom(l, name, e) < 0)
		return -1;
	*uid = span_ieq(*name, "UID");
	if (!*uid)
		return 0;
	return imap_sp(l, e) < 0 || imap_atom(l, name, e) < 0 ? -1 : 0;
}

int
imap_name(const struct imap_lex *l, struct span wire, struct arena *a, struct span *out, struct err *e)
{
	struct err bad = { 0 };
	struct buf name;
	int rc;

	if (l->utf8) { /* RFC 6855, 3: as it stands; "&" is only a character */
		if (!utf8_valid(wire))
			return err_set(e, ERR_PEER, "A mailbox name must be UTF-8 (RFC 6855, 3)");
		*out = wire;
		return 0;
	}
	buf_init(&name, NAME_MAX_OCTETS);
	rc = utf7_decode(wire, &name, &bad); /* past the maximum is an error, too */
	if (rc < 0)
		err_set(e, ERR_PEER, "A mailbox name must be modified UTF-7 (RFC 3501, 5.1.3)");
	else
		*out = arena_dup(a, buf_span(&name));
	buf_free(&name);
	return rc;
}

int
imap_mailbox(struct imap_lex *l, struct arena *a, struct span *out, struct err *e)
{
	struct span wire;

	if (imap_astring(l, a, &wire, e) < 0)
		return -1;
	if (l->slash && wire.n > 1 && wire.p[wire.n - 1] == '/')
		wire.n--;
	if (span_ieq(wire, "INBOX")) {
		*out = SPAN("INBOX");
		return 0;
	}
	return imap_name(l, wire, a, out, e);
}

static int
unchanged_since(struct imap_lex *l, struct imap_store *s, struct err *e)
{
	if (!imap_take(l, '('))
		return 0;
	if (!imap_word(l, "UNCHANGEDSINCE"))
		return err_set(e, ERR_PEER, "The only modifier of STORE is UNCHANGEDSINCE");
	if (imap_sp(l, e) < 0 || imap_modseq(l, &s->unchanged, e) < 0)
		return -1;
	s->conditional = true;
	if (!imap_take(l, ')'))
		return err_set(e, ERR_PEER, "The list of modifiers has no end");
	return imap_sp(l, e);
}

int
imap_store_parse(struct imap_lex *l, struct arena *a, struct imap_store *out, struct err *e)
{
	struct imap_store s = { .mode = '=' };

	if (unchanged_since(l, &s, e) < 0)
		return -1;
	if (imap_peek(l) == '+' || imap_peek(l) == '-') {
		s.mode = imap_peek(l);
		imap_take(l, s.mode);
	}
	s.silent = imap_word(l, "FLAGS.SILENT");
	if (!s.silent && !imap_word(l, "FLAGS"))
		return err_set(e, ERR_PEER, "STORE changes FLAGS or FLAGS.SILENT, with + or - or alone");
	if (imap_sp(l, e) < 0 || imap_flags_parse(l, true, a, &s.flags, e) < 0 || imap_end(l, e) < 0)
		return -1;
	*out = s;
	return 0;
}

int
imap_append_parse(struct imap_lex *l, struct arena *a, struct imap_append *out, struct err *e)
{
	struct imap_append p = { 0 };
	struct span date;

	if (imap_peek(l) == '(' && (imap_flags_parse(l, false, a, &p.flags, e) < 0 || imap_sp(l, e) < 0))
		return -1;
	if (imap_peek(l) == '"') {
		if (imap_string(l, a, &date, e) < 0 || imap_sp(l, e) < 0)
			return -1;
		if (date_parse_imap(date, &p.date, NULL) < 0)
			return err_set(e, ERR_PEER, "That is no date-time");
		p.dated = true;
	}
	*out = p;
	return 0;
}

static const struct {
	const char *name;
	unsigned item;
} status_words[] = {
	{ "MESSAGES", STATUS_MESSAGES },
	{ "RECENT", STATUS_RECENT },
	{ "UIDNEXT", STATUS_UIDNEXT },
	{ "UIDVALIDITY", STATUS_UIDVALIDITY },
	{ "UNSEEN", STATUS_UNSEEN },
	{ "HIGHESTMODSEQ", STATUS_HIGHESTMODSEQ },
	{ "SIZE", STATUS_SIZE },
	{ "DELETED", STATUS_DELETED },
	{ "APPENDLIMIT", STATUS_APPENDLIMIT },
	{ "MAILBOXID", STATUS_MAILBOXID },
	{ "DELETED-STORAGE", STATUS_DELETED_STORAGE },
};
enum { STATUS_WORDS = sizeof status_words / sizeof status_words[0] };

int
imap_status_parse(struct imap_lex *l, unsigned *items, struct err *e)
{
	unsigned all = 0;
	size_t i;

	if (!imap_take(l, '('))
		return err_set(e, ERR_PEER, "A list of status items is missing");
	do {
		for (i = 0; i < STATUS_WORDS && !imap_word(l, status_words[i].name); i++)
			;
		if (i == STATUS_WORDS)
			return err_set(e, ERR_PEER, "There is no such status item");
		all |= status_words[i].item;
	} while (imap_take(l, ' '));
	if (!imap_take(l, ')'))
		return err_set(e, ERR_PEER, "The list of status items has no end");
	*items = all;
	return 0;
}

int
imap_status_put(unsigned items, struct buf *out, struct err *e)
{
	char sep = '(';

	for (size_t i = 0; i < STATUS_WORDS; i++) {
		if ((items & status_words[i].item) == 0)
			continue;
		buf_byte(out, e, sep);
		buf_str(out, e, status_words[i].name);
		sep = ' ';
	}
	return buf_byte(out, e, ')');
}

/* A set without *, in normal form. */
static int
plain_set(struct imap_lex *l, struct arena *a, struct imap_set *set, struct err *e)
{
	if (imap_set_parse(l, a, set, e) < 0)
		return -1;
	if (set->saved)
		return err_set(e, ERR_PEER, "A set of QRESYNC cannot be $");
	for (size_t i = 0; i < set->n; i++)
		if (set->r[i].first == IMAP_STAR || set->r[i].last == IMAP_STAR)
			return err_set(e, ERR_PEER, "A set of QRESYNC cannot hold *");
	imap_set_resolve(set, 1);
	return 0;
}

static uint64_t
set_size(const struct imap_set *set)
{
	uint64_t n = 0;

	for (size_t i = 0; i < set->n; i++)
		n += (uint64_t)set->r[i].last - set->r[i].first + 1;
	return n;
}

/* "(numbers uids)" */
static int
match_data(struct imap_lex *l, struct arena *a, struct imap_select *s, struct err *e)
{
	if (!imap_take(l, '('))
		return err_set(e, ERR_PEER, "The known numbers and their UIDs stand in parentheses");
	if (plain_set(l, a, &s->numbers, e) < 0 || imap_sp(l, e) < 0 ||
	    plain_set(l, a, &s->number_uids, e) < 0)
		return -1;
	if (set_size(&s->numbers) != set_size(&s->number_uids))
		return err_set(e, ERR_PEER, "There must be a UID for each number");
	return imap_take(l, ')') ? 0 : err_set(e, ERR_PEER, "The known numbers have no end");
}

static int
qresync_param(struct imap_lex *l, struct arena *a, struct imap_select *s, struct err *e)
{
	if (imap_sp(l, e) < 0)
		return -1;
	if (s->qresync || !imap_take(l, '('))
		return err_set(e, ERR_PEER, "QRESYNC takes a list, once");
	s->qresync = true;
	if (imap_nz_number(l, &s->uidvalidity, e) < 0 || imap_sp(l, e) < 0 ||
	    imap_modseq(l, &s->modseq, e) < 0)
		return -1;
	if (imap_take(l, ' ') && imap_peek(l) != '(') {
		s->known = true;
		if (plain_set(l, a, &s->uids, e) < 0)
			return -1;
		imap_take(l, ' ');
	}
	if (imap_peek(l) == '(' && match_data(l, a, s, e) < 0)
		return -1;
	return imap_take(l, ')') ? 0 : err_set(e, ERR_PEER, "The list of QRESYNC has no end");
}

int
imap_select_params(struct imap_lex *l, struct arena *a, struct imap_select *out, struct err *e)
{
	struct imap_select s = { 0 };

	if (imap_take(l, ' ')) {
		if (!imap_take(l, '('))
			return err_set(e, ERR_PEER, "The parameters of SELECT are a list");
		do {
			if (imap_word(l, "CONDSTORE"))
				s.condstore = true;
			else if (!imap_word(l, "QRESYNC"))
				return err_set(
				    e, ERR_PEER, "The parameters of SELECT are CONDSTORE and QRESYNC");
			else if (qresync_param(l, a, &s, e) < 0)
				return -1;
		} while (imap_take(l, ' '));
		if (!imap_take(l, ')'))
			return err_set(e, ERR_PEER, "The list of parameters has no end");
	}
	if (imap_end(l, e) < 0)
		return -1;
	*out = s;
	return 0;
}

/* "(\\Drafts \\Sent)" */
static int
uses(struct imap_lex *l, struct arena *a, struct imap_create *c, struct err *e)
{
	enum { USES_MAX = 20 };
	struct span word;

	if (!imap_take(l, '('))
		return err_set(e, ERR_PEER, "USE takes a list");
	c->uses = arena_array(a, USES_MAX, sizeof *c->uses);
	while (!imap_take(l, ')')) {
		const char *start;

		if (c->n > 0 && imap_sp(l, e) < 0)
			return -1;
		start = l->in.p;
		if (!imap_take(l, '\\') || imap_atom(l, &word, NULL) < 0 || c->n == USES_MAX)
			return err_set(e, ERR_PEER, "That is no list of special uses");
		c->uses[c->n++] = span_of(start, word.n + 1);
	}
	return 0;
}

int
imap_create_params(struct imap_lex *l, struct arena *a, struct imap_create *out, struct err *e)
{
	struct imap_create c = { 0 };

	if (imap_take(l, ' ')) {
		if (!imap_take(l, '(') || !imap_word(l, "USE"))
			return err_set(e, ERR_PEER, "The only parameter of CREATE is (USE (...))");
		c.use = true;
		if (imap_sp(l, e) < 0 || uses(l, a, &c, e) < 0)
			return -1;
		if (!imap_take(l, ')'))
			return err_set(e, ERR_PEER, "The list of parameters has no end");
	}
	if (imap_end(l, e) < 0)
		return -1;
	*out = c;
	return 0;
}
