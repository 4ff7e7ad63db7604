#include "imapd/exclusive.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

/* Is it the one that POP3 shows? 1, 0, -1. */
static int
is_inbox(struct session *s, uint64_t mailbox, struct err *e)
{
	struct store_mailbox inbox;
	int rc = store_mailbox(s->st, SPAN("INBOX"), &inbox, s->a, e);

	return rc > 0 ? inbox.id == mailbox : rc;
}

int
exclusive_begin(struct session *s, struct cmd *cmd, uint64_t mailbox, int *hold, struct err *e)
{
	int rc;

	*hold = -1;
	if (!cfg.pop3_exclusive || (rc = is_inbox(s, mailbox, e)) == 0)
		return 0;
	if (rc < 0)
		return -1;
	if ((*hold = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return err_set(e, ERR_TEMP, "the owner's directory: %m");
	if (flock(*hold, LOCK_SH | LOCK_NB) == 0)
		return 0;
	exclusive_end(*hold);
	*hold = -1;
	cmd->code = "INUSE"; /* RFC 5530, 3 */
	return err_set(e, ERR_PERM, "A POP3 session has the mailbox");
}

void
exclusive_end(int hold)
{
	if (hold >= 0)
		close(hold);
}
