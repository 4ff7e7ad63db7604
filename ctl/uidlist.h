/*
 * uidlist.h - the files beside a Maildir in which servers keep what file names have no room for. Pure
 * (fuzz/uidlist.c).
 *
 *	dovecot-uidlist       1 UIDVALIDITY UIDNEXT; UID FILE               as courierimapuiddb
 *	                      3 VUIDVALIDITY NUIDNEXT ...; UID KEYVALUE ... :FILE
 *	courierpop3dsizelist  /VERSION NEXT UIDVALIDITY; FILE SIZE UID:UIDVALIDITY[:UTF8]
 *	dovecot-keywords      NUMBER KEYWORD
 */
#ifndef CTL_UIDLIST_H
#define CTL_UIDLIST_H

#include "base/base.h"

struct uidlist_head {
	uint32_t version; /* 1 or 3 */
	uint32_t uidvalidity, uidnext;
};

struct uidlist_entry {
	uint32_t uid;     /* courierpop3dsizelist: 0 if its unique id is the name */
	uint32_t second;  /* courierpop3dsizelist: behind the colon */
	struct span name; /* of the file, without flags */
	struct span uidl; /* P of version 3 */
};

/* A line without its end. 0, or -1 with what is wrong. */
int uidlist_head(struct span line, struct uidlist_head *out, struct err *e);
int uidlist_entry(
    const struct uidlist_head *head, struct span line, struct uidlist_entry *out, struct err *e);
int sizelist_entry(struct span line, struct uidlist_entry *out, struct err *e);
int keywords_entry(struct span line, uint32_t *number, struct span *word, struct err *e);

/* The name of a message file up to its flags, and the letters of these. */
struct span maildir_base(struct span name, struct span *letters);

/* The unique id that Courier's POP3 server gave, as text: of an entry of courierpop3dsizelist. */
int sizelist_uidl(const struct uidlist_entry *in, struct buf *out, struct err *e);

/*
 * The name of a Maildir++ folder, without the dot in front, as UTF-8 with / between levels. -1: it can't be.
 * A dot in a level, which is no modified UTF-7, is "&AC4-"; a name in UTF-8 is taken as it is.
 */
int folder_decode(struct span name, struct buf *out, struct err *e);

#endif
