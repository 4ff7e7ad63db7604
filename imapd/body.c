#include "imapd/body.h"

#include <sys/mman.h>
#include <unistd.h>

#include "imapd/reply.h"
#include "mail/header.h"

enum { SMALL = 16 * 1024 };

int
body_open(struct body *b, struct session *s, const struct store_msg *msg, struct err *e)
{
	*b = (struct body){ .s = s, .msg = msg, .fd = -1 };
	return structure_open(msg->structure, &b->st, e);
}

void
body_close(struct body *b)
{
	if (b->map != NULL)
		munmap(b->map, b->map_size);
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
	b->map = NULL;
}

static int
open_file(struct body *b, struct err *e)
{
	if (b->fd < 0)
		b->fd = store_msg_open(b->s->st, b->msg, e);
	return b->fd < 0 ? -1 : 0;
}

/* Message files never change and never shrink, so a mapping of one is safe to read. */
int
body_map(struct body *b, struct span *region, struct err *e)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), skip = b->msg->offset % page;

	if (b->region.p == NULL && b->msg->length == 0)
		b->region = SPAN("");
	if (b->region.p == NULL) {
		if (open_file(b, e) < 0)
			return -1;
		b->map_size = (size_t)(b->msg->length + skip);
		b->map = mmap(
		    NULL, b->map_size, PROT_READ, MAP_PRIVATE, b->fd, (off_t)(b->msg->offset - skip));
		if (b->map == MAP_FAILED) {
			b->map = NULL;
			return err_set(e, ERR_TEMP, "mapping a message: %m");
		}
		b->region = span_of((const char *)b->map + skip, (size_t)b->msg->length);
	}
	*region = b->region;
	return 0;
}

int
body_fields(struct body *b, const struct structure_names *names, bool except, struct buf *out, struct err *e)
{
	bool complete = false;
	struct span region = { 0 };

	if (header_select(b->msg->prefix, names->names, names->n, except, out, e) < 0)
		return -1;
	if (!except) {
		if (structure_fields(&b->st, names, out, &complete, e) < 0)
			return -1;
		if (complete)
			return b->st.header_size > 0 || b->msg->prefix.n > 0 ? buf_str(out, e, "\r\n") : 0;
	}
	if (body_map(b, &region, e) < 0)
		return -1;
	return header_select(span_head(region, b->st.header_size), names->names, names->n, except, out, e);
}

void
body_prepare(struct imap_section *sections, struct arena *a)
{
	for (struct imap_section *sec = sections; sec != NULL; sec = sec->next) {
		struct structure_names *names;

		if (sec->n == 0)
			continue;
		names = arena_alloc(a, sizeof *names);
		*names = structure_names(sec->names, sec->n);
		sec->looked_up = names;
	}
}

/* A run of octets of a message: of memory, then of the region. */
struct run {
	struct span memory;
	uint64_t at, n;
};

/* Where the section is: 1, 0 if there is no such one, -1. HEADER.FIELDS is not for here. */
static int
section_run(const struct body *b, const struct imap_section *sec, struct run *r, struct err *e)
{
	struct structure_part p = { 0 };
	int rc;

	*r = (struct run){ 0 };
	if (sec->part.n == 0) {
		if (sec->kind != SECTION_TEXT)
			r->memory = b->msg->prefix;
		r->at = sec->kind == SECTION_TEXT ? b->st.header_size : 0;
		r->n = (sec->kind == SECTION_HEADER ? b->st.header_size : b->msg->length) - r->at;
		return 1;
	}
	rc = structure_part(&b->st, sec->part, &p, e);
	if (rc <= 0)
		return rc;
	switch (sec->kind) {
	case SECTION_WHOLE:
		*r = (struct run){ .at = p.body_at, .n = p.body_size };
		return 1;
	case SECTION_MIME:
		*r = (struct run){ .at = p.header_at, .n = p.header_size };
		return 1;
	case SECTION_HEADER:
		*r = (struct run){ .at = p.message_header_at, .n = p.message_header_size };
		return p.message;
	case SECTION_TEXT:
		*r = (struct run){ .at = p.message_body_at, .n = p.message_body_size };
		return p.message;
	case SECTION_FIELDS:
	case SECTION_FIELDS_NOT:
	case SECTION_BINARY:
	case SECTION_BINARY_SIZE:
		break;
	}
	return 0;
}

/* HEADER.FIELDS of the message or of a part that is one: built in *out. */
static int
section_fields(struct body *b, const struct imap_section *sec, struct buf *out, struct err *e)
{
	bool except = sec->kind == SECTION_FIELDS_NOT;
	struct structure_part p = { 0 };
	struct span region = { 0 };
	int rc;

	if (sec->part.n == 0)
		return body_fields(b, sec->looked_up, except, out, e) < 0 ? -1 : 1;
	rc = structure_part(&b->st, sec->part, &p, e);
	if (rc <= 0 || !p.message)
		return rc < 0 ? -1 : 0;
	if (body_map(b, &region, e) < 0)
		return -1;
	region = span_head(span_from(region, p.message_header_at), p.message_header_size);
	return header_select(region, sec->names, sec->n, except, out, e) < 0 ? -1 : 1;
}

/* What <from.count> leaves of it; from behind the end is the empty string (RFC 3501, 6.4.5). */
static void
cut(struct run *r, const struct imap_section *sec)
{
	uint64_t from = sec->from, count = sec->count;
	size_t of_memory = from < r->memory.n ? (size_t)from : r->memory.n;

	if (!sec->partial)
		return;
	r->memory = span_from(r->memory, of_memory);
	from -= of_memory;
	from = from < r->n ? from : r->n;
	r->at += from;
	r->n -= from;
	r->memory = span_head(r->memory, (size_t)count);
	count -= r->memory.n;
	r->n = r->n < count ? r->n : count;
}

/*
 * A literal holds no NUL (RFC 3501, 9: CHAR8), and a literal8 is for BINARY alone (RFC 3516, 4.2): what was a NUL goes as
 * octet 128, so that all stays where it is. BINARY gives the octets as they are.
 */
static void
hide_nul(char *p, size_t n)
{
	char *end = p + n;

	while (p < end && (p = memchr(p, '\0', (size_t)(end - p))) != NULL)
		*p++ = (char)0x80;
}

static int
send_without_nul(struct body *b, uint64_t at, uint64_t n, struct err *e)
{
	struct session *s = b->s;
	struct span region = { 0 }, piece;

	if (body_map(b, &region, e) < 0)
		return -1;
	for (region = span_head(span_from(region, at), n); region.n > 0; region = span_from(region, piece.n)) {
		piece = span_head(region, SMALL);
		if (buf_add(&s->out, e, piece) < 0)
			return -1;
		hide_nul(s->out.p + s->out.n - piece.n, piece.n);
		if (out_flush_some(s, e) < 0)
			return -1;
	}
	return 0;
}

/* A few octets of the file go into the answer beside them, many by sendfile. */
static int
send_region(struct body *b, uint64_t at, uint64_t n, struct err *e)
{
	struct session *s = b->s;
	char *to;

	if (n == 0)
		return 0;
	if (at > b->msg->length || n > b->msg->length - at)
		return err_set(e, ERR_TEMP, "a structure record reaches past its message");
	if ((b->st.flags & STRUCTURE_NUL) != 0)
		return send_without_nul(b, at, n, e);
	if (open_file(b, e) < 0)
		return -1;
	if (n > SMALL) {
		if (conn_write(s->c, buf_span(&s->out), e) < 0)
			return -1;
		buf_clear(&s->out);
		return conn_sendfile(s->c, b->fd, b->msg->offset + at, n, e);
	}
	if ((to = buf_room(&s->out, e, (size_t)n)) == NULL)
		return -1;
	if (pread(b->fd, to, (size_t)n, (off_t)(b->msg->offset + at)) != (ssize_t)n)
		return err_set(e, ERR_TEMP, "a message file is shorter than its record says");
	s->out.n += (size_t)n;
	return 0;
}

/* Once the size has been told the octets must follow: a failure in between can only end the session. */
static int
send_run(struct body *b, const struct run *r, struct err *e)
{
	if (out_printf(b->s, e, " {%llu}\r\n", (unsigned long long)r->memory.n + r->n) < 0 ||
	    buf_add(&b->s->out, e, r->memory) < 0 || send_region(b, r->at, r->n, e) < 0) {
		struct err why = *e;

		err_clear(e);
		return err_set(e, ERR_GONE, "within a literal: %s", why.text);
	}
	return 0;
}

/* What the section is: a run, of which `fields` may hold the memory. 1; 0 there is none; -1. */
static int
section_of(struct body *b, const struct imap_section *sec, struct buf *fields, struct run *r, struct err *e)
{
	int rc;

	*r = (struct run){ 0 };
	if (sec->kind != SECTION_FIELDS && sec->kind != SECTION_FIELDS_NOT)
		return section_run(b, sec, r, e);
	rc = section_fields(b, sec, fields, e);
	r->memory = buf_span(fields);
	return rc;
}

int
body_octets(struct body *b, const struct imap_section *sec, body_give *give, void *arg, struct err *e)
{
	enum { PIECE_MAX = 64 * 1024 };
	struct span region = { 0 }, piece;
	struct buf fields;
	struct run r;
	int rc;

	buf_init(&fields, (size_t)2 << 30);
	rc = section_of(b, sec, &fields, &r, e);
	cut(&r, sec);
	if (rc > 0 && give(arg, r.memory, e) < 0)
		rc = -1;
	if (rc > 0 && r.n > 0 && body_map(b, &region, e) < 0)
		rc = -1;
	region = span_head(span_from(region, r.at), r.n);
	while (rc > 0 && region.n > 0) {
		piece = span_head(region, PIECE_MAX);
		region = span_from(region, piece.n);
		if (give(arg, piece, e) < 0)
			rc = -1;
	}
	buf_free(&fields);
	return rc;
}

int
body_section(struct body *b, const struct imap_section *sec, struct err *e)
{
	struct run r;
	struct buf fields;
	int rc;

	buf_init(&fields, (size_t)2 << 30);
	rc = section_of(b, sec, &fields, &r, e);
	if (rc > 0 && r.n > 0 && open_file(b, e) < 0) /* fails while NO can still be said */
		rc = -1;
	buf_add(&b->s->out, NULL, sec->label);
	if (fields.n > 0 && (b->st.flags & STRUCTURE_NUL) != 0)
		hide_nul(fields.p, fields.n);
	cut(&r, sec);
	if (rc > 0)
		rc = send_run(b, &r, e);
	else
		buf_str(&b->s->out, NULL, " NIL"); /* no such section, or it cannot be read: *e tells */
	buf_free(&fields);
	return rc;
}
