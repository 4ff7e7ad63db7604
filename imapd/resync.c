#include "imapd/resync.h"

#include "imapd/reply.h"
#include "store/since.h"

/* ---- sets as ranges of UIDs */

static struct store_uids
uids_of(const struct imap_set *set, struct arena *a)
{
	struct store_uids u = { arena_array(a, set->n, sizeof *u.r), set->n };

	for (size_t i = 0; i < set->n; i++)
		u.r[i] = (struct store_range){ set->r[i].first, set->r[i].last };
	return u;
}

static int
out_vanished(struct session *s, const struct store_uids *gone, struct err *e)
{
	struct imap_set set = { .r = arena_array(s->a, gone->n, sizeof *set.r), .n = gone->n };

	if (gone->n == 0)
		return 0;
	for (size_t i = 0; i < gone->n; i++)
		set.r[i] = (struct imap_range){ gone->r[i].first, gone->r[i].last };
	out_str(s, "* VANISHED (EARLIER) ", e);
	imap_set_format(&set, &s->out, e);
	return out_str(s, "\r\n", e);
}

/* ---- UID FETCH */

int
resync_vanished(struct session *s, const struct imap_set *set, uint64_t since, struct err *e)
{
	struct imap_set own = set->saved ? s->saved : *set;
	struct store_uids known, gone;

	if (s->view->uidnext == 1 || own.n == 0)
		return 0;
	if (!set->saved) {
		own.r = arena_array(s->a, set->n, sizeof *own.r);
		memcpy(own.r, set->r, set->n * sizeof *own.r);
		imap_set_resolve(&own, s->view->uidnext - 1);
	}
	known = uids_of(&own, s->a);
	if (store_vanished(s->view, since, &known, &gone, s->a, e) < 0)
		return -1;
	return out_vanished(s, &gone, e);
}

/* A range of message numbers as the UIDs that it covers. */
static int
cover(struct session *s, struct imap_range numbers, struct store_range *out, struct err *e)
{
	struct store_view *v = s->view;

	if (store_view_load(v, numbers.first - 1, 1, e) < 0 || store_view_load(v, numbers.last - 1, 1, e) < 0)
		return -1;
	out->first = store_rec(v, numbers.first - 1)->uid;
	out->last = store_rec(v, numbers.last - 1)->uid;
	return 0;
}

int
resync_changed(
    struct session *s, struct imap_set *set, bool uid, uint64_t since, struct messages *out, struct err *e)
{
	struct store_uids known;
	uint32_t *index = NULL;
	size_t n = 0;

	if (messages_resolve(s, set, &uid, e) < 0)
		return -1;
	known = uids_of(set, s->a);
	for (size_t i = 0; !uid && i < set->n; i++)
		if (cover(s, set->r[i], &known.r[i], e) < 0)
			return -1;
	if (store_changed(s->view, since, &known, &index, &n, s->a, e) < 0)
		return -1;
	*out = (struct messages){ .range = arena_array(s->a, n, sizeof *out->range), .n = (uint32_t)n };
	for (size_t i = 0; i < n; i++) {
		if (out->ranges > 0 && out->range[out->ranges - 1].to == index[i])
			out->range[out->ranges - 1].to++;
		else
			out->range[out->ranges++] = (struct indexes){ index[i], index[i] + 1 };
	}
	return 0;
}

/* ---- the known numbers of QRESYNC (3.2.5.2) */

/* Numbers n, n + 1, ... have the UIDs u, u + 1, ..., says the client. */
struct stretch {
	uint32_t number, uid, count;
};

/*
 * The last UID of the stretch that still has the number it had, or 0. The further on, the more the UIDs of the mailbox
 * are ahead of the client's, so that this can be searched by halves.
 */
static int
last_match(struct session *s, struct stretch t, uint32_t *uid, struct err *e)
{
	uint32_t lo = 0, hi = t.count; /* those before lo are not ahead; from hi on they are */

	if (t.number > s->view->n)
		return 0;
	if (hi > s->view->n - t.number + 1)
		hi = s->view->n - t.number + 1;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2, at = t.number - 1 + mid;

		if (store_view_load(s->view, at, 1, e) < 0)
			return -1;
		if (store_rec(s->view, at)->uid <= t.uid + mid)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return 0;
	if (store_view_load(s->view, t.number + lo - 2, 1, e) < 0)
		return -1;
	if (store_rec(s->view, t.number + lo - 2)->uid == t.uid + lo - 1)
		*uid = t.uid + lo - 1;
	return 0;
}

/* Up to this UID the client's numbers are right, so nothing vanished there. 0: of none that is known. */
static int
right_up_to(struct session *s, const struct imap_select *args, uint32_t *uid, struct err *e)
{
	const struct imap_set *n = &args->numbers, *u = &args->number_uids;
	uint32_t done_n = 0, done_u = 0; /* of the present ranges */

	for (size_t i = 0, k = 0; i < n->n && k < u->n;) {
		uint32_t left_n = n->r[i].last - n->r[i].first - done_n,
			 left_u = u->r[k].last - u->r[k].first - done_u;
		uint32_t more = left_n < left_u ? left_n : left_u; /* and one */
		struct stretch t = { n->r[i].first + done_n, u->r[k].first + done_u,
			more < UINT32_MAX ? more + 1 : more };

		if (last_match(s, t, uid, e) < 0)
			return -1;
		done_n = left_n == more ? 0 : done_n + more + 1;
		done_u = left_u == more ? 0 : done_u + more + 1;
		i += left_n == more;
		k += left_u == more;
	}
	return 0;
}

/* ---- SELECT */

/* What is left of the known UIDs behind `last`. */
static struct store_uids
behind(const struct store_uids *known, uint32_t last, struct arena *a)
{
	struct store_uids left = { arena_array(a, known->n, sizeof *left.r), 0 };

	for (size_t i = 0; i < known->n; i++)
		if (known->r[i].last > last) {
			left.r[left.n] = known->r[i];
			if (left.r[left.n].first <= last)
				left.r[left.n].first = last + 1;
			left.n++;
		}
	return left;
}

static int
tell_changed_since(struct session *s, const struct store_uids *known, uint64_t modseq, struct err *e)
{
	uint32_t *index = NULL;
	size_t n = 0;

	if (store_changed(s->view, modseq, known, &index, &n, s->a, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		store_view_trim(s->view);
		if (out_changed(s, index[i] + 1, e) < 0 || out_flush_some(s, e) < 0)
			return -1;
	}
	return 0;
}

int
resync_selected(struct session *s, const struct imap_select *args, struct err *e)
{
	const struct store_view *v = s->view;
	struct store_range all = { 1, v->uidnext - 1 };
	struct store_uids known = { &all, 1 }, left, gone;
	uint32_t right = 0;

	/* Another mailbox than the client knew, or one that never had a message. */
	if (args->uidvalidity != v->uidvalidity || v->uidnext == 1)
		return 0;
	if (args->known)
		known = uids_of(&args->uids, s->a);
	if (right_up_to(s, args, &right, e) < 0)
		return -1;
	left = behind(&known, right, s->a);
	if (store_vanished(s->view, args->modseq, &left, &gone, s->a, e) < 0 || out_vanished(s, &gone, e) < 0)
		return -1;
	return tell_changed_since(s, &known, args->modseq, e);
}
