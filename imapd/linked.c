/*
 * linked.c - the other end of a link: what only the worker of another session may ask for.
 *
 *   XVIEW [NEWS]    the selected mailbox as its client knows it: OK [XVIEW numbers]; first, what is news in it. Without
 *                   numbers when no state says it (a message that was expunged is not announced yet). NO [XGONE]:
 *                   it is no more.
 *   XRESTORE numbers   selects the mailbox of such a state, as it was then
 *   XEXPUNGE [uids]    expunges these, whatever their flags: the end of a MOVE to another owner; without any it is asked
 *                   whether that could be done
 *
 * The numbers are those of struct store_view_state, in its order.
 */
#include "imap/set.h"
#include "imapd/exclusive.h"
#include "imapd/link.h"
#include "imapd/messages.h"
#include "imapd/names.h"
#include "imapd/reply.h"
#include "imapd/rights.h"
#include "imapd/view-state.h"
#include "imapd/wait.h"

int
link_begin(struct session *s, struct err *e)
{
	int rc = 1;

	log_event(
	    LOG_INFO, "imapd.link", KV_S("sid", s->sid), KV_S("owner", s->owner), KV_S("login", s->login));
	/* The asker says so: by it limits, and the owner in ACLs, are known. */
	if (s->guest && s->owner_login.n > 0)
		rc = names_is_owner(s, s->owner_login, e);
	if (rc > 0)
		return 0;
	s->over = true;
	return rc < 0 ? -1 : err_set(e, ERR_GONE, "that is not the owner's address");
}

int
do_xview(struct session *s, struct cmd *cmd, struct err *e)
{
	struct store_view_state v;
	struct buf numbers;
	bool news = imap_take(&cmd->args, ' ') && imap_word(&cmd->args, "NEWS");
	int rc;

	if (imap_end(&cmd->args, e) < 0 || (news && announce(s, true, e) < 0))
		return -1;
	if (s->deleted) {
		cmd->code = "XGONE";
		return err_set(e, ERR_PERM, "The mailbox was deleted");
	}
	if (s->view->gone > 0 || s->saved.n > 0 || s->contexts != NULL)
		return 0;
	if (store_view_save(s->view, &v, e) < 0)
		return -1;
	buf_init(&numbers, 1024);
	rc = view_state_put(&v, &numbers, e);
	cmd->ok = arena_printf(s->a, "[XVIEW%.*s] So it is", SPAN_ARG(buf_span(&numbers)));
	buf_free(&numbers);
	return rc;
}

int
do_xrestore(struct session *s, struct cmd *cmd, struct err *e)
{
	struct store_view_state v;

	if (view_state_parse(&cmd->args, &v, e) < 0 || imap_end(&cmd->args, e) < 0)
		return -1;
	store_view_close(s->view);
	s->deleted = false;
	s->view = store_view_restore(s->st, &v, e);
	/* Whether it may still be read each command looks. */
	return s->view == NULL ? refused(s, cmd, false) : 0;
}

int
do_xexpunge(struct session *s, struct cmd *cmd, struct err *e)
{
	struct store_expunged gone = { 0 };
	struct messages m;
	uint32_t *uids;
	int hold, rc;

	cmd->uid = true;
	if (rights_need(s, cmd, s->view->mailbox, STORE_MAY_DELETE | STORE_MAY_EXPUNGE, e) < 0)
		return -1;
	if (s->view->read_only)
		return err_set(e, ERR_PERM, "The mailbox is read-only");
	if (imap_peek(&cmd->args) == '\0') {
		if (exclusive_begin(s, cmd, s->view->mailbox, &hold, e) < 0)
			return -1;
		exclusive_end(hold);
		return 0;
	}
	if (messages_parse(s, cmd, &m, e) < 0 || imap_end(&cmd->args, e) < 0)
		return -1;
	if (messages_uids(s, &m, &uids, e) < 0)
		return -1;
	if (exclusive_begin(s, cmd, s->view->mailbox, &hold, e) < 0)
		return -1;
	rc = store_expunge(s->view, STORE_EXPUNGE_UIDS, uids, m.n, &gone, e);
	exclusive_end(hold);
	if (rc < 0)
		return refused(s, cmd, false);
	s->usage_changed |= gone.n > 0;
	tell_changed(s, s->view->mailbox, gone.modseq);
	return 0;
}
