#include "deliver/smtp/body.h"

static int
newline(struct body *b, struct buf *out, struct err *e)
{
	b->inside = b->cr = false;
	return buf_add(out, e, SPAN("\r\n"));
}

/* Octets up to the first CR or LF. */
static size_t
text_length(struct span in)
{
	const char *lf = memchr(in.p, '\n', in.n), *cr;
	size_t n = lf != NULL ? (size_t)(lf - in.p) : in.n;

	cr = n > 0 ? memchr(in.p, '\r', n) : NULL;
	return cr != NULL ? (size_t)(cr - in.p) : n;
}

static int
text(struct body *b, struct span s, struct buf *out, struct err *e)
{
	if (!b->inside && s.p[0] == '.' && buf_byte(out, e, '.') < 0)
		return -1;
	b->inside = true;
	return buf_add(out, e, s);
}

int
body_feed(struct body *b, struct span in, struct buf *out, struct err *e)
{
	while (in.n > 0) {
		size_t n = text_length(in);
		bool cr = b->cr;

		if (cr && newline(b, out, e) < 0)
			return -1;
		if (n > 0) {
			if (text(b, span_head(in, n), out, e) < 0)
				return -1;
			in = span_from(in, n);
			continue;
		}
		b->cr = in.p[0] == '\r';
		if (!b->cr && !cr &&
		    newline(b, out, e) < 0) /* an LF behind a CR is the end that was written */
			return -1;
		in = span_from(in, 1);
	}
	return 0;
}

int
body_end(struct body *b, struct buf *out, struct err *e)
{
	if ((b->inside || b->cr) && newline(b, out, e) < 0)
		return -1;
	return buf_add(out, e, SPAN(".\r\n"));
}
