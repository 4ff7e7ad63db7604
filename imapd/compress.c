/* COMPRESS=DEFLATE: RFC 4978. The streams are lib/io/conn's; here is only the command. */
#include "imap/lex.h"
#include "imapd/reply.h"
#include "imapd/session.h"

/*
 * Behind the OK all is compressed, so nothing may stand behind the command: what came before the OK cannot be meant so
 * (3: the client must wait for it), and must not count as what was said compressed.
 */
int
do_compress(struct session *s, struct cmd *cmd, struct err *e)
{
	struct span mechanism;

	if (imap_sp(&cmd->args, e) < 0 || imap_atom(&cmd->args, &mechanism, e) < 0 ||
	    imap_end(&cmd->args, e) < 0)
		return -1;
	if (!span_ieq(mechanism, "DEFLATE"))
		return err_set(e, ERR_PEER, "The only mechanism is DEFLATE");
	if (conn_compressed(s->c)) {
		cmd->code = "COMPRESSIONACTIVE";
		return err_set(e, ERR_PERM, "All is compressed already");
	}
	if (conn_peek(s->c).n > 0)
		return err_set(e, ERR_PEER, "Nothing may stand behind COMPRESS before it is answered");
	s->compress = true;
	return 0;
}
