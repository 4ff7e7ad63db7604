#include "imap/format.h"
#include "mail/address.h"
#include "mail/header.h"

/* What a quoted string holds without a backslash: TEXT-CHAR but quoted-specials (RFC 3501, 9). */
static bool
plain_char(char c)
{
	return (c & 0x80) == 0 && c >= ' ' && c != '"' && c != '\\' && c != 0x7f;
}

static bool
fits_quoted(struct span s)
{
	if (s.n > FORMAT_QUOTED_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!plain_char(s.p[i]) && s.p[i] != '"' && s.p[i] != '\\' && s.p[i] != '\t')
			return false;
	return true;
}

static int
literal(struct span s, struct buf *out, struct err *e)
{
	size_t start;

	if (buf_byte(out, e, '{') < 0 || buf_u64(out, e, s.n) < 0 || buf_str(out, e, "}\r\n") < 0)
		return -1;
	start = out->n;
	if (buf_add(out, e, s) < 0)
		return -1;
	for (; start < out->n; start++)
		if (out->p[start] == '\0')
			out->p[start] = '?'; /* no literal may hold it */
	return 0;
}

int
format_string(struct span s, struct buf *out, struct err *e)
{
	char *to;

	if (!fits_quoted(s))
		return literal(s, out, e);
	if ((to = buf_room(out, e, 2 * s.n + 2)) == NULL)
		return -1;
	*to++ = '"';
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			*to++ = '\\';
		*to++ = s.p[i];
	}
	*to++ = '"';
	out->n = (size_t)(to - out->p);
	return 0;
}

int
format_nstring(struct span s, struct buf *out, struct err *e)
{
	if (s.p == NULL)
		return buf_add(out, e, SPAN("NIL"));
	return format_string(s, out, e);
}

/* The fields of an envelope, by name. */
static struct span *
slot(struct envelope *env, struct span name)
{
	switch (name.n) {
	case 2:
		return span_ieq(name, "To") ? &env->to : span_ieq(name, "Cc") ? &env->cc : NULL;
	case 3:
		return span_ieq(name, "Bcc") ? &env->bcc : NULL;
	case 4:
		return span_ieq(name, "Date") ? &env->date : span_ieq(name, "From") ? &env->from : NULL;
	case 6:
		return span_ieq(name, "Sender") ? &env->sender : NULL;
	case 7:
		return span_ieq(name, "Subject") ? &env->subject : NULL;
	case 8:
		return span_ieq(name, "Reply-To") ? &env->reply_to : NULL;
	case 10:
		return span_ieq(name, "Message-ID")   ? &env->message_id
		       : span_ieq(name, "References") ? &env->references
						      : NULL;
	case 11:
		return span_ieq(name, "In-Reply-To") ? &env->in_reply_to : NULL;
	}
	return NULL;
}

/* The values of all fields of this name with commas between: RFC 5322, 4.5.3, for fields given several times.
 */
static struct span
joined(struct span header, const char *name, struct arena *a)
{
	struct header_iter it = header_start(header);
	struct header_field f;
	char *start = arena_alloc(a, header.n < HEADER_BYTES_MAX ? header.n : HEADER_BYTES_MAX), *to = start;

	while (header_next(&it, &f)) {
		if (!span_ieq(f.name, name))
			continue;
		if (to > start)
			*to++ = ','; /* in the place of the name */
		if (f.value.n > 0)
			memcpy(to, f.value.p, f.value.n);
		to += f.value.n;
	}
	return span_of(start, (size_t)(to - start));
}

void
envelope_find(struct span header, struct arena *a, struct envelope *env)
{
	struct header_iter it = header_start(header);
	bool to_again = false, cc_again = false, bcc_again = false;
	struct header_field f;

	*env = (struct envelope){ 0 };
	while (header_next(&it, &f)) {
		struct span *s = slot(env, f.name);

		if (s == NULL)
			continue;
		if (s->p == NULL) {
			*s = f.value;
			continue;
		}
		to_again |= s == &env->to;
		cc_again |= s == &env->cc;
		bcc_again |= s == &env->bcc;
	}
	if (to_again)
		env->to = joined(header, "To", a);
	if (cc_again)
		env->cc = joined(header, "Cc", a);
	if (bcc_again)
		env->bcc = joined(header, "Bcc", a);
}

/* (name adl mailbox host). A host that is missing is empty, since NIL there starts a group. */
static int
address(const struct address *a, struct buf *out, struct err *e)
{
	const struct span nil = { NULL, 0 };
	struct span name = nil, route = nil, mailbox = nil, host = nil;

	switch (a->kind) {
	case ADDRESS_MAILBOX:
		name = a->name;
		route = a->route;
		mailbox = a->mailbox.p != NULL ? a->mailbox : SPAN("");
		host = a->host.p != NULL ? a->host : SPAN("");
		break;
	case ADDRESS_GROUP:
		mailbox = a->mailbox;
		break;
	case ADDRESS_GROUP_END:
		break;
	}
	buf_byte(out, e, '(');
	format_nstring(name, out, e);
	buf_byte(out, e, ' ');
	format_nstring(route, out, e);
	buf_byte(out, e, ' ');
	format_nstring(mailbox, out, e);
	buf_byte(out, e, ' ');
	format_nstring(host, out, e);
	return buf_byte(out, e, ')');
}

/* True if anything was written but NIL. */
static bool
addresses(struct span value, struct arena *scratch, struct buf *out, struct err *e)
{
	const struct address *a;

	arena_reset(scratch);
	if ((a = address_parse(value, scratch, NULL)) == NULL) {
		buf_str(out, e, "NIL");
		return false;
	}
	buf_byte(out, e, '(');
	for (; a != NULL && e->kind == ERR_NONE; a = a->next)
		address(a, out, e);
	buf_byte(out, e, ')');
	return true;
}

static void
text_field(struct span value, struct arena *scratch, struct buf *out, struct err *e)
{
	if (value.p != NULL) {
		arena_reset(scratch);
		value = header_unfold(value, scratch);
	}
	format_nstring(value, out, e);
}

/* Sender and Reply-To are From's where they are absent or empty (RFC 3501, 7.4.2, ENVELOPE). */
static void
address_or_from(struct span value, struct span from, struct arena *scratch, struct buf *out, struct err *e)
{
	size_t start = out->n;

	if (addresses(value, scratch, out, e) || from.p == NULL || e->kind != ERR_NONE)
		return;
	out->n = start;
	addresses(from, scratch, out, e);
}

int
envelope_format(const struct envelope *env, struct arena *scratch, struct buf *out, struct err *e)
{
	need(e != NULL);
	buf_byte(out, e, '(');
	text_field(env->date, scratch, out, e);
	buf_byte(out, e, ' ');
	text_field(env->subject, scratch, out, e);
	buf_byte(out, e, ' ');
	addresses(env->from, scratch, out, e);
	buf_byte(out, e, ' ');
	address_or_from(env->sender, env->from, scratch, out, e);
	buf_byte(out, e, ' ');
	address_or_from(env->reply_to, env->from, scratch, out, e);
	buf_byte(out, e, ' ');
	addresses(env->to, scratch, out, e);
	buf_byte(out, e, ' ');
	addresses(env->cc, scratch, out, e);
	buf_byte(out, e, ' ');
	addresses(env->bcc, scratch, out, e);
	buf_byte(out, e, ' ');
	text_field(env->in_reply_to, scratch, out, e);
	buf_byte(out, e, ' ');
	text_field(env->message_id, scratch, out, e);
	buf_byte(out, e, ')');
	arena_reset(scratch);
	return e->kind == ERR_NONE ? 0 : -1;
}

int
envelope_first_mailbox(struct span value, struct arena *scratch, struct buf *out, struct err *e)
{
	const struct address *a;

	arena_reset(scratch);
	a = address_parse(value, scratch, NULL);
	return a != NULL ? buf_add(out, e, a->mailbox) : 0;
}
