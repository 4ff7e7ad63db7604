/*
 * link.h - a link: a stream to a worker of another owner, which serves this session's login as a guest.
 *
 * It speaks IMAP as any client hears it, without a greeting, for it is the same code that serves it. The asker sends
 * one command at a time, under the client's own tag, so that responses that quote the tag (RFC 4731, 9585) are right as
 * they are; literals go without being asked for, but where the client's does not. Beside what clients may say there
 * are the commands of linked.c, which are no commands to anybody else.
 *
 * A link that fails is lost: *e is ERR_TEMP, and the next need makes a new one. ERR_GONE is the client's alone: it is
 * away, or was told half a response and cannot be told the rest.
 */
#ifndef IMAPD_LINK_H
#define IMAPD_LINK_H

#include "imapd/session.h"

struct link {
	struct link *next;
	struct span owner;  /* the directory of its store */
	struct span name;   /* what authd calls him */
	struct span prefix; /* of its names, UTF-8: "Other Users/bob" */
	struct conn *c;
	bool lost;
	unsigned enabled; /* or of link_extension: what the other end knows of this session */
	uint64_t used_ms; /* when it was last needed */
	uint64_t used;    /* and the how manieth need that was */
};

enum link_extension { LINK_CONDSTORE = 1, LINK_QRESYNC = 2, LINK_UTF8 = 4, LINK_REV2 = 8, LINK_UIDONLY = 16 };

struct names_sharer;
struct link *link_open(struct session *s, const struct names_sharer *who, struct err *e);
void link_free(struct link *l); /* NULL is allowed */

/* Does it still stand, as far as can be seen without waiting? */
bool link_alive(struct link *l);

/* A command, with its tag, without the last CR LF: literals within become such as go without being asked for. */
int link_say(struct link *l, struct span text, struct err *e);

/* Octets as they are; link_go sends what is still here. */
int link_write(struct link *l, struct span octets, struct err *e);
int link_go(struct link *l, struct err *e);

/* A response that has come, at least its beginning. */
struct link_response {
	enum link_kind { LINK_TAGGED, LINK_GO_ON, LINK_UNTAGGED } kind;
	struct span head; /* up to its end, or 64 KiB of it; valid until the next call */
	bool whole;       /* the head is all of it, without the last CR LF */
	struct span word; /* untagged: "LIST", "FETCH"; its case is as it came */
	struct span text; /* tagged: what stands behind the tag */
};
int link_hear(struct link *l, struct span tag, struct link_response *r, struct err *e);

/* What was heard last, from the octet `from` on: to the client, or nowhere. */
int link_pass(struct session *s, struct link *l, size_t from, struct err *e);
int link_drop(struct link *l, struct err *e);

/*
 * What was heard goes on with a literal of n octets behind the first `from` ones: carry those to another link. What
 * is left of the response is then for link_drop. If it is the other that is lost, they are dropped, and to->lost tells.
 */
int link_carry(struct link *l, size_t from, uint64_t n, struct link *to, struct err *e);

/* ---- the other end: linked.c */

/* In a worker that is one: nothing is said, the first command is waited for. */
int link_begin(struct session *s, struct err *e);

command_fn do_xview, do_xrestore, do_xexpunge;

#endif
