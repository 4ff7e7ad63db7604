#include "smtp/reply.h"

#include <stdio.h>

void
reply_init(struct reply *r)
{
	r->code = r->lines = 0;
	r->enhanced = false;
	r->status[0] = r->text[0] = '\0';
	r->text_n = 0;
}

/* 1*3DIGIT without a leading zero; its length, 0 if there is none or it is longer. */
static size_t
status_number(struct span s)
{
	size_t n = 0;

	while (n < s.n && ascii_isdigit(s.p[n]))
		n++;
	return n > 3 || (n > 1 && s.p[0] == '0') ? 0 : n;
}

size_t
status_at(struct span s)
{
	size_t subject, detail;

	if (s.n < 5 || (s.p[0] != '2' && s.p[0] != '4' && s.p[0] != '5') || s.p[1] != '.')
		return 0;
	subject = status_number(span_from(s, 2));
	if (subject == 0 || 2 + subject >= s.n || s.p[2 + subject] != '.')
		return 0;
	detail = status_number(span_from(s, 3 + subject));
	return detail > 0 ? 3 + subject + detail : 0;
}

/* What comes from strangers goes to logs and reports: anything not printable is a question mark. */
static void
text_add(struct reply *r, struct span s)
{
	if (r->text_n > 0 && s.n > 0 && r->text_n < REPLY_TEXT_MAX - 1)
		r->text[r->text_n++] = ' ';
	for (size_t i = 0; i < s.n && r->text_n < REPLY_TEXT_MAX - 1; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '\t')
			c = ' ';
		r->text[r->text_n++] = c >= 0x20 && c < 0x7f ? (char)c : '?';
	}
	r->text[r->text_n] = '\0';
}

/*
 * The enhanced code at the start of a line's text, if it is of the class of the reply (RFC 2034, 4: one
 * that contradicts it is not to be believed). It is told once, not in each line of the text.
 */
static struct span
status_take(struct reply *r, struct span text)
{
	size_t n = status_at(text);

	if (n == 0 || (n < text.n && text.p[n] != ' ') || text.p[0] != (char)('0' + r->code / 100))
		return text;
	if (!r->enhanced) {
		memcpy(r->status, text.p, n);
		r->status[n] = '\0';
		r->enhanced = true;
	}
	return span_trim(span_from(text, n));
}

static unsigned
line_code(struct span line)
{
	if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5')
		return 0;
	if (line.p[1] < '0' || line.p[1] > '5' || !ascii_isdigit(line.p[2]))
		return 0;
	return (unsigned)(line.p[0] - '0') * 100 + (unsigned)(line.p[1] - '0') * 10 +
	       (unsigned)(line.p[2] - '0');
}

struct span
reply_line_text(struct span line)
{
	return span_from(line, 4);
}

int
reply_line(struct reply *r, struct span line, struct err *e)
{
	unsigned code = line_code(line);

	if (code == 0 || (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-'))
		return err_set(e, ERR_PEER, "not an SMTP reply");
	if (r->lines > 0 && code != r->code)
		return err_set(e, ERR_PEER, "a reply with two codes");
	if (++r->lines > REPLY_LINES_MAX)
		return err_set(e, ERR_PEER, "a reply of more than %d lines", REPLY_LINES_MAX);
	r->code = code;
	text_add(r, status_take(r, reply_line_text(line)));
	if (line.n > 3 && line.p[3] == '-')
		return 0;
	if (!r->enhanced)
		snprintf(r->status, sizeof r->status, "%u.0.0", code / 100);
	return 1;
}

enum err_kind
reply_kind(const struct reply *r)
{
	if (r->code < 400)
		return ERR_NONE;
	return r->code < 500 ? ERR_TEMP : ERR_PERM;
}
