/* catenate.h - parts of other messages, named by URLs, for CATENATE (RFC 4469). */
#ifndef IMAPD_CATENATE_H
#define IMAPD_CATENATE_H

#include "imapd/session.h"

/* The mailbox of the last URL, which the next may name again. Zero it to start. */
struct catenate {
	uint64_t mailbox;
	struct store_view *view;
};

/*
 * The octets that the URL names to the end of the file, which may have at most `max` octets then. -1: NO [BADURL "..."]
 * where there are none that this reader may see, NO [TOOBIG].
 */
int catenate_url(struct catenate *c, struct session *s, struct cmd *cmd, struct span url, uint64_t max,
    struct store_file *f, struct err *e);
void catenate_done(struct catenate *c);

#endif
