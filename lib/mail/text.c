#include "mail/text.h"

#include "mail/charset.h"
#include "mail/codec.h"
#include "mail/header.h"
#include "mail/rfc2047.h"

enum {
	PIECE = 32 << 10,       /* octets of a body that are decoded at a time */
	PIECE_ROOM = 8 * PIECE, /* what a piece may become: UTF-8, folded, and what was left of the last */
	FIELD_ROOM = 8 * HEADER_BYTES_MAX
};

/* ---- headers */

/* Memory for the fields of a header. */
struct field_text {
	struct buf plain, folded;
	struct arena *a;
};

/* "Name: value", or the value, as a reader sees it, folded. */
static struct span
field_text(struct field_text *t, const struct header_field *f, bool with_name)
{
	struct err e = { 0 };

	buf_clear(&t->plain);
	buf_clear(&t->folded);
	arena_reset(t->a);
	if (with_name && f->name.n > 0) {
		utf8_repair(f->name, &t->plain, &e);
		buf_str(&t->plain, &e, ": ");
	}
	rfc2047_decode(header_unfold(f->value, t->a), &t->plain, &e);
	utf8_fold(buf_span(&t->plain), &t->folded, &e);
	return buf_span(&t->folded);
}

bool
text_header(struct span header, const char *name, const struct text_sink *to)
{
	struct header_iter it = header_start(header);
	struct header_field f;
	struct field_text t = { 0 };
	bool more = true;

	if (header.n == 0)
		return true;
	buf_init(&t.plain, FIELD_ROOM);
	buf_init(&t.folded, (size_t)UTF8_FOLD_GROWS * FIELD_ROOM);
	t.a = arena_new(2 * HEADER_BYTES_MAX);
	while (more && header_next(&it, &f))
		if (name == NULL || span_ieq(f.name, name))
			more = to->take(to->arg, field_text(&t, &f, name == NULL), TEXT_FIELD, true);
	arena_free(t.a);
	buf_free(&t.folded);
	buf_free(&t.plain);
	return more;
}

/* ---- bodies */

/* The decoding of a body, piece by piece. */
struct decoder {
	enum mime_encoding encoding;
	struct charset cs;
	bool begun;
	struct base64_state base64;
	struct qp_state qp;
	struct buf octets; /* transfer encoding undone; what the charset left of the last piece first */
	struct buf utf8;
	struct buf folded; /* the piece */
};

/* Undo the transfer encoding and charset of a piece. */
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
	buf_clear(&d->folded);
	if (!d->begun)
		d->cs = charset_marked(d->cs, buf_span(&d->octets));
	d->begun = true;
	if (rc < 0 || charset_feed(d->cs, buf_span(&d->octets), last, &d->utf8, &used, e) < 0)
		return -1;
	buf_consume(&d->octets, used);
	return utf8_fold(buf_span(&d->utf8), &d->folded, e);
}

static bool
body(const struct text_part *p, const struct text_sink *to)
{
	struct decoder d = { .encoding = p->encoding, .cs = charset_of(p->charset) };
	struct span rest = p->body, piece;
	struct err e = { 0 };
	bool more = true, begins = true;

	buf_init(&d.octets, PIECE_ROOM);
	buf_init(&d.utf8, PIECE_ROOM);
	buf_init(&d.folded, (size_t)UTF8_FOLD_GROWS * PIECE_ROOM);
	do {
		piece = span_head(rest, PIECE);
		rest = span_from(rest, piece.n);
		if (decode(&d, piece, rest.n == 0, &e) < 0)
			break;
		more = to->take(to->arg, buf_span(&d.folded), TEXT_BODY, begins);
		begins = false;
	} while (more && rest.n > 0);
	buf_free(&d.folded);
	buf_free(&d.utf8);
	buf_free(&d.octets);
	return more;
}

bool
text_part(const struct text_part *p, const struct text_sink *to)
{
	return text_header(p->header, NULL, to) && (p->kind != MIME_TEXT || body(p, to));
}
