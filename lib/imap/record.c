/* Reading a record: see structure.h. Every number in it is checked before it is used. */
#include "imap/record.h"

#include "imap/structure.h"

_Static_assert(RECORD_FIXED_1 == 64 && RECORD_FIXED == 72, "the layout is what structure.h says");

static int
damaged(struct err *e)
{
	return err_set(e, ERR_TEMP, "the structure record of a message is damaged");
}

/* The octets at *s of the size that stands in front of them; *s is moved behind. */
static int
sized(struct span *s, struct span *out)
{
	uint32_t n;

	if (s->n < 4)
		return -1;
	n = record_get_u32(s->p);
	if (n > s->n - 4)
		return -1;
	*out = span_of(s->p + 4, n);
	*s = span_from(*s, 4 + (size_t)n);
	return 0;
}

static int
open_sections(struct span record, struct structure *s, struct span *keys)
{
	struct span *const sections[RECORD_SECTION_COUNT] = { &s->envelope, &s->body, &s->bodystructure,
		&s->fields, &s->part_table, keys, &s->preview };
	size_t count = s->previewed ? RECORD_SECTION_COUNT : RECORD_SECTIONS_1;
	size_t from = s->previewed ? RECORD_FIXED : RECORD_FIXED_1;

	if (record.n < from)
		return -1;
	for (size_t i = 0; i < count; i++) {
		size_t end = record_get_u32(record.p + RECORD_SECTIONS + 4 * i);

		if (end < from || end > record.n)
			return -1;
		*sections[i] = span_of(record.p + from, end - from);
		from = end;
	}
	return from == record.n ? 0 : -1;
}

int
structure_open(struct span record, struct structure *s, struct err *e)
{
	struct span keys;

	*s = (struct structure){ 0 };
	if (record.n < RECORD_FIXED_1 || !span_starts(record, "RkS") ||
	    record_get_u32(record.p + RECORD_SIZE) != record.n)
		return damaged(e);
	s->previewed = record.p[3] == STRUCTURE_VERSION;
	if (record.p[3] != 1 && record.p[3] != STRUCTURE_VERSION)
		return err_set(e, ERR_TEMP, "a structure record of version %d", record.p[3]);
	s->size = record_get_u32(record.p + RECORD_MESSAGE_SIZE);
	s->header_size = record_get_u32(record.p + RECORD_HEADER_SIZE);
	s->lines = record_get_u32(record.p + RECORD_LINES);
	s->flags = record_get_u32(record.p + RECORD_FLAGS);
	s->parts = record_get_u32(record.p + RECORD_PARTS_COUNT);
	if (s->previewed && record.n >= RECORD_FIXED)
		s->crlf = record_get_u32(record.p + RECORD_CRLF);
	s->sent.zone = (int)record_get_u32(record.p + RECORD_ZONE);
	s->sent.utc = (int64_t)((uint64_t)record_get_u32(record.p + RECORD_SENT + 4) << 32 |
				record_get_u32(record.p + RECORD_SENT));
	if (s->header_size > s->size || open_sections(record, s, &keys) < 0 ||
	    s->parts > s->part_table.n / RECORD_PART || s->parts == 0)
		return damaged(e);
	if (sized(&keys, &s->subject) < 0 || sized(&keys, &s->from) < 0 || sized(&keys, &s->to) < 0 ||
	    sized(&keys, &s->cc) < 0 || sized(&keys, &s->message_id) < 0 || sized(&keys, &s->references) < 0)
		return damaged(e);
	return 0;
}

/* Is a field of List-* or X-Spam* one of those asked for? */
static bool
named(struct span raw, const struct structure_names *want)
{
	ssize_t colon = span_chr(raw, ':');
	struct span name = span_trim(span_head(raw, colon > 0 ? (size_t)colon : 0));

	for (size_t i = 0; i < want->n; i++)
		if (span_isame(want->names[i], name))
			return true;
	return false;
}

int
structure_fields(const struct structure *s, const struct structure_names *want, struct buf *out,
    bool *complete, struct err *e)
{
	struct span rest = s->fields;
	size_t start = out->n;

	*complete = want->all_kept && (s->flags & STRUCTURE_FIELDS_CUT) == 0;
	while (*complete && rest.n >= 4) {
		uint32_t head = record_get_u32(rest.p);
		struct span raw = span_of(rest.p + 4, head & 0xffffff);
		unsigned number = head >> 24 & 63;

		if (raw.n > rest.n - 4)
			break;
		rest = span_from(rest, 4 + raw.n);
		if ((want->numbers >> number & 1) == 0 || (number == RECORD_NAME_OTHER && !named(raw, want)))
			continue;
		if (buf_add(out, e, raw) < 0) {
			out->n = start;
			return -1;
		}
	}
	if (*complete && rest.n > 0) {
		out->n = start;
		return damaged(e);
	}
	return 0;
}

/* A row of the part table; `end` gets the index behind its last descendant. */
static int
row(const struct structure *s, uint32_t index, struct structure_part *p, uint32_t *end, struct err *e)
{
	const char *r = s->part_table.p + (size_t)index * RECORD_PART;
	uint32_t name_at = record_get_u32(r + 28), name_size = (uint8_t)r[26];
	uint8_t kind = (uint8_t)r[24], encoding = (uint8_t)r[25];

	*p = (struct structure_part){ .index = index };
	p->header_at = record_get_u32(r);
	p->header_size = record_get_u32(r + 4);
	p->body_at = record_get_u32(r + 8);
	p->body_size = record_get_u32(r + 12);
	p->lines = record_get_u32(r + 16);
	*end = record_get_u32(r + 20);
	if (kind > MIME_MESSAGE || encoding > MIME_OTHER || *end <= index || *end > s->parts ||
	    name_at > s->part_table.n || name_size > s->part_table.n - name_at || p->header_at > s->size ||
	    p->header_size > s->size - p->header_at || p->body_at > s->size ||
	    p->body_size > s->size - p->body_at)
		return damaged(e);
	p->kind = (enum mime_kind)kind;
	p->encoding = (enum mime_encoding)encoding;
	p->charset = span_of(s->part_table.p + name_at, name_size);
	return 0;
}

/* Fill in what BODY[n.HEADER] and BODY[n.TEXT] are, from the part within. */
static int
message_within(const struct structure *s, struct structure_part *p, uint32_t end, struct err *e)
{
	struct structure_part inner;
	uint32_t inner_end;

	if (p->kind != MIME_MESSAGE)
		return 0;
	if (p->index + 1 >= end || row(s, p->index + 1, &inner, &inner_end, e) < 0)
		return damaged(e);
	p->message = true;
	p->message_header_at = inner.header_at;
	p->message_header_size = inner.header_size;
	p->message_body_at = inner.body_at;
	p->message_body_size = inner.body_size;
	return 0;
}

int
structure_part_at(const struct structure *s, uint32_t index, struct structure_part *p, struct err *e)
{
	uint32_t end;

	need(index < s->parts);
	if (row(s, index, p, &end, e) < 0)
		return -1;
	return message_within(s, p, end, e);
}

/* The message itself: the section "". */
static int
whole(const struct structure *s, struct structure_part *p, struct err *e)
{
	uint32_t end;

	if (row(s, 0, p, &end, e) < 0)
		return -1;
	p->message = true;
	p->message_header_at = p->header_at;
	p->message_header_size = p->header_size;
	p->message_body_at = p->body_at;
	p->message_body_size = p->body_size;
	return 1;
}

/*
 * Where part `number` is within *index: of a multipart its children count from 1; of a message within, the
 * children of its root part when that is a multipart; anything else is its own part 1, a message's root part
 * among them (RFC 3501, 6.4.5). 1 and *index moved, 0: none, -1.
 */
static int
step(const struct structure *s, uint32_t *index, bool root, uint32_t number, struct err *e)
{
	struct structure_part p;
	uint32_t end, at, child_end;

	if (row(s, *index, &p, &end, e) < 0)
		return -1;
	if (p.kind == MIME_MESSAGE && !root) {
		if (++*index >= end || row(s, *index, &p, &end, e) < 0)
			return damaged(e);
		root = true;
	}
	if (p.kind != MIME_MULTIPART)
		return root && number == 1;
	for (at = *index + 1; at < end; at = child_end) {
		struct structure_part child;

		if (row(s, at, &child, &child_end, e) < 0)
			return -1;
		if (--number == 0) {
			*index = at;
			return 1;
		}
	}
	return 0;
}

int
structure_part(const struct structure *s, struct span section, struct structure_part *p, struct err *e)
{
	uint32_t index = 0, number;
	bool root = true;
	int rc;

	if (section.n == 0)
		return whole(s, p, e);
	if (section.p[section.n - 1] == '.')
		return err_set(e, ERR_PEER, "bad section");
	while (section.n > 0) {
		if (span_u32(span_cut(&section, '.'), &number, e) < 0)
			return -1;
		if (number == 0)
			return err_set(e, ERR_PEER, "a part number is 0");
		if ((rc = step(s, &index, root, number, e)) <= 0)
			return rc;
		root = false;
	}
	return structure_part_at(s, index, p, e) < 0 ? -1 : 1;
}
