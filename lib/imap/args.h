/*
 * args.h - the arguments of commands that are not worth a file each: STORE, APPEND, LIST, STATUS, SELECT,
 * and the tag and name that all commands start with. (t/unit-imap-args.c, fuzz/imap.c)
 */
#ifndef IMAP_ARGS_H
#define IMAP_ARGS_H

#include "imap/flags.h"
#include "imap/set.h"
#include "mail/date.h"

/*
 * The tag and the name of a command; "UID" and the name behind it are one name. *l is left behind them (at
 * the space before the arguments, or the end). If only the tag can be read, *tag is set all the same.
 */
int imap_command(struct imap_lex *l, struct span *tag, struct span *name, bool *uid, struct err *e);

/* A mailbox name as UTF-8: modified UTF-7 is decoded unless l->utf8; INBOX in any case becomes "INBOX" (RFC 3501, 5.1). */
int imap_mailbox(struct imap_lex *l, struct arena *a, struct span *out, struct err *e);
/* What l's command has as a name or pattern, as UTF-8. Nothing is made of INBOX. */
int imap_name(const struct imap_lex *l, struct span wire, struct arena *a, struct span *out, struct err *e);

/* STORE, behind the set and its space: [(UNCHANGEDSINCE n) ] [+-]FLAGS[.SILENT] flags (RFC 7162, 3.1.3). */
struct imap_store {
	char mode; /* '+', '-' or '=' */
	bool silent;
	bool conditional;
	uint64_t unchanged;
	struct imap_flags flags;
};
int imap_store_parse(struct imap_lex *l, struct arena *a, struct imap_store *out, struct err *e);

/* APPEND, what stands before the data of a message: [(flags) SP] [date-time SP]. */
struct imap_append {
	struct imap_flags flags;
	bool dated;
	struct date date;
};
int imap_append_parse(struct imap_lex *l, struct arena *a, struct imap_append *out, struct err *e);

/* STATUS items, or of bits. */
enum imap_status {
	STATUS_MESSAGES = 1,
	STATUS_RECENT = 2,
	STATUS_UIDNEXT = 4,
	STATUS_UIDVALIDITY = 8,
	STATUS_UNSEEN = 16,
	STATUS_HIGHESTMODSEQ = 32,     /* RFC 7162, 3.1.7 */
	STATUS_SIZE = 64,              /* RFC 8438 */
	STATUS_DELETED = 128,          /* RFC 9051, 6.3.11 */
	STATUS_APPENDLIMIT = 256,      /* RFC 7889 */
	STATUS_MAILBOXID = 512,        /* RFC 8474 */
	STATUS_DELETED_STORAGE = 1024, /* RFC 9208, 4.1.4 */
};
int imap_status_parse(struct imap_lex *l, unsigned *items, struct err *e);
int imap_status_put(unsigned items, struct buf *out, struct err *e); /* "(MESSAGES UNSEEN)": at least one */

/*
 * SELECT and EXAMINE, behind the mailbox, to the end: [ (CONDSTORE QRESYNC (uidvalidity modseq [known-uids]
 * [(numbers uids)]))] (RFC 7162, 3.1.8, 3.2.5). Sets are in normal form; none may hold *.
 */
struct imap_select {
	bool condstore, qresync;
	uint32_t uidvalidity;
	uint64_t modseq;
	bool known; /* the client says which UIDs it knows, else it means all */
	struct imap_set uids;
	struct imap_set numbers, number_uids; /* as many of one as of the other; both may be empty */
};
int imap_select_params(struct imap_lex *l, struct arena *a, struct imap_select *out, struct err *e);

/* CREATE, behind the mailbox, to the end: [ (USE (\Drafts ...))] (RFC 6154, 3). */
struct imap_create {
	bool use;          /* there was a list of uses */
	struct span *uses; /* "\Drafts", as written */
	size_t n;
};
int imap_create_params(struct imap_lex *l, struct arena *a, struct imap_create *out, struct err *e);

#endif
