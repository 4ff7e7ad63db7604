/*
 * BINARY and BINARY.SIZE (RFC 3516, 4; 9051, 6.4.5): a part with its transfer encoding undone.
 *
 * A part is decoded twice, in pieces: once for its size and to see whether a NUL is in it, which only a literal8 may hold;
 * then for the client. So no decoded part stands in memory. What is decoded is the part that is named, never what stands
 * within it: of multiparts and messages the octets are given as they are (4.3), and so is the message itself.
 */
#include "imapd/body.h"
#include "imapd/reply.h"
#include "mail/decode.h"

enum { PIECE = 32 * 1024 };

/* Octets of a part: encoded, and which of the decoded are wanted. */
struct decoding {
	struct span prefix, octets; /* one after the other; a prefix is never encoded */
	enum mime_encoding encoding;
	uint64_t from, count; /* decoded */
	uint64_t n;           /* how many of these there are */
	bool nul;             /* one of them is NUL */
};

/* The part of `piece`, which is decoded and stands at `at`, that is wanted. */
static struct span
wanted(const struct decoding *d, uint64_t at, struct span piece)
{
	uint64_t end = d->from > UINT64_MAX - d->count ? UINT64_MAX : d->from + d->count;

	if (at + piece.n > end)
		piece = span_head(piece, end > at ? (size_t)(end - at) : 0);
	return span_from(piece, d->from <= at            ? 0
				: d->from - at < piece.n ? (size_t)(d->from - at)
							 : piece.n);
}

static int
take(struct decoding *d, struct session *s, struct span octets, struct err *e)
{
	if (s != NULL)
		return buf_add(&s->out, e, octets) < 0 ? -1 : out_flush_some(s, e);
	d->n += octets.n;
	d->nul = d->nul || span_chr(octets, '\0') >= 0;
	return 0;
}

/* Decode: with s NULL only count and look, else send. */
static int
walk(struct decoding *d, struct session *s, struct err *e)
{
	struct decoder dec = { .encoding = d->encoding };
	struct span rest = d->octets, piece;
	uint64_t at = d->prefix.n, end = d->from > UINT64_MAX - d->count ? UINT64_MAX : d->from + d->count;
	struct buf out;
	int rc = take(d, s, wanted(d, 0, d->prefix), e);

	buf_init(&out, 2 * PIECE);
	while (rc == 0 && rest.n > 0 && at < end) {
		piece = span_head(rest, PIECE);
		rest = span_from(rest, piece.n);
		buf_clear(&out);
		rc = decode_piece(&dec, piece, rest.n == 0, &out, e);
		if (rc == 0)
			rc = take(d, s, wanted(d, at, buf_span(&out)), e);
		at += out.n;
	}
	buf_free(&out);
	return rc;
}

/* Where the part is: 1; 0 there is none; -1. */
static int
find(struct body *b, const struct imap_section *sec, struct decoding *d, struct err *e)
{
	struct structure_part p = { 0 };
	struct span region = { 0 };
	int rc;

	*d = (struct decoding){ .from = sec->from, .count = sec->partial ? sec->count : UINT64_MAX };
	if (body_map(b, &region, e) < 0)
		return -1;
	d->octets = region;
	d->encoding = MIME_BINARY;
	if (sec->part.n == 0) {
		d->prefix = b->msg->prefix;
		return 1;
	}
	if ((rc = structure_part(&b->st, sec->part, &p, e)) <= 0)
		return rc;
	d->octets = span_head(span_from(region, p.body_at), p.body_size);
	if (p.kind == MIME_LEAF || p.kind == MIME_TEXT)
		d->encoding = p.encoding;
	return 1;
}

static int
tell_size(struct session *s, const struct imap_section *sec, uint64_t n, struct err *e)
{
	buf_add(&s->out, e, sec->label);
	buf_byte(&s->out, e, ' ');
	return buf_u64(&s->out, e, n);
}

static int
tell_octets(struct session *s, const struct imap_section *sec, struct decoding *d, struct err *e)
{
	struct err own = { 0 };

	buf_add(&s->out, e, sec->label);
	out_printf(s, e, " %s{%llu}\r\n", d->nul ? "~" : "", (unsigned long long)d->n);
	if (walk(d, s, &own) < 0) /* the size has been told: octets that do not follow end the session */
		return err_set(e, ERR_GONE, "within a literal: %s", own.text);
	return 0;
}

int
binary_section(struct body *b, const struct imap_section *sec, struct err *e)
{
	struct session *s = b->s;
	struct decoding d;
	int rc = find(b, sec, &d, e);

	if (rc > 0 && decode_known(d.encoding)) {
		if (walk(&d, NULL, e) == 0)
			return sec->kind == SECTION_BINARY_SIZE ? tell_size(s, sec, d.n, e)
								: tell_octets(s, sec, &d, e);
		rc = -1;
	}
	if (sec->kind == SECTION_BINARY_SIZE)
		tell_size(s, sec, 0, NULL);
	else if (buf_add(&s->out, NULL, sec->label) == 0)
		buf_str(&s->out, NULL, " NIL"); /* no such part, or it cannot be read: *e tells */
	return rc;
}
