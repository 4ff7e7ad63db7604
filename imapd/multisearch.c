/*
 * ESEARCH: a search in several mailboxes, RFC 7377. Each is looked at as EXAMINE would, the selected one as it is known;
 * those that the reader may not read are passed over as if they were not there (2.2).
 */
#include "imap/reply.h"
#include "imapd/relay.h"
#include "imapd/reply.h"
#include "imapd/rights.h"
#include "imapd/search.h"

struct multisearch {
	struct session *s;
	struct cmd *cmd;
	struct imap_esearch args;
	struct search g;
};

/* ---- which mailboxes */

/* Is `name` below `top`? one: not further than its children (RFC 7377, 2.2: subtree-one). */
static bool
is_in_tree(struct span name, struct span top, bool one)
{
	if (span_same(name, top))
		return true;
	if (name.n <= top.n || name.p[top.n] != '/' || !span_same(span_head(name, top.n), top))
		return false;
	return !one || span_chr(span_from(name, top.n + 1), '/') < 0;
}

static bool
is_named(const struct imap_source *s, struct span name)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->kind == SOURCE_MAILBOXES && span_same(name, s->names[i]))
			return true;
		if (s->kind != SOURCE_MAILBOXES &&
		    is_in_tree(name, s->names[i], s->kind == SOURCE_SUBTREE_ONE))
			return true;
	}
	return false;
}

/* RFC 5465, 6. Mail is delivered to INBOX, whatever a sender asks for by name. */
static bool
is_meant(const struct multisearch *m, const struct imap_source *s, const struct store_mailbox *box)
{
	switch (s->kind) {
	case SOURCE_SELECTED:
		return m->s->view != NULL && m->s->view->mailbox == box->id;
	case SOURCE_INBOXES:
		return span_eq(box->name, "INBOX");
	case SOURCE_PERSONAL:
		return box->id != RELAY_BOX;
	case SOURCE_SUBSCRIBED:
		return box->subscribed;
	case SOURCE_SUBTREE:
	case SOURCE_SUBTREE_ONE:
	case SOURCE_MAILBOXES:
		return is_named(s, box->name);
	}
	return false;
}

/* Each once, however often it is meant. */
static bool
is_wanted(const struct multisearch *m, const struct store_mailbox *box)
{
	static const struct imap_source selected = { .kind = SOURCE_SELECTED };

	if (box->id == 0 || box->noselect)
		return false;
	if (m->args.n == 0)
		return is_meant(m, &selected, box);
	for (size_t i = 0; i < m->args.n; i++)
		if (is_meant(m, &m->args.sources[i], box))
			return true;
	return false;
}

/* ---- one mailbox */

/* RFC 7377, 2.1: the answer says which mailbox it is of. Nothing is said of one in which nothing was found. */
static int
tell(struct multisearch *m, const struct store_mailbox *box, struct err *e)
{
	struct search *g = &m->g;
	struct buf text;
	int rc;

	if ((g->args->returns & RETURN_SAVE) != 0)
		saved_set(g);
	if (search_is_silent(g->args) || g->found.n == 0)
		return 0;
	buf_init(&text, 64 << 10);
	buf_str(&text, e, " MAILBOX ");
	rc = m->s->utf8 ? imap_put_mailbox_utf8(box->name, &text, e) : imap_put_mailbox(box->name, &text, e);
	if (rc == 0)
		rc = buf_printf(&text, e, " UIDVALIDITY %u", g->view->uidvalidity);
	if (rc == 0)
		rc = search_tell_extended(g, true, buf_span(&text), e);
	buf_free(&text);
	return rc;
}

static int
search_box(struct multisearch *m, const struct store_mailbox *box, struct err *e)
{
	struct store_view *v = m->s->view, *own = NULL;
	int rc = -1;

	if (v == NULL || v->mailbox != box->id)
		v = own = store_view_open(m->s->st, box->id, true, e);
	if (v != NULL && search_look(&m->g, v, true, e) == 0 && search_find(&m->g, e) == 0)
		rc = tell(m, box, e);
	if (rc < 0 && e->kind == ERR_PERM && store_why(m->s->st) == STORE_NONEXISTENT) {
		err_clear(e); /* deleted since the list was made */
		rc = 0;
	}
	store_view_close(own);
	return rc < 0 ? -1 : out_flush_some(m->s, e);
}

/* ---- all */

/* What must be looked for among other owners' mailboxes, as patterns of LIST. */
static size_t
patterns(const struct multisearch *m, struct span *out)
{
	struct arena *a = m->s->a;
	size_t n = 0;

	for (size_t i = 0; i < m->args.n; i++) {
		const struct imap_source *s = &m->args.sources[i];

		if (s->kind == SOURCE_SUBSCRIBED)
			out[n++] = SPAN("*");
		for (size_t k = 0; s->kind >= SOURCE_SUBTREE && k < s->n; k++) {
			out[n++] = s->names[k];
			if (s->kind != SOURCE_MAILBOXES)
				out[n++] = arena_printf(a, "%.*s/%s", SPAN_ARG(s->names[k]),
				    s->kind == SOURCE_SUBTREE ? "*" : "%");
		}
	}
	return n;
}

static int
others_too(struct multisearch *m, struct store_mailbox **box, size_t *n, struct err *e)
{
	struct relay_listing what = { 0 };
	struct span *p;
	size_t max = 0;

	for (size_t i = 0; i < m->args.n; i++)
		max += 1 + 2 * m->args.sources[i].n;
	p = arena_array(m->s->a, max + 1, sizeof *p);
	what.n = patterns(m, p);
	what.patterns = p;
	return what.n > 0 ? relay_list(m->s, &what, box, n, e) : 0;
}

/* Of a list those that are others' and meant, to its front: how many. */
static size_t
keep_others(const struct multisearch *m, struct store_mailbox *box, size_t n)
{
	size_t to = 0;

	for (size_t i = 0; i < n; i++)
		if (box[i].id == RELAY_BOX && is_wanted(m, &box[i]))
			box[to++] = box[i];
	return to;
}

static bool
selected_too(const struct multisearch *m)
{
	for (size_t i = 0; i < m->args.n; i++)
		if (m->args.sources[i].kind == SOURCE_SELECTED)
			return true;
	return m->args.n == 0;
}

static int
search_all(struct multisearch *m, struct err *e)
{
	struct store_mailbox *box;
	struct arena *work = arena_new(SIZE_MAX / 2);
	size_t n;
	int rc = store_list(m->s->st, &box, &n, m->s->a, e);

	if (rc == 0)
		rc = others_too(m, &box, &n, e);
	m->g.a = work; /* what is found in one is forgotten before the next */
	for (size_t i = 0; rc == 0 && i < n; i++) {
		unsigned rights;

		if (box[i].id == RELAY_BOX || !is_wanted(m, &box[i]))
			continue;
		arena_reset(work);
		rc = rights_of(m->s, box[i].id, &rights, e);
		if (rc == 0 && (rights & STORE_MAY_READ) != 0 && (rights & STORE_MAY_LOOKUP) != 0)
			rc = search_box(m, &box[i], e);
	}
	arena_free(work);
	if (rc == 0)
		rc = relay_search(
		    m->s, m->cmd, box, keep_others(m, box, n), selected_too(m), m->args.rest, e);
	return rc;
}

/* What needs one mailbox and no other (RFC 7377, 2.1 and 2.2): message numbers, $, SAVE. */
static int
check(const struct multisearch *m, struct err *e)
{
	const struct imap_search_args *a = &m->args.search;

	if (m->args.selected && m->s->view == NULL && !relay_selected(m->s))
		return err_set(e, ERR_PEER, "No mailbox is selected");
	if (m->args.selected)
		return 0;
	if (a->numbers || a->saved || (a->returns & RETURN_SAVE) != 0)
		return err_set(e, ERR_PEER, "Message numbers, $ and SAVE are of the selected mailbox alone");
	return 0;
}

int
do_esearch(struct session *s, struct cmd *cmd, struct err *e)
{
	struct multisearch m = { .s = s, .cmd = cmd };
	struct imap_search_args *args = &m.args.search;

	cmd->uid = true; /* 2.1: the answers have UIDs */
	if (imap_sp(&cmd->args, e) < 0 || imap_esearch_parse(&cmd->args, s->a, s->rev2, &m.args, e) < 0 ||
	    check(&m, e) < 0 || search_allowed(s, cmd, args, e) < 0 ||
	    search_begin(&m.g, s, cmd, args, s->a, e) < 0 || (args->modseq && condstore_on(s, e) < 0))
		return -1;
	if ((args->returns & RETURN_UPDATE) != 0 &&
	    out_printf(s, e, "* NO [NOUPDATE \"%.*s\"] Only of SEARCH and SORT\r\n", SPAN_ARG(cmd->tag)) < 0)
		return -1;
	if (search_all(&m, e) < 0)
		return e->kind == ERR_PEER ? -1 : refused(s, cmd, false);
	return 0;
}
