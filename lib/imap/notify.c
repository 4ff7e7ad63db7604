#include "imap/notify.h"

#include "imap/args.h"

enum { GROUPS_MAX = 100, NAMES_MAX = 1000 };

const char imap_events[] =
    "MessageNew MessageExpunge FlagChange AnnotationChange MailboxName SubscriptionChange "
    "MailboxMetadataChange ServerMetadataChange";

static const struct {
	const char *name;
	unsigned event;
} events[] = {
	{ "MessageNew", EVENT_NEW },
	{ "MessageExpunge", EVENT_EXPUNGE },
	{ "FlagChange", EVENT_FLAGS },
	{ "AnnotationChange", EVENT_MESSAGE_ANNOTATION },
	{ "MailboxName", EVENT_NAME },
	{ "SubscriptionChange", EVENT_SUBSCRIPTION },
	{ "MailboxMetadataChange", EVENT_METADATA },
	{ "ServerMetadataChange", EVENT_SERVER_METADATA },
};
enum { EVENTS = sizeof events / sizeof events[0] };

static const char *const watches[] = { "selected", "selected-delayed", "inboxes", "personal", "subscribed",
	"subtree", "mailboxes" };
enum { WATCHES = sizeof watches / sizeof watches[0] };

static bool
of_selected(const struct imap_notify_group *g)
{
	return g->watch == WATCH_SELECTED || g->watch == WATCH_SELECTED_DELAYED;
}

/* ---- the attributes of new messages */

/* The octets of a list from "(" to its ")", which may have lists, strings and literals in it; 0: it has no end. */
static size_t
list_length(struct span s)
{
	size_t depth = 0;
	struct imap_literal lit;
	ssize_t eol;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '(') {
			depth++;
		} else if (s.p[i] == ')') {
			if (--depth == 0)
				return i + 1;
		} else if (s.p[i] == '"') {
			for (i++; i < s.n && s.p[i] != '"'; i++)
				i += s.p[i] == '\\';
		} else if (s.p[i] == '{') {
			eol = span_find(span_from(s, i), SPAN("\r\n"));
			if (eol < 0 ||
			    imap_line_literal(span_head(span_from(s, i), (size_t)eol), &lit, NULL) <= 0 ||
			    lit.size >= s.n - i - (size_t)eol)
				return 0;
			i += (size_t)eol + 1 + (size_t)lit.size;
		}
	}
	return 0;
}

static int
attributes(struct imap_lex *l, struct arena *a, struct imap_notify_group *g, struct err *e)
{
	struct imap_lex inner = *l;
	size_t n = list_length(l->in);

	if (!of_selected(g))
		return err_set(e, ERR_PEER, "Only of the selected mailbox can messages be fetched");
	if (n == 0)
		return err_set(e, ERR_PEER, "The list of items has no end");
	inner.in = span_head(l->in, n);
	l->in = span_from(l->in, n);
	if (imap_fetch_parse(&inner, a, &g->items, e) < 0)
		return -1;
	g->fetch = true;
	g->items.seen = false; /* nobody has asked for the message yet */
	for (struct imap_section *sec = g->items.sections; sec != NULL; sec = sec->next)
		sec->seen = false;
	return 0;
}

/* ---- events */

static int
event(
    struct imap_lex *l, struct arena *a, struct imap_notify *out, struct imap_notify_group *g, struct err *e)
{
	struct imap_lex ahead;
	struct span unknown;
	size_t i;

	for (i = 0; i < EVENTS && !imap_word(l, events[i].name); i++)
		;
	if (i == EVENTS) {
		out->unknown = true;
		return imap_atom(l, &unknown, e);
	}
	g->events |= events[i].event;
	ahead = *l;
	if (events[i].event != EVENT_NEW || !imap_take(&ahead, ' ') || imap_peek(&ahead) != '(')
		return 0;
	imap_take(l, ' ');
	return attributes(l, a, g, e);
}

/* RFC 5465, 5 and 6.1: what goes together. */
static int
together(const struct imap_notify_group *g, struct err *e)
{
	unsigned both = EVENT_NEW | EVENT_EXPUNGE;

	if ((g->events & both) != 0 && (g->events & both) != both)
		return err_set(e, ERR_PEER, "MessageNew and MessageExpunge go together");
	if ((g->events & (EVENT_FLAGS | EVENT_MESSAGE_ANNOTATION)) != 0 && (g->events & both) != both)
		return err_set(e, ERR_PEER, "FlagChange needs MessageNew and MessageExpunge");
	if (of_selected(g) && (g->events & ~(unsigned)EVENT_MESSAGES) != 0)
		return err_set(e, ERR_PEER, "Only events of messages are of the selected mailbox");
	return 0;
}

static int
event_list(
    struct imap_lex *l, struct arena *a, struct imap_notify *out, struct imap_notify_group *g, struct err *e)
{
	bool list;

	if (imap_word(l, "NONE"))
		return 0;
	list = imap_take(l, '(');
	do {
		if (event(l, a, out, g, e) < 0)
			return -1;
	} while (imap_take(l, ' '));
	if (list && !imap_take(l, ')'))
		return err_set(e, ERR_PEER, "The list of events has no end");
	return out->unknown ? 0 : together(g, e);
}

/* ---- mailboxes */

static int
names(struct imap_lex *l, struct arena *a, struct imap_notify_group *g, struct err *e)
{
	bool list;

	if (imap_sp(l, e) < 0)
		return -1;
	list = imap_take(l, '(');
	g->names = arena_array(a, list ? NAMES_MAX : 1, sizeof *g->names);
	do {
		if (g->n == NAMES_MAX)
			return err_set(e, ERR_PEER, "Too many mailboxes");
		if (imap_mailbox(l, a, &g->names[g->n++], e) < 0)
			return -1;
	} while (list && imap_take(l, ' '));
	return !list || imap_take(l, ')') ? 0 : err_set(e, ERR_PEER, "The list of mailboxes has no end");
}

static int
group(
    struct imap_lex *l, struct arena *a, struct imap_notify *out, struct imap_notify_group *g, struct err *e)
{
	size_t i;

	if (!imap_take(l, '('))
		return err_set(e, ERR_PEER, "A group of events is missing");
	for (i = 0; i < WATCHES && !imap_word(l, watches[i]); i++)
		;
	if (i == WATCHES)
		return err_set(e, ERR_PEER, "There is no such set of mailboxes");
	g->watch = (enum imap_watch)i;
	if (g->watch >= WATCH_SUBTREE && names(l, a, g, e) < 0)
		return -1;
	if (imap_sp(l, e) < 0 || event_list(l, a, out, g, e) < 0)
		return -1;
	return imap_take(l, ')') ? 0 : err_set(e, ERR_PEER, "A group of events has no end");
}

int
imap_notify_groups(struct imap_lex *l, struct arena *a, struct imap_notify *out, struct err *e)
{
	size_t selected = 0;

	out->text = l->in;
	out->groups = arena_array(a, GROUPS_MAX, sizeof *out->groups);
	do {
		if (out->n == GROUPS_MAX)
			return err_set(e, ERR_PEER, "Too many groups of events");
		out->groups[out->n] = (struct imap_notify_group){ 0 };
		if (group(l, a, out, &out->groups[out->n], e) < 0)
			return -1;
		selected += of_selected(&out->groups[out->n++]);
	} while (imap_take(l, ' '));
	if (selected > 1)
		return err_set(e, ERR_PEER, "The selected mailbox is named once");
	return imap_end(l, e);
}

int
imap_notify_parse(struct imap_lex *l, struct arena *a, struct imap_notify *out, struct err *e)
{
	struct imap_notify n = { 0 };

	if (imap_word(l, "NONE")) {
		n.none = true;
		if (imap_end(l, e) < 0)
			return -1;
		*out = n;
		return 0;
	}
	if (!imap_word(l, "SET"))
		return err_set(e, ERR_PEER, "NOTIFY takes SET or NONE");
	if (imap_sp(l, e) < 0)
		return -1;
	if (imap_word(l, "STATUS")) {
		n.status = true;
		if (imap_sp(l, e) < 0)
			return -1;
	}
	if (imap_notify_groups(l, a, &n, e) < 0)
		return -1;
	*out = n;
	return 0;
}
