#include "mail/mime.h"

#include "mail/header.h"
#include "mail/param.h"

/* A multipart whose delimiters are looked for. */
struct open_boundary {
	struct span text;
	struct mime_part *part;
};

struct parser {
	struct span msg;
	struct arena *a;
	struct mime_part *cur; /* the innermost part that has not ended */
	enum { HEADER, BODY } state;
	uint64_t lines; /* line feeds in front of the current line */
	size_t parts, params;
	struct open_boundary open[MIME_DEPTH_MAX + 1];
	size_t nopen;
};

enum mime_encoding
mime_encoding_of(struct span value)
{
	static const struct {
		const char *name;
		enum mime_encoding encoding;
	} known[] = {
		{ "7bit", MIME_7BIT },
		{ "8bit", MIME_8BIT },
		{ "binary", MIME_BINARY },
		{ "quoted-printable", MIME_QP },
		{ "base64", MIME_BASE64 },
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (span_ieq(value, known[i].name))
			return known[i].encoding;
	return MIME_OTHER;
}

struct span
mime_param(const struct mime_param *list, const char *name)
{
	for (; list != NULL; list = list->next)
		if (span_ieq(list->name, name))
			return list->value;
	return (struct span){ NULL, 0 };
}

struct mime_part *
mime_next(const struct mime_part *p)
{
	if (p->child != NULL)
		return p->child;
	while (p != NULL && p->next == NULL)
		p = p->parent;
	return p != NULL ? p->next : NULL;
}

static void
set_type(struct mime_part *p, struct span type, struct span subtype)
{
	p->type = type;
	p->subtype = subtype;
}

/* A part that is not looked into. */
static void
make_opaque(struct mime_part *p)
{
	p->opaque = true;
	p->kind = MIME_LEAF;
	p->encoding = MIME_BINARY;
	p->encoding_name = SPAN("binary");
	p->params = NULL;
	p->charset = SPAN("");
	set_type(p, SPAN("application"), SPAN("octet-stream"));
}

/*
 * The charset of a text part. A text/plain that says none is shown with the one that it has by default (RFC
 * 2046, 4.1.2), as other servers do; what other texts mean by saying none is their own.
 */
static void
text_charset(struct mime_part *p, struct arena *a)
{
	struct span said = param_text(p->params, "charset", a);
	struct mime_param **end = &p->params;

	p->charset = said.n > 0 ? said : SPAN("us-ascii");
	if (said.p != NULL || !span_ieq(p->subtype, "plain"))
		return;
	while (*end != NULL)
		end = &(*end)->next;
	*end = arena_alloc(a, sizeof **end);
	**end = (struct mime_param){ NULL, SPAN("charset"), p->charset };
}

/* RFC 2045, 5.2: the type of what says none, or none that can be read. */
static void
make_text(struct mime_part *p, struct arena *a)
{
	p->kind = MIME_TEXT;
	p->params = NULL;
	set_type(p, SPAN("text"), SPAN("plain"));
	text_charset(p, a);
}

static size_t
params_left(const struct parser *ps)
{
	size_t left = MIME_PARAMS_ALL_MAX - ps->params;

	return left < MIME_PARAMS_MAX ? left : MIME_PARAMS_MAX;
}

static void
content_type(struct parser *ps, struct mime_part *p, struct span value)
{
	struct span type = param_token(&value), subtype;

	if (type.n == 0 || !param_char(&value, '/') || (subtype = param_token(&value)).n == 0)
		return; /* as if it said nothing */
	set_type(p, type, subtype);
	p->params = param_list(value, params_left(ps), &ps->params, ps->a);
}

static void
disposition(struct parser *ps, struct mime_part *p, struct span value)
{
	p->disposition = param_token(&value);
	if (p->disposition.n == 0)
		p->disposition.p = NULL;
	else
		p->disposition_params = param_list(value, params_left(ps), &ps->params, ps->a);
}

/* One Content-* field; of those given twice the first counts. */
static void
content_field(struct parser *ps, struct mime_part *p, const struct header_field *f)
{
	struct span name = span_from(f->name, 8), value = f->value;

	if (span_ieq(name, "Type") && p->type.p == NULL)
		content_type(ps, p, value);
	else if (span_ieq(name, "Transfer-Encoding") && p->encoding_name.p == NULL) {
		p->encoding_name = param_token(&value);
		p->encoding = mime_encoding_of(p->encoding_name);
		if (p->encoding_name.n == 0)
			p->encoding_name.p = NULL;
	} else if (span_ieq(name, "ID") && p->id.p == NULL)
		p->id = header_unfold(value, ps->a);
	else if (span_ieq(name, "Description") && p->description.p == NULL)
		p->description = header_unfold(value, ps->a);
	else if (span_ieq(name, "Disposition") && p->disposition.p == NULL)
		disposition(ps, p, value);
	else if (span_ieq(name, "Language") && p->language.p == NULL)
		p->language = header_unfold(value, ps->a);
	else if (span_ieq(name, "Location") && p->location.p == NULL)
		p->location = header_unfold(value, ps->a);
	else if (span_ieq(name, "MD5") && p->md5.p == NULL)
		p->md5 = header_unfold(value, ps->a);
}

static void
content_fields(struct parser *ps, struct mime_part *p)
{
	struct header_iter it = header_start(span_of(ps->msg.p + p->header_at, p->header_size));
	struct header_field f;

	while (header_next(&it, &f))
		if (f.name.n > 8 && span_istarts(f.name, "Content-"))
			content_field(ps, p, &f);
	if (p->encoding_name.p == NULL) {
		p->encoding_name = SPAN("7bit");
		p->encoding = MIME_7BIT;
	}
}

/* RFC 2046, 5.2.1; RFC 6532, 3.7. In BODYSTRUCTURE they are told alike (RFC 9051, 9: media-message). */
static bool
is_message(const struct mime_part *p)
{
	return span_ieq(p->type, "message") &&
	       (span_ieq(p->subtype, "rfc822") || span_ieq(p->subtype, "global"));
}

/*
 * What is encoded cannot be walked in place. RFC 2046, 5.2.1 allows no encoding, and a quoted-printable one is mostly a lie;
 * RFC 6532, 3.7 allows them.
 */
static bool
encoded_message(const struct mime_part *p)
{
	return p->encoding == MIME_BASE64 || (p->encoding == MIME_QP && span_ieq(p->subtype, "global"));
}

/* What the part is, from its type; gives the boundary of a multipart. */
static struct span
decide_kind(struct mime_part *p, struct arena *a)
{
	struct span boundary = { NULL, 0 };

	if (p->type.p == NULL) {
		if (p->parent != NULL && p->parent->kind == MIME_MULTIPART &&
		    span_ieq(p->parent->subtype, "digest"))
			set_type(p, SPAN("message"), SPAN("rfc822")); /* RFC 2046, 5.1.5 */
		else
			make_text(p, a);
	} else if (span_ieq(p->type, "text")) {
		p->kind = MIME_TEXT;
		text_charset(p, a);
	}
	if (p->kind == MIME_TEXT)
		return boundary;
	if (span_ieq(p->type, "multipart")) {
		boundary = span_trim(param_text(p->params, "boundary", a));
		if (boundary.n == 0 || boundary.n > MIME_BOUNDARY_MAX)
			make_text(p, a);
		else
			p->kind = MIME_MULTIPART;
	} else if (is_message(p)) {
		if (encoded_message(p))
			set_type(p, SPAN("application"), SPAN("octet-stream"));
		else
			p->kind = MIME_MESSAGE;
	}
	if (p->depth == MIME_DEPTH_MAX && (p->kind == MIME_MULTIPART || p->kind == MIME_MESSAGE))
		make_opaque(p);
	return boundary;
}

static struct mime_part *
begin_part(struct parser *ps, struct mime_part *parent, size_t at)
{
	struct mime_part *p = arena_alloc(ps->a, sizeof *p), **end;

	p->parent = parent;
	p->header_at = at;
	if (parent != NULL) {
		/* The last child is where the walk came from, or there is none. */
		end = parent->children == 0 ? &parent->child : &parent->last->next;
		*end = p;
		parent->last = p;
		parent->children++;
		p->depth = parent->depth + 1;
	}
	ps->parts++;
	ps->cur = p;
	ps->state = HEADER;
	return p;
}

/*
 * The header of the current part ends, its body starts at `at`. A message within starts at once with a header
 * of its own.
 */
static void
end_header(struct parser *ps, size_t at)
{
	struct mime_part *p = ps->cur;
	struct span boundary;

	p->header_size = at - p->header_at;
	p->body_at = at;
	p->lines = ps->lines;
	content_fields(ps, p);
	boundary = decide_kind(p, ps->a);
	ps->state = BODY;
	if (p->kind == MIME_MULTIPART)
		ps->open[ps->nopen++] = (struct open_boundary){ boundary, p };
	else if (p->kind == MIME_MESSAGE) {
		if (ps->parts == MIME_PARTS_MAX)
			make_opaque(p);
		else
			begin_part(ps, p, at);
	}
}

/*
 * The body of the current part ends in front of `end`, where `lines` line feeds have gone by.
 * A multipart in which no part was found is shown as the text that it is.
 */
static void
end_part(struct parser *ps, size_t end, uint64_t lines)
{
	struct mime_part *p = ps->cur;

	need(p != NULL); /* only open parts are ended, and their parents are open */
	if (end < p->body_at) {
		end = p->body_at;
		lines = p->lines;
	}
	p->body_size = end - p->body_at;
	p->lines = lines - p->lines;
	if (p->kind == MIME_MULTIPART) {
		if (ps->nopen > 0 && ps->open[ps->nopen - 1].part == p)
			ps->nopen--;
		if (p->children == 0)
			make_text(p, ps->a);
	}
	ps->cur = p->parent;
	ps->state = BODY;
}

/* The open boundary that this line is a delimiter of, or -1: the longest that fits, the innermost of equals.
 */
static ssize_t
delimiter(const struct parser *ps, struct span line)
{
	ssize_t best = -1;
	struct span rest = span_from(line, 2);

	for (size_t i = 0; i < ps->nopen; i++) {
		struct span b = ps->open[i].text;

		if (rest.n >= b.n && rest.p[0] == b.p[0] && memcmp(rest.p, b.p, b.n) == 0 &&
		    (best < 0 || b.n >= ps->open[best].text.n))
			best = (ssize_t)i;
	}
	return best;
}

/* A delimiter line of open[which] stands at `at`; what is open within that multipart ends. */
static void
at_delimiter(struct parser *ps, size_t which, size_t at, struct span line)
{
	struct open_boundary b = ps->open[which];
	bool closes = span_starts(span_from(line, 2 + b.text.n), "--");
	size_t end = at;
	uint64_t lines = ps->lines;

	if (ps->parts == MIME_PARTS_MAX && !closes) {
		if (ps->state == HEADER)
			end_header(ps, at);
		if (ps->cur->kind == MIME_LEAF || ps->cur->kind == MIME_TEXT)
			make_opaque(ps->cur); /* the rest is in here as it stands */
		return;
	}
	if (ps->state == HEADER)
		end_header(ps, at); /* it had no body; a message of no header at all may start and end here */
	if (ps->state == HEADER)
		end_header(ps, at);
	/* The line end in front of the line is the delimiter's. */
	if (end > 0) {
		end--;
		lines--;
		if (end > 0 && ps->msg.p[end - 1] == '\r')
			end--;
	}
	while (ps->cur != b.part)
		end_part(ps, end, lines);
	ps->nopen = which + 1;
	if (closes)
		ps->nopen--; /* what follows is an epilogue */
	else
		begin_part(ps, b.part, at + line.n);
}

static bool
is_empty(struct span line)
{
	return line.p[0] == '\n' || (line.p[0] == '\r' && line.n > 1 && line.p[1] == '\n');
}

struct mime_part *
mime_parse(struct span message, struct arena *a)
{
	struct parser *ps = arena_alloc(a, sizeof *ps);
	struct mime_part *root;
	const char *lf;
	size_t at = 0;
	ssize_t which;

	ps->msg = message;
	ps->a = a;
	root = begin_part(ps, NULL, 0);
	while (at < message.n) {
		struct span line = span_from(message, at);

		lf = memchr(line.p, '\n', line.n);
		if (lf != NULL)
			line.n = (size_t)(lf + 1 - line.p);
		if (line.p[0] == '-' && ps->nopen > 0 && line.n > 2 && line.p[1] == '-' &&
		    (which = delimiter(ps, line)) >= 0) {
			at_delimiter(ps, (size_t)which, at, line);
			ps->lines += lf != NULL;
		} else {
			ps->lines += lf != NULL;
			if (ps->state == HEADER && is_empty(line))
				end_header(ps, at + line.n);
		}
		at += line.n;
	}
	while (ps->state == HEADER)
		end_header(ps, at);
	while (ps->cur != NULL)
		end_part(ps, message.n, ps->lines);
	return root;
}
