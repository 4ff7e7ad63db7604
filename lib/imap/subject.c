/*
 * The base subject of RFC 5256, 2.1, and message ids. The steps of the RFC are done on a span that shrinks
 * from both ends; blobs ("[list] ") are walked over once, so the time is linear.
 */
#include "imap/format.h"
#include "mail/rfc2047.h"

/* Step 1: one space for each run of blanks. */
static void
squeeze(struct buf *b, size_t from)
{
	size_t to = from;

	for (size_t i = from; i < b->n; i++) {
		char c = b->p[i] == '\t' ? ' ' : b->p[i];

		if (c != ' ' || to == from || b->p[to - 1] != ' ')
			b->p[to++] = c;
	}
	b->n = to;
}

/* Step 2: "(fwd)" and blanks at the end. */
static struct span
cut_trailers(struct span s, bool *reply)
{
	for (;;) {
		s = span_trim(s);
		if (s.n < 5 || !span_ieq(span_from(s, s.n - 5), "(fwd)"))
			return s;
		s.n -= 5;
		*reply = true;
	}
}

/* subj-blob: "[" no brackets "]" and blanks. Its size, or 0. */
static size_t
blob_size(struct span s)
{
	size_t n = 1;

	if (s.n == 0 || s.p[0] != '[')
		return 0;
	while (n < s.n && s.p[n] != '[' && s.p[n] != ']')
		n++;
	if (n == s.n || s.p[n] != ']')
		return 0;
	for (n++; n < s.n && s.p[n] == ' '; n++)
		;
	return n;
}

/* subj-refwd: "re" or "fw" or "fwd", blanks, at most one blob, ":". Its size, or 0. */
static size_t
refwd_size(struct span s)
{
	size_t n = 2;

	if (span_istarts(s, "fwd"))
		n = 3;
	else if (!span_istarts(s, "re") && !span_istarts(s, "fw"))
		return 0;
	while (n < s.n && s.p[n] == ' ')
		n++;
	n += blob_size(span_from(s, n));
	return n < s.n && s.p[n] == ':' ? n + 1 : 0;
}

/*
 * Steps 3 to 5: leaders, which are blanks or blobs with a "Re:" behind them, and blobs as long as something
 * is left behind.
 */
static struct span
cut_leaders(struct span s, bool *reply)
{
	for (;;) {
		struct span rest = s = span_trim(s), last = s;
		size_t n;

		while ((n = blob_size(rest)) > 0) {
			last = rest;
			rest = span_from(rest, n);
		}
		if ((n = refwd_size(rest)) == 0)
			return rest.n > 0 ? rest : last;
		*reply = true;
		s = span_from(rest, n);
	}
}

/* At most max octets, not within a character. */
static struct span
cut_utf8(struct span s, size_t max)
{
	if (s.n <= max)
		return s;
	while (max > 0 && (s.p[max] & 0xc0) == 0x80)
		max--;
	return span_head(s, max);
}

int
subject_base(struct span value, struct buf *out, bool *reply, struct err *e)
{
	struct buf text;
	struct span s;
	int rc;

	*reply = false;
	value = span_head(value, 8 * SUBJECT_MAX); /* encoded words are that much longer at most */
	buf_init(&text, 64 * SUBJECT_MAX);
	rc = rfc2047_decode(value, &text, e);
	squeeze(&text, 0);
	s = cut_utf8(buf_span(&text), SUBJECT_MAX);
	for (;;) {
		s = cut_leaders(cut_trailers(s, reply), reply);
		/* Step 6: "[fwd: ... ]" is taken off, and all begins again. */
		if (s.n < 6 || !span_istarts(s, "[fwd:") || s.p[s.n - 1] != ']')
			break;
		*reply = true;
		s = span_of(s.p + 5, s.n - 6);
	}
	if (rc == 0)
		rc = buf_add(out, e, s);
	buf_free(&text);
	return rc;
}

/* "<id>" at the start of s: appended normalised; the octets used. Nothing is appended when it is no id. */
static size_t
msgid(struct span s, struct buf *out, bool *valid)
{
	size_t start = out->n, i = 1;
	bool in_quotes = false, at = false;

	for (; i < s.n; i++) {
		char c = s.p[i];

		if (c == '"') {
			in_quotes = !in_quotes;
			continue;
		}
		if (c == '\\' && in_quotes && i + 1 < s.n)
			c = s.p[++i];
		else if (!in_quotes && (c == '>' || c == '<'))
			break;
		if (c == '\r' || c == '\n' || c == '\0' || (!in_quotes && (c == ' ' || c == '\t')))
			continue; /* folding within an id */
		at |= c == '@';
		buf_byte(out, NULL, c);
	}
	*valid = i < s.n && s.p[i] == '>' && at && out->n > start + 1;
	if (!*valid)
		out->n = start;
	return i < s.n && s.p[i] == '>' ? i + 1 : i;
}

size_t
msgid_list(struct span value, size_t max, struct buf *out)
{
	size_t count = 0;
	ssize_t at;
	bool valid;

	while (count < max && (at = span_chr(value, '<')) >= 0) {
		value = span_from(value, (size_t)at);
		value = span_from(value, msgid(value, out, &valid));
		if (valid) {
			buf_byte(out, NULL, '\0');
			count++;
		}
	}
	return count;
}
