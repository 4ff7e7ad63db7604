/*
 * url.h - IMAP URLs that name a message, or a part of one, of this server: RFC 5092, as CATENATE gives them (RFC 4469, 3).
 *
 *	/INBOX;UIDVALIDITY=385759045/;UID=20/;SECTION=1.2/;PARTIAL=0.1024
 *
 * Only what begins with the mailbox ("/INBOX", an absolute path) or, relative to the selected one, with ";UID=". A whole
 * URL with a server in it is refused: who would resolve it could be made to reach other servers. Pure, linear
 * (t/unit-url.c, fuzz/url.c).
 */
#ifndef IMAP_URL_H
#define IMAP_URL_H

#include "imap/fetch.h"

struct imap_url {
	struct span mailbox;  /* UTF-8; empty: the selected one */
	uint32_t uidvalidity; /* 0: not said */
	uint32_t uid;
	struct imap_section *section; /* with the range of PARTIAL (URL-PARTIAL, RFC 5550, 2.5) in it */
};

/* ERR_PEER: it is no such URL ([BADURL]). What is decoded is in a. */
int imap_url_parse(struct span text, struct arena *a, struct imap_url *out, struct err *e);

#endif
