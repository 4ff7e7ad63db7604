/* relay-inside.h - what the files of the relay share: links, and one command over a link. */
#ifndef IMAPD_RELAY_INSIDE_H
#define IMAPD_RELAY_INSIDE_H

#include "imap/response.h"
#include "imapd/link.h"
#include "imapd/names.h"
#include "imapd/relay.h"

struct relay {
	struct link *links;
	uint64_t uses;
	struct link *far; /* where the selected mailbox is; NULL: it is the session's own, or there is none */

	/* The state of that mailbox, if it has been asked for since the last command that went there. */
	bool viewed;
	struct store_view_state view;
};

struct relay *relay_of(struct session *s); /* made when it is first needed */

/* A link to this owner, who knows all that this session has enabled; made if there is none. NULL: ERR_TEMP. */
struct link *relay_link(struct session *s, const struct names_sharer *who, struct err *e);

/* The same by a name: NULL with relay_none() if there is no such owner. */
struct link *relay_find(struct session *s, struct cmd *cmd, const struct names_far *name, struct err *e);

/* It is closed; not that of the selected mailbox. */
void relay_drop(struct session *s, struct link *l);

/* Of a link that failed: it is closed. ERR_GONE, with BYE said, if the selected mailbox was there. Always -1. */
int relay_failed(struct session *s, struct link *l, struct err *e);

/*
 * Responses of a command that was sent under `tag`: the untagged ones go to the client, names translated. 0 when it is
 * answered (*answer: what stands behind the tag; in the arena), 1 when the link asks for a literal.
 */
int relay_responses(struct session *s, struct link *l, struct span tag, struct span *answer, struct err *e);

/* The same where all has been sent: a link that asks for a literal then is out of step, and lost. 0 or -1. */
int relay_answered(struct session *s, struct link *l, struct span tag, struct span *answer, struct err *e);

/* One of them: to the client, or taken note of. */
int relay_untagged(struct session *s, struct link *l, const struct link_response *r, struct err *e);

/*
 * A command of our own, without its tag, whose answer alone is of interest; untagged responses are passed on if
 * `pass`, else dropped.
 */
int relay_ask(
    struct session *s, struct link *l, struct span text, bool pass, struct span *answer, struct err *e);

static inline bool
relay_ok(struct span answer)
{
	return span_istarts(answer, "OK ");
}

/*
 * APPEND and REPLACE whose message is yet to come: relay-append.c. `text`: the command up to the literal. The message is
 * read in any case, and cmd->message is NULL then.
 */
int relay_message(struct session *s, struct link *l, struct cmd *cmd, struct span text, struct err *e);

/* COPY and MOVE between two owners, one of whom may be the session's own: relay-copy.c. */
int relay_copy(
    struct session *s, struct cmd *cmd, struct link *to, struct span name, bool move, struct err *e);

/*
 * There is nothing of this name, for all that the reader may know: what rights.c says where the owner's worker has
 * nothing either. `made`: it is to be made (CREATE's is, in any case). Always -1.
 */
int relay_none(struct cmd *cmd, bool made, struct err *e);

#endif
