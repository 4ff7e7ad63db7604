/*
 * Does this message hold this string? By an index if there is one that knows, else by reading: header fields from the
 * structure record as far as they are there, the rest from the file.
 */
#include <stdlib.h>

#include "imap/text.h"
#include "imapd/body.h"
#include "imapd/search.h"

int
text_narrow(struct search *g, struct err *e)
{
	(void)g, (void)e; /* without an index each message is read */
	return 0;
}

static int
by_uid(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

enum answer
text_known(const struct text_query *q, uint32_t uid)
{
	const uint32_t *at;

	if (!q->narrowed)
		return UNKNOWN;
	at = q->n > 0 ? bsearch(&uid, q->may, q->n, sizeof *q->may, by_uid) : NULL;
	if (at == NULL)
		return NO;
	return q->sure != NULL && q->sure[at - q->may] ? YES : UNKNOWN;
}

static int
in_field(const struct text_query *q, struct body *b, struct err *e)
{
	struct search_key key = q->key;
	struct buf fields;
	bool found = false;
	int rc;

	buf_init(&fields, (size_t)2 << 30);
	rc = body_fields(b, &q->names, false, &fields, e);
	if (rc == 0)
		found = search_header(buf_span(&fields), q->field, &key, 1);
	buf_free(&fields);
	return rc < 0 ? -1 : found ? YES : NO;
}

static int
in_text(const struct text_query *q, struct body *b, struct err *e)
{
	struct imap_octets octets = { .prefix = b->msg->prefix };
	int rc;

	if (body_map(b, &octets.region, e) < 0)
		return -1;
	rc = imap_text_has(&b->st, &octets, q->where == IN_ALL, q->key.text, e);
	return rc < 0 ? -1 : rc == 1 ? YES : NO;
}

int
text_test(const struct text_query *q, struct body *b, struct err *e)
{
	return q->where == IN_FIELD ? in_field(q, b, e) : in_text(q, b, e);
}
