/*
 * LIST, LSUB, XLIST: RFC 3501, 6.3.8 and 6.3.9; 5258; SPECIAL-USE of RFC 6154. What comes behind each name (STATUS,
 * MYRIGHTS, METADATA) is in listmore.c.
 *
 * The store gives all names, sorted, in one pass over the index. To these come the parents of subscribed names that are no
 * mailboxes ("ghosts"), so that every name that can be listed is in one sorted array, and what is below a name follows it.
 */
#include <stdlib.h>

#include "imap/list.h"
#include "imap/match.h"
#include "imapd/listing.h"
#include "imapd/listmore.h"
#include "imapd/relay.h"
#include "imapd/reply.h"
#include "imapd/rights.h"
#include "imapd/workaround.h"

/* One command at work. */
struct listing {
	struct session *s;
	struct cmd *cmd;
	struct imap_list args;
	struct span *patterns; /* with the reference in front */
	struct store_mailbox *box;
	size_t n;
	struct listing_line line; /* what all have in common */
	struct listmore more;
};

static bool
matches(const struct listing *l, struct span name)
{
	for (size_t i = 0; i < l->args.n; i++)
		if (imap_match(l->patterns[i], name))
			return true;
	return false;
}

/* Do the selection options want it? A name that is no mailbox is listed for its subscription alone. */
static bool
wanted(const struct listing *l, const struct store_mailbox *m)
{
	if ((l->args.options & LIST_SUBSCRIBED) != 0 && !m->subscribed)
		return false;
	if ((l->args.options & LIST_SPECIAL_USE) != 0 && m->use == STORE_USE_NONE)
		return false;
	return m->id != 0 || (l->args.options & LIST_SUBSCRIBED) != 0;
}

static bool
below(struct span name, struct span parent)
{
	return name.n > parent.n && name.p[parent.n] == '/' && span_same(span_head(name, parent.n), parent);
}

/* ---- ghosts */

static int
by_name(const void *a, const void *b)
{
	return span_cmp(((const struct store_mailbox *)a)->name, ((const struct store_mailbox *)b)->name);
}

static bool
known(const struct listing *l, struct span name)
{
	struct store_mailbox key = { .name = name };

	return l->n > 0 && bsearch(&key, l->box, l->n, sizeof key, by_name) != NULL;
}

/* The parents of subscribed names as far as there are none: how many, or with `to` these. Some may come twice. */
static size_t
ghosts(const struct listing *l, struct store_mailbox *to)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		for (size_t at = 1; l->box[i].subscribed && at < l->box[i].name.n; at++) {
			struct store_mailbox ghost = {
				.name = span_head(l->box[i].name, at), .noselect = true, .children = true
			};

			if (l->box[i].name.p[at] != '/' || known(l, ghost.name))
				continue;
			if (to != NULL)
				to[n] = ghost;
			n++;
		}
	return n;
}

static void
add_ghosts(struct listing *l)
{
	size_t more = ghosts(l, NULL), n = 0;
	struct store_mailbox *all;

	if (more == 0)
		return;
	all = arena_array(l->s->a, l->n + more, sizeof *all);
	memcpy(all, l->box, l->n * sizeof *all);
	ghosts(l, all + l->n);
	more += l->n;
	qsort(all, more, sizeof *all, by_name);
	for (size_t i = 0; i < more; i++)
		if (i == 0 || !span_same(all[i].name, all[n - 1].name))
			all[n++] = all[i];
	l->box = all;
	l->n = n;
}

/* ---- LIST */

static int
tell(struct listing *l, const struct store_mailbox *m, bool childinfo, struct err *e)
{
	static const char *const criteria[] = { "", "\"SUBSCRIBED\"", "\"SPECIAL-USE\"",
		"\"SUBSCRIBED\" \"SPECIAL-USE\"" };
	unsigned o = l->args.options;
	struct listing_line line = l->line;

	if (childinfo)
		line.children = span_str(
		    criteria[((o & LIST_SUBSCRIBED) != 0 ? 1 : 0) + ((o & LIST_SPECIAL_USE) != 0 ? 2 : 0)]);
	if (out_list(l->s, m, &line, e) < 0 || listmore_tell(l->s, l->cmd, &l->more, m, e) < 0)
		return -1;
	return out_flush_some(l->s, e);
}

/* What is below box[i] and meets the criteria: any, and any that is not listed itself. */
static void
children(const struct listing *l, size_t i, bool *some, bool *hidden)
{
	struct span name = l->box[i].name;

	*some = *hidden = false;
	/* "a b" and "a-b" sort between a and a/b. */
	for (size_t k = i + 1; k < l->n && !*hidden && span_same(span_head(l->box[k].name, name.n), name);
	     k++)
		if (below(l->box[k].name, name) && wanted(l, &l->box[k])) {
			*some = true;
			*hidden = !matches(l, l->box[k].name);
		}
}

/*
 * RFC 5258, 3.3 and 3.5: a name that meets the criteria; with RECURSIVEMATCH one that does not but has something below that
 * does and is not listed itself. CHILDINFO is said of either if something below meets them.
 */
static int
tell_all(struct listing *l, struct err *e)
{
	bool recursive = (l->args.options & LIST_RECURSIVEMATCH) != 0, some = false, hidden = false;

	for (size_t i = 0; i < l->n; i++) {
		bool own = wanted(l, &l->box[i]);

		if ((!own && !recursive) || !matches(l, l->box[i].name))
			continue;
		if (recursive)
			children(l, i, &some, &hidden);
		if ((own || hidden) && tell(l, &l->box[i], some, e) < 0)
			return -1;
	}
	return 0;
}

static struct span
interpreted(struct arena *a, struct span reference, struct span pattern)
{
	return reference.n == 0 ? pattern
				: arena_printf(a, "%.*s%.*s", SPAN_ARG(reference), SPAN_ARG(pattern));
}

static int
prepare(struct listing *l, struct err *e)
{
	struct session *s = l->s;
	unsigned o;

	if (imap_sp(&l->cmd->args, e) < 0 || imap_list_parse(&l->cmd->args, s->a, &l->args, e) < 0)
		return -1;
	l->patterns = arena_array(s->a, l->args.n, sizeof *l->patterns);
	for (size_t i = 0; i < l->args.n; i++)
		l->patterns[i] = interpreted(s->a, l->args.reference, l->args.patterns[i]);
	o = l->args.options;
	l->line.extended = l->args.extended || s->rev2;
	l->line.subscribed = l->args.extended && (o & (LIST_SUBSCRIBED | LIST_RETURN_SUBSCRIBED)) != 0;
	l->line.use = !l->args.extended || (o & (LIST_SPECIAL_USE | LIST_RETURN_SPECIAL_USE)) != 0;
	if (store_list(s->st, &l->box, &l->n, s->a, e) < 0 || rights_filter(s, l->box, &l->n, e) < 0)
		return refused(s, l->cmd, false);
	/* Cyrus's foolstupidclients: for clients that ask for all there is, which may be a lot. */
	if (workaround(LIST_OWN) && l->args.n == 1 && span_eq(l->patterns[0], "*"))
		return 0;
	return relay_list(s,
	    &(struct relay_listing){
		.patterns = l->patterns,
		.n = l->args.n,
		.subscribed = (o & LIST_SUBSCRIBED) != 0,
		.lsub = l->line.word[1] == 'S',
	    },
	    &l->box, &l->n, e);
}

int
do_list(struct session *s, struct cmd *cmd, struct err *e)
{
	struct listing l = { .s = s, .cmd = cmd, .line = { .word = "LIST" } };

	if (prepare(&l, e) < 0 || listmore_prepare(s, cmd, &l.args, &l.more, e) < 0)
		return -1;
	/* An empty name asks for the hierarchy delimiter (RFC 3501, 6.3.8). */
	if (!l.args.extended && l.args.patterns[0].n == 0)
		return out_str(s, "* LIST (\\Noselect) \"/\" \"\"\r\n", e);
	if ((l.args.options & LIST_RECURSIVEMATCH) != 0)
		add_ghosts(&l);
	return tell_all(&l, e);
}

/* As LIST of RFC 3501, with the special uses under the names that Gmail had for them; for clients of before RFC 6154. */
int
do_xlist(struct session *s, struct cmd *cmd, struct err *e)
{
	struct listing l = { .s = s, .cmd = cmd, .line = { .word = "XLIST" } };

	if (prepare(&l, e) < 0 || listmore_prepare(s, cmd, &l.args, &l.more, e) < 0)
		return -1;
	if (l.args.extended)
		return err_set(e, ERR_PEER, "XLIST takes a reference and a pattern");
	if (l.args.patterns[0].n == 0)
		return out_str(s, "* XLIST (\\Noselect) \"/\" \"\"\r\n", e);
	return tell_all(&l, e);
}

/* ---- LSUB */

/*
 * A name that is not subscribed is given, as \Noselect, if something below it is that does not match (RFC 3501, 6.3.9: LSUB
 * with %).
 */
static bool
stands_for_children(const struct listing *l, size_t i)
{
	struct span name = l->box[i].name;

	for (size_t k = i + 1; k < l->n && span_same(span_head(l->box[k].name, name.n), name); k++)
		if (below(l->box[k].name, name) && l->box[k].subscribed && !matches(l, l->box[k].name))
			return true;
	return false;
}

int
do_lsub(struct session *s, struct cmd *cmd, struct err *e)
{
	struct listing l = { .s = s, .cmd = cmd, .line = { .word = "LSUB" } };

	if (prepare(&l, e) < 0)
		return -1;
	if (l.args.extended)
		return err_set(e, ERR_PEER, "LSUB takes a reference and a pattern");
	l.line.use = false;
	add_ghosts(&l);
	for (size_t i = 0; i < l.n; i++) {
		struct store_mailbox m = l.box[i];

		if (!matches(&l, m.name) || (!m.subscribed && !stands_for_children(&l, i)))
			continue;
		m.noselect = !m.subscribed || (m.noselect && workaround(TB_LSUB_FLAGS));
		if (out_list(s, &m, &l.line, e) < 0 || out_flush_some(s, e) < 0)
			return -1;
	}
	return 0;
}
