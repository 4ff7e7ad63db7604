/* Building a record. Reading one is in record.c; both share record.h. */
#include "imap/structure.h"

#include "base/utf8.h"
#include "imap/format.h"
#include "imap/record.h"
#include "mail/header.h"
#include "mail/preview.h"

/* What a record is built with. */
struct builder {
	struct span msg; /* empty for an opaque record: nothing is read then */
	size_t size;
	struct arena *tree, *scratch;
	struct mime_part *root;
	struct buf *out;
	size_t start; /* of the record in out */
	struct err *e;
	uint32_t flags;
	struct envelope env;
	struct date sent;
};

static void
add_u32(struct builder *b, size_t v)
{
	char le[4];

	record_put_u32(le, (uint32_t)v);
	buf_add(b->out, b->e, span_of(le, sizeof le));
}

/* Overwrite the number at this offset of the record. */
static void
set_u32(struct builder *b, size_t at, size_t v)
{
	if (b->e->kind == ERR_NONE)
		record_put_u32(b->out->p + b->start + at, (uint32_t)v);
}

static void
end_section(struct builder *b, enum record_section s)
{
	set_u32(b, RECORD_SECTIONS + 4 * (size_t)s, b->out->n - b->start);
}

/* A size that is known only when what follows is written. */
static size_t
begin_sized(struct builder *b)
{
	add_u32(b, 0);
	return b->out->n;
}

static void
end_sized(struct builder *b, size_t from)
{
	if (b->e->kind == ERR_NONE)
		record_put_u32(b->out->p + from - 4, (uint32_t)(b->out->n - from));
}

static struct span
header_of(const struct builder *b, const struct mime_part *p)
{
	if ((b->flags & STRUCTURE_OPAQUE) != 0)
		return SPAN("");
	return span_of(b->msg.p + p->header_at, p->header_size);
}

/* The envelopes of the messages within, in order, in one buffer. */
static struct span *
inner_envelopes(struct builder *b, struct buf *texts)
{
	size_t count = 0, i = 0;
	struct span *list;
	struct mime_part *p;

	for (p = b->root; p != NULL; p = mime_next(p))
		count += p->kind == MIME_MESSAGE;
	list = arena_array(b->tree, count + 1, sizeof *list);
	for (p = b->root; p != NULL && b->e->kind == ERR_NONE; p = mime_next(p)) {
		struct envelope env;

		if (p->kind != MIME_MESSAGE)
			continue;
		list[i].n = texts->n; /* where it starts; made a span below, when texts no longer moves */
		envelope_find(header_of(b, p->child), b->tree, &env);
		envelope_format(&env, b->scratch, texts, b->e);
		i++;
	}
	for (size_t k = 0; k < i; k++) {
		size_t from = list[k].n, to = k + 1 < i ? list[k + 1].n : texts->n;

		list[k] = span_of(texts->p + from, to - from);
	}
	return list;
}

static void
add_bodies(struct builder *b)
{
	struct buf texts;
	struct span *envelopes;

	buf_init(&texts, STRUCTURE_MAX);
	envelopes = inner_envelopes(b, &texts);
	body_format(b->root, false, envelopes, b->out, b->e);
	end_section(b, RECORD_BODY);
	body_format(b->root, true, envelopes, b->out, b->e);
	end_section(b, RECORD_BODYSTRUCTURE);
	buf_free(&texts);
}

static void
add_fields(struct builder *b)
{
	struct header_iter it = header_start(header_of(b, b->root));
	size_t start = b->out->n;
	struct header_field f;

	while (header_next(&it, &f)) {
		unsigned name = record_name(f.name);

		if (name == 0)
			continue;
		if (b->out->n - start + f.raw.n > STRUCTURE_FIELDS_MAX) {
			it.cut = true;
			break;
		}
		add_u32(b, (size_t)name << 24 | f.raw.n);
		buf_add(b->out, b->e, f.raw);
	}
	if (it.cut)
		b->flags |= STRUCTURE_FIELDS_CUT;
	end_section(b, RECORD_FIELDS);
}

/* Numbers the parts in preorder, and gives for each the number behind its last descendant. */
static uint32_t *
part_ends(struct builder *b, uint32_t *count)
{
	uint32_t n = 0, depth = 0, *ends;
	uint32_t path[MIME_DEPTH_MAX + 1] = { 0 }; /* the part on each depth of the current one */

	for (struct mime_part *p = b->root; p != NULL; p = mime_next(p))
		n++;
	ends = arena_array(b->tree, n, sizeof *ends);
	*count = n;
	n = 0;
	for (struct mime_part *p = b->root; p != NULL; p = mime_next(p), n++) {
		for (; n > 0 && depth + 1 > p->depth; depth--)
			ends[path[depth]] = n;
		depth = p->depth;
		path[depth] = n;
	}
	for (uint32_t d = 0; d <= depth; d++)
		ends[path[d]] = n;
	return ends;
}

static void
add_parts(struct builder *b)
{
	uint32_t count, *ends = part_ends(b, &count), i = 0;
	size_t name_at = (size_t)count * RECORD_PART;

	for (struct mime_part *p = b->root; p != NULL; p = mime_next(p), i++) {
		size_t name = p->charset.n <= RECORD_CHARSET_MAX ? p->charset.n : 0;
		char row[RECORD_PART] = { 0 };

		record_put_u32(row, (uint32_t)p->header_at);
		record_put_u32(row + 4, (uint32_t)p->header_size);
		record_put_u32(row + 8, (uint32_t)p->body_at);
		record_put_u32(row + 12, (uint32_t)p->body_size);
		record_put_u32(row + 16, (uint32_t)p->lines);
		record_put_u32(row + 20, ends[i]);
		row[24] = (char)p->kind;
		row[25] = (char)p->encoding;
		row[26] = (char)name;
		record_put_u32(row + 28, (uint32_t)name_at);
		name_at += name;
		buf_add(b->out, b->e, span_of(row, sizeof row));
	}
	for (struct mime_part *p = b->root; p != NULL; p = mime_next(p))
		if (p->charset.n <= RECORD_CHARSET_MAX)
			buf_add(b->out, b->e, p->charset);
	set_u32(b, RECORD_PARTS_COUNT, count);
	end_section(b, RECORD_PARTS);
}

static void
add_subject(struct builder *b)
{
	size_t from = begin_sized(b);
	bool reply = false;

	if (b->env.subject.p != NULL)
		subject_base(header_unfold(b->env.subject, b->tree), b->out, &reply, b->e);
	if (reply)
		b->flags |= STRUCTURE_REPLY;
	end_sized(b, from);
}

static void
add_mailbox(struct builder *b, struct span value)
{
	size_t from = begin_sized(b);

	if (value.p != NULL)
		envelope_first_mailbox(value, b->scratch, b->out, b->e);
	if (b->e->kind == ERR_NONE && b->out->n - from > RECORD_KEY_MAX)
		b->out->n = from + RECORD_KEY_MAX;
	end_sized(b, from);
}

/* At most REFERENCES_MAX octets of ids: the first, and of the others the last that fit. */
static void
add_ids(struct builder *b, const struct buf *ids)
{
	struct span rest = buf_span(ids), first;

	if (ids->n > REFERENCES_MAX) {
		first = span_cut(&rest, '\0');
		if (first.n < REFERENCES_MAX / 2) {
			buf_add(b->out, b->e, first);
			buf_byte(b->out, b->e, '\0');
		}
		if (rest.n > REFERENCES_MAX / 2) {
			rest = span_from(rest, rest.n - REFERENCES_MAX / 2);
			span_cut(&rest, '\0');
		}
	}
	buf_add(b->out, b->e, rest);
}

static void
add_references(struct builder *b)
{
	struct buf ids;
	size_t from, room = b->env.references.n + b->env.message_id.n + b->env.in_reply_to.n;

	buf_init(&ids, room + 1);
	from = begin_sized(b);
	if (msgid_list(b->env.message_id, 1, &ids) > 0 && ids.n - 1 <= RECORD_KEY_MAX)
		buf_add(b->out, b->e, span_of(ids.p, ids.n - 1));
	end_sized(b, from);

	/* RFC 5256, REFERENCES (1): where References has none, the first of In-Reply-To. */
	buf_clear(&ids);
	from = begin_sized(b);
	if (msgid_list(b->env.references, SIZE_MAX, &ids) == 0)
		msgid_list(b->env.in_reply_to, 1, &ids);
	add_ids(b, &ids);
	end_sized(b, from);
	buf_free(&ids);
}

static void
add_keys(struct builder *b)
{
	add_subject(b);
	add_mailbox(b, b->env.from);
	add_mailbox(b, b->env.to);
	add_mailbox(b, b->env.cc);
	add_references(b);
	end_section(b, RECORD_KEYS);
}

static void
add_preview(struct builder *b)
{
	if ((b->flags & STRUCTURE_OPAQUE) == 0 && b->e->kind == ERR_NONE)
		preview_message(b->root, b->msg, b->out, b->e);
	end_section(b, RECORD_PREVIEW);
}

/* Line ends that are LF alone, and the one that may be missing at the end: as pop3d sends it. */
static uint32_t
missing_octets(struct span msg)
{
	const char *at = msg.p, *end, *lf;
	uint32_t n = 0;

	if (msg.n == 0)
		return 0;
	end = msg.p + msg.n;
	while (at < end && (lf = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		n += lf == msg.p || lf[-1] != '\r';
		at = lf + 1;
	}
	if (at < end)
		n += end[-1] == '\r' ? 1 : 2;
	return n;
}

static void
add_fixed(struct builder *b)
{
	struct mime_part *root = b->root;
	char fixed[RECORD_FIXED] = "RkS";

	if (b->env.date.p != NULL && date_parse(b->env.date, &b->sent, NULL) == 0)
		b->flags |= STRUCTURE_DATED;
	if (!ascii_only(header_of(b, root)))
		b->flags |= STRUCTURE_8BIT;
	if (b->msg.n > 0 && memchr(b->msg.p, '\0', b->msg.n) != NULL)
		b->flags |= STRUCTURE_NUL;
	fixed[3] = STRUCTURE_VERSION;
	record_put_u32(fixed + RECORD_CRLF, missing_octets(b->msg));
	record_put_u32(fixed + RECORD_MESSAGE_SIZE, (uint32_t)b->size);
	record_put_u32(fixed + RECORD_HEADER_SIZE, (uint32_t)root->header_size);
	record_put_u32(fixed + RECORD_LINES, (uint32_t)root->lines);
	record_put_u32(fixed + RECORD_SENT, (uint32_t)((uint64_t)b->sent.utc & UINT32_MAX));
	record_put_u32(fixed + RECORD_SENT + 4, (uint32_t)((uint64_t)b->sent.utc >> 32));
	record_put_u32(fixed + RECORD_ZONE, (uint32_t)b->sent.zone);
	buf_add(b->out, b->e, span_of(fixed, sizeof fixed));
}

static void
build(struct builder *b)
{
	envelope_find(header_of(b, b->root), b->tree, &b->env);
	add_fixed(b);
	envelope_format(&b->env, b->scratch, b->out, b->e);
	end_section(b, RECORD_ENVELOPE);
	add_bodies(b);
	add_fields(b);
	add_parts(b);
	add_keys(b);
	add_preview(b);
	set_u32(b, RECORD_FLAGS, b->flags);
	set_u32(b, RECORD_SIZE, b->out->n - b->start);
}

int
structure_build(struct span message, struct buf *out, struct err *e)
{
	struct err failed = { 0 };
	struct builder b = { .msg = message, .size = message.n, .out = out, .start = out->n, .e = &failed };

	if (message.n > UINT32_MAX)
		return err_set(e, ERR_PERM, "a message of 4 GiB or more");
	/* The tree is of bounded parts and parameters, and of values that grow at most threefold. */
	b.tree = arena_new(10 * message.n + (64U << 20));
	/* One header's addresses, their text, comments, and a margin. */
	b.scratch = arena_new(64U << 20);
	b.root = mime_parse(message, b.tree);
	build(&b);
	if (failed.kind != ERR_NONE || out->n - b.start > STRUCTURE_MAX) {
		out->n = b.start;
		err_clear(&failed);
		structure_opaque((uint32_t)message.n, (uint32_t)b.root->header_size, (uint32_t)b.root->lines,
		    out, &failed);
	}
	arena_free(b.scratch);
	arena_free(b.tree);
	return failed.kind == ERR_NONE ? 0 : err_set(e, failed.kind, "%s", failed.text);
}

int
structure_opaque(uint32_t size, uint32_t header_size, uint32_t lines, struct buf *out, struct err *e)
{
	struct err failed = { 0 };
	struct arena *a = arena_new(1U << 20);
	uint32_t header = header_size < size ? header_size : size;
	struct mime_param charset = { .name = SPAN("charset"), .value = SPAN("us-ascii") };
	struct mime_part root = {
		.kind = MIME_TEXT,
		.type = SPAN("text"),
		.subtype = SPAN("plain"),
		.params = &charset,
		.encoding_name = SPAN("7bit"),
		.charset = SPAN("us-ascii"),
		.header_size = header,
		.body_at = header,
		.body_size = size - header,
		.lines = lines,
	};
	struct builder b = { .size = size,
		.tree = a,
		.scratch = a,
		.root = &root,
		.out = out,
		.start = out->n,
		.e = &failed,
		.flags = STRUCTURE_OPAQUE | STRUCTURE_FIELDS_CUT };

	build(&b);
	arena_free(a);
	if (failed.kind != ERR_NONE)
		out->n = b.start;
	return failed.kind == ERR_NONE ? 0 : err_set(e, failed.kind, "%s", failed.text);
}
