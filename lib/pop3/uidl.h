/* uidl.h - unique ids of messages (RFC 1939, 7), in the form of the server that a site came from. */
#ifndef POP3_UIDL_H
#define POP3_UIDL_H

#include "base/base.h"

/* Append it; `form` is a value of pop3_uidl. 1 to 70 characters. */
int uidl_put(const char *form, uint32_t uidvalidity, uint32_t uid, struct buf *out, struct err *e);

#endif
