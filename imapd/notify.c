#include "imapd/notify.h"

#include <stdlib.h>

#include "imap/args.h"
#include "imapd/listing.h"
#include "imapd/metadata.h"
#include "imapd/reply.h"
#include "imapd/rights.h"
#include "imapd/status.h"
#include "imapd/worker.h"
#include "ipc/idle.h"
#include "store/event.h"

enum {
	TEXT_MAX = 8192,      /* of a command that is kept: 10,000 sessions may wait */
	ARENA_MAX = 16 << 20, /* of what is parsed from it */
};

/* ---- the state */

static struct notify *
notify_new(uint64_t known)
{
	struct notify *n = mem_zero(1, sizeof *n);

	n->a = arena_new(ARENA_MAX);
	n->known = known;
	return n;
}

void
notify_free(struct notify *n)
{
	if (n == NULL)
		return;
	arena_free(n->a);
	free(n);
}

static int
known_now(struct session *s, uint64_t *known, struct err *e)
{
	struct store_usage now = { 0 };

	if (store_usage(s->st, &now, e) < 0)
		return -1;
	*known = now.modseq;
	return 0;
}

int
notify_metadata(struct session *s, struct err *e)
{
	struct cmd none = { 0 };
	uint64_t known;

	if (s->notify != NULL)
		return 0;
	if (worker_open(s, &none, e) < 0 || known_now(s, &known, e) < 0)
		return -1;
	s->notify = notify_new(known);
	return 0;
}

/* Parse the groups of a command into an arena of their own. */
static int
take_text(struct notify *n, struct span text, bool utf8, struct err *e)
{
	struct imap_lex l = { .in = arena_dup(n->a, text), .utf8 = utf8 };

	n->set = true;
	return imap_notify_groups(&l, n->a, &n->args, e);
}

static const struct imap_notify_group *
selected_group(const struct session *s)
{
	for (size_t i = 0; s->notify != NULL && i < s->notify->args.n; i++)
		if (s->notify->args.groups[i].watch <= WATCH_SELECTED_DELAYED)
			return &s->notify->args.groups[i];
	return NULL;
}

/* Is anything wanted but the selected mailbox? */
static bool
wants_others(const struct session *s)
{
	for (size_t i = 0; s->notify != NULL && i < s->notify->args.n; i++)
		if (s->notify->args.groups[i].watch > WATCH_SELECTED_DELAYED &&
		    s->notify->args.groups[i].events != 0)
			return true;
	return false;
}

unsigned
notify_selected(const struct session *s, const struct imap_fetch **fetch)
{
	const struct imap_notify_group *g = selected_group(s);

	*fetch = NULL;
	if (s->notify == NULL || !s->notify->set)
		return EVENT_MESSAGES;
	if (g == NULL)
		return 0;
	*fetch = g->fetch ? &g->items : NULL;
	return g->events;
}

bool
notify_at_once(const struct session *s)
{
	const struct imap_notify_group *g = selected_group(s);

	return g != NULL && g->watch == WATCH_SELECTED && g->events != 0;
}

bool
notify_pushes(const struct session *s)
{
	return notify_at_once(s) || wants_others(s);
}

void
notify_put(const struct session *s, struct idle_record *r)
{
	const struct imap_fetch *fetch;

	if (s->notify == NULL)
		return;
	r->known = s->notify->known;
	if (!s->notify->set)
		return;
	r->notify = s->notify->args.text;
	r->flags |= notify_at_once(s) ? IDLE_AT_ONCE : 0;
	r->flags |= notify_selected(s, &fetch) == 0 ? IDLE_MUTE : 0;
	r->flags |= wants_others(s) ? IDLE_OTHERS : 0;
}

int
notify_take(struct session *s, const struct idle_record *r, struct err *e)
{
	if (r->notify.n == 0 && (r->flags & IDLE_MUTE) == 0 && !s->metadata)
		return 0;
	s->notify = notify_new(r->known);
	s->notify->set = (r->flags & IDLE_MUTE) != 0; /* NOTIFY NONE has no text */
	return r->notify.n > 0 ? take_text(s->notify, r->notify, s->utf8, e) : 0;
}

/* ---- which mailboxes */

static bool
at_or_below(struct span name, struct span top)
{
	return span_same(span_head(name, top.n), top) && (name.n == top.n || name.p[top.n] == '/');
}

static bool
watches(const struct imap_notify_group *g, struct span name, bool subscribed)
{
	switch (g->watch) {
	case WATCH_SELECTED:
	case WATCH_SELECTED_DELAYED:
		return false;
	case WATCH_INBOXES: /* mail can be addressed to any: 6.3 */
	case WATCH_PERSONAL:
		return true;
	case WATCH_SUBSCRIBED:
		return subscribed;
	case WATCH_SUBTREE:
		for (size_t i = 0; i < g->n; i++)
			if (at_or_below(name, g->names[i]))
				return true;
		return false;
	case WATCH_MAILBOXES:
		for (size_t i = 0; i < g->n; i++)
			if (span_same(name, g->names[i]))
				return true;
		return false;
	}
	return false;
}

/* What is wanted of a mailbox of this name: the union over the groups (6). */
static unsigned
wanted(const struct session *s, struct span name, bool subscribed)
{
	const struct imap_notify *n = &s->notify->args;
	unsigned events = 0;

	for (size_t i = 0; i < n->n; i++)
		if (watches(&n->groups[i], name, subscribed))
			events |= n->groups[i].events;
	return events;
}

static bool
is_selected(const struct session *s, const struct store_mailbox *m)
{
	return s->view != NULL && s->view->mailbox == m->id;
}

/* ---- messages of other mailboxes */

/* NOTIFY SET STATUS (3.1). */
static unsigned
first_status(unsigned events)
{
	unsigned items = 0;

	if ((events & EVENT_NEW) != 0)
		items |= STATUS_MESSAGES | STATUS_UIDNEXT | STATUS_UIDVALIDITY;
	if ((events & EVENT_EXPUNGE) != 0)
		items |= STATUS_MESSAGES;
	if ((events & (EVENT_FLAGS | EVENT_MESSAGE_ANNOTATION)) != 0)
		items |= STATUS_UIDVALIDITY | STATUS_HIGHESTMODSEQ;
	return items;
}

/* What is said of news (5.1, 5.2, 5.3); 0: they were not wanted. */
static unsigned
news_status(const struct session *s, unsigned events, const struct store_stir *stir)
{
	unsigned items = 0;

	if (stir->messages && (events & (EVENT_NEW | EVENT_EXPUNGE)) != 0)
		items |= STATUS_UIDNEXT | STATUS_MESSAGES;
	/* Neither, and yet something changed: the mailbox got another UIDVALIDITY, or name. */
	if ((stir->flags || !stir->messages) && (events & EVENT_FLAGS) != 0)
		items |= STATUS_UIDVALIDITY | STATUS_UNSEEN;
	return items != 0 && s->condstore ? items | STATUS_HIGHESTMODSEQ : items;
}

static int
tell_statuses(struct session *s, const struct store_mailbox *box, size_t n, bool first, struct err *e)
{
	struct store_stir stir;

	for (size_t i = 0; i < n; i++) {
		unsigned events, items;

		if (box[i].noselect || is_selected(s, &box[i]))
			continue;
		events = wanted(s, box[i].name, box[i].subscribed) & EVENT_MESSAGES;
		if (events == 0 || (!first && box[i].highestmodseq <= s->notify->known))
			continue;
		if (!first && box[i].id == s->own.mailbox && box[i].highestmodseq == s->own.modseq &&
		    s->own.modseq == s->notify->known + 1) /* nobody else did anything meanwhile (5) */
			continue;
		if (!first && store_stir(s->st, box[i].id, s->notify->known, &stir, e) < 0)
			return -1;
		items = first ? first_status(events) : news_status(s, events, &stir);
		if (items != 0 && (out_status(s, &box[i], items, e) < 0 || out_flush_some(s, e) < 0))
			return -1;
	}
	return 0;
}

/* ---- names, subscriptions, annotations */

static int
by_name(const void *a, const void *b)
{
	return span_cmp(((const struct store_mailbox *)a)->name, ((const struct store_mailbox *)b)->name);
}

struct telling {
	struct session *s;
	const struct store_mailbox *box; /* sorted by name */
	size_t n;
};

/* As it is now; a name that is no mailbox, too. */
static struct store_mailbox
look(const struct telling *t, struct span name)
{
	struct store_mailbox key = { .name = name, .noselect = true };
	const struct store_mailbox *m = t->n > 0 ? bsearch(&key, t->box, t->n, sizeof key, by_name) : NULL;

	if (m != NULL)
		return *m;
	for (size_t i = 0; i < t->n && !key.children; i++)
		key.children = t->box[i].id != 0 && at_or_below(t->box[i].name, name);
	return key;
}

static int
tell_name(const struct telling *t, struct span name, struct span oldname, struct err *e)
{
	struct store_mailbox m = look(t, name);
	struct listing_line line = { .word = "LIST", .extended = true, .subscribed = true };

	if (m.id != 0)
		line.oldname = oldname;
	return out_list(t->s, &m, &line, e);
}

/* A mailbox that was made or deleted, and its parent (5.4). */
static int
tell_made(const struct telling *t, const struct store_event *ev, struct err *e)
{
	ssize_t slash = span_rchr(ev->name, '/');
	struct span parent = span_head(ev->name, slash > 0 ? (size_t)slash : 0);

	if ((wanted(t->s, ev->name, look(t, ev->name).subscribed) & EVENT_NAME) != 0 &&
	    tell_name(t, ev->name, (struct span){ 0 }, e) < 0)
		return -1;
	if (parent.n > 0 && (wanted(t->s, parent, look(t, parent).subscribed) & EVENT_NAME) != 0)
		return tell_name(t, parent, (struct span){ 0 }, e);
	return 0;
}

static int
tell_annotation(const struct telling *t, const struct store_event *ev, struct err *e)
{
	struct session *s = t->s;
	const struct store_mailbox *m = NULL;
	bool told = s->metadata;

	if (ev->who.n > 0 && !span_same(ev->who, metadata_who(s)))
		return 0;
	for (size_t i = 0; ev->mailbox != 0 && i < t->n && m == NULL; i++)
		if (t->box[i].id == ev->mailbox)
			m = &t->box[i];
	if (ev->mailbox != 0 && m == NULL) /* deleted since */
		return 0;
	for (size_t i = 0; i < s->notify->args.n; i++)
		told |= m == NULL && (s->notify->args.groups[i].events & EVENT_SERVER_METADATA) != 0;
	told |= m != NULL && (wanted(s, m->name, m->subscribed) & EVENT_METADATA) != 0;
	if (!told)
		return 0;
	out_str(s, "* METADATA ", e);
	if ((m == NULL ? out_str(s, "\"\"", e) : out_mailbox(s, m->name, e)) < 0)
		return -1;
	return out_printf(s, e, " %.*s\r\n", SPAN_ARG(ev->other));
}

static int
tell_event(const struct telling *t, const struct store_event *ev, struct err *e)
{
	struct store_mailbox m;

	switch (ev->kind) {
	case STORE_EVENT_NAME:
		return tell_made(t, ev, e);
	case STORE_EVENT_RENAMED:
		m = look(t, ev->name);
		if (((wanted(t->s, ev->name, m.subscribed) | wanted(t->s, ev->other, m.subscribed)) &
			EVENT_NAME) == 0)
			return 0;
		return tell_name(t, ev->name, ev->other, e);
	case STORE_EVENT_SUBSCRIPTION: /* the set "subscribed" is about to have it, or had it */
		if ((wanted(t->s, ev->name, true) & EVENT_SUBSCRIPTION) == 0)
			return 0;
		return tell_name(t, ev->name, (struct span){ 0 }, e);
	case STORE_EVENT_ANNOTATION:
		return tell_annotation(t, ev, e);
	}
	return 0;
}

/* Does a later one say the same? What is told is how things are now. */
static bool
repeated(const struct store_event *ev, size_t i, size_t n)
{
	for (size_t k = i + 1; k < n; k++)
		if (ev[k].kind == ev[i].kind && ev[k].mailbox == ev[i].mailbox &&
		    span_same(ev[k].name, ev[i].name) && span_same(ev[k].other, ev[i].other))
			return true;
	return false;
}

/* 5.8. */
static int
overflow(struct session *s, struct err *e)
{
	notify_free(s->notify);
	s->notify = NULL;
	if (s->metadata && notify_metadata(s, e) < 0)
		return -1;
	return out_str(s, "* OK [NOTIFICATIONOVERFLOW] Too much has happened: say NOTIFY again\r\n", e);
}

/* All that is to be told is of one state: what came behind `now` is told the next time, and only then. */
struct happened {
	uint64_t now;
	bool whole;
	struct store_event *ev;
	size_t n;
	struct store_mailbox *box; /* NULL: nobody asks for it */
	size_t boxes;
};

static int
read_happened(struct session *s, struct happened *h, struct err *e)
{
	if (known_now(s, &h->now, e) < 0)
		return -1;
	if (h->now == s->notify->known)
		return 0;
	if (store_events(s->st, s->notify->known, &h->ev, &h->n, &h->whole, s->a, e) < 0)
		return -1;
	return h->n > 0 || wants_others(s) ? store_list(s->st, &h->box, &h->boxes, s->a, e) : 0;
}

int
notify_news(struct session *s, struct err *e)
{
	struct happened h = { .whole = true };
	struct telling t = { .s = s };
	int rc;

	if (s->notify == NULL || s->st == NULL)
		return 0;
	if (store_read_begin(s->st, e) < 0)
		return -1;
	rc = read_happened(s, &h, e);
	store_read_end(s->st);
	if (rc < 0 || h.now == s->notify->known)
		return rc;
	if (!h.whole && s->notify->set)
		return overflow(s, e);
	if (h.box != NULL) {
		if (rights_filter(s, h.box, &h.boxes, e) < 0)
			return -1;
		t.box = h.box;
		t.n = h.boxes;
		for (size_t i = 0; i < h.n; i++)
			if (!span_same(h.ev[i].by, s->sid) && !repeated(h.ev, i, h.n) &&
			    tell_event(&t, &h.ev[i], e) < 0)
				return -1;
		if (tell_statuses(s, h.box, h.boxes, false, e) < 0)
			return -1;
	}
	s->notify->known = h.now;
	return 0;
}

/* ---- the command */

static int
refuse(struct cmd *cmd, struct err *e, const char *code, const char *text)
{
	cmd->code = code;
	return err_set(e, ERR_PERM, "%s", text);
}

/* An implicit NOOP (3.1): what has gathered is told by the rules of before. */
static int
tell_gathered(struct session *s, struct err *e)
{
	struct notify *old = s->notify;
	int rc;

	s->notify = NULL;
	rc = announce(s, true, e);
	s->notify = old;
	return rc;
}

static int
set(struct session *s, struct cmd *cmd, const struct imap_notify *args, struct err *e)
{
	struct store_mailbox *box = NULL;
	struct notify *n;
	uint64_t known;
	size_t count = 0;

	if (args->text.n > TEXT_MAX)
		return refuse(cmd, e, "NOTIFICATIONOVERFLOW", "That is too much to be kept");
	if (tell_gathered(s, e) < 0 || known_now(s, &known, e) < 0)
		return -1;
	n = notify_new(known);
	if (take_text(n, args->text, s->utf8, e) < 0) {
		notify_free(n);
		return -1;
	}
	notify_free(s->notify);
	s->notify = n;
	if (!args->status)
		return 0;
	if (store_list(s->st, &box, &count, s->a, e) < 0 || rights_filter(s, box, &count, e) < 0)
		return refused(s, cmd, false);
	return tell_statuses(s, box, count, true, e);
}

int
do_notify(struct session *s, struct cmd *cmd, struct err *e)
{
	struct imap_notify args;

	if (imap_sp(&cmd->args, e) < 0 || imap_notify_parse(&cmd->args, s->a, &args, e) < 0)
		return -1;
	if (args.unknown) {
		cmd->code = arena_printf(s->a, "BADEVENT (%s)", imap_events).p; /* 3.1 */
		return err_set(e, ERR_PERM, "There is no such event");
	}
	if (!args.none)
		return set(s, cmd, &args, e);
	notify_free(s->notify);
	s->notify = notify_new(0);
	s->notify->set = true; /* and nothing is in it: the client wants to hear nothing (3.1) */
	return known_now(s, &s->notify->known, e);
}
