/*
 * messages.h - which messages of the view a command means.
 *
 * Of a mailbox of a million, 1:* is one range. Who goes through them does it by pieces:
 *
 *	struct piece p = { .of = &m };
 *	while ((rc = piece_next(s, &p, e)) > 0)
 *		for (uint32_t i = 0; i < p.n; i++)
 *			... p.seq[i], p.uid[i], store_rec(s->view, p.seq[i] - 1)
 */
#ifndef IMAPD_MESSAGES_H
#define IMAPD_MESSAGES_H

#include "imap/partial.h"
#include "imap/set.h"
#include "imapd/session.h"

enum { PIECE = 1024 };

struct messages {
	struct indexes {
		uint32_t from, to;
	} * range; /* indexes [from, to) of the view, ascending, none empty */
	size_t ranges;
	uint32_t n; /* messages in all */
};

/*
 * The set is resolved. A message number that is not in the view is ERR_PEER (RFC 3501, 9, seq-number);
 * UIDs that are not there are passed over.
 */
int messages_of(struct session *s, struct imap_set *set, bool uid, struct messages *out, struct err *e);

/* The same from the command's text: SP set. */
int messages_parse(struct session *s, struct cmd *cmd, struct messages *out, struct err *e);

/* Only a page of them (RFC 9394, 3.3), if one is given. */
void messages_page(struct messages *m, const struct imap_partial *p);

/* A run of them: their records are loaded. */
struct piece {
	const struct messages *of;
	size_t range;
	uint32_t done; /* of that range */
	uint32_t n;
	uint32_t seq[PIECE], uid[PIECE];
};
/* The next: 1; 0 there are no more; -1. The piece before is let go. */
int piece_next(struct session *s, struct piece *p, struct err *e);
/* Its records again, after store_flags. */
int piece_load(struct session *s, const struct piece *p, struct err *e);

/* All m->n at once, in the command's arena. */
uint32_t *messages_seqs(struct session *s, const struct messages *m);
int messages_uids(struct session *s, const struct messages *m, uint32_t **uids, struct err *e);

/* Only resolve the set, * being the last message; $ is of UIDs (RFC 5182), and *by_uid true then. The same failures. */
int messages_resolve(struct session *s, struct imap_set *set, bool *by_uid, struct err *e);

#endif
