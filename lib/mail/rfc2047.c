#include "mail/rfc2047.h"

#include "base/utf8.h"
#include "mail/charset.h"
#include "mail/codec.h"

/* =?charset*language?encoding?text?= */
struct word {
	struct span charset, text;
	char encoding; /* 'b' or 'q' */
	size_t size;   /* octets in all */
};

/*
 * The encoded word at s.p[0], where "=?" stands; false if there is none. Longer ones than RFC 2047's 75
 * octets and blanks in Q text are taken, as strangers write them.
 */
static bool
word_at(struct span s, struct word *w)
{
	struct span rest = span_from(s, 2);
	ssize_t end, star;

	end = span_chr(span_head(rest, 64), '?');
	if (end <= 0)
		return false;
	w->charset = span_head(rest, (size_t)end);
	for (size_t i = 0; i < w->charset.n; i++)
		if ((w->charset.p[i] & 0x80) != 0 || w->charset.p[i] <= ' ' || w->charset.p[i] == '=')
			return false;
	if ((star = span_chr(w->charset, '*')) > 0)
		w->charset.n = (size_t)star;
	rest = span_from(rest, (size_t)end + 1);
	if (rest.n < 2 || rest.p[1] != '?')
		return false;
	w->encoding = ascii_lower(rest.p[0]);
	if (w->encoding != 'b' && w->encoding != 'q')
		return false;
	rest = span_from(rest, 2);
	end = span_chr(rest, '?');
	if (end < 0 || (size_t)end + 1 >= rest.n || rest.p[end + 1] != '=')
		return false;
	w->text = span_head(rest, (size_t)end);
	w->size = (size_t)(rest.p + end + 2 - s.p);
	return true;
}

/* Octets of a run of words that have one charset, to be converted together. */
struct run {
	struct span charset; /* n == 0: nothing is pending */
	struct buf octets;
};

/* Line ends and NULs of decoded text become spaces: one value stays one line. */
static void
flatten(struct buf *out, size_t from)
{
	for (; from < out->n; from++)
		if (out->p[from] == '\r' || out->p[from] == '\n' || out->p[from] == '\0')
			out->p[from] = ' ';
}

static int
end_run(struct run *r, struct buf *out, struct err *e)
{
	size_t from = out->n;
	int rc = 0;

	if (r->charset.n > 0)
		rc = charset_to_utf8(charset_of(r->charset), buf_span(&r->octets), out, e);
	flatten(out, from);
	r->charset.n = 0;
	buf_clear(&r->octets);
	return rc;
}

static int
add_word(struct run *r, const struct word *w, struct buf *out, struct err *e)
{
	struct base64_state b = { 0 };
	struct qp_state q = { .word = true };

	if (!span_isame(r->charset, w->charset) && end_run(r, out, e) < 0)
		return -1;
	r->charset = w->charset;
	if (w->encoding == 'b')
		return base64_decode_mime(&b, w->text, true, &r->octets, e);
	return qp_decode(&q, w->text, true, &r->octets, e);
}

int
rfc2047_decode(struct span value, struct buf *out, struct err *e)
{
	struct run run = { 0 };
	struct word w;
	size_t plain = 0, i = 0; /* value[plain..i) is text that has been read and not written */
	int rc = -1;

	buf_init(&run.octets, value.n + 128);
	while (i < value.n) {
		ssize_t at = span_find(span_from(value, i), SPAN("=?"));
		struct span gap;

		if (at < 0)
			break;
		i += (size_t)at;
		if (!word_at(span_from(value, i), &w) || charset_of(w.charset).kind == CHARSET_UNKNOWN) {
			i += 2;
			continue;
		}
		gap = span_of(value.p + plain, i - plain);
		if (run.charset.n == 0 || span_trim_ws(gap).n > 0) {
			if (end_run(&run, out, e) < 0 || utf8_repair(gap, out, e) < 0)
				goto out;
		}
		if (add_word(&run, &w, out, e) < 0)
			goto out;
		plain = i += w.size;
	}
	if (end_run(&run, out, e) == 0)
		rc = utf8_repair(span_from(value, plain), out, e);
out:
	buf_free(&run.octets);
	return rc;
}
