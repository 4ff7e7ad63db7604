/*
 * notify.h - arguments of NOTIFY: RFC 5465, 8. (t/unit-imap-args.c, fuzz/notify.c)
 *
 * Events may stand without their parentheses, as in the examples of 3.1.
 */
#ifndef IMAP_NOTIFY_H
#define IMAP_NOTIFY_H

#include "imap/fetch.h"

enum imap_event {
	EVENT_NEW = 1,
	EVENT_EXPUNGE = 2,
	EVENT_FLAGS = 4,
	EVENT_MESSAGE_ANNOTATION = 8, /* never happens: messages have no annotations (RFC 5257) here */
	EVENT_MESSAGES = 15,
	EVENT_NAME = 16,
	EVENT_SUBSCRIPTION = 32,
	EVENT_METADATA = 64,
	EVENT_SERVER_METADATA = 128,
};

enum imap_watch {
	WATCH_SELECTED,
	WATCH_SELECTED_DELAYED,
	WATCH_INBOXES,
	WATCH_PERSONAL,
	WATCH_SUBSCRIBED,
	WATCH_SUBTREE, /* of names */
	WATCH_MAILBOXES,
};

struct imap_notify_group {
	enum imap_watch watch;
	struct span *names; /* UTF-8 */
	size_t n;
	unsigned events;         /* or of enum imap_event; 0: NONE */
	bool fetch;              /* of WATCH_SELECTED*: what is to be fetched of new messages */
	struct imap_fetch items; /* none of it sets \Seen */
};

struct imap_notify {
	bool none;        /* NOTIFY NONE */
	bool status;      /* a STATUS of each mailbox first */
	bool unknown;     /* an event that is none was asked for: NO [BADEVENT] */
	struct span text; /* behind SET and STATUS: imap_notify_groups() parses it again */
	struct imap_notify_group *groups;
	size_t n;
};

/* Behind the command's space, to the end. The rules of 5 and 6.1 about what goes together are kept: ERR_PEER. */
int imap_notify_parse(struct imap_lex *l, struct arena *a, struct imap_notify *out, struct err *e);
int imap_notify_groups(struct imap_lex *l, struct arena *a, struct imap_notify *out, struct err *e);

/* All events, for BADEVENT: "MessageNew MessageExpunge ...". */
extern const char imap_events[];

#endif
