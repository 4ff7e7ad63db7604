/*
 * response.h - where a response of a server names mailboxes, for who passes it on under other names.
 *
 * Only what must be known to find the names is parsed: RFC 3501, 7.2; 4314, 3; 5464, 4.4; 7377, 2; 9051, 7.3; 9208, 5.
 * Pure; the input may be cut behind the first name. (t/unit-imap-response.c, fuzz/imap.c)
 */
#ifndef IMAP_RESPONSE_H
#define IMAP_RESPONSE_H

#include "base/base.h"

/* An astring of the response: the octets [at, end), and what they mean; not decoded from modified UTF-7. */
struct imap_response_name {
	size_t at, end;
	struct span name;
};

enum { IMAP_RESPONSE_NAMES = 40 }; /* QUOTAROOT: a root for each level of a name, at most */

/*
 * The names in "* WORD ...": their number, 0 for a response that has none, -1 ERR_PEER for one that should have and is
 * malformed (or cut before it).
 */
int imap_response_names(
    struct span response, struct arena *a, struct imap_response_name out[IMAP_RESPONSE_NAMES], struct err *e);

/* "* LIST (\A \B) "/" name": has it this attribute? */
bool imap_response_attribute(struct span response, const char *attribute);

/* "* 5 FETCH (UID 12 FLAGS (\Seen) INTERNALDATE "..." BODY[] {123}", and 123 octets: a message, on its way. */
struct imap_response_message {
	uint32_t uid;      /* 0: it was not told */
	struct span flags; /* "\Seen a"; empty: none, or not told */
	struct span date;  /* with its quotes */
	bool has_body;     /* the literal follows: */
	uint64_t size;     /* of so many octets, */
	size_t at;         /* behind so many of the response */
};

/* 1; 0 if the response is no FETCH (or UIDFETCH, RFC 9586), or has something that is none of these. */
int imap_response_message(struct span response, struct arena *a, struct imap_response_message *out);

#endif
