/*
 * Does this message hold this string? By an index if there is one that knows, else by reading: header fields from the
 * structure record as far as they are there, the rest from the file.
 */
#include <stdlib.h>

#include "imap/text.h"
#include "imapd/body.h"
#include "imapd/search.h"
#include "ipc/upkeep.h"
#include "store/fts.h"

enum { FEW = 50 }; /* messages that are read sooner than the index is asked */

static bool
has_texts(const struct search *g)
{
	for (const struct text_query *q = g->texts; q != NULL; q = q->next)
		if (q->where != IN_FIELD)
			return true;
	return false;
}

/* The index stays open with the session: a program may search many mailboxes. NULL: there is none, or it can't be had. */
static struct fts *
text_index(struct session *s)
{
	struct err why = { 0 };

	if (s->fts == NULL && cfg.fts)
		s->fts = fts_open(s->st, ".", false, &why);
	if (why.kind != ERR_NONE)
		log_event(LOG_WARN, "imapd.fts", KV_S("sid", s->sid), KV_S("owner", s->owner), KV_ERR(&why));
	return s->fts;
}

/* Much has to be read: upkeep may index it. Once a session is enough, and nothing depends on it. */
static void
ask_for_index(struct session *s)
{
	struct upkeep_texts m = { .owner = s->owner };
	struct err e = { 0 };
	struct ipc *ch;

	if (s->fts_asked || s->svc == NULL || !cfg.fts)
		return;
	s->fts_asked = true;
	if ((ch = svc_dial(s->svc, "upkeep", &upkeep_def, &e)) != NULL)
		ipc_send(ch, upkeep_texts, &m, 0, &e);
	ipc_free(ch);
}

static int
narrow(struct search *g, struct fts *f, struct text_query *q, struct err *e)
{
	struct fts_hits hits;
	struct fts_candidates list;
	int rc;

	if (q->where == IN_FIELD || q->key.text.n == 0)
		return 0;
	if (q->fuzzy != NULL)
		rc = fuzzy_find(f, q, &hits, g->a, e);
	else
		rc = fts_find(f, q->key.text, q->where == IN_ALL, &hits, g->a, e);
	if (rc <= 0 || fts_candidates(f, &hits, g->view, &list, g->a, e) < 0)
		return rc == 0 ? 0 : -1;
	q->narrowed = true;
	q->upto = g->view->uidnext;
	q->may = list.uid;
	q->sure = list.sure;
	q->n = list.n;
	return 0;
}

/* Whatever is wrong with the index, the messages can be read. */
int
text_narrow(struct search *g, struct err *e)
{
	struct err why = { 0 };
	struct fts *f;
	int rc;

	(void)e;
	if (g->view->n <= FEW || !has_texts(g))
		return 0;
	if ((f = text_index(g->s)) == NULL) {
		ask_for_index(g->s);
		return 0;
	}
	rc = fts_begin(f, &why);
	if (rc == 0)
		rc = fts_mailbox(f, g->view->mailbox, g->view->uidvalidity, &why);
	if (rc == 0 && fts_covered(f) + FEW < g->view->n)
		ask_for_index(g->s);
	for (struct text_query *q = g->texts; q != NULL && rc == 0; q = q->next)
		rc = narrow(g, f, q, &why);
	fts_end(f);
	if (rc == 0)
		return 0;
	log_event(LOG_WARN, "imapd.fts", KV_S("sid", g->s->sid), KV_S("owner", g->s->owner), KV_ERR(&why));
	fts_close(f);
	g->s->fts = NULL;
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

	if (!q->narrowed || uid >= q->upto)
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
