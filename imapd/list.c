/*
 * LIST and LSUB: RFC 3501, 6.3.8 and 6.3.9; the options of RFC 5258, SPECIAL-USE of RFC 6154, STATUS of RFC
 * 5819.
 *
 * The store gives all names, sorted, parents that exist only as names among them; so what is below a name
 * follows it.
 */
#include "imap/args.h"
#include "imap/match.h"
#include "imap/reply.h"
#include "imapd/relay.h"
#include "imapd/reply.h"
#include "imapd/rights.h"
#include "imapd/status.h"

/* One LIST command at work. */
struct listing {
	struct session *s;
	struct imap_list args;
	struct span *patterns; /* with the reference in front */
	struct store_mailbox *box;
	size_t n;
	const char *word; /* "LIST" or "LSUB" */
};

static const char *
use_name(enum store_use use)
{
	switch (use) {
	case STORE_USE_NONE:
		break;
	case STORE_USE_DRAFTS:
		return "\\Drafts";
	case STORE_USE_SENT:
		return "\\Sent";
	case STORE_USE_TRASH:
		return "\\Trash";
	case STORE_USE_JUNK:
		return "\\Junk";
	case STORE_USE_ARCHIVE:
		return "\\Archive";
	}
	return NULL;
}

static bool
matches(const struct listing *l, struct span name)
{
	for (size_t i = 0; i < l->args.n; i++)
		if (imap_match(l->patterns[i], name))
			return true;
	return false;
}

/* Do the selection options want it? */
static bool
wanted(const struct listing *l, const struct store_mailbox *m)
{
	if ((l->args.options & LIST_SUBSCRIBED) != 0 && !m->subscribed)
		return false;
	if ((l->args.options & LIST_SPECIAL_USE) != 0 && m->use == STORE_USE_NONE)
		return false;
	/* A name that is no mailbox is listed for its subscription alone. */
	return m->id != 0 || (l->args.options & LIST_SUBSCRIBED) != 0;
}

static bool
below(struct span name, struct span parent)
{
	return name.n > parent.n && name.p[parent.n] == '/' && span_same(span_head(name, parent.n), parent);
}

static void
attribute(struct listing *l, const char **sep, const char *text, struct err *e)
{
	out_printf(l->s, e, "%s%s", *sep, text);
	*sep = " ";
}

/* Of another owner's mailbox his worker tells. */
static int
far_status(struct listing *l, const struct store_mailbox *m, struct err *e)
{
	struct buf items;
	int rc;

	buf_init(&items, 1024);
	buf_byte(&items, e, ' ');
	rc = imap_status_put(l->args.status, &items, e);
	if (rc == 0)
		rc = relay_about(l->s, "STATUS", m->name, buf_span(&items), e);
	buf_free(&items);
	return rc;
}

/* Without r there is none, and no word about it (RFC 5819, 2). */
static int
tell_status(struct listing *l, const struct store_mailbox *m, struct err *e)
{
	unsigned rights;

	if (m->id == RELAY_BOX)
		return far_status(l, m, e);
	if (rights_of(l->s, m->id, &rights, e) < 0)
		return -1;
	return (rights & STORE_MAY_READ) != 0 ? out_status(l->s, m, l->args.status, e) : 0;
}

static int
tell(struct listing *l, const struct store_mailbox *m, bool childinfo, struct err *e)
{
	unsigned o = l->args.options;
	const char *sep = "";

	out_printf(l->s, e, "* %s (", l->word);
	if (m->id == 0 && l->args.extended)
		attribute(l, &sep, "\\NonExistent", e);
	else if (m->noselect)
		attribute(l, &sep, "\\Noselect", e);
	attribute(l, &sep, m->children ? "\\HasChildren" : "\\HasNoChildren", e);
	if (m->subscribed && (o & (LIST_SUBSCRIBED | LIST_RETURN_SUBSCRIBED)) != 0 && l->args.extended)
		attribute(l, &sep, "\\Subscribed", e);
	if (m->use != STORE_USE_NONE &&
	    (!l->args.extended || (o & (LIST_SPECIAL_USE | LIST_RETURN_SPECIAL_USE)) != 0))
		attribute(l, &sep, use_name(m->use), e);
	out_str(l->s, ") \"/\" ", e);
	if (out_mailbox(l->s, m->name, e) < 0)
		return -1;
	if (childinfo) /* RFC 5258, 4: which of the criteria the children meet */
		out_printf(l->s, e, " (\"CHILDINFO\" (%s%s%s))",
		    (o & LIST_SUBSCRIBED) != 0 ? "\"SUBSCRIBED\"" : "",
		    (o & LIST_SUBSCRIBED) != 0 && (o & LIST_SPECIAL_USE) != 0 ? " " : "",
		    (o & LIST_SPECIAL_USE) != 0 ? "\"SPECIAL-USE\"" : "");
	out_str(l->s, "\r\n", e);
	if ((o & LIST_RETURN_STATUS) != 0 && !m->noselect && tell_status(l, m, e) < 0)
		return -1;
	return out_flush_some(l->s, e);
}

/* RECURSIVEMATCH: is something below wanted that is not listed itself (RFC 5258, 3)? */
static bool
hidden_child(const struct listing *l, size_t i)
{
	struct span name = l->box[i].name;

	/* "a b" and "a-b" sort between a and a/b. */
	for (size_t k = i + 1; k < l->n && span_same(span_head(l->box[k].name, name.n), name); k++)
		if (below(l->box[k].name, name) && wanted(l, &l->box[k]) && !matches(l, l->box[k].name))
			return true;
	return false;
}

/* Is there an answer for this name already: as a mailbox, or, for LSUB, as a subscription? */
static bool
answered(const struct listing *l, struct span name)
{
	bool lsub = !l->args.extended;

	for (size_t i = 0; i < l->n; i++)
		if (span_same(l->box[i].name, name))
			return !lsub || l->box[i].subscribed;
	return false;
}

/*
 * A parent of subscribed names that is not subscribed itself: LSUB with % must give it as \Noselect (6.3.9),
 * and so must LIST with RECURSIVEMATCH where there is no such mailbox. `told` is the last one given, to say
 * each once: names are sorted, so equal parents of one level come together.
 */
static int
tell_parents(struct listing *l, const struct store_mailbox *m, struct span *told, struct err *e)
{
	for (size_t at = 0; at < m->name.n; at++) {
		struct store_mailbox parent = {
			.name = span_head(m->name, at), .noselect = true, .children = true
		};

		if (m->name.p[at] != '/' || !matches(l, parent.name) || span_same(*told, parent.name))
			continue;
		*told = parent.name;
		return answered(l, parent.name) ? 0 : tell(l, &parent, l->args.extended, e);
	}
	return 0;
}

static int
tell_all(struct listing *l, struct err *e)
{
	bool recursive = (l->args.options & LIST_RECURSIVEMATCH) != 0;
	struct span told = { 0 };

	for (size_t i = 0; i < l->n; i++) {
		bool child;

		if (!matches(l, l->box[i].name)) {
			if (recursive && wanted(l, &l->box[i]) && tell_parents(l, &l->box[i], &told, e) < 0)
				return -1;
			continue;
		}
		child = recursive && hidden_child(l, i);
		if ((child || wanted(l, &l->box[i])) && tell(l, &l->box[i], child, e) < 0)
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
prepare(struct listing *l, struct cmd *cmd, struct err *e)
{
	struct session *s = l->s;

	if (imap_sp(&cmd->args, e) < 0 || imap_list_parse(&cmd->args, s->a, &l->args, e) < 0)
		return -1;
	l->patterns = arena_array(s->a, l->args.n, sizeof *l->patterns);
	for (size_t i = 0; i < l->args.n; i++)
		l->patterns[i] = interpreted(s->a, l->args.reference, l->args.patterns[i]);
	if (store_list(s->st, &l->box, &l->n, s->a, e) < 0 || rights_filter(s, l->box, &l->n, e) < 0)
		return refused(s, cmd, false);
	return relay_list(s,
	    &(struct relay_listing){
		.patterns = l->patterns,
		.n = l->args.n,
		.subscribed = (l->args.options & LIST_SUBSCRIBED) != 0,
		.lsub = l->word[1] == 'S',
	    },
	    &l->box, &l->n, e);
}

int
do_list(struct session *s, struct cmd *cmd, struct err *e)
{
	struct listing l = { .s = s, .word = "LIST" };

	if (prepare(&l, cmd, e) < 0)
		return -1;
	/* An empty name asks for the hierarchy delimiter (6.3.8). */
	if (!l.args.extended && l.args.patterns[0].n == 0)
		return out_str(s, "* LIST (\\Noselect) \"/\" \"\"\r\n", e);
	return tell_all(&l, e);
}

int
do_lsub(struct session *s, struct cmd *cmd, struct err *e)
{
	struct listing l = { .s = s, .word = "LSUB" };
	struct span told = { 0 };

	if (prepare(&l, cmd, e) < 0)
		return -1;
	if (l.args.extended)
		return err_set(e, ERR_PEER, "LSUB takes a reference and a pattern");
	for (size_t i = 0; i < l.n; i++) {
		const struct store_mailbox *m = &l.box[i];

		if (!m->subscribed)
			continue;
		if ((matches(&l, m->name) ? tell(&l, m, false, e) : tell_parents(&l, m, &told, e)) < 0)
			return -1;
	}
	return 0;
}
