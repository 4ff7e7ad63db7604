/*
 * body.h - the octets of a message, and the sections of it that FETCH can ask for.
 *
 * A message is a prefix, which is in the index, and then a region of a file. What is in the structure
 * record is given from there; the file is opened only for octets that are nowhere else.
 */
#ifndef IMAPD_BODY_H
#define IMAPD_BODY_H

#include "imap/fetch.h"
#include "imap/structure.h"
#include "imapd/session.h"

struct body {
	struct session *s;
	const struct store_msg *msg;
	struct structure st;
	int fd;             /* -1: not opened yet */
	struct span region; /* mapped; p == NULL: not yet */
	void *map;
	size_t map_size;
};

/* A message for which the structure was wanted. -1 when its record is damaged (ERR_TEMP). */
int body_open(struct body *b, struct session *s, const struct store_msg *msg, struct err *e);
void body_close(struct body *b);

/* The region of the file, mapped; an empty one has p != NULL. */
int body_map(struct body *b, struct span *region, struct err *e);

/*
 * Header fields with these names (or, except = true, all others), raw, prefix first, then the empty line
 * that ends a header. Appended.
 */
int body_fields(
    struct body *b, const struct structure_names *names, bool except, struct buf *out, struct err *e);

/* Once a command, before body_section(): look up the names that its sections ask for. */
void body_prepare(struct imap_section *sections, struct arena *a);

/*
 * "BODY[1]<0> {123}" CR LF octets, or NIL where the message has no such section: to the client. After a
 * failure that is not ERR_GONE NIL has been said as well, so that the response can go on.
 */
int body_section(struct body *b, const struct imap_section *section, struct err *e);

/* Who takes the octets of a section: 0, or -1 and no more is wanted. */
typedef int body_give(void *arg, struct span octets, struct err *e);

/* The octets of a section to `give`, in pieces. 1; 0 the message has no such section; -1. */
int body_octets(
    struct body *b, const struct imap_section *section, body_give *give, void *arg, struct err *e);

/*
 * As body_section() for "BINARY[1]<0> ~{123}" and "BINARY.SIZE[1] 123". 1 when the part is in an encoding that is not known
 * (NO [UNKNOWN-CTE], RFC 3516, 4.3); NIL, or 0 as the size, has been said then.
 */
int binary_section(struct body *b, const struct imap_section *section, struct err *e);

#endif
