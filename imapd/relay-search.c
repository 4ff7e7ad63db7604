/* ESEARCH in other owners' mailboxes: one command for each owner, with those of his that are meant. */
#include "imap/reply.h"
#include "imapd/relay-inside.h"

enum { TEXT_MAX = 16 << 20 };

/* One command to its answer, of which nothing is told: what was found has been. */
static int
ask(struct session *s, struct link *l, struct cmd *cmd, struct span text, struct err *e)
{
	struct span answer;
	int rc = link_say(l, text, e);

	if (l == s->relay->far)
		s->relay->viewed = false;
	if (rc == 0 && (rc = relay_responses(s, l, cmd->tag, &answer, e)) > 0)
		l->lost = true; /* a literal is asked for where none is */
	if (rc != 0)
		relay_failed(s, l, e);
	if (e->kind == ERR_GONE)
		return -1;
	err_clear(e);
	return 0;
}

/* The mailboxes of one owner, from box[i] on: how many of them there are, and their names in the form of the wire. */
static size_t
names_of(struct session *s, const struct store_mailbox *box, size_t n, struct buf *out, struct err *e)
{
	struct names_far first, far;
	size_t i;

	for (i = 0; i < n; i++) {
		names_far(box[i].name, &far);
		if (i == 0)
			first = far;
		if (far.tree != first.tree || !span_same(far.who, first.who))
			break;
		buf_str(out, e, i == 0 ? "" : " ");
		if (s->utf8)
			imap_put_mailbox_utf8(far.rest, out, e);
		else
			imap_put_mailbox(far.rest, out, e);
	}
	return i;
}

static int
search_owner(struct session *s, struct cmd *cmd, const struct names_far *name, struct span names,
    bool *selected, struct span rest, struct err *e)
{
	struct cmd none = { 0 };
	struct link *l = relay_find(s, &none, name, e);
	bool here = l != NULL && l == s->relay->far && *selected;

	if (l == NULL) {
		if (e->kind == ERR_GONE)
			return -1;
		err_clear(e);
		return 0;
	}
	*selected &= !here;
	return ask(s, l, cmd,
	    arena_printf(s->a, "%.*s ESEARCH IN (%smailboxes (%.*s)) %.*s", SPAN_ARG(cmd->tag),
		here ? "selected " : "", SPAN_ARG(names), SPAN_ARG(rest)),
	    e);
}

int
relay_search(struct session *s, struct cmd *cmd, const struct store_mailbox *box, size_t n, bool selected,
    struct span rest, struct err *e)
{
	struct names_far far;
	struct buf names;
	size_t more;
	int rc = 0;

	selected &= relay_selected(s);
	buf_init(&names, TEXT_MAX);
	for (size_t i = 0; i < n && rc == 0; i += more) {
		buf_clear(&names);
		more = names_of(s, box + i, n - i, &names, e);
		names_far(box[i].name, &far);
		far.decoded = true;
		rc = search_owner(s, cmd, &far, buf_span(&names), &selected, rest, e);
	}
	buf_free(&names);
	if (rc == 0 && selected)
		rc = ask(s, s->relay->far, cmd,
		    arena_printf(s->a, "%.*s ESEARCH IN (selected) %.*s", SPAN_ARG(cmd->tag), SPAN_ARG(rest)),
		    e);
	return rc;
}
