/*
 * The walk over a mailbox: what the packed records decide, range after range; then those messages that must be read.
 *
 * Of a million messages it keeps the numbers of what was found and of what must be read, some 20 octets each. Structure
 * records come in batches from the store, which holds no transaction in between.
 */
#include "imapd/body.h"
#include "imapd/reply.h"
#include "imapd/search.h"

enum { RANGE = 4096 }; /* records looked at between two looks at the client */

/* Messages that must be read. */
struct pending {
	uint32_t *seq, *uid;
	size_t n;
};

static void
found_new(struct search *g, struct found *f, size_t max)
{
	*f = (struct found){
		.seq = arena_array(g->a, max, sizeof *f->seq),
		.uid = arena_array(g->a, max, sizeof *f->uid),
	};
	if (g->args->modseq)
		f->modseq = arena_array(g->a, max, sizeof *f->modseq);
	if (g->args->fuzzy)
		f->score = arena_array(g->a, max, sizeof *f->score);
}

static void
found_add(struct found *f, const struct subject *m)
{
	f->seq[f->n] = m->seq;
	f->uid[f->n] = m->r->uid;
	if (f->modseq != NULL)
		f->modseq[f->n] = m->r->modseq;
	if (f->score != NULL) /* without a fuzzy text it is as sure as can be */
		f->score[f->n] = (uint8_t)(m->scored > 0 ? m->score / m->scored : 100);
	f->n++;
}

/* ---- which messages can be meant: stretches of the view, [from, to) by index */

struct stretches {
	struct stretch {
		uint32_t from, to;
	} * of;
	size_t n;
	uint64_t messages;
};

static void
add_stretch(struct stretches *list, uint32_t from, uint32_t to, uint32_t lo, uint32_t hi)
{
	from = from > lo ? from : lo;
	to = to < hi ? to : hi;
	if (from >= to)
		return;
	list->messages += to - from;
	if (list->n > 0 && list->of[list->n - 1].to == from)
		list->of[list->n - 1].to = to;
	else
		list->of[list->n++] = (struct stretch){ from, to };
}

/* Message numbers or UIDs that every message found must have. */
static int
of_set(struct search *g, const struct imap_set *set, bool uid, uint32_t lo, uint32_t hi,
    struct stretches *out, struct err *e)
{
	out->of = arena_array(g->a, set->n, sizeof *out->of);
	for (size_t i = 0; i < set->n; i++) {
		struct imap_range r = set->r[i];
		uint32_t from = r.first - 1, to = r.last;

		if (uid && store_view_from(g->view, r.first, &from, e) < 0)
			return -1;
		if (uid && r.last == UINT32_MAX)
			to = g->view->n;
		else if (uid && store_view_from(g->view, r.last + 1, &to, e) < 0)
			return -1;
		add_stretch(out, from, to, lo, hi);
	}
	return 0;
}

/* UIDs, ascending, that an index gave. */
static int
of_uids(struct search *g, const struct text_query *q, uint32_t lo, uint32_t hi, struct stretches *out,
    struct err *e)
{
	out->of = arena_array(g->a, q->n, sizeof *out->of);
	for (size_t i = 0; i < q->n; i++) {
		uint32_t at;
		int rc = store_view_find(g->view, q->may[i], &at, e);

		if (rc < 0)
			return -1;
		if (rc == 1)
			add_stretch(out, at, at + 1, lo, hi);
	}
	return 0;
}

/* What the store knows of flags and modseqs without reading records. */
static int
of_where(struct search *g, bool unseen, uint64_t modseq, uint32_t lo, uint32_t hi, struct stretches *out, struct err *e)
{
	struct store_range *r;
	size_t n;

	if (store_view_where(g->view, unseen, modseq, &r, &n, g->a, e) < 0)
		return -1;
	out->of = arena_array(g->a, n, sizeof *out->of);
	for (size_t i = 0; i < n; i++)
		add_stretch(out, r[i].first, r[i].last + 1, lo, hi);
	return 0;
}

static int
stretches_of(struct search *g, uint32_t lo, uint32_t hi, struct stretches *out, struct err *e)
{
	const struct text_query *q = search_narrowest(g);
	bool uid = false, unseen;
	const struct imap_set *set = search_limit(g, &uid);
	uint64_t modseq;

	*out = (struct stretches){ 0 };
	if (set != NULL)
		return of_set(g, set, uid, lo, hi, out, e);
	if (q != NULL)
		return of_uids(g, q, lo, hi, out, e);
	if (hi - lo > RANGE && search_where(g, &unseen, &modseq))
		return of_where(g, unseen, modseq, lo, hi, out, e);
	out->of = arena_array(g->a, 1, sizeof *out->of);
	add_stretch(out, 0, g->view->n, lo, hi);
	return 0;
}

/* ---- by the packed records */

static int
by_records(struct search *g, uint32_t from, uint32_t to, struct pending *p, struct err *e)
{
	store_view_trim(g->view);
	if (store_view_load(g->view, from, to - from, e) < 0)
		return -1;
	for (uint32_t i = from; i < to; i++) {
		struct subject m = { .seq = i + 1, .r = store_rec(g->view, i) };
		int rc = search_test(g, &m, e);

		if (rc < 0)
			return -1;
		if (rc == YES)
			found_add(&g->found, &m);
		if (rc == UNKNOWN) {
			p->seq[p->n] = m.seq;
			p->uid[p->n++] = m.r->uid;
		}
	}
	return 0;
}

static int
all_records(struct search *g, const struct stretches *list, struct pending *p, struct err *e)
{
	uint64_t done = 0;

	for (size_t i = 0; i < list->n; i++) {
		for (uint32_t from = list->of[i].from, to; from < list->of[i].to; from = to) {
			to = list->of[i].to - from > RANGE ? from + RANGE : list->of[i].to;
			if (by_records(g, from, to, p, e) < 0)
				return -1;
			done += to - from;
			if (done % RANGE == 0 && progress_at(&g->progress, done, list->messages, e) < 0)
				return -1;
		}
	}
	return 0;
}

/* ---- by reading */

static int
unreadable(struct search *g, uint32_t uid, struct err *e)
{
	if (e->kind == ERR_GONE)
		return -1;
	log_event(LOG_ERROR, "imapd.message", KV_S("sid", g->s->sid), KV_S("owner", g->s->owner),
	    KV_U("mailbox", g->view->mailbox), KV_U("uid", uid), KV_ERR(e));
	err_clear(e);
	return 0;
}

static int
one_message(struct search *g, uint32_t seq, const struct store_msg *msg, struct found *more, struct err *e)
{
	struct subject m = { .seq = seq };
	struct body b;
	int rc = body_open(&b, g->s, msg, e);

	if (rc == 0 && (rc = store_view_load(g->view, seq - 1, 1, e)) == 0) {
		m.r = store_rec(g->view, seq - 1);
		m.body = &b;
		rc = search_test(g, &m, e);
	}
	body_close(&b);
	if (rc < 0)
		return unreadable(g, msg->uid, e);
	if (rc == YES)
		found_add(more, &m);
	return 0;
}

static int
all_pending(struct search *g, const struct pending *p, struct found *more, struct err *e)
{
	struct store_fetch *in = store_fetch_open(g->view, p->uid, p->n, STORE_WANT_STRUCTURE);
	struct store_msg msg;
	size_t i = 0;
	int rc;

	while ((rc = store_fetch_next(in, &msg, e)) > 0) {
		while (p->uid[i] != msg.uid)
			i++;
		if (one_message(g, p->seq[i], &msg, more, e) < 0 ||
		    progress_at(&g->progress, i, p->n, e) < 0) {
			rc = -1;
			break;
		}
	}
	store_fetch_close(in);
	return rc;
}

/* ---- both together */

static void
found_copy(struct found *to, const struct found *from, size_t i)
{
	to->seq[to->n] = from->seq[i];
	to->uid[to->n] = from->uid[i];
	if (to->modseq != NULL)
		to->modseq[to->n] = from->modseq[i];
	if (to->score != NULL)
		to->score[to->n] = from->score[i];
	to->n++;
}

/* Two rising lists into one. */
static void
merge(struct search *g, const struct found *more)
{
	struct found all, *one = &g->found;
	size_t i = 0, k = 0;

	found_new(g, &all, one->n + more->n);
	while (i < one->n || k < more->n) {
		if (k == more->n || (i < one->n && one->seq[i] < more->seq[k]))
			found_copy(&all, one, i++);
		else
			found_copy(&all, more, k++);
	}
	g->found = all;
}

int
search_find_in(struct search *g, uint32_t from, uint32_t to, struct err *e)
{
	struct stretches list;
	struct pending p = { 0 };
	struct found more;

	if (stretches_of(g, from, to, &list, e) < 0)
		return -1;
	p.seq = arena_array(g->a, list.messages, sizeof *p.seq);
	p.uid = arena_array(g->a, list.messages, sizeof *p.uid);
	found_new(g, &g->found, list.messages);
	if (all_records(g, &list, &p, e) < 0)
		return -1;
	if (p.n == 0)
		return 0;
	found_new(g, &more, p.n);
	if (all_pending(g, &p, &more, e) < 0)
		return -1;
	merge(g, &more);
	return 0;
}

int
search_find(struct search *g, struct err *e)
{
	return search_find_in(g, 0, g->view->n, e);
}

/* ---- what was found, once more */

static int
each(struct search *g, size_t i, const struct store_msg *msg, search_each_fn *fn, void *arg, struct err *e)
{
	struct structure st;
	bool read = msg != NULL && structure_open(msg->structure, &st, e) == 0;

	if (msg != NULL && !read && unreadable(g, msg->uid, e) < 0)
		return -1;
	if (i % RANGE == 0)
		store_view_trim(g->view);
	if (store_view_load(g->view, g->found.seq[i] - 1, 1, e) < 0 ||
	    fn(arg, i, store_rec(g->view, g->found.seq[i] - 1), read ? &st : NULL, e) < 0)
		return -1;
	return progress_at(&g->progress, i, g->found.n, e);
}

int
search_each(struct search *g, bool structures, search_each_fn *fn, void *arg, struct err *e)
{
	const struct found *f = &g->found;
	struct store_fetch *in = NULL;
	struct store_msg msg;
	size_t i = 0;
	int rc = 0;

	if (structures)
		in = store_fetch_open(g->view, f->uid, f->n, STORE_WANT_STRUCTURE);
	while (in != NULL && rc == 0 && (rc = store_fetch_next(in, &msg, e)) > 0) {
		rc = 0;
		for (; rc == 0 && f->uid[i] != msg.uid; i++) /* purged meanwhile */
			rc = each(g, i, NULL, fn, arg, e);
		if (rc == 0)
			rc = each(g, i++, &msg, fn, arg, e);
	}
	for (; rc == 0 && i < f->n; i++)
		rc = each(g, i, NULL, fn, arg, e);
	store_fetch_close(in);
	return rc;
}
