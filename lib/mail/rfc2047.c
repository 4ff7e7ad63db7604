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

/* Printable ASCII that no reader decodes. */
static bool
plain_text(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return span_find(s, SPAN("=?")) < 0;
}

/* What may stand for itself in the Q encoding everywhere, phrases included (RFC 2047, 5 (3)). */
static bool
q_safe(char c)
{
	return ascii_isalnum(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

/* The next character, control characters and what is not UTF-8 made harmless. */
static size_t
next_char(struct span s, struct span *ch)
{
	size_t len;
	int32_t cp = utf8_get(s, &len);

	*ch = span_head(s, len);
	if (cp < 0) {
		*ch = SPAN("\xef\xbf\xbd");
		len = 1;
	} else if (cp < ' ' || cp == 0x7f)
		*ch = SPAN(" ");
	return len;
}

static size_t
q_size(struct span ch)
{
	return ch.n == 1 && (q_safe(ch.p[0]) || ch.p[0] == ' ') ? 1 : 3 * ch.n;
}

static void
put_q(struct span ch, struct buf *out, struct err *e)
{
	static const char hex[] = "0123456789ABCDEF";

	if (ch.n == 1 && ch.p[0] == ' ')
		buf_byte(out, e, '_');
	else if (q_size(ch) == 1)
		buf_byte(out, e, ch.p[0]);
	else
		for (size_t i = 0; i < ch.n; i++) {
			buf_byte(out, e, '=');
			buf_byte(out, e, hex[(uint8_t)ch.p[i] >> 4]);
			buf_byte(out, e, hex[(uint8_t)ch.p[i] & 15]);
		}
}

static bool
mostly_ascii(struct span s)
{
	size_t high = 0;

	for (size_t i = 0; i < s.n; i++)
		high += !q_safe(s.p[i]) && s.p[i] != ' ';
	return high * 4 < s.n;
}

/*
 * One encoded word with as many characters as `room` octets hold (RFC 2047, 2: at most 75 a word, 76 a line).
 * Gives how much of s it took.
 */
static size_t
put_word(struct span s, bool q, size_t room, struct buf *out, struct err *e)
{
	size_t used = 0, len, size = 0, octets = 0;
	struct buf raw; /* of at most 75 octets */
	struct span ch;

	buf_init(&raw, 128);
	buf_str(out, e, q ? "=?utf-8?q?" : "=?utf-8?b?");
	room -= 12;
	while (used < s.n) {
		len = next_char(span_from(s, used), &ch);
		size = q ? size + q_size(ch) : (octets + ch.n + 2) / 3 * 4;
		octets += ch.n;
		if (size > room && used > 0)
			break;
		if (q)
			put_q(ch, out, e);
		else
			buf_add(&raw, NULL, ch);
		used += len;
	}
	if (!q)
		base64_encode(buf_span(&raw), out, e);
	buf_str(out, e, "?=");
	buf_free(&raw);
	return used;
}

int
rfc2047_encode(struct span text, size_t column, struct buf *out, struct err *e)
{
	bool q = mostly_ascii(text);
	struct err first = { 0 };

	if (plain_text(text))
		return buf_add(out, e, text);
	if (column > 76 - 36) {
		buf_str(out, &first, "\r\n ");
		column = 1;
	}
	while (text.n > 0 && first.kind == ERR_NONE) {
		size_t room = 76 - column < 75 ? 76 - column : 75;

		text = span_from(text, put_word(text, q, room, out, &first));
		if (text.n > 0)
			buf_str(out, &first, "\r\n ");
		column = 1;
	}
	return first.kind == ERR_NONE ? 0 : err_set(e, first.kind, "%s", first.text);
}
