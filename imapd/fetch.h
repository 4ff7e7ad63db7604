/* fetch.h - FETCH responses that no FETCH asked for. */
#ifndef IMAPD_FETCH_H
#define IMAPD_FETCH_H

#include "imap/fetch.h"
#include "imapd/session.h"

/*
 * These items of all messages from an index of the view on, but for those that this session made (RFC 5465, 5.2). Sections
 * without .PEEK set nothing.
 */
int fetch_new(struct session *s, const struct imap_fetch *items, uint32_t from, struct err *e);

#endif
