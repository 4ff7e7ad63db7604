#include "imap/text.h"

/* The octets of a part, as the region has them. */
static struct text_part
part_octets(const struct structure_part *p, struct span region, bool headers)
{
	struct text_part part = { .kind = p->kind, .encoding = p->encoding, .charset = p->charset };

	if (headers)
		part.header = span_head(span_from(region, p->header_at), p->header_size);
	part.body = span_head(span_from(region, p->body_at), p->body_size);
	return part;
}

int
imap_text(const struct structure *st, const struct imap_octets *m, bool headers, const struct text_sink *to,
    struct err *e)
{
	struct structure_part p = { 0 };

	if (headers && !text_header(m->prefix, NULL, to))
		return 0;
	for (uint32_t i = 0; i < st->parts; i++) {
		struct text_part part;

		if (structure_part_at(st, i, &p, e) < 0)
			return -1;
		part = part_octets(&p, m->region, headers);
		if (!text_part(&part, to))
			return 0;
	}
	return 0;
}

int
imap_text_has(
    const struct structure *st, const struct imap_octets *m, bool headers, struct span key, struct err *e)
{
	struct search_key k = { .text = key };
	struct structure_part p = { 0 };

	if (headers && search_header(m->prefix, NULL, &k, 1))
		return 1;
	for (uint32_t i = 0; i < st->parts; i++) {
		struct text_part part;

		if (structure_part_at(st, i, &p, e) < 0)
			return -1;
		part = part_octets(&p, m->region, headers);
		if (search_part(&part, &k, 1))
			return 1;
	}
	return 0;
}
