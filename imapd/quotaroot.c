/*
 * GETQUOTA, GETQUOTAROOT, SETQUOTA: RFC 9208.
 *
 * The root "" is the owner's account: its limits are the administrator's, in authd. Every other root is a folder tree, and
 * called as its top mailbox: its limits are set by who may administer that (RFC 4314, a). Guests see the roots of
 * trees that they may look up; how full the owner's account is does not concern them.
 */
#include "imap/args.h"
#include "imap/reply.h"
#include "imapd/quota.h"
#include "imapd/reply.h"
#include "imapd/rights.h"

/* A quota root. */
struct root {
	struct span name;
	uint64_t used_bytes, bytes, used_messages, messages; /* limits: 0 is none */
};

static uint64_t
kib_up(uint64_t octets)
{
	return octets / 1024 + (octets % 1024 != 0);
}

static struct root
root_of(const struct store_tree *t)
{
	return (struct root){ t->name, t->used_bytes, t->bytes, t->used_messages, t->messages };
}

/* RFC 9208, 4.2.1. Roots are named as mailboxes are. */
static int
out_quota(struct session *s, const struct root *r, struct err *e)
{
	const char *sep = "";

	if (out_str(s, "* QUOTA ", e) < 0 || out_mailbox(s, r->name, e) < 0)
		return -1;
	out_str(s, " (", e);
	if (r->bytes > 0) {
		out_printf(s, e, "STORAGE %llu %llu", (unsigned long long)kib_up(r->used_bytes),
		    (unsigned long long)(r->bytes / 1024));
		sep = " ";
	}
	if (r->messages > 0)
		out_printf(s, e, "%sMESSAGE %llu %llu", sep, (unsigned long long)r->used_messages,
		    (unsigned long long)r->messages);
	return out_str(s, ")\r\n", e);
}

static int
account_root(struct session *s, struct root *r, struct err *e)
{
	struct store_usage u;

	if (quota_learn(s, e) < 0 || store_usage(s->st, &u, e) < 0)
		return -1;
	*r = (struct root){ SPAN(""), u.bytes, 0, u.messages, 0 };
	store_limits(s->st, &r->bytes, &r->messages);
	return 0;
}

/* The trees a mailbox is in (0: all there are), of those that the reader may look up. */
static int
trees(struct session *s, struct cmd *cmd, uint64_t mailbox, struct store_tree **t, size_t *n, struct err *e)
{
	size_t left = 0;
	unsigned rights;

	if (store_tree_list(s->st, mailbox, t, n, s->a, e) < 0)
		return refused(s, cmd, false);
	for (size_t i = 0; i < *n; i++) {
		if (rights_of(s, (*t)[i].mailbox, &rights, e) < 0)
			return refused(s, cmd, false);
		if ((rights & STORE_MAY_LOOKUP) != 0)
			(*t)[left++] = (*t)[i];
	}
	*n = left;
	return 0;
}

static int
no_root(struct cmd *cmd, struct err *e)
{
	cmd->code = "NONEXISTENT";
	return err_set(e, ERR_PERM, "There is no such quota root");
}

int
do_getquota(struct session *s, struct cmd *cmd, struct err *e)
{
	struct store_tree *t;
	struct span name;
	struct root r;
	size_t n;

	if (imap_sp(&cmd->args, e) < 0 || imap_mailbox(&cmd->args, s->a, &name, e) < 0 ||
	    imap_end(&cmd->args, e) < 0)
		return -1;
	if (name.n == 0 && !s->guest)
		return account_root(s, &r, e) < 0 ? -1 : out_quota(s, &r, e);
	if (trees(s, cmd, 0, &t, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (span_same(t[i].name, name)) {
			r = root_of(&t[i]);
			return out_quota(s, &r, e);
		}
	return no_root(cmd, e);
}

/* The mailbox, or for a name that does not exist yet the nearest above it (4.1.2): *id 0 when there is none. */
static int
nearest(struct session *s, struct cmd *cmd, struct span name, uint64_t *id, struct err *e)
{
	struct store_mailbox box;
	ssize_t slash = (ssize_t)name.n;
	int rc = 0;

	*id = 0;
	if (s->guest) {
		if (rights_named(s, cmd, name, STORE_MAY_READ, &box, e) < 0)
			return -1;
		*id = box.id;
		return 0;
	}
	while (slash > 0 && (rc = store_mailbox(s->st, span_head(name, (size_t)slash), &box, s->a, e)) == 0) {
		err_clear(e);
		do
			slash--;
		while (slash > 0 && name.p[slash] != '/');
	}
	if (rc == 1)
		*id = box.id;
	return rc < 0 ? refused(s, cmd, false) : 0;
}

int
do_getquotaroot(struct session *s, struct cmd *cmd, struct err *e)
{
	struct store_tree *t = NULL;
	struct root account = { 0 }, r;
	struct span name;
	uint64_t id;
	size_t n = 0;

	if (imap_sp(&cmd->args, e) < 0 || imap_mailbox(&cmd->args, s->a, &name, e) < 0 ||
	    imap_end(&cmd->args, e) < 0 || nearest(s, cmd, name, &id, e) < 0)
		return -1;
	if ((id != 0 && trees(s, cmd, id, &t, &n, e) < 0) || (!s->guest && account_root(s, &account, e) < 0))
		return -1;
	out_str(s, "* QUOTAROOT ", e);
	if (out_mailbox(s, name, e) < 0)
		return -1;
	if (!s->guest)
		out_str(s, " \"\"", e);
	for (size_t i = 0; i < n; i++)
		if (out_str(s, " ", e) < 0 || out_mailbox(s, t[i].name, e) < 0)
			return -1;
	out_str(s, "\r\n", e);
	if (!s->guest && out_quota(s, &account, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		r = root_of(&t[i]);
		if (out_quota(s, &r, e) < 0)
			return -1;
	}
	return 0;
}

/* "(" [resource SP limit *(SP resource SP limit)] ")". Limits not named are none (4.1.3). */
static int
limits(struct cmd *cmd, uint64_t *bytes, uint64_t *messages, struct err *e)
{
	struct imap_lex *l = &cmd->args;
	struct span resource;
	uint64_t limit;

	*bytes = *messages = 0;
	if (imap_sp(l, e) < 0)
		return -1;
	if (!imap_take(l, '('))
		return err_set(e, ERR_PEER, "SETQUOTA has a list of limits");
	for (bool first = true; !imap_take(l, ')'); first = false) {
		if ((!first && imap_sp(l, e) < 0) || imap_atom(l, &resource, e) < 0 || imap_sp(l, e) < 0 ||
		    imap_modseq(l, &limit, e) < 0)
			return -1;
		if (!span_ieq(resource, "STORAGE") && !span_ieq(resource, "MESSAGE")) {
			cmd->code = "CANNOT";
			err_set(e, ERR_PERM, "STORAGE and MESSAGE can be limited");
		} else if (limit == 0 || limit > UINT64_MAX / 2048) {
			cmd->code = "CANNOT";
			err_set(e, ERR_PERM,
			    "A limit is 1 at least: to keep all out, take away the right to insert");
		} else if (span_ieq(resource, "STORAGE")) {
			*bytes = limit * 1024;
		} else {
			*messages = limit;
		}
	}
	return imap_end(l, e) < 0 || e->kind != ERR_NONE ? -1 : 0;
}

int
do_setquota(struct session *s, struct cmd *cmd, struct err *e)
{
	struct store_mailbox box;
	struct store_tree *t;
	struct root r;
	struct span name;
	uint64_t bytes, messages;
	size_t n;

	if (imap_sp(&cmd->args, e) < 0 || imap_mailbox(&cmd->args, s->a, &name, e) < 0 ||
	    limits(cmd, &bytes, &messages, e) < 0)
		return -1;
	if (name.n == 0) {
		cmd->code = "NOPERM";
		return err_set(e, ERR_PERM, "The limits of an account are the administrator's");
	}
	if (rights_mailbox(s, cmd, name, STORE_MAY_ADMIN, false, &box, e) < 0)
		return -1;
	if (store_tree_set(s->st, box.id, bytes, messages, e) < 0 ||
	    store_tree_list(s->st, box.id, &t, &n, s->a, e) < 0)
		return refused(s, cmd, false);
	for (size_t i = 0; i < n; i++)
		if (t[i].mailbox == box.id) {
			r = root_of(&t[i]);
			return out_quota(s, &r, e);
		}
	r = (struct root){ .name = box.name };
	return out_quota(s, &r, e);
}
