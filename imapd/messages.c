#include "imapd/messages.h"

static int
resolve(struct session *s, struct imap_set *set, bool uid, struct err *e)
{
	const struct store_view *v = s->view;
	uint32_t last = uid ? (v->n > 0 ? store_rec(v, v->n - 1)->uid : 1) : v->n;

	if (!uid && v->n == 0)
		return err_set(e, ERR_PEER, "The mailbox has no messages");
	imap_set_resolve(set, last);
	if (!uid && set->r[set->n - 1].last > v->n)
		return err_set(e, ERR_PEER, "There are only %u messages", v->n);
	return 0;
}

/* Indexes [from, to) of the view that a range means. */
static void
indexes(const struct store_view *v, struct imap_range r, bool uid, uint32_t *from, uint32_t *to)
{
	*from = uid ? store_view_from(v, r.first) : r.first - 1;
	if (uid)
		*to = r.last == UINT32_MAX ? v->n : store_view_from(v, r.last + 1);
	else
		*to = r.last;
}

int
messages_of(struct session *s, struct imap_set *set, bool uid, struct messages *out, struct err *e)
{
	const struct store_view *v = s->view;
	uint32_t from, to;
	size_t n = 0;

	if (resolve(s, set, uid, e) < 0)
		return -1;
	for (size_t i = 0; i < set->n; i++) {
		indexes(v, set->r[i], uid, &from, &to);
		if (store_view_load(s->view, from, to - from, e) < 0)
			return -1;
		n += to - from;
	}
	out->seq = arena_array(s->a, n, sizeof *out->seq);
	out->uid = arena_array(s->a, n, sizeof *out->uid);
	out->n = 0;
	for (size_t i = 0; i < set->n; i++) {
		for (indexes(v, set->r[i], uid, &from, &to); from < to; from++) {
			out->seq[out->n] = from + 1;
			out->uid[out->n++] = store_rec(v, from)->uid;
		}
	}
	return 0;
}

int
messages_parse(struct session *s, struct cmd *cmd, struct messages *out, struct err *e)
{
	struct imap_set set;

	if (imap_sp(&cmd->args, e) < 0 || imap_set_parse(&cmd->args, s->a, &set, e) < 0)
		return -1;
	return messages_of(s, &set, cmd->uid, out, e);
}
