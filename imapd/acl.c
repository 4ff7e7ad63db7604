/*
 * SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS: RFC 4314, 3.
 *
 * In the store the owner is "owner" and stays that whatever his address is; here he is s->owner_login.
 */
#include "store/acl.h"

#include "imap/args.h"
#include "imap/reply.h"
#include "imapd/reply.h"
#include "imapd/rights.h"
#include "imapd/sharing.h"
#include "imapd/wait.h"

/* An identifier of a command. */
struct who {
	struct span text;   /* as the client wrote it */
	struct span stored; /* as it is in the store, with "-" */
	struct span account;
	bool owner, negative;
	bool nobody; /* "anonymous", who has no rights here and never gets any */
	bool unknown;
};

static int
mailbox_arg(struct session *s, struct cmd *cmd, struct span *name, struct err *e)
{
	return imap_sp(&cmd->args, e) < 0 ? -1 : imap_mailbox(&cmd->args, s->a, name, e);
}

static int
astring_arg(struct session *s, struct cmd *cmd, struct span *text, struct err *e)
{
	return imap_sp(&cmd->args, e) < 0 ? -1 : imap_astring(&cmd->args, s->a, text, e);
}

/* 3: prepared, and as authd knows it. */
static int
who_of(struct session *s, struct span text, struct who *out, struct err *e)
{
	struct span name;
	int got;

	*out = (struct who){ .text = text };
	if (acl_who_parse(text, &out->negative, &name, s->a, e) < 0)
		return -1;
	out->nobody = span_ieq(name, "anonymous");
	if ((got = sharing_identifier(s, name, &name, &out->account, e)) < 0)
		return -1;
	out->unknown = got == 0;
	out->owner = s->owner_login.n > 0 && span_same(name, s->owner_login);
	if (out->owner) {
		name = SPAN("owner");
		out->account = SPAN("");
	}
	out->stored = out->negative ? arena_printf(s->a, "-%.*s", SPAN_ARG(name)) : name;
	return 0;
}

/* ---- changing */

static int
change(struct session *s, struct cmd *cmd, struct span mailbox, const struct who *who, enum acl_op op,
    unsigned rights, struct err *e)
{
	struct store_mailbox box = { 0 };

	if (rights_named(s, cmd, mailbox, STORE_MAY_ADMIN, &box, e) < 0)
		return -1;
	if (store_acl_change(s->st, box.id, who->stored, who->account, op, rights, e) < 0)
		return refused(s, cmd, false);
	tell_changed(s, 0, 1);
	sharing_tell(s);
	return 0;
}

int
do_setacl(struct session *s, struct cmd *cmd, struct err *e)
{
	struct store_mailbox box = { 0 };
	struct span mailbox, text, letters;
	struct who who;
	enum acl_op op;
	unsigned rights;

	if (mailbox_arg(s, cmd, &mailbox, e) < 0 || astring_arg(s, cmd, &text, e) < 0 ||
	    astring_arg(s, cmd, &letters, e) < 0 || imap_end(&cmd->args, e) < 0 ||
	    rights_parse_change(letters, &op, &rights, e) < 0 ||
	    rights_named(s, cmd, mailbox, STORE_MAY_ADMIN, &box, e) < 0 || who_of(s, text, &who, e) < 0)
		return -1;
	if (who.nobody || (who.unknown && op != ACL_REMOVE && rights != 0)) {
		cmd->code = "CANNOT";
		return err_set(e, ERR_PERM, "There is nobody of that name who could get rights");
	}
	return change(s, cmd, mailbox, &who, op, rights, e);
}

/* Of the owner the entry stays, without rights: his implicit ones are left to him (acl.h). */
int
do_deleteacl(struct session *s, struct cmd *cmd, struct err *e)
{
	struct store_mailbox box = { 0 };
	struct span mailbox, text;
	struct who who;

	if (mailbox_arg(s, cmd, &mailbox, e) < 0 || astring_arg(s, cmd, &text, e) < 0 ||
	    imap_end(&cmd->args, e) < 0 || rights_named(s, cmd, mailbox, STORE_MAY_ADMIN, &box, e) < 0 ||
	    who_of(s, text, &who, e) < 0)
		return -1;
	return change(s, cmd, mailbox, &who, ACL_SET, 0, e);
}

/* ---- reading */

static int
put_rights(struct session *s, unsigned rights, struct err *e)
{
	if (rights == 0)
		return out_str(s, "\"\"", e);
	return rights_put(rights, true, &s->out, e);
}

/* " identifier rights" */
static int
put_entry(struct session *s, struct span who, unsigned rights, struct err *e)
{
	bool negative = who.p[0] == '-';

	if (span_eq(span_from(who, negative), "owner")) {
		if (s->owner_login.n == 0)
			return 0;
		who = arena_printf(s->a, "%s%.*s", negative ? "-" : "", SPAN_ARG(s->owner_login));
	}
	if (buf_byte(&s->out, e, ' ') < 0 || imap_put_astring(who, &s->out, e) < 0 ||
	    buf_byte(&s->out, e, ' ') < 0)
		return -1;
	return put_rights(s, rights, e);
}

/* The owner first, with what he has by being the owner. */
static int
put_owner(struct session *s, const struct store_acl *acl, struct err *e)
{
	unsigned rights = STORE_MAY_ALL;

	for (size_t i = 0; i < acl->n; i++)
		if (span_eq(acl->p[i].who, "owner"))
			rights = acl->p[i].rights | STORE_OWNER_ALWAYS;
	return put_entry(s, SPAN("owner"), rights, e);
}

int
do_getacl(struct session *s, struct cmd *cmd, struct err *e)
{
	struct store_mailbox box = { 0 };
	struct store_acl acl;
	struct span mailbox;

	if (mailbox_arg(s, cmd, &mailbox, e) < 0 || imap_end(&cmd->args, e) < 0 ||
	    rights_named(s, cmd, mailbox, STORE_MAY_ADMIN, &box, e) < 0)
		return -1;
	if (store_acl_read(s->st, box.id, &acl, s->a, e) < 0)
		return refused(s, cmd, false);
	if (out_str(s, "* ACL ", e) < 0 || out_mailbox(s, box.name, e) < 0 ||
	    put_owner(s, &acl, e) < 0)
		return -1;
	for (size_t i = 0; i < acl.n; i++)
		if (!span_eq(acl.p[i].who, "owner") && put_entry(s, acl.p[i].who, acl.p[i].rights, e) < 0)
			return -1;
	return out_str(s, "\r\n", e);
}

/* No rights are tied together, so c and d stand by themselves (2.1.1); the identifier as it was given (3.4). */
int
do_listrights(struct session *s, struct cmd *cmd, struct err *e)
{
	struct store_mailbox box = { 0 };
	struct span mailbox, text;
	struct who who;

	if (mailbox_arg(s, cmd, &mailbox, e) < 0 || astring_arg(s, cmd, &text, e) < 0 ||
	    imap_end(&cmd->args, e) < 0 || rights_named(s, cmd, mailbox, STORE_MAY_ADMIN, &box, e) < 0 ||
	    who_of(s, text, &who, e) < 0)
		return -1;
	if (out_str(s, "* LISTRIGHTS ", e) < 0 || out_mailbox(s, box.name, e) < 0 ||
	    buf_byte(&s->out, e, ' ') < 0 || imap_put_astring(text, &s->out, e) < 0)
		return -1;
	if (who.nobody)
		return out_str(s, " \"\"\r\n", e);
	if (who.owner && !who.negative)
		return out_str(s, " la r s w i p k x t e c d\r\n", e);
	return out_str(s, " \"\" l r s w i p k x t e a c d\r\n", e);
}

int
do_myrights(struct session *s, struct cmd *cmd, struct err *e)
{
	struct store_mailbox box = { 0 };
	struct span mailbox;
	unsigned rights;

	if (mailbox_arg(s, cmd, &mailbox, e) < 0 || imap_end(&cmd->args, e) < 0 ||
	    rights_named(s, cmd, mailbox, 0, &box, e) < 0)
		return -1;
	if (rights_of(s, box.id, &rights, e) < 0)
		return refused(s, cmd, false);
	if (out_str(s, "* MYRIGHTS ", e) < 0 || out_mailbox(s, box.name, e) < 0 ||
	    buf_byte(&s->out, e, ' ') < 0 || put_rights(s, rights, e) < 0)
		return -1;
	return out_str(s, "\r\n", e);
}
