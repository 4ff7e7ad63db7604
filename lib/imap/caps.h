/*
 * caps.h - what we can, as CAPABILITY tells it (RFC 3501, 7.2.1): one row each in caps.c, for proxyd before
 * login and for imapd after.
 */
#ifndef IMAP_CAPS_H
#define IMAP_CAPS_H

#include "base/base.h"

/* The state of the session; or together what holds. */
enum imap_caps {
	IMAP_CAPS_BEFORE = 1,   /* not logged in */
	IMAP_CAPS_AFTER = 2,    /* logged in */
	IMAP_CAPS_TLS = 4,      /* STARTTLS is possible (RFC 3501, 6.2.1) */
	IMAP_CAPS_AUTH = 8,     /* a password may be sent now */
	IMAP_CAPS_NO_AUTH = 16, /* it may not: LOGINDISABLED */
};

/* Append "IMAP4rev1 IDLE ...": behind "* CAPABILITY " or "[CAPABILITY ". Some 700 octets after login. */
int imap_caps(unsigned state, struct buf *out, struct err *e);

#endif
