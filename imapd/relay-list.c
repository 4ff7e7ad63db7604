/*
 * LIST over all name spaces: the mailboxes of those who share something are put among the session's own, so that
 * list.c makes no difference between them. Each owner's worker is asked for all that it lets the reader see; one that
 * does not answer in time costs its mailboxes, not the LIST.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "imap/match.h"
#include "imap/reply.h"
#include "imap/utf7.h"
#include "imapd/relay-inside.h"
#include "imapd/reply.h"

enum { FOUND_MAX = 1 << 20, WIRE_MAX = 64 << 10 };

/* Names as they are found; grown by doubling in the arena. */
struct found {
	struct session *s;
	struct store_mailbox *box;
	size_t n, cap;
};

static void
add(struct found *f, struct store_mailbox m)
{
	if (f->n == f->cap) {
		size_t cap = f->cap == 0 ? 64 : 2 * f->cap;
		struct store_mailbox *more = arena_array(f->s->a, cap, sizeof *more);

		if (f->n > 0)
			memcpy(more, f->box, f->n * sizeof *more);
		f->box = more;
		f->cap = cap;
	}
	f->box[f->n++] = m;
}

/* A level that is there because of what is below it. */
static void
add_parent(struct found *f, struct span name)
{
	add(f, (struct store_mailbox){ .id = RELAY_BOX, .name = name, .noselect = true, .children = true });
}

static void
add_parents(struct found *f, struct span name)
{
	for (size_t at = 0; at < name.n; at++)
		if (name.p[at] == '/')
			add_parent(f, span_head(name, at));
}

/* "Projects" of the wire as "Other Users/bob/Projects". */
static int
full_name(struct session *s, const struct link *l, struct span wire, struct span *out, struct err *e)
{
	struct buf name;
	int rc;

	buf_init(&name, WIRE_MAX);
	rc = buf_add(&name, e, l->prefix);
	if (rc == 0 && !span_ieq(wire, "INBOX")) {
		rc = buf_byte(&name, e, '/');
		if (rc == 0)
			rc = s->utf8 || s->rev2 ? buf_add(&name, e, wire) : utf7_decode(wire, &name, e);
	}
	*out = arena_dup(s->a, buf_span(&name));
	buf_free(&name);
	return rc;
}

/* One "* LIST ..." of a link. */
static int
listed(struct found *f, struct link *l, const struct link_response *r, struct err *e)
{
	struct imap_response_name name[IMAP_RESPONSE_NAMES];
	struct store_mailbox m = { .id = RELAY_BOX };

	if (!span_ieq(r->word, "LIST"))
		return 0;
	if (f->n == FOUND_MAX)
		return err_set(e, ERR_TEMP, "too many names");
	if (imap_response_names(r->head, f->s->a, name, e) <= 0 ||
	    full_name(f->s, l, name[0].name, &m.name, e) < 0)
		return err_set(e, ERR_TEMP, "a name that is none");
	m.noselect = imap_response_attribute(r->head, "\\Noselect") ||
		     imap_response_attribute(r->head, "\\NonExistent");
	add(f, m);
	add_parents(f, m.name);
	return 0;
}

static int
ask_all(struct found *f, struct link *l, struct err *e)
{
	struct link_response r;

	if (link_say(l, SPAN("X LIST \"\" \"*\""), e) < 0)
		return -1;
	do {
		if (link_hear(l, SPAN("X"), &r, e) < 0)
			return -1;
		if (r.kind == LINK_UNTAGGED && listed(f, l, &r, e) < 0) {
			l->lost = true;
			return -1;
		}
		if (link_drop(l, e) < 0)
			return -1;
	} while (r.kind != LINK_TAGGED);
	return 0;
}

/* -1 only if the session is over. */
static int
ask_owner(struct found *f, const struct names_sharer *who, uint64_t wait_ms, struct err *e)
{
	struct session *s = f->s;
	struct link *l = relay_link(s, who, e);
	size_t before = f->n;
	int rc = -1;

	if (l != NULL) {
		conn_timeout(l->c, wait_ms);
		rc = ask_all(f, l, e);
		conn_timeout(l->c, cfg.imap_write_wait);
	}
	if (rc < 0) {
		f->n = before;
		if (l != NULL)
			relay_failed(s, l, e);
		if (e->kind == ERR_GONE)
			return -1;
		err_clear(e);
	}
	return 0;
}

/* ---- whom to ask */

static bool
reach(const struct span *patterns, size_t n, struct span name)
{
	for (size_t i = 0; i < n; i++)
		if (imap_match(patterns[i], name) || imap_match_below(patterns[i], name))
			return true;
	return false;
}

static bool
name_below(struct span name, struct span parent)
{
	return span_same(span_head(name, parent.n), parent) &&
	       (name.n == parent.n || name.p[parent.n] == '/');
}

/* Has the reader subscribed to something there? */
static bool
subscribed_below(const struct store_mailbox *box, size_t n, struct span prefix)
{
	for (size_t i = 0; i < n; i++)
		if (box[i].subscribed && name_below(box[i].name, prefix))
			return true;
	return false;
}

static int
ask_owners(struct found *f, const struct relay_listing *what, const struct store_mailbox *own, size_t nown,
    struct err *e)
{
	uint64_t until = clock_mono_ms() + cfg.imap_link_wait, now;
	struct names_sharer *who;
	size_t n;

	if (names_sharers(f->s, &who, &n, e) < 0) {
		if (e->kind == ERR_GONE)
			return -1;
		log_event(LOG_WARN, "imapd.sharers", KV_S("sid", f->s->sid), KV_ERR(e));
		err_clear(e);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		if (!what->subscribed) /* the name space is there if somebody may share something */
			add_parent(f, who[i].addr.n > 0 ? SPAN(NAMES_USERS) : SPAN(NAMES_SHARED));
		if (!reach(what->patterns, what->n, who[i].prefix) ||
		    (what->subscribed && !subscribed_below(own, nown, who[i].prefix)))
			continue;
		now = clock_mono_ms();
		if (ask_owner(f, &who[i], until > now ? until - now : 1, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- one list of all */

static int
by_name(const void *a, const void *b)
{
	return span_cmp(((const struct store_mailbox *)a)->name, ((const struct store_mailbox *)b)->name);
}

/*
 * Of those with one name, one: the mailbox before the level that is there for others, and both before the session's own
 * subscription to that name, of which it takes over that there is one.
 */
static void
merge(struct store_mailbox *to, const struct store_mailbox *m)
{
	bool subscribed = to->subscribed || m->subscribed, children = to->children || m->children;

	if (m->id == RELAY_BOX && (to->id != RELAY_BOX || (to->noselect && !m->noselect)))
		*to = *m;
	to->subscribed = subscribed;
	to->children = children;
}

static void
sort_and_merge(struct found *f)
{
	size_t n = 0;

	qsort(f->box, f->n, sizeof *f->box, by_name);
	for (size_t i = 0; i < f->n; i++) {
		if (n > 0 && span_same(f->box[n - 1].name, f->box[i].name))
			merge(&f->box[n - 1], &f->box[i]);
		else
			f->box[n++] = f->box[i];
	}
	f->n = n;
}

/* LSUB asks nobody: a name that is subscribed may be a mailbox as well as not. */
static void
believe(struct store_mailbox *box, size_t n)
{
	struct names_far far;

	for (size_t i = 0; i < n; i++)
		if (box[i].id == 0 && names_far(box[i].name, &far) && far.who.n > 0)
			box[i].noselect = false;
}

int
relay_list(
    struct session *s, const struct relay_listing *what, struct store_mailbox **box, size_t *n, struct err *e)
{
	struct found f = { .s = s };

	if (s->link || s->svc == NULL)
		return 0;
	if (what->lsub) {
		believe(*box, *n);
		return 0;
	}
	if (!reach(what->patterns, what->n, SPAN(NAMES_USERS)) &&
	    !reach(what->patterns, what->n, SPAN(NAMES_SHARED)))
		return 0;
	if (ask_owners(&f, what, *box, *n, e) < 0)
		return -1;
	if (f.n == 0)
		return 0;
	for (size_t i = 0; i < *n; i++)
		add(&f, (*box)[i]);
	sort_and_merge(&f);
	*box = f.box;
	*n = f.n;
	return 0;
}

/* ---- what LIST tells beside */

int
relay_about(struct session *s, const char *command, struct span name, struct span rest, struct err *e)
{
	struct cmd none = { 0 };
	struct names_far far;
	struct span answer;
	struct link *l;
	struct buf text;
	int rc;

	names_far(name, &far);
	far.decoded = true;
	if ((l = relay_find(s, &none, &far, e)) == NULL) {
		if (e->kind == ERR_GONE)
			return -1;
		err_clear(e);
		return 0;
	}
	buf_init(&text, 2 * WIRE_MAX);
	buf_printf(&text, e, "%s ", command);
	rc = s->utf8 || s->rev2 ? imap_put_mailbox_utf8(far.rest, &text, e)
				: imap_put_mailbox(far.rest, &text, e);
	if (rc == 0 && buf_add(&text, e, rest) == 0 &&
	    (rc = relay_ask(s, l, buf_span(&text), true, &answer, e)) < 0)
		relay_failed(s, l, e);
	buf_free(&text);
	if (rc < 0 && e->kind == ERR_GONE)
		return -1;
	err_clear(e);
	return 0;
}
