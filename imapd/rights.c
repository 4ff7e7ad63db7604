#include "imapd/rights.h"

#include <stdlib.h>

#include "base/clock.h"
#include "imapd/reply.h"
#include "imapd/sharing.h"
#include "store/acl.h"

enum { GROUPS_MS = 60000, GROUPS_MAX = 4 << 20 };

/* What is known of the reader, and of what he may do with the selected mailbox. */
struct rights {
	struct arena *a; /* of the groups */
	const struct span *groups;
	size_t ngroups;
	uint64_t asked_ms; /* when; 0: never */

	uint64_t mailbox;   /* the selected one */
	uint64_t number;    /* store_acl_number() then */
	bool groups_count;  /* its ACL names groups */
	unsigned has, told; /* now; when FLAGS were said last */
};

static struct rights *
known(struct session *s)
{
	if (s->rights == NULL) {
		s->rights = mem_zero(1, sizeof *s->rights);
		s->rights->a = arena_new(GROUPS_MAX);
	}
	return s->rights;
}

void
rights_done(struct session *s)
{
	if (s->rights == NULL)
		return;
	arena_free(s->rights->a);
	free(s->rights);
	s->rights = NULL;
}

/* ---- finding out */

static int
learn_groups(struct session *s, struct err *e)
{
	struct rights *k = known(s);
	uint64_t now = clock_mono_ms();

	if (k->asked_ms != 0 && now - k->asked_ms < GROUPS_MS)
		return 0;
	arena_reset(k->a);
	k->ngroups = 0;
	k->asked_ms = 0;
	if (sharing_groups(s, k->a, &k->groups, &k->ngroups, e) < 0)
		return -1;
	k->asked_ms = now;
	return 0;
}

/* By the entries of one mailbox. */
static int
decide(struct session *s, const struct store_acl *acl, unsigned *rights, struct err *e)
{
	struct store_reader r = { .owner = !s->guest, .login = s->login, .account = s->account };

	if (store_acl_groups(acl)) {
		if (learn_groups(s, e) < 0)
			return -1;
		r.groups = known(s)->groups;
		r.ngroups = known(s)->ngroups;
	}
	*rights = store_acl_rights(acl, &r);
	return 0;
}

int
rights_of(struct session *s, uint64_t mailbox, unsigned *rights, struct err *e)
{
	struct store_acl acl;

	*rights = 0;
	if (store_acl_read(s->st, mailbox, &acl, s->a, e) < 0)
		return -1;
	return decide(s, &acl, rights, e);
}

/* ---- refusing */

static int
no_mailbox(struct cmd *cmd, bool target, struct err *e)
{
	cmd->code = target ? "TRYCREATE" : "NONEXISTENT";
	return err_set(e, ERR_PERM, "There is no such mailbox");
}

/* `rights` are needed, or with 0 any of RIGHTS_ANY. */
static int
check(struct session *s, struct cmd *cmd, uint64_t mailbox, unsigned rights, bool target, struct err *e)
{
	unsigned has;

	if (rights_of(s, mailbox, &has, e) < 0)
		return refused(s, cmd, false);
	if (rights != 0 ? (rights & ~has) == 0 : (has & RIGHTS_ANY) != 0)
		return 0;
	if ((has & STORE_MAY_LOOKUP) == 0)
		return no_mailbox(cmd, target, e);
	cmd->code = "NOPERM";
	return err_set(e, ERR_PERM, "You may not do that with this mailbox");
}

int
rights_need(struct session *s, struct cmd *cmd, uint64_t mailbox, unsigned rights, struct err *e)
{
	return check(s, cmd, mailbox, rights, false, e);
}

static int
named(struct session *s, struct cmd *cmd, struct span name, unsigned rights, bool target,
    struct store_mailbox *out, struct err *e)
{
	int rc = store_mailbox(s->st, name, out, s->a, e);

	if (rc < 0)
		return refused(s, cmd, target);
	return rc == 0 ? no_mailbox(cmd, target, e) : check(s, cmd, out->id, rights, target, e);
}

int
rights_named(struct session *s, struct cmd *cmd, struct span name, unsigned rights, struct store_mailbox *out,
    struct err *e)
{
	return named(s, cmd, name, rights, false, out, e);
}

int
rights_mailbox(struct session *s, struct cmd *cmd, struct span name, unsigned rights, bool target,
    struct store_mailbox *out, struct err *e)
{
	if (named(s, cmd, name, rights, target, out, e) < 0)
		return -1;
	if (!out->noselect)
		return 0;
	cmd->code = target ? "TRYCREATE" : "CANNOT";
	return err_set(e, ERR_PERM, "There is no such mailbox");
}

/* The rights that count for names below: of the nearest parent. */
static int
parent_rights(struct session *s, struct span name, unsigned *rights, struct err *e)
{
	struct store_mailbox m;
	ssize_t slash;

	while ((slash = span_rchr(name, '/')) > 0) {
		int rc;

		name = span_head(name, (size_t)slash);
		if ((rc = store_mailbox(s->st, name, &m, s->a, e)) < 0)
			return -1;
		if (rc > 0)
			return rights_of(s, m.id, rights, e);
	}
	*rights = STORE_MAY_ALL;
	if (!s->guest)
		return 0;
	*rights = 0;
	if (store_mailbox(s->st, SPAN("INBOX"), &m, s->a, e) <= 0)
		return e->kind == ERR_NONE ? 0 : -1;
	return rights_of(s, m.id, rights, e);
}

int
rights_create(struct session *s, struct cmd *cmd, struct span name, struct err *e)
{
	unsigned has;

	if (name.n > 1 && name.p[name.n - 1] == '/')
		name.n--;
	if (parent_rights(s, name, &has, e) < 0)
		return refused(s, cmd, false);
	if ((has & STORE_MAY_CREATE) != 0)
		return 0;
	cmd->code = "NOPERM";
	return err_set(e, ERR_PERM, "You may not make mailboxes there");
}

/* ---- lists */

static int
by_name(const void *a, const void *b)
{
	return span_cmp(((const struct store_mailbox *)a)->name, ((const struct store_mailbox *)b)->name);
}

/* Each of the levels above that is on the list has children. */
static void
mark_parents(struct store_mailbox *box, size_t n, size_t i)
{
	struct store_mailbox key = { .name = box[i].name }, *parent;
	ssize_t slash;

	while ((slash = span_rchr(key.name, '/')) > 0) {
		key.name = span_head(key.name, (size_t)slash);
		if ((parent = bsearch(&key, box, n, sizeof key, by_name)) != NULL)
			parent->children = true;
	}
}

static int
visible(struct session *s, const struct store_acl *all, struct store_mailbox *m, bool *yes, struct err *e)
{
	struct store_acl acl = store_acl_of(all, m->id);
	unsigned has;

	*yes = false;
	if (m->id == 0) { /* a subscription without a mailbox */
		*yes = !s->guest;
		return 0;
	}
	if (decide(s, &acl, &has, e) < 0)
		return -1;
	*yes = (has & STORE_MAY_LOOKUP) != 0;
	m->subscribed &= !s->guest;
	return 0;
}

int
rights_filter(struct session *s, struct store_mailbox *box, size_t *n, struct err *e)
{
	struct store_acl all;
	size_t to = 0;

	if (!s->guest) /* he has l everywhere */
		return 0;
	if (store_acl_read(s->st, 0, &all, s->a, e) < 0)
		return -1;
	for (size_t i = 0; i < *n; i++) {
		bool yes;

		if (visible(s, &all, &box[i], &yes, e) < 0)
			return -1;
		if (!yes)
			continue;
		box[to] = box[i];
		box[to++].children = false;
	}
	*n = to;
	for (size_t i = 0; i < to; i++)
		mark_parents(box, to, i);
	/* A name that only had children has none that he may know of. */
	to = 0;
	for (size_t i = 0; i < *n; i++)
		if (!box[i].noselect || box[i].children)
			box[to++] = box[i];
	*n = to;
	return 0;
}

/* ---- the selected mailbox */

static int
look(struct session *s, struct err *e)
{
	struct rights *k = known(s);
	struct store_acl acl;

	if (store_acl_read(s->st, k->mailbox, &acl, s->a, e) < 0 || decide(s, &acl, &k->has, e) < 0) {
		k->has = 0;
		return -1;
	}
	k->number = acl.number;
	k->groups_count = store_acl_groups(&acl);
	return 0;
}

void
rights_anew(struct session *s)
{
	known(s)->asked_ms = 0;
}

int
rights_select(struct session *s, uint64_t mailbox, unsigned *rights, struct err *e)
{
	struct rights *k = known(s);
	int rc;

	k->mailbox = mailbox;
	rc = look(s, e);
	*rights = k->told = k->has;
	return rc;
}

static int
look_again(struct session *s, struct err *e)
{
	struct rights *k = known(s);
	uint64_t number;

	if (k->mailbox != s->view->mailbox) /* the view was restored from a record */
		return rights_select(s, s->view->mailbox, &k->has, e);
	if (store_acl_number(s->st, &number, e) < 0)
		return -1;
	if (number == k->number && !(k->groups_count && clock_mono_ms() - k->asked_ms >= GROUPS_MS))
		return 0;
	if (look(s, e) < 0)
		return -1;
	if (((k->has ^ k->told) & RIGHTS_FLAGS) == 0 || (k->has & STORE_MAY_READ) == 0)
		return 0;
	k->told = k->has;
	return out_mailbox_flags(s, true, e);
}

int
rights_again(struct session *s, struct err *e)
{
	unsigned has;

	if (s->view == NULL || s->deleted)
		return 0;
	if (look_again(s, e) < 0)
		return -1;
	has = rights_here(s);
	s->view->keep = STORE_SYSTEM_FLAGS & ~rights_flags(has);
	s->view->keep_keywords = (has & STORE_MAY_WRITE) == 0;
	return 0;
}

unsigned
rights_here(const struct session *s)
{
	if (s->view == NULL || s->rights == NULL || s->rights->mailbox != s->view->mailbox)
		return s->guest ? 0 : STORE_MAY_ALL;
	return s->rights->has;
}

uint32_t
rights_flags(unsigned rights)
{
	uint32_t flags = 0;

	if ((rights & STORE_MAY_SEEN) != 0)
		flags |= STORE_SEEN;
	if ((rights & STORE_MAY_DELETE) != 0)
		flags |= STORE_DELETED;
	if ((rights & STORE_MAY_WRITE) != 0)
		flags |= STORE_ANSWERED | STORE_FLAGGED | STORE_DRAFT;
	return flags;
}

bool
rights_read_only(unsigned rights, bool private_seen)
{
	unsigned count = STORE_MAY_INSERT | STORE_MAY_EXPUNGE | RIGHTS_FLAGS;

	if (private_seen)
		count &= ~(unsigned)STORE_MAY_SEEN;
	return (rights & count) == 0;
}
