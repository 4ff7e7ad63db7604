/* SELECT, EXAMINE, CLOSE, UNSELECT, EXPUNGE: RFC 3501, 6.3.1, 6.3.2, 6.4.2, 6.4.3. */
#include "imap/args.h"
#include "imapd/exclusive.h"
#include "imapd/messages.h"
#include "imapd/reply.h"
#include "imapd/resync.h"
#include "imapd/rights.h"
#include "imapd/search.h"
#include "imapd/wait.h"

static int
tell_selected(struct session *s, const struct store_mailbox *box, struct err *e)
{
	const struct store_view *v = s->view;
	uint32_t unseen = 0;

	if ((!s->rev2 && store_view_unseen(s->view, &unseen, e) < 0) || out_mailbox_flags(s, true, e) < 0)
		return -1;
	out_printf(s, e, "* %u EXISTS\r\n", v->n);
	if (s->rev2) { /* RFC 9051, 6.3.2: the mailbox's name in its right form */
		out_printf(s, e, "* LIST (%s) \"/\" ", box->children ? "\\HasChildren" : "\\HasNoChildren");
		out_mailbox(s, box->name, e);
		out_str(s, "\r\n", e);
	}
	if (!s->rev2) /* RFC 9051, appendix E: neither RECENT nor UNSEEN */
		out_printf(s, e, "* %u RECENT\r\n", v->recent);
	if (unseen > 0 && !s->uidonly) /* RFC 9586, 3: a message number */
		out_printf(s, e, "* OK [UNSEEN %u] The first\r\n", unseen);
	out_printf(s, e, "* OK [UIDVALIDITY %u] UIDs hold\r\n", v->uidvalidity);
	out_printf(s, e, "* OK [UIDNEXT %u] The next UID\r\n", v->uidnext);
	out_printf(
	    s, e, "* OK [MAILBOXID (%.*s)] Its name for ever\r\n", SPAN_ARG(mailbox_id(s, v->mailbox)));
	return out_printf(s, e, "* OK [HIGHESTMODSEQ %llu] Up to now\r\n", (unsigned long long)v->modseq);
}

/* An attempt to select leaves the old mailbox in any case (6.3.1). */
static int
leave_mailbox(struct session *s, struct err *e)
{
	if (s->view == NULL)
		return 0;
	search_leave(s);
	store_view_close(s->view);
	s->view = NULL;
	return out_str(s, "* OK [CLOSED] The mailbox before is closed\r\n", e);
}

static int
select_mailbox(struct session *s, struct cmd *cmd, bool read_only, struct err *e)
{
	struct store_mailbox box = { 0 };
	struct imap_select args;
	struct span name;
	unsigned rights;

	if (imap_sp(&cmd->args, e) < 0 || imap_mailbox(&cmd->args, s->a, &name, e) < 0 ||
	    imap_select_params(&cmd->args, s->a, &args, e) < 0)
		return -1;
	if (args.qresync && !s->qresync)
		return err_set(
		    e, ERR_PEER, "QRESYNC is for clients that said ENABLE QRESYNC (RFC 7162, 3.2.5)");
	if (leave_mailbox(s, e) < 0)
		return -1;
	s->condstore |= args.condstore;
	rights_anew(s);
	if (rights_mailbox(s, cmd, name, STORE_MAY_READ, false, &box, e) < 0)
		return -1;
	if (rights_select(s, box.id, &rights, e) < 0)
		return refused(s, cmd, false);
	s->view = store_view_open(s->st, box.id, read_only || rights_read_only(rights, false), e);
	if (s->view == NULL)
		return refused(s, cmd, false);
	read_only |= rights_read_only(rights, s->guest && !cfg.shared_seen);
	cmd->ok = read_only ? SPAN("[READ-ONLY] Selected") : SPAN("[READ-WRITE] Selected");
	if (tell_selected(s, &box, e) < 0)
		return -1;
	return args.qresync ? resync_selected(s, &args, e) : 0;
}

int
do_select(struct session *s, struct cmd *cmd, struct err *e)
{
	return select_mailbox(s, cmd, false, e);
}

int
do_examine(struct session *s, struct cmd *cmd, struct err *e)
{
	return select_mailbox(s, cmd, true, e);
}

static int
expunge(struct session *s, struct cmd *cmd, enum store_expunge how, const uint32_t *uids, size_t n,
    struct store_expunged *gone, struct err *e)
{
	int hold, rc;

	if (exclusive_begin(s, cmd, s->view->mailbox, &hold, e) < 0)
		return -1;
	rc = store_expunge(s->view, how, uids, n, gone, e);
	exclusive_end(hold);
	return rc < 0 ? refused(s, cmd, false) : 0;
}

/*
 * CLOSE removes what is \Deleted without a word, and nothing after EXAMINE (6.4.2) or without e (RFC 4314, 4). No HIGHESTMODSEQ is told: the client
 * does not know of everything up to it (RFC 7162, 3.2.8).
 */
int
do_close(struct session *s, struct cmd *cmd, struct err *e)
{
	struct store_expunged gone = { 0 };

	if (imap_end(&cmd->args, e) < 0)
		return -1;
	if (!s->view->read_only && (rights_here(s) & STORE_MAY_EXPUNGE) != 0 &&
	    expunge(s, cmd, STORE_EXPUNGE_DELETED, NULL, 0, &gone, e) < 0)
		return -1;
	s->usage_changed |= gone.n > 0;
	tell_changed(s, s->view->mailbox, gone.modseq);
	search_leave(s);
	store_view_close(s->view);
	s->view = NULL;
	return 0;
}

int
do_unselect(struct session *s, struct cmd *cmd, struct err *e)
{
	if (imap_end(&cmd->args, e) < 0)
		return -1;
	search_leave(s);
	store_view_close(s->view);
	s->view = NULL;
	return 0;
}

/* EXPUNGE, and UID EXPUNGE set (RFC 4315, 2.1). What is gone is announced as after any command. */
int
do_expunge(struct session *s, struct cmd *cmd, struct err *e)
{
	struct store_expunged gone = { 0 };
	struct messages m = { 0 };
	uint32_t *uids = NULL;
	int rc;

	if ((cmd->uid && messages_parse(s, cmd, &m, e) < 0) || imap_end(&cmd->args, e) < 0)
		return -1;
	if (rights_need(s, cmd, s->view->mailbox, STORE_MAY_EXPUNGE, e) < 0)
		return -1;
	if (s->view->read_only)
		return err_set(e, ERR_PERM, "The mailbox is read-only");
	if (cmd->uid && messages_uids(s, &m, &uids, e) < 0)
		return -1;
	if (cmd->uid)
		rc = expunge(s, cmd, STORE_EXPUNGE_DELETED_OF, uids, m.n, &gone, e);
	else
		rc = expunge(s, cmd, STORE_EXPUNGE_DELETED, NULL, 0, &gone, e);
	if (rc < 0)
		return -1;
	s->expunged = true;
	s->usage_changed |= gone.n > 0;
	tell_changed(s, s->view->mailbox, gone.modseq);
	if (s->qresync && gone.n > 0) /* RFC 7162, 3.2.7, 3.2.9 */
		cmd->ok = arena_printf(
		    s->a, "[HIGHESTMODSEQ %llu] Expunged", (unsigned long long)gone.modseq);
	return 0;
}
