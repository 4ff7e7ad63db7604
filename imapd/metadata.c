/*
 * GETMETADATA, SETMETADATA: RFC 5464; /private/specialuse of RFC 6154, 4.
 *
 * Entries of the server under /shared are the administrator's: /shared/admin and /shared/comment come from the
 * configuration, and no client can set one, for a user's store is no place that all others see.
 */
#include "imapd/metadata.h"

#include "imap/metadata.h"
#include "imap/reply.h"
#include "imapd/listing.h"
#include "imapd/reply.h"
#include "imapd/rights.h"
#include "imapd/wait.h"

#define SPECIAL_USE "/private/specialuse"

struct span
metadata_who(const struct session *s)
{
	return s->guest ? s->account : SPAN("owner");
}

bool
metadata_allowed(unsigned rights, bool shared_change)
{
	const unsigned any = STORE_MAY_READ | STORE_MAY_SEEN | STORE_MAY_WRITE | STORE_MAY_INSERT |
			     STORE_MAY_POST;

	return (rights & STORE_MAY_LOOKUP) != 0 && (rights & any) != 0 &&
	       (!shared_change || (rights & STORE_MAY_WRITE) != 0);
}

int
metadata_computed(
    struct session *s, const struct store_mailbox *m, struct span entry, struct span *value, struct err *e)
{
	const char *text = NULL;

	(void)e;
	if (m == NULL && span_eq(entry, "/shared/admin"))
		text = cfg.metadata_admin;
	else if (m == NULL && span_eq(entry, "/shared/comment"))
		text = cfg.metadata_comment;
	else if (m != NULL && span_eq(entry, SPECIAL_USE)) /* RFC 6154, 2: of the owner, not of who shares */
		text = s->guest ? NULL : use_name(m->use);
	else
		return 0;
	*value = text != NULL && text[0] != '\0' ? span_str(text) : (struct span){ 0 };
	return 1;
}

int
out_annotation(struct session *s, const struct store_annotation *x, struct err *e)
{
	if (imap_put_astring(x->entry, &s->out, e) < 0 || buf_byte(&s->out, e, ' ') < 0)
		return -1;
	if (x->value.p == NULL)
		return out_str(s, "NIL", e);
	if (span_chr(x->value, '\0') < 0)
		return imap_put_string(x->value, &s->out, e);
	/* literal8 (RFC 3516; 5464, 5) */
	return buf_byte(&s->out, e, '~') < 0 ? -1 : imap_put_literal(x->value, &s->out, e);
}

/* The mailbox of a command; m->id 0: it is the server that is meant. */
static int
find_mailbox(struct session *s, struct cmd *cmd, struct span name, struct store_mailbox *m, unsigned *rights,
    struct err *e)
{
	int rc;

	*m = (struct store_mailbox){ 0 };
	if (name.n == 0)
		return 0;
	/* \Noselect ones have annotations, too (4.1). */
	if ((rc = store_mailbox(s->st, name, m, s->a, e)) < 0)
		return refused(s, cmd, false);
	if (rc == 0 || m->id == 0) {
		cmd->code = "NONEXISTENT";
		return err_set(e, ERR_PERM, "There is no such mailbox");
	}
	return rights_need(s, cmd, m->id, STORE_MAY_LOOKUP, e) < 0 ? -1 : rights_of(s, m->id, rights, e);
}

static int
not_allowed(struct cmd *cmd, struct err *e)
{
	cmd->code = "NOPERM";
	return err_set(e, ERR_PERM, "You may not do that with these entries");
}

/* ---- GETMETADATA */

struct getting {
	struct session *s;
	struct imap_getmetadata args;
	struct store_mailbox box; /* id 0: the server */
	const char *sep;          /* before the next entry of the response */
	uint64_t longest;         /* of those that were left out */
};

static int
give(struct getting *g, const struct store_annotation *x, struct err *e)
{
	struct session *s = g->s;

	if (g->args.limited && x->value.n > g->args.maxsize) {
		g->longest = x->value.n > g->longest ? x->value.n : g->longest;
		return 0;
	}
	if (g->sep == NULL) {
		if (out_str(s, "* METADATA ", e) < 0 ||
		    (g->box.id == 0 ? out_str(s, "\"\"", e) : out_mailbox(s, g->box.name, e)) < 0)
			return -1;
		g->sep = " (";
	}
	out_str(s, g->sep, e);
	g->sep = " ";
	return out_annotation(s, x, e);
}

/* Is `path` the entry, or below it as deep as was asked for (4.2.2)? */
static bool
in_depth(const struct getting *g, struct span path, struct span entry)
{
	struct span rest;

	if (!span_same(span_head(path, entry.n), entry))
		return false;
	rest = span_from(path, entry.n);
	if (rest.n == 0)
		return true;
	if (rest.p[0] != '/' || g->args.depth == DEPTH_0)
		return false;
	return g->args.depth == DEPTH_INFINITY || span_chr(span_from(rest, 1), '/') < 0;
}

/* What is not stored, as far as it has a value. *named: one is exactly that entry. */
static int
give_computed(struct getting *g, struct span entry, bool *named, struct err *e)
{
	static const char *const names[] = { "/shared/admin", "/shared/comment", SPECIAL_USE };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct store_annotation x = { .entry = span_str(names[i]) };

		if (!in_depth(g, x.entry, entry) ||
		    metadata_computed(g->s, g->box.id != 0 ? &g->box : NULL, x.entry, &x.value, e) == 0 ||
		    x.value.p == NULL)
			continue;
		*named |= span_same(x.entry, entry);
		if (give(g, &x, e) < 0)
			return -1;
	}
	return 0;
}

/* An entry that was named and has no value is NIL (3.2). */
static int
give_entry(struct getting *g, struct span entry, const struct store_annotation *p, size_t n, struct err *e)
{
	struct store_annotation none = { .entry = entry };
	bool named = false;

	if (give_computed(g, entry, &named, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct span computed;

		if (!in_depth(g, p[i].entry, entry) ||
		    metadata_computed(g->s, g->box.id != 0 ? &g->box : NULL, p[i].entry, &computed, e) != 0)
			continue;
		named |= span_same(p[i].entry, entry);
		if (give(g, &p[i], e) < 0)
			return -1;
	}
	return named || g->args.depth != DEPTH_0 ? 0 : give(g, &none, e);
}

int
do_getmetadata(struct session *s, struct cmd *cmd, struct err *e)
{
	struct getting g = { .s = s };
	struct store_annotation *p = NULL;
	unsigned rights = STORE_MAY_ALL;
	size_t n = 0;

	if (imap_sp(&cmd->args, e) < 0 || imap_getmetadata_parse(&cmd->args, s->a, &g.args, e) < 0 ||
	    find_mailbox(s, cmd, g.args.mailbox, &g.box, &rights, e) < 0)
		return -1;
	if (!metadata_allowed(rights, false))
		return not_allowed(cmd, e);
	if (store_annotations(s->st, g.box.id, false, metadata_who(s), &p, &n, s->a, e) < 0)
		return refused(s, cmd, false);
	for (size_t i = 0; i < g.args.n; i++)
		if (give_entry(&g, g.args.entries[i], p, n, e) < 0)
			return -1;
	if (g.sep != NULL && out_str(s, ")\r\n", e) < 0)
		return -1;
	if (g.longest > 0) /* 4.2.1 */
		cmd->ok = arena_printf(s->a, "[METADATA LONGENTRIES %llu] Some values were longer",
		    (unsigned long long)g.longest);
	return 0;
}

/* ---- SETMETADATA */

/* Codes of more than one word (4.3). */
static int
refuse_code(struct session *s, struct cmd *cmd, struct err *e, const char *code, uint64_t n, const char *text)
{
	struct span c = n > 0 ? arena_printf(s->a, "METADATA %s %llu", code, (unsigned long long)n)
			      : arena_printf(s->a, "METADATA %s", code);

	cmd->code = c.p;
	return err_set(e, ERR_PERM, "%s", text);
}

/* What speaks against one entry. */
static int
check(struct session *s, struct cmd *cmd, const struct store_mailbox *m, const struct imap_setmetadata *args,
    size_t i, unsigned rights, struct err *e)
{
	bool shared = span_starts(args->entries[i], "/shared/");
	struct span computed;

	if (args->values[i].n > cfg.metadata_value_max)
		return refuse_code(s, cmd, e, "MAXSIZE", cfg.metadata_value_max, "That value is too long");
	if (m->id == 0 && shared)
		return not_allowed(cmd, e);
	if (!metadata_allowed(rights, shared))
		return not_allowed(cmd, e);
	if (metadata_computed(s, m->id != 0 ? m : NULL, args->entries[i], &computed, e) == 0)
		return 0;
	if (s->guest) /* of special use: RFC 6154, 2 */
		return not_allowed(cmd, e);
	if (args->values[i].n > 0 && use_named(args->values[i]) == STORE_USE_NONE) {
		cmd->code = "USEATTR";
		return err_set(e, ERR_PERM, "There is no such special use here, or more than one");
	}
	return 0;
}

/* Special use goes from the mailbox that has it to this one, and that is told (RFC 6154, 5.4). */
static int
set_use(struct session *s, struct cmd *cmd, const struct store_mailbox *m, struct span value, struct err *e)
{
	struct store_mailbox *box = NULL;
	uint64_t before;
	size_t n = 0;

	if (store_use_set(s->st, m->id, use_named(value), &before, e) < 0)
		return refused(s, cmd, false);
	if (before == 0 || !s->metadata)
		return 0;
	if (store_list(s->st, &box, &n, s->a, e) < 0)
		return refused(s, cmd, false);
	for (size_t i = 0; i < n; i++)
		if (box[i].id == before) {
			out_str(s, "* METADATA ", e);
			out_mailbox(s, box[i].name, e);
			return out_str(s, " " SPECIAL_USE "\r\n", e); /* names alone: RFC 5464, 4.4 */
		}
	return 0;
}

static int
set_all(struct session *s, struct cmd *cmd, const struct store_mailbox *m,
    const struct imap_setmetadata *args, struct err *e)
{
	struct store_annotation_limits max = { cfg.metadata_entries_max, cfg.metadata_total_max };
	struct store_annotation *p = arena_array(s->a, args->n, sizeof *p);
	ssize_t use = -1;
	size_t n = 0;

	for (size_t i = 0; i < args->n; i++) {
		if (m->id != 0 && span_eq(args->entries[i], SPECIAL_USE))
			use = (ssize_t)i;
		else
			p[n++] = (struct store_annotation){ m->id, args->entries[i], args->values[i] };
	}
	if (n > 0 && store_annotate(s->st, m->id, metadata_who(s), p, n, &max, e) < 0)
		return store_why(s->st) == STORE_LIMIT
			   ? refuse_code(s, cmd, e, "TOOMANY", 0, "There are too many annotations")
			   : refused(s, cmd, false);
	return use < 0 ? 0 : set_use(s, cmd, m, args->values[use], e);
}

int
do_setmetadata(struct session *s, struct cmd *cmd, struct err *e)
{
	struct imap_setmetadata args;
	struct store_mailbox box;
	unsigned rights = STORE_MAY_ALL;

	if (imap_sp(&cmd->args, e) < 0 || imap_setmetadata_parse(&cmd->args, s->a, &args, e) < 0 ||
	    find_mailbox(s, cmd, args.mailbox, &box, &rights, e) < 0)
		return -1;
	for (size_t i = 0; i < args.n; i++)
		if (check(s, cmd, &box, &args, i, rights, e) < 0)
			return -1;
	if (set_all(s, cmd, &box, &args, e) < 0)
		return -1;
	tell_names_changed(s);
	return 0;
}
