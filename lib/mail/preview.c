#include "mail/preview.h"

#include "base/utf8.h"
#include "mail/charset.h"
#include "mail/decode.h"

enum { PIECE = 8192, NAME_MAX_OCTETS = 12 };

/* The text as it is made. */
struct words {
	struct buf *out;
	struct err *e;
	unsigned chars;
	bool blank; /* a blank stands between what was put and what comes */

	/* Of HTML: where in it we are. */
	enum { TEXT, TAG_NAME, TAG, COMMENT, ENTITY } state;
	char name[NAME_MAX_OCTETS + 1]; /* of the tag, or the entity */
	size_t n;
	unsigned dashes;     /* of a comment: how many came last */
	uint32_t quote;      /* within the value of an attribute: its quote */
	const char *skipped; /* the element whose content is no text; NULL: none */
};

static bool
invisible(uint32_t c)
{
	return c == 0xad || c == 0x34f || (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

static bool
blank(uint32_t c)
{
	return c <= ' ' || (c >= 0x7f && c <= 0xa0) || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
	       c == 0x2029 || c == 0x3000;
}

static void
put(struct words *w, uint32_t c)
{
	if (blank(c)) {
		w->blank = w->chars > 0;
		return;
	}
	if (invisible(c) || w->chars + w->blank >= PREVIEW_CHARS)
		return;
	if (w->blank)
		buf_byte(w->out, w->e, ' ');
	w->chars += w->blank + 1U;
	w->blank = false;
	utf8_put(c, w->out, w->e);
}

/* ---- HTML */

static void
entity(struct words *w)
{
	static const struct {
		const char *name;
		uint32_t c;
	} known[] = { { "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "quot", '"' }, { "apos", '\'' },
		{ "nbsp", ' ' }, { "zwnj", 0x200c }, { "zwj", 0x200d }, { "shy", 0xad }, { "ndash", 0x2013 },
		{ "mdash", 0x2014 }, { "rsquo", 0x2019 }, { "lsquo", 0x2018 }, { "ldquo", 0x201c },
		{ "rdquo", 0x201d }, { "hellip", 0x2026 }, { "euro", 0x20ac }, { "copy", 0xa9 },
		{ "bull", 0x2022 }, { "middot", 0xb7 }, { "auml", 0xe4 }, { "ouml", 0xf6 }, { "uuml", 0xfc },
		{ "Auml", 0xc4 }, { "Ouml", 0xd6 }, { "Uuml", 0xdc }, { "szlig", 0xdf }, { "eacute", 0xe9 },
		{ "egrave", 0xe8 }, { "agrave", 0xe0 }, { "ccedil", 0xe7 } };
	uint32_t c = 0;

	if (w->n > 1 && w->name[0] == '#') {
		bool hex = ascii_lower(w->name[1]) == 'x';

		for (size_t i = hex ? 2 : 1; i < w->n && c < 0x110000; i++) {
			int d = ascii_hex(w->name[i]);

			if (d < 0 || (!hex && d > 9))
				return;
			c = c * (hex ? 16 : 10) + (uint32_t)d;
		}
		if (c > 0 && c < 0x110000 && (c < 0xd800 || c > 0xdfff))
			put(w, c);
		return;
	}
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (span_eq(span_of(w->name, w->n), known[i].name))
			put(w, known[i].c);
}

/* The name of a tag is complete. */
static void
tag(struct words *w)
{
	static const char *const no_text[] = { "style", "script", "title", "noscript", "template" };
	static const char *const within_words[] = { "b", "i", "u", "a", "em", "strong", "span", "font",
		"small", "big", "sub", "sup", "code", "wbr" };
	struct span name = span_of(w->name, w->n);
	bool closing = span_starts(name, "/");

	name = span_from(name, closing);
	if (w->skipped != NULL) {
		if (closing && span_ieq(name, w->skipped))
			w->skipped = NULL;
		return;
	}
	for (size_t i = 0; i < sizeof no_text / sizeof no_text[0]; i++)
		if (!closing && span_ieq(name, no_text[i]))
			w->skipped = no_text[i];
	for (size_t i = 0; i < sizeof within_words / sizeof within_words[0]; i++)
		if (span_ieq(name, within_words[i]))
			return;
	put(w, ' ');
}

static void
collect(struct words *w, uint32_t c)
{
	if (w->n < NAME_MAX_OCTETS)
		w->name[w->n++] = c < 0x80 ? (char)c : '?';
}

static void
in_text(struct words *w, uint32_t c)
{
	w->n = 0;
	if (c == '<')
		w->state = TAG_NAME;
	else if (c == '&' && w->skipped == NULL)
		w->state = ENTITY;
	else if (w->skipped == NULL)
		put(w, c);
}

static void
in_tag_name(struct words *w, uint32_t c)
{
	if (w->n == 0 && !(c < 0x80 && (ascii_isalpha((char)c) || c == '/' || c == '!' || c == '?'))) {
		w->state = TEXT; /* "<" is only itself */
		if (w->skipped == NULL)
			put(w, '<');
		in_text(w, c);
		return;
	}
	if (c != '>' && !blank(c) && (c != '/' || w->n == 0)) {
		collect(w, c);
		w->dashes = 0;
		if (span_starts(span_of(w->name, w->n), "!--"))
			w->state = COMMENT;
		return;
	}
	tag(w);
	w->quote = 0;
	w->state = c == '>' ? TEXT : TAG;
}

static void
in_tag(struct words *w, uint32_t c)
{
	if (w->quote != 0)
		w->quote = c == w->quote ? 0 : w->quote;
	else if (c == '"' || c == '\'')
		w->quote = c;
	else if (c == '>')
		w->state = TEXT;
}

static void
in_entity(struct words *w, uint32_t c)
{
	bool more = c < 0x80 && (ascii_isalnum((char)c) || c == '#') && w->n < NAME_MAX_OCTETS;

	if (more) {
		collect(w, c);
		return;
	}
	w->state = TEXT;
	if (c == ';') {
		entity(w);
		return;
	}
	put(w, '&');
	for (size_t i = 0; i < w->n; i++)
		put(w, (uint8_t)w->name[i]);
	in_text(w, c);
}

static void
html(struct words *w, uint32_t c)
{
	switch (w->state) {
	case TEXT:
		in_text(w, c);
		break;
	case TAG_NAME:
		in_tag_name(w, c);
		break;
	case TAG:
		in_tag(w, c);
		break;
	case COMMENT:
		if (c == '>' && w->dashes >= 2)
			w->state = TEXT;
		w->dashes = c == '-' ? w->dashes + 1 : 0;
		break;
	case ENTITY:
		in_entity(w, c);
		break;
	}
}

/* ---- a part */

static void
take(struct words *w, struct span text, bool is_html)
{
	size_t len;

	for (; text.n > 0 && w->chars < PREVIEW_CHARS; text = span_from(text, len)) {
		int32_t c = utf8_get(text, &len);

		if (c < 0)
			continue;
		if (is_html)
			html(w, (uint32_t)c);
		else
			put(w, (uint32_t)c);
	}
}

int
preview_text(struct span body, enum mime_encoding encoding, struct span charset, bool is_html,
    struct buf *out, struct err *e)
{
	struct words w = { .out = out, .e = e };
	struct decoder d = { .encoding = encoding };
	struct charset cs = charset_of(charset);
	struct buf octets, utf8;
	bool begun = false;
	int rc = 0;

	body = span_head(body, PREVIEW_INPUT);
	buf_init(&octets, 4 * PIECE);
	buf_init(&utf8, 64 * PIECE);
	while (rc == 0 && body.n > 0 && w.chars < PREVIEW_CHARS) {
		struct span piece = span_head(body, PIECE);
		size_t used = 0;

		body = span_from(body, piece.n);
		buf_clear(&utf8);
		rc = decode_piece(&d, piece, body.n == 0, &octets, e);
		if (!begun)
			cs = charset_marked(cs, buf_span(&octets));
		begun = true;
		if (rc == 0)
			rc = charset_feed(cs, buf_span(&octets), body.n == 0, &utf8, &used, e);
		if (rc == 0)
			take(&w, buf_span(&utf8), is_html);
		buf_consume(&octets, used);
	}
	buf_free(&octets);
	buf_free(&utf8);
	return rc < 0 || (e != NULL && e->kind != ERR_NONE) ? -1 : 0;
}

/* A text that is there to be read: not calendars, style sheets, attachments. */
static bool
readable(const struct mime_part *p)
{
	return p->kind == MIME_TEXT && !span_ieq(p->disposition, "attachment") && decode_known(p->encoding) &&
	       (span_ieq(p->subtype, "plain") || span_ieq(p->subtype, "html") ||
		   span_ieq(p->subtype, "enriched"));
}

int
preview_message(const struct mime_part *root, struct span message, struct buf *out, struct err *e)
{
	size_t start = out->n;
	unsigned tried = 0;

	for (const struct mime_part *p = root; p != NULL && tried < PREVIEW_PARTS && out->n == start;
	     p = mime_next(p)) {
		struct span body = span_head(span_from(message, p->body_at), p->body_size);

		if (!readable(p))
			continue;
		tried++;
		if (preview_text(body, p->encoding, p->charset, !span_ieq(p->subtype, "plain"), out, e) < 0)
			return -1;
	}
	return 0;
}
