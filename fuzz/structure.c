/*
 * A record of any message opens, and all that it says is there. Any octets at all can be opened as a record:
 * an input that starts with "RkS" is one.
 */
#include "imap/structure.h"
#include "mail/charset.h"
#include "mail/search.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything that can be read from a record; true if it is whole. */
static bool
read_all(struct span record)
{
	static const char *const sections[] = { "", "1", "1.1", "2", "2.1", "1.1.1.1", "3.2.1" };
	struct span names[3] = { SPAN("To"), SPAN("Subject"), SPAN("List-Id") };
	struct structure_names want;
	struct structure_part part;
	struct structure s;
	struct err e = { 0 };
	struct buf out;
	bool complete;

	if (structure_open(record, &s, &e) < 0)
		return false;
	for (uint32_t i = 0; i < s.parts && i < 1000; i++)
		structure_part_at(&s, i, &part, &e);
	for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
		structure_part(&s, span_str(sections[i]), &part, &e);
	buf_init(&out, record.n);
	want = structure_names(names, 3);
	structure_fields(&s, &want, &out, &complete, &e);
	buf_free(&out);
	return e.kind == ERR_NONE;
}

static bool
balanced(struct span s)
{
	return s.n >= 2 && s.p[0] == '(' && s.p[s.n - 1] == ')' && span_chr(s, '\0') < 0;
}

static void
search(struct span message, const struct structure *s, struct arena *a)
{
	struct search_key keys[2];
	struct structure_part p;

	need(search_key(SPAN("utf-8"), SPAN("xyz"), a, &keys[0], NULL) == 0);
	need(search_key(SPAN("utf-8"), SPAN("\xc3\x89t\xc3\xa9"), a, &keys[1], NULL) == 0);
	for (uint32_t i = 0; i < s->parts && i < 20; i++) {
		struct text_part part;

		need(structure_part_at(s, i, &p, NULL) == 0);
		part = (struct text_part){ p.kind, p.encoding, p.charset,
			span_of(message.p + p.header_at, p.header_size),
			span_of(message.p + p.body_at, p.body_size) };
		search_part(&part, keys, 2);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct structure s;
	struct arena *a;
	struct buf out;

	charset_preload();
	if (span_starts(in, "RkS")) {
		read_all(in);
		return 0;
	}
	a = arena_new(1 << 20);
	buf_init(&out, STRUCTURE_MAX);
	need(structure_build(in, &out, NULL) == 0);
	need(read_all(buf_span(&out)));
	need(structure_open(buf_span(&out), &s, NULL) == 0);
	need(s.size == size && balanced(s.envelope) && balanced(s.body) && balanced(s.bodystructure));
	search(in, &s, a);
	buf_free(&out);
	arena_free(a);
	return 0;
}
