/*
 * mailimport.h - `rookery import`: mailboxes of another server, as files or as it runs, into a store.
 *
 * The source is read by a child that has opened it and can reach nothing else (mailimport.c), file by file
 * of its format: mailimport_maildir.c, mailimport_mbox.c, mailimport_imap.c. Each tells mailbox after
 * mailbox, and of each the messages in the order of their UIDs; the rest is the same for all
 * (mailimport_send.c): 64 at a time upkeep is asked which it never had, and those are opened and sent.
 *
 * What is bad in a source is told as `file:line: what` and counted, and the rest goes on.
 */
#ifndef CTL_MAILIMPORT_H
#define CTL_MAILIMPORT_H

#include "ctl/imapclient.h"
#include "ctl/stores.h"

enum { IMPORT_AT_ONCE = 64, IMPORT_KEY = 16 };

/* A message of the source. Spans and `what` are the source's, and live until the next import_mailbox. */
struct import_item {
	unsigned char key[IMPORT_KEY]; /* import_key */
	uint32_t uid;                  /* 0: none */
	uint32_t flags;                /* or of enum store_flag */
	struct span keywords;          /* with blanks between */
	struct span uidl;
	int64_t date_ms; /* may be set as it is opened */
	int zone;
	const void *what;
};

/* Its octets: fd is closed when they are sent. */
struct import_octets {
	int fd;
	uint64_t at, length;
	bool lf; /* lines end in LF */
};

struct import_box {
	struct span name;              /* UTF-8, levels separated by /, INBOX as it is */
	uint32_t uidvalidity, uidnext; /* 0: the source has none */
	bool subscribed;
	uint32_t use; /* enum store_use */
};

struct import {
	struct ctl *c;
	struct ipc *ch;
	struct span
	    into;      /* what the source's INBOX becomes, and the rest below it; empty: as in the source */
	bool progress; /* a person is looking */

	uint64_t mailboxes, messages, present, failed; /* failed: things that were told as bad */

	/* The source's, or NULL: these will be opened, in this order. */
	int (*begin)(void *arg, const struct import_item *it, size_t n, struct err *e);
	/* The source's: open an item. 1; 0: it cannot be, and that was told; -1. */
	int (*open)(void *arg, struct import_item *it, struct import_octets *out, struct err *e);
	void *arg;

	/* Of the mailbox that is being sent. */
	struct buf name;
	uint64_t mailbox; /* id; 0: none, its messages are passed over */
	uint32_t uidnext;
	struct import_item item[IMPORT_AT_ONCE];
	size_t n;
};

/* The next mailbox. 0, -1. If it cannot be made that is told, and its messages are passed over. */
int import_mailbox(struct import *im, const struct import_box *box, struct err *e);
int import_message(struct import *im, const struct import_item *it, struct err *e);
int import_mailbox_end(struct import *im, struct err *e);

/* What names a message in its source, for ever: a digest of these. */
void import_key(unsigned char *key, const char *kind, struct span a, struct span b);

/* `file:line: what` to standard error, line 0 left out; counted. */
void import_bad(struct import *im, struct span file, uint64_t line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The sources. `dir`: a directory; `source`: a file, too; `spool`: a temporary file. */
int import_maildir(struct import *im, int dir, struct err *e);
int import_mbox(struct import *im, int source, int spool, struct err *e);

struct import_imap {
	struct imap_url url;
	const char *user, *master; /* master: who logs in, for `user`; NULL: the user himself */
	struct span password;
	bool insecure; /* no TLS is right, too, and certificates are not checked */
	const struct tls_ctx *tls;
	int fd, spool; /* the connection; a temporary file */
};
int import_imap(struct import *im, const struct import_imap *from, struct err *e);

#endif
