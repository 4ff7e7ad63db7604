/* Results that stay up to date, and CANCELUPDATE: RFC 5267, 4.3. */
#include "imapd/context.h"

#include <stdlib.h>

#include "imapd/reply.h"
#include "imapd/sort.h"
#include "store/since.h"

enum {
	CONTEXTS_MAX = 16,        /* of a session */
	CONTEXT_ARENA = 64 << 20, /* of the program */
};

struct context {
	struct context *next;
	struct arena *a;    /* of the program */
	struct arena *work; /* of one update */
	struct cmd cmd;     /* the tag, and whether it was UID */
	bool sorted;
	struct imap_sort args; /* args.search is all there is if it is not sorted */
	struct search g;
	uint64_t modseq; /* what is known of changes */
	uint32_t *uid;   /* members: ascending, or in the order of the sort */
	size_t n;
};

static void
context_free(struct context *c)
{
	arena_free(c->work);
	arena_free(c->a);
	free(c->uid);
	free(c);
}

void
search_leave(struct session *s)
{
	struct context *c = s->contexts, *next;

	saved_clear(s);
	for (s->contexts = NULL; c != NULL; c = next) {
		next = c->next;
		context_free(c);
	}
}

/* ---- the beginning */

static int
no_update(struct session *s, struct span tag, const char *why, struct err *e)
{
	return out_printf(s, e, "* NO [NOUPDATE \"%.*s\"] %s\r\n", SPAN_ARG(tag), why);
}

/* Does a program find the same in the same messages at any time? Not if it speaks of the clock, of $, or of numbers. */
static bool
is_settled(const struct imap_search *k)
{
	const struct imap_range *r = k->set.r;

	switch (k->op) {
	case SEARCH_SAVED:
	case SEARCH_OLDER:
	case SEARCH_YOUNGER:
		return false;
	case SEARCH_SET: /* 1:* is all messages */
		return k->set.n == 1 && r[0].first == 1 && r[0].last == IMAP_STAR;
	default:
		break;
	}
	for (k = k->child; k != NULL; k = k->next)
		if (!is_settled(k))
			return false;
	return true;
}

/* Why not? NULL: it can be kept. */
static const char *
refusal(struct session *s, const struct imap_search_args *args, bool sorted)
{
	size_t n = 0;

	for (const struct context *c = s->contexts; c != NULL; c = c->next)
		n++;
	if (n >= CONTEXTS_MAX)
		return "Too many results are being kept up to date";
	if (!is_settled(args->root))
		return "What this search finds changes by itself";
	return sorted && args->fuzzy ? "Relevancy is of the moment" : NULL;
}

static void
keep_members(struct context *c, const struct found *f)
{
	c->uid = mem_resize(c->uid, (f->n + 1) * sizeof *c->uid);
	if (f->n > 0)
		memcpy(c->uid, f->uid, f->n * sizeof *c->uid);
	c->n = f->n;
}

/* The program once more, in memory of its own. It was parsed before, so it can be. */
static int
parse(struct context *c, struct session *s, struct span text, struct err *e)
{
	struct imap_lex l = { .in = arena_dup(c->a, text), .utf8 = s->utf8 };

	if (c->sorted ? imap_sort_parse(&l, c->a, s->rev2, &c->args, e) < 0
		      : imap_search_parse(&l, c->a, s->rev2, &c->args.search, e) < 0)
		return -1;
	if (search_begin(&c->g, s, &c->cmd, &c->args.search, c->a, e) < 0)
		return -1;
	c->g.progress.next = UINT64_MAX; /* nobody waits for it */
	c->g.a = c->work;
	return 0;
}

/* One of the same tag ends. */
static void
drop(struct session *s, struct span tag)
{
	for (struct context **at = &s->contexts; *at != NULL; at = &(*at)->next) {
		struct context *c = *at;

		if (!span_same(c->cmd.tag, tag))
			continue;
		*at = c->next;
		context_free(c);
		return;
	}
}

int
context_start(struct search *g, const struct imap_sort *sort, struct span text, struct err *e)
{
	struct session *s = g->s;
	const char *why;
	struct context *c;

	drop(s, g->cmd->tag);
	if ((why = refusal(s, g->args, sort != NULL)) != NULL)
		return no_update(s, g->cmd->tag, why, e);
	c = mem_zero(1, sizeof *c);
	c->a = arena_new(CONTEXT_ARENA);
	c->work = arena_new(SIZE_MAX / 2);
	c->sorted = sort != NULL;
	c->cmd = (struct cmd){ .tag = arena_dup(c->a, g->cmd->tag), .uid = g->cmd->uid };
	c->modseq = s->view->modseq;
	keep_members(c, &g->found);
	if (parse(c, s, text, e) < 0) {
		context_free(c);
		return -1;
	}
	c->next = s->contexts;
	s->contexts = c;
	return 0;
}

/* ---- what is told */

static int
begin_told(struct context *c, const char *what, struct err *e)
{
	return out_printf(c->g.s, e, "* ESEARCH (TAG \"%.*s\")%s %s (", SPAN_ARG(c->cmd.tag),
	    c->cmd.uid ? " UID" : "", what);
}

/* How the client knows a message of the view. */
static int
name_of(const struct context *c, uint32_t uid, uint32_t *name, struct err *e)
{
	int rc = 1;

	*name = uid;
	if (!c->cmd.uid && (rc = store_view_find(c->g.s->view, uid, name, e)) == 1)
		++*name;
	return rc;
}

/* 4.3.3: of results without an order the position is 0. `name` ascending. */
static int
tell_set(struct context *c, const char *what, const uint32_t *name, size_t n, struct err *e)
{
	struct session *s = c->g.s;
	struct imap_set set = { .r = arena_array(s->a, n, sizeof *set.r) };

	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		imap_set_append(&set, name[i]);
	begin_told(c, what, e);
	out_str(s, "0 ", e);
	imap_set_format(&set, &s->out, e);
	return out_str(s, ")\r\n", e);
}

/* ---- members */

/* Where a uid is among the members, or c->n. */
static size_t
member(const struct context *c, uint32_t uid)
{
	size_t lo = 0, hi = c->n;

	for (size_t i = 0; c->sorted; i++)
		if (i == c->n || c->uid[i] == uid)
			return i;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (c->uid[mid] < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < c->n && c->uid[lo] == uid ? lo : c->n;
}

static void
take_out(struct context *c, size_t at)
{
	memmove(&c->uid[at], &c->uid[at + 1], (c->n - at - 1) * sizeof *c->uid);
	c->n--;
}

/* Some that are members leave: `name` as the client knows each, ascending. */
static int
leave(struct context *c, const uint32_t *uid, const uint32_t *name, size_t n, struct err *e)
{
	struct session *s = c->g.s;

	if (n == 0)
		return 0;
	if (c->sorted)
		begin_told(c, "REMOVEFROM", e);
	for (size_t i = 0; i < n; i++) {
		size_t at = member(c, uid[i]);

		if (c->sorted)
			out_printf(s, e, "%s%zu %u", i > 0 ? " " : "", at + 1, name[i]);
		take_out(c, at);
	}
	return c->sorted ? out_str(s, ")\r\n", e) : tell_set(c, "REMOVEFROM", name, n, e);
}

/* The members and those that come, in the order of the mailbox; then sorted. */
static int
sorted_with(struct context *c, const uint32_t *uid, size_t n, struct err *e)
{
	struct found *f = &c->g.found;
	struct imap_set all = { .r = arena_array(c->work, c->n + n, sizeof *all.r) };

	for (size_t i = 0; i < c->n; i++)
		all.r[i] = (struct imap_range){ c->uid[i], c->uid[i] };
	for (size_t i = 0; i < n; i++)
		all.r[c->n + i] = (struct imap_range){ uid[i], uid[i] };
	all.n = c->n + n;
	imap_set_resolve(&all, 1);
	*f = (struct found){ .seq = arena_array(c->work, c->n + n, sizeof *f->seq),
		.uid = arena_array(c->work, c->n + n, sizeof *f->uid) };
	for (size_t i = 0; i < all.n; i++)
		for (uint32_t u = all.r[i].first; u <= all.r[i].last; u++) {
			uint32_t index;
			int rc = store_view_find(c->g.s->view, u, &index, e);

			if (rc < 0)
				return -1;
			if (rc == 1) {
				f->seq[f->n] = index + 1;
				f->uid[f->n++] = u;
			}
		}
	return sort_found(&c->g, c->args.key, c->args.n, e);
}

/* Some come, ascending. 4.3.3: positions as each is put in after the ones before. */
static int
come(struct context *c, const uint32_t *uid, const uint32_t *name, size_t n, struct err *e)
{
	struct session *s = c->g.s;
	const struct found *f = &c->g.found;
	size_t told = 0;

	if (n == 0)
		return 0;
	if (!c->sorted && tell_set(c, "ADDTO", name, n, e) < 0)
		return -1;
	if (!c->sorted) {
		struct found both = { .uid = arena_array(c->work, c->n + n, sizeof *both.uid) };

		for (size_t i = 0, k = 0; i < c->n || k < n;)
			both.uid[both.n++] = k == n || (i < c->n && c->uid[i] < uid[k]) ? c->uid[i++]
											: uid[k++];
		keep_members(c, &both);
		return 0;
	}
	if (sorted_with(c, uid, n, e) < 0)
		return -1;
	begin_told(c, "ADDTO", e);
	for (size_t i = 0; i < f->n; i++)
		if (member(c, f->uid[i]) == c->n)
			out_printf(s, e, "%s%zu %u", told++ > 0 ? " " : "", i + 1,
			    c->cmd.uid ? f->uid[i] : f->seq[i]);
	keep_members(c, f);
	return out_str(s, ")\r\n", e);
}

/* ---- what happens */

int
contexts_expunged(struct session *s, const struct store_changes *ch, struct err *e)
{
	uint32_t *uid, *name;

	if (s->contexts == NULL || ch->nexpunged == 0)
		return 0;
	uid = arena_array(s->a, ch->nexpunged, sizeof *uid);
	name = arena_array(s->a, ch->nexpunged, sizeof *name);
	for (struct context *c = s->contexts; c != NULL; c = c->next) {
		size_t n = 0;

		for (size_t i = ch->nexpunged; i > 0; i--) /* they come in descending order */
			if (member(c, ch->expunged_uid[i - 1]) < c->n) {
				uid[n] = ch->expunged_uid[i - 1];
				name[n++] = c->cmd.uid ? ch->expunged_uid[i - 1] : ch->expunged[i - 1];
			}
		if (leave(c, uid, name, n, e) < 0)
			return -1;
	}
	return 0;
}

/* Messages that changed or came, and what each is now. */
struct news {
	uint32_t *uid, *name;
	size_t n;
};

static void
note(struct news *list, uint32_t uid, uint32_t name)
{
	list->uid[list->n] = uid;
	list->name[list->n++] = name;
}

/* Is the message at this index one that is found? */
static int
is_found(struct context *c, uint32_t index, uint32_t *uid, struct err *e)
{
	if (search_find_in(&c->g, index, index + 1, e) < 0 || store_view_load(c->g.s->view, index, 1, e) < 0)
		return -1;
	*uid = store_rec(c->g.s->view, index)->uid;
	return c->g.found.n > 0;
}

static int
update(struct context *c, const uint32_t *index, size_t n, struct err *e)
{
	struct arena *a = c->g.s->a;
	struct news in = { arena_array(a, n, sizeof *in.uid), arena_array(a, n, sizeof *in.name), 0 };
	struct news out = { arena_array(a, n, sizeof *out.uid), arena_array(a, n, sizeof *out.name), 0 };

	for (size_t i = 0; i < n; i++) {
		uint32_t uid, name;
		int found = is_found(c, index[i], &uid, e);
		bool was = found >= 0 && member(c, uid) < c->n;

		if (found < 0 || name_of(c, uid, &name, e) < 0)
			return -1;
		if (found && !was)
			note(&in, uid, name);
		else if (!found && was)
			note(&out, uid, name);
	}
	return leave(c, out.uid, out.name, out.n, e) < 0 ? -1 : come(c, in.uid, in.name, in.n, e);
}

int
contexts_update(struct session *s, struct err *e)
{
	struct store_range all = { 1, UINT32_MAX };
	struct store_uids known = { &all, 1 };

	for (struct context *c = s->contexts; c != NULL; c = c->next) {
		uint64_t now = s->view->modseq;
		uint32_t *index = NULL;
		size_t n = 0;
		int rc;

		if (now <= c->modseq)
			continue;
		arena_reset(c->work);
		rc = store_changed(s->view, c->modseq, &known, &index, &n, s->a, e);
		if (rc == 0 && (rc = search_look(&c->g, s->view, false, e)) == 0)
			rc = update(c, index, n, e);
		if (rc < 0)
			return -1;
		c->modseq = now;
	}
	return 0;
}

/* CANCELUPDATE (4.3.5): a tag that is not there may be one that was answered NOUPDATE. */
int
do_cancelupdate(struct session *s, struct cmd *cmd, struct err *e)
{
	struct span *tag = arena_array(s->a, cmd->args.in.n, sizeof *tag);
	size_t n = 0;

	do {
		if (imap_sp(&cmd->args, e) < 0)
			return -1;
		if (imap_peek(&cmd->args) != '"')
			return err_set(e, ERR_PEER, "CANCELUPDATE takes tags in quotes");
		if (imap_string(&cmd->args, s->a, &tag[n++], e) < 0)
			return -1;
	} while (imap_peek(&cmd->args) != '\0');
	for (size_t i = 0; i < n; i++)
		drop(s, tag[i]);
	return 0;
}
