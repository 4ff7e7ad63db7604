/* Parts lie within their parents, in order, and within the limits. */
#include "mail/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t
lines(struct span s)
{
	uint64_t n = 0;

	for (; span_chr(s, '\n') >= 0; n++)
		span_cut(&s, '\n');
	return n;
}

static void
check(const struct mime_part *p, size_t size)
{
	need(p->header_at <= size && p->header_size <= size - p->header_at);
	need(p->body_at == p->header_at + p->header_size && p->body_size <= size - p->body_at);
	need(p->type.n > 0 && p->subtype.n > 0 && p->depth <= MIME_DEPTH_MAX);
	need((p->child != NULL) == (p->kind == MIME_MULTIPART || p->kind == MIME_MESSAGE));
	need(p->kind != MIME_MESSAGE || p->child->next == NULL);
	if (p->parent != NULL) {
		need(p->header_at >= p->parent->body_at);
		need(p->body_size == 0 ||
		     p->body_at + p->body_size <= p->parent->body_at + p->parent->body_size);
	}
	if (p->next != NULL)
		need(p->next->header_at >= p->body_at + p->body_size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct arena *a = arena_new(6 * size + (64 << 20));
	size_t parts = 0;

	for (struct mime_part *p = mime_parse(in, a); p != NULL; p = mime_next(p)) {
		parts++;
		check(p, size);
		need(p->lines == lines(span_of(in.p + p->body_at, p->body_size)));
	}
	need(parts <= MIME_PARTS_MAX);
	arena_free(a);
	return 0;
}
