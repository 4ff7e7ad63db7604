/* CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS: RFC 3501, 6.3.3 to 6.3.10. */
#include "imap/args.h"
#include "imapd/exclusive.h"
#include "imapd/listing.h"
#include "imapd/reply.h"
#include "imapd/rights.h"
#include "imapd/sharing.h"
#include "imapd/status.h"
#include "imapd/wait.h"
#include "store/annotation.h"

/* SP mailbox, to the end. */
static int
one_name(struct session *s, struct cmd *cmd, struct span *name, struct err *e)
{
	if (imap_sp(&cmd->args, e) < 0 || imap_mailbox(&cmd->args, s->a, name, e) < 0)
		return -1;
	return imap_end(&cmd->args, e);
}

static int
list_changed(struct session *s, struct cmd *cmd, int rc)
{
	if (rc < 0)
		return refused(s, cmd, false);
	tell_names_changed(s);
	sharing_tell(s);
	return 0;
}

/* Whoever idles in a mailbox that is deleted must learn of it. */
static void
tell_gone(struct session *s, uint64_t mailbox)
{
	struct store_usage now = { 0 };
	struct err e = { 0 };

	tell_changed(s, mailbox, store_usage(s->st, &now, &e) == 0 ? now.modseq : UINT64_MAX);
}

/* That a mailbox which the reader may not see has the name already can't be hidden, but what it is can. */
static int
not_made(struct session *s, struct cmd *cmd, struct span name, struct err *e)
{
	struct store_mailbox box = { 0 };
	struct err own = { 0 };
	unsigned rights = 0;

	if (store_why(s->st) != STORE_ALREADYEXISTS || !s->guest)
		return refused(s, cmd, false);
	if (store_mailbox(s->st, name, &box, s->a, &own) > 0 && rights_of(s, box.id, &rights, &own) == 0 &&
	    (rights & STORE_MAY_LOOKUP) != 0) {
		cmd->code = "ALREADYEXISTS";
		return -1;
	}
	err_clear(e);
	cmd->code = "CANNOT";
	return err_set(e, ERR_PERM, "This name cannot be used");
}

/* USE of CREATE (RFC 6154, 3): a mailbox has one special use here, and one that another has it cannot be given. */
static int
special_use(
    struct session *s, struct cmd *cmd, const struct imap_create *args, enum store_use *use, struct err *e)
{
	bool taken;

	*use = STORE_USE_NONE;
	if (args->n == 0)
		return 0;
	cmd->code = "USEATTR";
	*use = use_named(args->uses[0]);
	if (args->n > 1 || *use == STORE_USE_NONE)
		return err_set(e, ERR_PERM, "There is no such special use here, or more than one");
	if (s->guest)
		return err_set(e, ERR_PERM, "What a mailbox is for is its owner's to say");
	if (store_use_taken(s->st, *use, &taken, e) < 0)
		return refused(s, cmd, false);
	if (taken)
		return err_set(e, ERR_PERM, "Another mailbox has this special use");
	cmd->code = NULL;
	return 0;
}

int
do_create(struct session *s, struct cmd *cmd, struct err *e)
{
	struct imap_create args;
	struct span name;
	enum store_use use;
	uint64_t id = 0;

	if (imap_sp(&cmd->args, e) < 0 || imap_mailbox(&cmd->args, s->a, &name, e) < 0 ||
	    imap_create_params(&cmd->args, s->a, &args, e) < 0 || rights_create(s, cmd, name, e) < 0 ||
	    special_use(s, cmd, &args, &use, e) < 0)
		return -1;
	if (store_create(s->st, name, use, &id, e) < 0)
		return not_made(s, cmd, name, e);
	cmd->ok = arena_printf(
	    s->a, "[MAILBOXID (%.*s)] Made", SPAN_ARG(mailbox_id(s, id))); /* RFC 8474, 4.1 */
	return list_changed(s, cmd, 0);
}

int
do_delete(struct session *s, struct cmd *cmd, struct err *e)
{
	struct store_mailbox box = { 0 };
	struct span name;

	if (one_name(s, cmd, &name, e) < 0 ||
	    rights_named(s, cmd, name, STORE_MAY_DELETE_MAILBOX, &box, e) < 0)
		return -1;
	if (store_delete(s->st, name, e) < 0)
		return refused(s, cmd, false);
	s->usage_changed |= box.exists > 0;
	tell_gone(s, box.id);
	return list_changed(s, cmd, 0);
}

int
do_rename(struct session *s, struct cmd *cmd, struct err *e)
{
	struct store_mailbox box = { 0 }, inbox = { 0 };
	struct span from, to;
	int hold, rc;

	if (imap_sp(&cmd->args, e) < 0 || imap_mailbox(&cmd->args, s->a, &from, e) < 0 ||
	    one_name(s, cmd, &to, e) < 0)
		return -1;
	if (rights_named(s, cmd, from, STORE_MAY_DELETE_MAILBOX, &box, e) < 0 ||
	    rights_create(s, cmd, to, e) < 0)
		return -1;
	if (exclusive_begin(s, cmd, box.id, &hold, e) < 0) /* INBOX would be empty after (6.3.5) */
		return -1;
	rc = store_rename(s->st, from, to, e);
	exclusive_end(hold);
	if (rc < 0)
		return not_made(s, cmd, to, e);
	if (span_eq(from, "INBOX") && store_mailbox(s->st, from, &inbox, s->a, e) > 0)
		tell_changed(s, inbox.id, inbox.highestmodseq); /* it is empty now (6.3.5) */
	return list_changed(s, cmd, 0);
}

static int
subscribe(struct session *s, struct cmd *cmd, bool subscribed, struct err *e)
{
	struct span name;

	if (one_name(s, cmd, &name, e) < 0)
		return -1;
	return list_changed(s, cmd, store_subscribe(s->st, name, subscribed, e));
}

int
do_subscribe(struct session *s, struct cmd *cmd, struct err *e)
{
	return subscribe(s, cmd, true, e);
}

int
do_unsubscribe(struct session *s, struct cmd *cmd, struct err *e)
{
	return subscribe(s, cmd, false, e);
}

int
out_status(struct session *s, const struct store_mailbox *box, unsigned items, struct err *e)
{
	const struct {
		unsigned item;
		const char *name;
		uint64_t value;
	} rows[] = {
		{ STATUS_MESSAGES, "MESSAGES", box->exists },
		{ STATUS_RECENT, "RECENT", box->recent },
		{ STATUS_UIDNEXT, "UIDNEXT", box->uidnext },
		{ STATUS_UIDVALIDITY, "UIDVALIDITY", box->uidvalidity },
		{ STATUS_UNSEEN, "UNSEEN", box->unseen },
		{ STATUS_HIGHESTMODSEQ, "HIGHESTMODSEQ", box->highestmodseq },
		{ STATUS_SIZE, "SIZE", box->bytes },
		{ STATUS_DELETED, "DELETED", box->deleted },
		{ STATUS_APPENDLIMIT, "APPENDLIMIT", cfg.message_size_max },
	};
	const char *sep = "";

	if (out_str(s, "* STATUS ", e) < 0 || out_mailbox(s, box->name, e) < 0)
		return -1;
	out_str(s, " (", e);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if ((items & rows[i].item) == 0)
			continue;
		out_printf(s, e, "%s%s %llu", sep, rows[i].name, (unsigned long long)rows[i].value);
		sep = " ";
	}
	if (items & STATUS_DELETED_STORAGE) {
		uint64_t bytes;

		if (store_deleted_bytes(s->st, box, &bytes, e) < 0)
			return -1;
		out_printf(s, e, "%sDELETED-STORAGE %llu", sep, (unsigned long long)bytes);
		sep = " ";
	}
	if (items & STATUS_MAILBOXID)
		out_printf(s, e, "%sMAILBOXID (%.*s)", sep, SPAN_ARG(mailbox_id(s, box->id)));
	return out_str(s, ")\r\n", e);
}

int
do_status(struct session *s, struct cmd *cmd, struct err *e)
{
	struct store_mailbox box = { 0 };
	struct span name;
	unsigned items;

	if (imap_sp(&cmd->args, e) < 0 || imap_mailbox(&cmd->args, s->a, &name, e) < 0 ||
	    imap_sp(&cmd->args, e) < 0 || imap_status_parse(&cmd->args, &items, e) < 0 ||
	    imap_end(&cmd->args, e) < 0)
		return -1;
	if (rights_mailbox(s, cmd, name, STORE_MAY_READ, false, &box, e) < 0)
		return -1;
	if ((items & STATUS_HIGHESTMODSEQ) != 0 && condstore_on(s, e) < 0) /* RFC 7162, 3.1 */
		return -1;
	return out_status(s, &box, items, e);
}
