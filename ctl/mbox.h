/*
 * mbox.h - mbox files: mboxrd and mboxo (RFC 4155 and what went before), with the fields in which UW's
 * server, Dovecot, mutt and `rookery export` keep flags and UIDs: Status, X-Status, X-Keywords, X-UID,
 * X-IMAPbase. Pure (fuzz/mbox.c).
 *
 * A message begins with a line "From ... DATE" at the start of the file or behind an empty line. What `put`
 * is given is the message: without that line, without those fields, with "From " as it was before it was
 * quoted, and without the empty line that stands between two. Lines end as in the file.
 */
#ifndef CTL_MBOX_H
#define CTL_MBOX_H

#include "base/base.h"

struct mbox_message {
	uint64_t at;    /* of its From line */
	int64_t date;   /* of that line, seconds since 1970, UTC */
	uint32_t uid;   /* 0: none */
	uint32_t flags; /* or of enum store_flag */
	bool internal;  /* not a message: UW's note to itself */
};

struct mbox {
	int (*put)(void *arg, struct span octets, struct err *e);
	int (*end)(void *arg, const struct mbox_message *m, struct err *e); /* 1: enough */
	void *arg;

	uint32_t uidvalidity, uidlast; /* of the file; 0: not told */
	bool garbage;                  /* something stands in front of the first message */

	struct mbox_message m;
	struct buf keywords; /* of it, each with a blank behind */
	struct buf line;
	uint64_t at; /* octets fed */
	bool in_message, header, dropping, folded_keywords, blank, held, cut, enough;
};

void mbox_init(struct mbox *p);
void mbox_free(struct mbox *p);
int mbox_feed(struct mbox *p, struct span octets, struct err *e); /* 1: enough; 0; -1 */
int mbox_end(struct mbox *p, struct err *e);

/* "From sender Wed Jan  1 10:00:00 2020" without its end: 0; -1 it is no such line. */
int mbox_from(struct span line, int64_t *date);

#endif
