#include "mail/search.h"

#include "mail/charset.h"
#include "mail/codec.h"
#include "mail/header.h"
#include "mail/rfc2047.h"

enum {
	PIECE = 32 << 10,       /* octets of a body that are decoded at a time */
	PIECE_ROOM = 8 * PIECE, /* what a piece may become: UTF-8, folded, and what was left of the last */
	FIELD_ROOM = 8 * HEADER_BYTES_MAX
};

int
search_key(struct span charset, struct span text, struct arena *a, struct search_key *key, struct err *e)
{
	struct charset cs = charset_of(charset);
	struct buf utf8, folded;
	int rc;

	if (cs.kind == CHARSET_UNKNOWN)
		return err_set(e, ERR_PEER, "the charset is not known");
	buf_init(&utf8, 8 * text.n + 64);
	buf_init(&folded, 16 * text.n + 64);
	if ((rc = charset_to_utf8(cs, text, &utf8, e)) == 0)
		rc = utf8_fold(buf_span(&utf8), &folded, e);
	*key = (struct search_key){ 0 };
	if (rc == 0)
		key->text = arena_dup(a, buf_span(&folded));
	buf_free(&utf8);
	buf_free(&folded);
	return rc;
}

/* Look for what is not found yet; true if nothing is left to look for. */
static bool
look(struct span text, struct search_key *keys, size_t n)
{
	bool all = true;

	for (size_t i = 0; i < n; i++) {
		if (!keys[i].found)
			keys[i].found = span_find(text, keys[i].text) >= 0;
		all &= keys[i].found;
	}
	return all;
}

static bool
all_found(const struct search_key *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!keys[i].found)
			return false;
	return true;
}

/* Memory for the fields of a header. */
struct field_text {
	struct buf plain, folded;
	struct arena *a;
};

/* "Name: value", or the value, as a reader sees it, in lower case. */
static struct span
field_text(struct field_text *t, const struct header_field *f, bool with_name)
{
	struct err e = { 0 };

	buf_clear(&t->plain);
	buf_clear(&t->folded);
	arena_reset(t->a);
	if (with_name && f->name.n > 0) {
		buf_add(&t->plain, &e, f->name);
		buf_str(&t->plain, &e, ": ");
	}
	rfc2047_decode(header_unfold(f->value, t->a), &t->plain, &e);
	utf8_fold(buf_span(&t->plain), &t->folded, &e);
	return buf_span(&t->folded);
}

bool
search_header(struct span header, const char *name, struct search_key *keys, size_t n)
{
	struct header_iter it = header_start(header);
	struct header_field f;
	struct field_text t = { 0 };
	bool all = all_found(keys, n);

	buf_init(&t.plain, FIELD_ROOM);
	buf_init(&t.folded, FIELD_ROOM);
	t.a = arena_new(2 * HEADER_BYTES_MAX);
	while (!all && header_next(&it, &f))
		if (name == NULL || span_ieq(f.name, name))
			all = look(field_text(&t, &f, name == NULL), keys, n);
	arena_free(t.a);
	buf_free(&t.folded);
	buf_free(&t.plain);
	return all;
}

/* The decoding of a body, piece by piece. */
struct decoder {
	enum mime_encoding encoding;
	struct charset cs;
	bool begun;
	struct base64_state base64;
	struct qp_state qp;
	struct buf octets; /* transfer encoding undone; what the charset left of the last piece first */
	struct buf utf8;
	struct buf window; /* folded; the end of the last piece first */
};

/* Undo the transfer encoding and charset of a piece, and append it to the window. */
static int
decode(struct decoder *d, struct span piece, bool last, struct err *e)
{
	size_t used;
	int rc = -1;

	switch (d->encoding) {
	case MIME_BASE64:
		rc = base64_decode_mime(&d->base64, piece, last, &d->octets, e);
		break;
	case MIME_QP:
		rc = qp_decode(&d->qp, piece, last, &d->octets, e);
		break;
	case MIME_7BIT:
	case MIME_8BIT:
	case MIME_BINARY:
	case MIME_OTHER:
		rc = buf_add(&d->octets, e, piece);
		break;
	}
	buf_clear(&d->utf8);
	if (!d->begun)
		d->cs = charset_marked(d->cs, buf_span(&d->octets));
	d->begun = true;
	if (rc < 0 || charset_feed(d->cs, buf_span(&d->octets), last, &d->utf8, &used, e) < 0)
		return -1;
	buf_consume(&d->octets, used);
	return utf8_fold(buf_span(&d->utf8), &d->window, e);
}

static bool
search_body(const struct search_part *p, struct search_key *keys, size_t n)
{
	struct decoder d = { .encoding = p->encoding, .cs = charset_of(p->charset) };
	struct span rest = p->body, piece;
	struct err e = { 0 };
	size_t overlap = 0;
	bool all = false;

	for (size_t i = 0; i < n; i++)
		if (keys[i].text.n > overlap + 1)
			overlap = keys[i].text.n - 1;
	buf_init(&d.octets, PIECE_ROOM);
	buf_init(&d.utf8, PIECE_ROOM);
	buf_init(&d.window, 2 * PIECE_ROOM + overlap);
	do {
		piece = span_head(rest, PIECE);
		rest = span_from(rest, piece.n);
		if (decode(&d, piece, rest.n == 0, &e) < 0)
			break;
		all = look(buf_span(&d.window), keys, n);
		if (d.window.n > overlap)
			buf_consume(&d.window, d.window.n - overlap);
	} while (!all && rest.n > 0);
	buf_free(&d.window);
	buf_free(&d.utf8);
	buf_free(&d.octets);
	return all;
}

bool
search_part(const struct search_part *p, struct search_key *keys, size_t n)
{
	if (search_header(p->header, NULL, keys, n))
		return true;
	return p->kind == MIME_TEXT && search_body(p, keys, n);
}
