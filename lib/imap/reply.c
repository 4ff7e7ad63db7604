#include "imap/reply.h"

#include "base/utf8.h"
#include "imap/lex.h"
#include "imap/utf7.h"

enum { QUOTED_MAX = 1000 };

static bool
quotable(struct span s, unsigned char highest)
{
	if (s.n > QUOTED_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > highest || s.p[i] == 0x7f || s.p[i] == '\r' || s.p[i] == '\n')
			return false;
	return true;
}

static int
put_quoted(struct span s, struct buf *out, struct err *e)
{
	char *p = buf_room(out, e, 2 * s.n + 2), *at = p;

	if (p == NULL)
		return -1;
	*at++ = '"';
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\0')
			continue;
		if (s.p[i] == '"' || s.p[i] == '\\')
			*at++ = '\\';
		*at++ = s.p[i];
	}
	*at++ = '"';
	out->n += (size_t)(at - p);
	return 0;
}

int
imap_put_literal(struct span s, struct buf *out, struct err *e)
{
	if (buf_printf(out, e, "{%zu}\r\n", s.n) < 0)
		return -1;
	return buf_add(out, e, s);
}

/* A literal of text in which NULs have no place (CHAR8); plus: "+" where it waits for none, else "". */
static int
put_text_literal(struct span s, const char *plus, struct buf *out, struct err *e)
{
	size_t nuls = 0;
	char *p;

	for (size_t i = 0; i < s.n; i++)
		nuls += s.p[i] == '\0';
	if (buf_printf(out, e, "{%zu%s}\r\n", s.n - nuls, plus) < 0 || (p = buf_room(out, e, s.n)) == NULL)
		return -1;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '\0')
			*p++ = s.p[i];
	out->n += s.n - nuls;
	return 0;
}

int
imap_put_string(struct span s, struct buf *out, struct err *e)
{
	return quotable(s, 126) ? put_quoted(s, out, e) : put_text_literal(s, "", out, e);
}

int
imap_put_argument(struct span s, struct buf *out, struct err *e)
{
	return quotable(s, 126) ? put_quoted(s, out, e) : put_text_literal(s, "+", out, e);
}

int
imap_put_astring(struct span s, struct buf *out, struct err *e)
{
	if (imap_is_atom(s) && !span_ieq(s, "NIL") && s.n <= QUOTED_MAX)
		return buf_add(out, e, s);
	return imap_put_string(s, out, e);
}

int
imap_put_mailbox(struct span name, struct buf *out, struct err *e)
{
	struct buf wire;
	int rc;

	buf_init(&wire, 8 * name.n + 16);
	rc = utf7_encode(name, &wire, e);
	if (rc == 0)
		rc = imap_put_astring(buf_span(&wire), out, e);
	buf_free(&wire);
	return rc;
}

int
imap_put_mailbox_utf8(struct span name, struct buf *out, struct err *e)
{
	if (imap_is_atom(name) || !quotable(name, 255))
		return imap_put_astring(name, out, e);
	return put_quoted(name, out, e);
}
