/* listing.h - one LIST response: for LIST and its kin, SELECT of IMAP4rev2, and news of names (NOTIFY). */
#ifndef IMAPD_LISTING_H
#define IMAPD_LISTING_H

#include "imapd/session.h"

/* What is said of a mailbox beside its name. */
struct listing_line {
	const char *word;     /* "LIST", "LSUB", "XLIST" */
	bool extended;        /* \NonExistent, not \Noselect, of a name without a mailbox (RFC 5258, 3) */
	bool subscribed;      /* \Subscribed, if it is */
	bool use;             /* its special use, if it has one */
	struct span oldname;  /* OLDNAME (RFC 5465, 5.4; 9051, 7.3.1); empty: none */
	struct span children; /* CHILDINFO (RFC 5258, 3.5): selection options that some of them meet */
};
int out_list(struct session *s, const struct store_mailbox *m, const struct listing_line *how, struct err *e);

/* "\Drafts"; NULL for none. The other way: STORE_USE_NONE if there is no such use here. */
const char *use_name(enum store_use use);
enum store_use use_named(struct span name);

#endif
