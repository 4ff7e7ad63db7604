#include "pop3d/send.h"

void
sender_init(struct sender *s, struct conn *c, uint64_t lines)
{
	*s = (struct sender){ .c = c, .lines = lines, .blank = true };
}

/* A line has ended: is what was asked for complete? */
static void
line_ended(struct sender *s)
{
	if (s->body)
		s->lines--;
	else if (s->blank)
		s->body = true;
	s->done = s->body && s->lines == 0;
	s->mid_line = false;
	s->blank = true;
}

/* One line, or the part of it that is in the piece; *rest is moved behind it. What it needs is written before
 * it. */
static int
one_line(struct sender *s, struct span *rest, struct err *e)
{
	ssize_t lf = span_chr(*rest, '\n');
	size_t n = lf < 0 ? rest->n : (size_t)lf;
	struct span text = span_head(*rest, n);
	char before = n > 0 ? text.p[n - 1] : s->last;

	if (n > 0) {
		if (!s->mid_line && text.p[0] == '.' && conn_write(s->c, SPAN("."), e) < 0)
			return -1;
		s->blank = s->blank && n == 1 && !s->mid_line && text.p[0] == '\r';
		s->mid_line = true;
		s->last = before;
	}
	if (lf < 0) {
		*rest = span_from(*rest, n);
		return conn_write(s->c, text, e);
	}
	if (before == '\r' && s->mid_line) {
		text.n++; /* with its LF, as it stands */
		if (conn_write(s->c, text, e) < 0)
			return -1;
	} else if (conn_write(s->c, text, e) < 0 || conn_write(s->c, SPAN("\r\n"), e) < 0) {
		return -1;
	}
	*rest = span_from(*rest, n + 1);
	s->last = '\n';
	line_ended(s);
	return 0;
}

int
sender_add(struct sender *s, struct span piece, struct err *e)
{
	while (piece.n > 0 && !s->done)
		if (one_line(s, &piece, e) < 0)
			return -1;
	return 0;
}

int
sender_end(struct sender *s, struct err *e)
{
	if (s->mid_line && !s->done && conn_write(s->c, s->last == '\r' ? SPAN("\n") : SPAN("\r\n"), e) < 0)
		return -1;
	return conn_write(s->c, SPAN(".\r\n"), e);
}
