/*
 * UNAUTHENTICATE: RFC 8437. The worker ends, and with it all state of the session (4.1): rights and groups, what ENABLE turned
 * on, $, contexts, NOTIFY. Who comes next has another worker, which knows nothing of this one.
 */
#include "imapd/unauthenticate.h"

#include "imap/lex.h"
#include "imapd/reply.h"
#include "imapd/wait.h"
#include "ipc/idle.h"

enum { INPUT_MAX = 512 * 1024 }; /* pipelined behind the command; the holder's messages have their limits */

/* 3: NO is not permitted. A link has no login of its own. */
int
do_unauthenticate(struct session *s, struct cmd *cmd, struct err *e)
{
	if (imap_end(&cmd->args, e) < 0)
		return -1;
	if (s->link)
		return err_set(e, ERR_PEER, "There is no such command");
	if (s->up == NULL || conn_peek(s->c).n > INPUT_MAX)
		return out_bye(s, "[UNAVAILABLE] The connection cannot be used again");
	s->unauthenticated = true;
	return 0;
}

int
unauthenticate(struct session *s, struct err *e)
{
	s->over = true;
	return conn_compressed(s->c) ? conn_uncompress(s->c, e) : out_flush(s, e);
}

void
client_back(struct session *s)
{
	struct idle_unauthenticated m = { .input = conn_peek(s->c) };
	struct err e = { 0 };

	to_holder(s, idle_unauthenticated, &m, &e);
}
