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

/* LIST in all forms of RFC 5258, with SPECIAL-USE of RFC 6154 and STATUS of RFC 5819. */
enum imap_list_option {
	LIST_SUBSCRIBED = 1, /* selection: only these */
	LIST_REMOTE = 2,
	LIST_RECURSIVEMATCH = 4,
	LIST_SPECIAL_USE = 8,
	LIST_RETURN_SUBSCRIBED = 16,
	LIST_RETURN_CHILDREN = 32,
	LIST_RETURN_SPECIAL_USE = 64,
	LIST_RETURN_STATUS = 128,
};
struct imap_list {
	bool extended;         /* some part of the syntax was not that of RFC 3501 */
	unsigned options;      /* or of imap_list_option */
	unsigned status;       /* items of RETURN (STATUS (...)) */
	struct span reference; /* UTF-8 */
	struct span *patterns; /* UTF-8, without the reference */
	size_t n;
};
int imap_list_parse(struct imap_lex *l, struct arena *a, struct imap_list *out, struct err *e);

#endif
