#include "imap/fetch.h"
#include "imap/reply.h"

enum { PARTS_MAX = 100, SECTIONS_MAX = 1000, FIELDS_MAX = 1000, LABEL_MAX = 64 << 10 };

static const struct {
	const char *name;
	unsigned items;
} simple[] = {
	{ "ALL", FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE | FETCH_ENVELOPE },
	{ "FAST", FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE },
	{ "FULL", FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE | FETCH_ENVELOPE | FETCH_BODY },
	{ "UID", FETCH_UID },
	{ "FLAGS", FETCH_FLAGS },
	{ "MODSEQ", FETCH_MODSEQ },
	{ "INTERNALDATE", FETCH_INTERNALDATE },
	{ "RFC822.SIZE", FETCH_SIZE },
	{ "ENVELOPE", FETCH_ENVELOPE },
	{ "BODY", FETCH_BODY },
	{ "BODYSTRUCTURE", FETCH_BODYSTRUCTURE },
	{ "SAVEDATE", FETCH_SAVEDATE },
	{ "EMAILID", FETCH_EMAILID },
	{ "THREADID", FETCH_THREADID },
};
enum { MACROS = 3 }; /* the first rows, which stand alone */

/* The parse so far. */
struct state {
	struct imap_lex *l;
	struct arena *a;
	struct imap_fetch *f;
	struct imap_section **tail;
	unsigned sections;
};

/* "1.2.3", each number at least 1; what follows (".MIME", "]") is left. */
static int
section_part(struct imap_lex *l, struct span *part, struct err *e)
{
	const char *start = l->in.p;
	uint32_t number;
	size_t n = 0;

	while (ascii_isdigit(imap_peek(l))) {
		if (n++ == PARTS_MAX)
			return err_set(e, ERR_PEER, "A part is nested too deeply");
		if (imap_nz_number(l, &number, e) < 0)
			return -1;
		*part = span_of(start, (size_t)(l->in.p - start));
		if (!imap_take(l, '.'))
			return 0;
	}
	return 0;
}

/* Room for one more name: the array doubles. */
static void
grow_names(struct state *st, struct imap_section *s)
{
	struct span *more;

	if (s->n > 0 && (s->n < 8 || (s->n & (s->n - 1)) != 0))
		return;
	more = arena_array(st->a, s->n == 0 ? 8 : 2 * s->n, sizeof *more);
	if (s->n > 0)
		memcpy(more, s->names, s->n * sizeof *more);
	s->names = more;
}

/* " (From To)" */
static int
field_names(struct state *st, struct imap_section *s, struct err *e)
{
	if (imap_sp(st->l, e) < 0)
		return -1;
	if (!imap_take(st->l, '('))
		return err_set(e, ERR_PEER, "A list of field names is missing");
	do {
		if (s->n == FIELDS_MAX)
			return err_set(e, ERR_PEER, "Too many field names");
		grow_names(st, s);
		if (imap_astring(st->l, st->a, &s->names[s->n++], e) < 0)
			return -1;
	} while (imap_take(st->l, ' '));
	return imap_take(st->l, ')') ? 0 : err_set(e, ERR_PEER, "The list of field names has no end");
}

/* The letters and dots of a section's name. */
static struct span
section_word(struct imap_lex *l)
{
	size_t n = 0;
	struct span s;

	while (n < l->in.n && (ascii_isalpha(l->in.p[n]) || l->in.p[n] == '.'))
		n++;
	s = span_head(l->in, n);
	l->in = span_from(l->in, n);
	return s;
}

static int
section_text(struct state *st, struct imap_section *s, struct span *word, struct err *e)
{
	static const struct {
		const char *name;
		enum imap_section_kind kind;
	} words[] = {
		{ "HEADER", SECTION_HEADER },
		{ "HEADER.FIELDS", SECTION_FIELDS },
		{ "HEADER.FIELDS.NOT", SECTION_FIELDS_NOT },
		{ "TEXT", SECTION_TEXT },
		{ "MIME", SECTION_MIME },
	};

	struct span given = section_word(st->l);

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (!span_ieq(given, words[i].name))
			continue;
		*word = span_str(words[i].name);
		s->kind = words[i].kind;
		if (s->kind == SECTION_MIME && s->part.n == 0)
			return err_set(e, ERR_PEER, "MIME needs the number of a part");
		if (s->kind == SECTION_FIELDS || s->kind == SECTION_FIELDS_NOT)
			return field_names(st, s, e);
		return 0;
	}
	return err_set(e, ERR_PEER, "There is no such section");
}

/* "<0.1024>" */
static int
partial(struct imap_lex *l, struct imap_section *s, struct err *e)
{
	if (!imap_take(l, '<'))
		return 0;
	s->partial = true;
	if (imap_number(l, &s->from, e) < 0)
		return -1;
	if (!imap_take(l, '.'))
		return err_set(e, ERR_PEER, "A partial fetch is <first.count>");
	if (imap_nz_number(l, &s->count, e) < 0)
		return -1;
	return imap_take(l, '>') ? 0 : err_set(e, ERR_PEER, "A partial fetch is <first.count>");
}

/* The section as the response names it; the origin octet without the count (RFC 3501, 7.4.2). */
static int
label(struct state *st, struct imap_section *s, struct span word, struct err *e)
{
	static const char *const prefix[] = {
		[SECTION_BINARY] = "BINARY[",
		[SECTION_BINARY_SIZE] = "BINARY.SIZE[",
	};
	struct buf b;
	int rc;

	buf_init(&b, LABEL_MAX);
	buf_str(&b, e, prefix[s->kind] != NULL ? prefix[s->kind] : "BODY[");
	buf_add(&b, e, s->part);
	if (s->part.n > 0 && word.n > 0)
		buf_byte(&b, e, '.');
	rc = buf_add(&b, e, word);
	for (size_t i = 0; rc == 0 && i < s->n; i++) {
		buf_str(&b, e, i == 0 ? " (" : " ");
		rc = imap_put_astring(s->names[i], &b, e);
	}
	if (s->n > 0)
		buf_byte(&b, e, ')');
	rc = buf_byte(&b, e, ']') < 0 ? -1 : rc;
	if (s->partial)
		rc = buf_printf(&b, e, "<%u>", s->from) < 0 ? -1 : rc;
	s->label = arena_dup(st->a, buf_span(&b));
	buf_free(&b);
	return rc;
}

static struct imap_section *
add_section(struct state *st, bool seen)
{
	struct imap_section *s = arena_alloc(st->a, sizeof *s);

	s->seen = seen;
	st->f->seen |= seen;
	*st->tail = s;
	st->tail = &s->next;
	return s;
}

/* What stands in front of a "[". */
static const struct bracket {
	const char *name;
	enum imap_section_kind kind; /* SECTION_WHOLE: what stands within will tell */
	bool seen;
} brackets[] = {
	{ "BODY", SECTION_WHOLE, true },
	{ "BODY.PEEK", SECTION_WHOLE, false },
	{ "BINARY", SECTION_BINARY, true },
	{ "BINARY.PEEK", SECTION_BINARY, false },
	{ "BINARY.SIZE", SECTION_BINARY_SIZE, false },
};

static const struct bracket *
bracket_of(struct span name)
{
	for (size_t i = 0; i < sizeof brackets / sizeof brackets[0]; i++)
		if (span_ieq(name, brackets[i].name))
			return &brackets[i];
	return NULL;
}

/* Behind the "[". */
static int
section(struct state *st, const struct bracket *b, struct err *e)
{
	struct imap_section *s;
	struct span word = { 0 };
	const char *start = st->l->in.p;

	if (b == NULL)
		return err_set(e, ERR_PEER, "There is no such item to fetch");
	if (st->sections++ == SECTIONS_MAX)
		return err_set(e, ERR_PEER, "Too many sections");
	s = add_section(st, b->seen);
	s->kind = b->kind;
	if (section_part(st->l, &s->part, e) < 0)
		return -1;
	if (st->l->in.p > start && st->l->in.p[-1] == '.' && imap_peek(st->l) == ']')
		return err_set(e, ERR_PEER, "A part's number ends in a dot");
	if (s->kind == SECTION_WHOLE && imap_peek(st->l) != ']') {
		if (s->part.n > 0 && st->l->in.p[-1] != '.')
			return err_set(e, ERR_PEER, "A dot is missing behind a part's number");
		if (section_text(st, s, &word, e) < 0)
			return -1;
	}
	if (!imap_take(st->l, ']'))
		return err_set(e, ERR_PEER, "A section has no ]");
	if (s->kind != SECTION_BINARY_SIZE && partial(st->l, s, e) < 0)
		return -1;
	return label(st, s, word, e);
}

/* RFC822, RFC822.HEADER, RFC822.TEXT: sections under other names. */
static bool
old_section(struct state *st, struct span name)
{
	static const struct {
		const char *name;
		enum imap_section_kind kind;
		bool seen;
	} words[] = {
		{ "RFC822", SECTION_WHOLE, true },
		{ "RFC822.HEADER", SECTION_HEADER, false },
		{ "RFC822.TEXT", SECTION_TEXT, true },
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (span_ieq(name, words[i].name)) {
			struct imap_section *s = add_section(st, words[i].seen);

			s->kind = words[i].kind;
			s->label = span_str(words[i].name);
			st->f->old = true;
			return true;
		}
	}
	return false;
}

/* "PREVIEW" or "PREVIEW (LAZY)" (RFC 8970, 3.1 and 4.1: other modifiers are not known). */
static int
preview(struct state *st, struct err *e)
{
	struct imap_lex ahead = *st->l;

	st->f->items |= FETCH_PREVIEW;
	/* Alone, without parentheses around the items, a list behind it may be that of FETCH's modifiers. */
	if (!imap_take(&ahead, ' ') || !imap_take(&ahead, '(') || !imap_word(&ahead, "LAZY"))
		return 0;
	if (!imap_take(&ahead, ')'))
		return err_set(e, ERR_PEER, "The only modifier of PREVIEW is LAZY");
	st->f->lazy = true;
	*st->l = ahead;
	return 0;
}

static int
item(struct state *st, bool macros, struct err *e)
{
	struct span name = { 0 };
	size_t n = 0;

	while (n < st->l->in.n && (ascii_isalnum(st->l->in.p[n]) || st->l->in.p[n] == '.'))
		n++;
	name = span_head(st->l->in, n);
	st->l->in = span_from(st->l->in, n);
	if (imap_take(st->l, '['))
		return section(st, bracket_of(name), e);
	for (size_t i = macros ? 0 : MACROS; i < sizeof simple / sizeof simple[0]; i++) {
		if (span_ieq(name, simple[i].name)) {
			st->f->items |= simple[i].items;
			return 0;
		}
	}
	if (span_ieq(name, "PREVIEW"))
		return preview(st, e);
	if (old_section(st, name))
		return 0;
	return err_set(e, ERR_PEER, "There is no such item to fetch");
}

static int
modifier(struct state *st, struct err *e)
{
	struct imap_fetch *f = st->f;

	if (imap_word(st->l, "CHANGEDSINCE") && !f->changed) {
		f->changed = true;
		f->items |= FETCH_MODSEQ; /* RFC 7162, 3.1.4.1: implied */
		return imap_sp(st->l, e) < 0 ? -1 : imap_modseq(st->l, &f->since, e);
	}
	if (imap_word(st->l, "VANISHED") && !f->vanished) {
		f->vanished = true;
		return 0;
	}
	if (imap_word(st->l, "PARTIAL") && !f->partial.given)
		return imap_sp(st->l, e) < 0 ? -1 : imap_partial_parse(st->l, &f->partial, e);
	return err_set(e, ERR_PEER, "There is no such modifier of FETCH");
}

/* " (CHANGEDSINCE 17 VANISHED)": fetch-modifiers of RFC 4466, 2.4. */
static int
modifiers(struct state *st, struct err *e)
{
	if (imap_peek(st->l) == '\0')
		return 0;
	if (imap_sp(st->l, e) < 0)
		return -1;
	if (!imap_take(st->l, '('))
		return err_set(e, ERR_PEER, "A list of modifiers is missing");
	do {
		if (modifier(st, e) < 0)
			return -1;
	} while (imap_take(st->l, ' '));
	if (!imap_take(st->l, ')'))
		return err_set(e, ERR_PEER, "The list of modifiers has no end");
	if (st->f->vanished && !st->f->changed)
		return err_set(e, ERR_PEER, "VANISHED needs CHANGEDSINCE (RFC 7162, 3.2.6)");
	return imap_end(st->l, e);
}

int
imap_fetch_parse(struct imap_lex *l, struct arena *a, struct imap_fetch *out, struct err *e)
{
	struct imap_fetch f = { 0 };
	struct state st = { l, a, &f, &f.sections, 0 };
	bool list = imap_take(l, '(');

	do {
		if (item(&st, !list, e) < 0)
			return -1;
	} while (list && imap_take(l, ' '));
	if (list && !imap_take(l, ')'))
		return err_set(e, ERR_PEER, "The list of items has no end");
	if (modifiers(&st, e) < 0)
		return -1;
	*out = f;
	return 0;
}
