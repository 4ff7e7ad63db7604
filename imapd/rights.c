#include "imapd/rights.h"

#include "imapd/reply.h"

int
rights_of(struct session *s, uint64_t mailbox, unsigned *rights, struct err *e)
{
	(void)mailbox, (void)e;
	*rights = s->guest ? 0 : STORE_MAY_ALL;
	return 0;
}

int
rights_need(struct session *s, struct cmd *cmd, uint64_t mailbox, unsigned rights, struct err *e)
{
	unsigned has;

	if (rights_of(s, mailbox, &has, e) < 0)
		return refused(s, cmd, false);
	if ((rights & ~has) == 0)
		return 0;
	if ((has & STORE_MAY_LOOKUP) == 0) {
		cmd->code = "NONEXISTENT";
		return err_set(e, ERR_PERM, "There is no such mailbox");
	}
	cmd->code = "NOPERM";
	return err_set(e, ERR_PERM, "You may not do that with this mailbox");
}

int
rights_mailbox(struct session *s, struct cmd *cmd, struct span name, unsigned rights, bool target,
    struct store_mailbox *out, struct err *e)
{
	int rc = store_mailbox(s->st, name, out, s->a, e);

	if (rc < 0)
		return refused(s, cmd, target);
	if (rc == 0 || out->noselect) {
		cmd->code = target ? "TRYCREATE" : rc == 0 || out->id == 0 ? "NONEXISTENT" : "CANNOT";
		return err_set(e, ERR_PERM, "There is no such mailbox");
	}
	return rights_need(s, cmd, out->id, rights | STORE_MAY_LOOKUP, e);
}
