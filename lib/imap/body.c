#include "imap/format.h"
#include "mail/mime.h"

struct writer {
	struct buf *out;
	struct err *e;
	bool extended;
	const struct span *envelopes; /* the next to be written */
};

static void
text(struct writer *w, const char *s)
{
	buf_str(w->out, w->e, s);
}

static void
string(struct writer *w, struct span s)
{
	format_string(s, w->out, w->e);
}

static void
nstring(struct writer *w, struct span s)
{
	text(w, " ");
	format_nstring(s, w->out, w->e);
}

static void
number(struct writer *w, uint64_t v)
{
	text(w, " ");
	buf_u64(w->out, w->e, v);
}

static void
params(struct writer *w, const struct mime_param *p)
{
	if (p == NULL) {
		text(w, " NIL");
		return;
	}
	for (const char *sep = " ("; p != NULL && w->e->kind == ERR_NONE; p = p->next, sep = " ") {
		text(w, sep);
		string(w, p->name);
		text(w, " ");
		string(w, p->value);
	}
	text(w, ")");
}

/* body-fld-lang: the tags of Content-Language, one alone without parentheses (RFC 3501, 9). */
static void
language(struct writer *w, struct span list)
{
	size_t count = 0, start;

	text(w, " ");
	start = w->out->n;
	text(w, "(");
	while (list.n > 0 && w->e->kind == ERR_NONE) {
		struct span tag = span_trim(span_cut(&list, ','));

		if (tag.n == 0)
			continue;
		if (count++ > 0)
			text(w, " ");
		string(w, tag);
	}
	text(w, ")");
	if (count == 0 && w->e->kind == ERR_NONE) {
		w->out->n = start;
		text(w, "NIL");
	}
}

/* The extension data that all parts have: disposition, language, location. */
static void
extension(struct writer *w, const struct mime_part *p)
{
	if (p->disposition.p == NULL)
		text(w, " NIL");
	else {
		text(w, " (");
		string(w, p->disposition);
		params(w, p->disposition_params);
		text(w, ")");
	}
	language(w, p->language);
	nstring(w, p->location);
}

/* What stands in front of the parts within. */
static void
enter(struct writer *w, const struct mime_part *p)
{
	text(w, "(");
	if (p->kind == MIME_MULTIPART)
		return;
	string(w, p->type);
	text(w, " ");
	string(w, p->subtype);
	params(w, p->params);
	nstring(w, p->id);
	nstring(w, p->description);
	nstring(w, p->encoding_name);
	number(w, p->body_size);
	if (p->kind == MIME_MESSAGE) {
		text(w, " ");
		buf_add(w->out, w->e, *w->envelopes++);
		text(w, " ");
	}
}

/* What stands behind them. */
static void
leave(struct writer *w, const struct mime_part *p)
{
	if (p->kind == MIME_MULTIPART) {
		text(w, " ");
		string(w, p->subtype);
		if (w->extended)
			params(w, p->params);
	} else {
		if (p->kind == MIME_MESSAGE || p->kind == MIME_TEXT)
			number(w, p->lines);
		if (w->extended)
			nstring(w, p->md5);
	}
	if (w->extended)
		extension(w, p);
	text(w, ")");
}

int
body_format(
    const struct mime_part *root, bool extended, const struct span *envelopes, struct buf *out, struct err *e)
{
	struct writer w = { out, e, extended, envelopes };
	const struct mime_part *p = root;

	need(e != NULL);
	while (p != NULL && e->kind == ERR_NONE) {
		enter(&w, p);
		if (p->child != NULL) {
			p = p->child;
			continue;
		}
		leave(&w, p);
		while (p != root && p->next == NULL) {
			p = p->parent;
			leave(&w, p);
		}
		p = p == root ? NULL : p->next;
	}
	return e->kind == ERR_NONE ? 0 : -1;
}
