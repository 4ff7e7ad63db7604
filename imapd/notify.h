/*
 * notify.h - what a client wants to be told of without asking (NOTIFY, RFC 5465), and what one is told of annotations
 * after ENABLE METADATA (RFC 5464, 4.4).
 *
 * What was told is one number: a modification sequence of the store (s->notify->known). News of other mailboxes are those
 * with a greater one, names, subscriptions and annotations the events after it (store/event.h). So the state of a session is
 * the text of its command and that number, and goes through the idle record.
 *
 * What is watched are the reader's own mailboxes; those of other owners only while one is selected.
 */
#ifndef IMAPD_NOTIFY_H
#define IMAPD_NOTIFY_H

#include "imap/notify.h"
#include "imapd/session.h"

struct idle_record;

struct notify {
	struct arena *a;
	bool set; /* NOTIFY SET is in force; else this is here for ENABLE METADATA */
	struct imap_notify args;
	uint64_t known;
};
void notify_free(struct notify *n); /* NULL is allowed */

/* ENABLE METADATA: what happens from here on is told. */
int notify_metadata(struct session *s, struct err *e);

/* Into the record, and out of it. */
void notify_put(const struct session *s, struct idle_record *r);
int notify_take(struct session *s, const struct idle_record *r, struct err *e);

/*
 * What is to be said of the selected mailbox: or of enum imap_event; all without NOTIFY. *fetch: of new messages; NULL:
 * nothing more.
 */
unsigned notify_selected(const struct session *s, const struct imap_fetch **fetch);

/* Is it to be said at once, even between commands (6.1.1)? Is anything? */
bool notify_at_once(const struct session *s);
bool notify_pushes(const struct session *s);

/* Say what is news, of all but the selected mailbox. */
int notify_news(struct session *s, struct err *e);

#endif
