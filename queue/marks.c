#include "queue/marks.h"

enum { TAIL = 32 }; /* two numbers of ten digits and a name fit */

static const char *const names[] = {
	[DSN_FAILED] = "failed", [DSN_DELAYED] = "delayed", [DSN_DELIVERED] = "delivered"
};

void
marks_start(struct buf *b, enum dsn_kind kind)
{
	buf_str(b, NULL, names[kind]);
	buf_byte(b, NULL, ' ');
}

/* The number behind the last `c`, or -1. */
static int64_t
number_behind(struct span s, char c)
{
	ssize_t at = span_rchr(s, c);
	uint32_t v;

	if (at < 0 || span_u32(span_from(s, (size_t)at + 1), &v, NULL) < 0)
		return -1;
	return v;
}

void
marks_add(struct buf *b, uint32_t index)
{
	size_t skip = b->n > TAIL ? b->n - TAIL : 0; /* the last range is all that matters */
	struct span s = span_from(buf_span(b), skip);
	ssize_t comma = span_rchr(s, ','), blank = span_rchr(s, ' '), dash = span_rchr(s, '-');
	bool range = dash > comma && dash > blank;
	int64_t last = range ? number_behind(s, '-') : number_behind(s, comma > blank ? ',' : ' ');

	if (last >= 0 && last + 1 == (int64_t)index) {
		if (range)
			b->n = skip + (size_t)dash;
		buf_byte(b, NULL, '-');
	} else if (last >= 0) {
		buf_byte(b, NULL, ',');
	}
	buf_u64(b, NULL, index);
}

int
marks_kind(struct span *marks)
{
	struct span name = span_word(marks);

	for (int i = DSN_FAILED; i <= DSN_DELIVERED; i++)
		if (span_eq(name, names[i]))
			return i;
	return -1;
}

bool
marks_next(struct span *marks, uint32_t *first, uint32_t *last)
{
	struct span item, from;

	if (marks->n == 0)
		return false;
	item = span_cut(marks, ',');
	from = span_cut(&item, '-');
	if (span_u32(from, first, NULL) < 0)
		return false;
	*last = *first;
	return item.n == 0 || (span_u32(item, last, NULL) == 0 && *last >= *first);
}
