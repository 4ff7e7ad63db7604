/*
 * relay.h - mailboxes of other owners, in the reader's name space (RFC 2342).
 *
 *   Other Users/bob            bob's INBOX; bob@corp.example, if the reader's domain is another
 *   Other Users/bob/Projects   his mailbox Projects
 *   Shared/sales               the tree sales: the INBOX of its store, +sales
 *   Shared/sales/2026          its mailbox 2026
 *
 * The process that holds one owner's mail is never the one that holds another's: this worker cannot open bob's store. A
 * command that names a mailbox of his, or any of the selected state while one of his is selected, goes over a link to
 * a worker of his store (link.h), with the names translated; so do the responses on their way back. Nothing else of
 * them is looked at.
 *
 * authd knows who shares something with whom, as far as it was told (authd_sharing): no link is made to an owner who
 * shares nothing. Whether a mailbox may be seen is decided by its owner's worker alone. To the reader it is all one: no
 * such user, one who shares nothing, a mailbox that may not be seen.
 */
#ifndef IMAPD_RELAY_H
#define IMAPD_RELAY_H

#include "imapd/session.h"

void relay_free(struct relay *r); /* NULL is allowed */

/* Is the selected mailbox another owner's? s->view is NULL then. */
bool relay_selected(const struct session *s);

/*
 * A command before it is run: 1 if it has been done by other owners' workers (cmd->answer is set, or cmd->ok), 0 if it is
 * this session's own, -1.
 */
int relay_command(struct session *s, const struct command *c, struct cmd *cmd, struct err *e);

/*
 * LIST: put what others share among the session's own mailboxes (sorted by name), the levels above too, as far as the
 * patterns reach there. What comes from there has the id RELAY_BOX. Names that cannot be had now are left out; -1 only
 * if the session is over.
 */
#define RELAY_BOX UINT64_MAX
struct relay_listing {
	const struct span *patterns; /* UTF-8, whole */
	size_t n;
	bool subscribed; /* only what is subscribed is wanted */
	bool lsub;       /* only names are: nobody is asked */
};
int relay_list(struct session *s, const struct relay_listing *what, struct store_mailbox **box, size_t *n,
    struct err *e);

/* And of one of these, in UTF-8: the responses to "STATUS", the name, " (MESSAGES)". If there are none, there are none. */
int relay_about(struct session *s, const char *command, struct span name, struct span rest, struct err *e);

/*
 * ESEARCH (RFC 7377) in mailboxes of others: `box` those among n with the id RELAY_BOX that can be selected; `selected`: in the
 * selected one too, if it is another's. `rest`: the text behind the sources. -1 only if the session is over.
 */
int relay_search(struct session *s, struct cmd *cmd, const struct store_mailbox *box, size_t n, bool selected,
    struct span rest, struct err *e);

/* Say what is news in the selected mailbox of another owner, EXPUNGE too. ERR_GONE if it is no more. */
int relay_news(struct session *s, struct err *e);

/* Its state, for the record: 1; 0 if no state says it; -1. */
int relay_view(struct session *s, struct store_view_state *v, struct err *e);

/* Go on with a mailbox of that owner from such a state. -1: ERR_GONE it is no more, and BYE has been said. */
int relay_resume(
    struct session *s, struct span owner, struct span name, const struct store_view_state *v, struct err *e);

#endif
