/*
 * COPY (RFC 3501, 6.4.7) and MOVE (RFC 6851), with the COPYUID of RFC 4315. All or none: of numbers that
 * another session expunged in part nothing is copied (RFC 2180, 4.4), of UIDs what is left (RFC 3501, 6.4.8).
 */
#include "imap/args.h"
#include "imap/set.h"
#include "imapd/exclusive.h"
#include "imapd/messages.h"
#include "imapd/quota.h"
#include "imapd/reply.h"
#include "imapd/rights.h"
#include "imapd/wait.h"

/* "COPYUID 38505 304,319:320 3956:3958" */
static int
copyuid(struct session *s, const struct store_copied *c, struct span *out, struct err *e)
{
	struct imap_set src = { .r = arena_array(s->a, c->n, sizeof *src.r) };
	struct imap_set dst = { .r = arena_array(s->a, c->n, sizeof *dst.r) };
	struct buf text;
	int rc;

	/* The n-th UID of one side belongs to the n-th of the other (RFC 4315, 3): both ascend. */
	for (size_t i = 0; i < c->n; i++) {
		imap_set_append(&src, c->src[i]);
		imap_set_append(&dst, c->dst[i]);
	}
	buf_init(&text, 64 << 20);
	buf_printf(&text, e, "COPYUID %u ", c->uidvalidity);
	imap_set_format(&src, &text, e);
	buf_byte(&text, e, ' ');
	rc = imap_set_format(&dst, &text, e);
	*out = arena_dup(s->a, buf_span(&text));
	buf_free(&text);
	return rc;
}

static int
tell_copied(struct session *s, struct cmd *cmd, const struct store_copied *c, bool move, struct err *e)
{
	struct span code;

	if (c->n == 0) /* nothing was there: RFC 4315, 3 wants no COPYUID then */
		return 0;
	if (copyuid(s, c, &code, e) < 0)
		return -1;
	if (move) { /* before the EXPUNGE responses (RFC 6851, 4.3) */
		if (out_str(s, "* OK [", e) < 0 || buf_add(&s->out, e, code) < 0)
			return -1;
		return out_str(s, "] Moved\r\n", e);
	}
	cmd->ok = arena_printf(s->a, "[%.*s] Copied", SPAN_ARG(code));
	return 0;
}

/* Flags that the reader may not set in the target are not copied (RFC 4314, 4: COPY). */
static int
lost_flags(struct session *s, struct cmd *cmd, uint64_t target, unsigned *how, struct err *e)
{
	unsigned rights;

	if (rights_of(s, target, &rights, e) < 0)
		return refused(s, cmd, true);
	if ((rights & STORE_MAY_SEEN) == 0)
		*how |= STORE_LOSE_SEEN;
	if ((rights & STORE_MAY_DELETE) == 0)
		*how |= STORE_LOSE_DELETED;
	if ((rights & STORE_MAY_WRITE) == 0)
		*how |= STORE_LOSE_OTHERS;
	return 0;
}

static int
copy(struct session *s, struct cmd *cmd, bool move, struct err *e)
{
	struct store_copied c = { 0 };
	struct store_mailbox target = { 0 };
	struct messages m;
	struct span name;
	uint32_t *uids;
	int hold = -1, rc;
	unsigned how = (move ? STORE_MOVE : 0U) | (cmd->uid ? 0U : STORE_WHOLE);

	if (messages_parse(s, cmd, &m, e) < 0 || imap_sp(&cmd->args, e) < 0 ||
	    imap_mailbox(&cmd->args, s->a, &name, e) < 0 || imap_end(&cmd->args, e) < 0)
		return -1;
	/* A MOVE does what COPY, STORE \Deleted and EXPUNGE would (RFC 6851, 4.1). */
	if (move && rights_need(s, cmd, s->view->mailbox, STORE_MAY_DELETE | STORE_MAY_EXPUNGE, e) < 0)
		return -1;
	if (move && s->view->read_only)
		return err_set(e, ERR_PERM, "The mailbox is read-only");
	if (rights_mailbox(s, cmd, name, STORE_MAY_INSERT, true, &target, e) < 0 ||
	    lost_flags(s, cmd, target.id, &how, e) < 0)
		return -1;
	if (!move && quota_learn(s, e) < 0)
		return -1;
	if (messages_uids(s, &m, &uids, e) < 0)
		return -1;
	if (move && exclusive_begin(s, cmd, s->view->mailbox, &hold, e) < 0)
		return -1;
	rc = store_copy(s->view, uids, m.n, target.id, how, &c, s->a, e);
	exclusive_end(hold);
	if (rc < 0)
		return refused(s, cmd, true);
	s->usage_changed |= !move && c.n > 0;
	tell_changed(s, c.mailbox, c.modseq);
	if (move)
		tell_changed(s, s->view->mailbox, c.source_modseq);
	return tell_copied(s, cmd, &c, move, e);
}

int
do_copy(struct session *s, struct cmd *cmd, struct err *e)
{
	return copy(s, cmd, false, e);
}

int
do_move(struct session *s, struct cmd *cmd, struct err *e)
{
	return copy(s, cmd, true, e);
}
