/* listmore.h - what LIST tells behind each name: STATUS (RFC 5819), MYRIGHTS (RFC 8440), METADATA (RFC 9590). */
#ifndef IMAPD_LISTMORE_H
#define IMAPD_LISTMORE_H

#include "imap/list.h"
#include "imapd/session.h"
#include "store/annotation.h"

struct listmore {
	const struct imap_list *args;
	const struct store_annotation *annotation; /* all that the reader may see, if any are asked for */
	size_t n;
};

/* Before the first name. `args` is borrowed. */
int listmore_prepare(
    struct session *s, struct cmd *cmd, const struct imap_list *args, struct listmore *out, struct err *e);

/* Behind the LIST response of m: nothing of a name that is no mailbox. */
int listmore_tell(struct session *s, struct cmd *cmd, const struct listmore *l, const struct store_mailbox *m,
    struct err *e);

#endif
