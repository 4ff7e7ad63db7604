/* metadata.h - annotations as clients see them (RFC 5464), for GETMETADATA, SETMETADATA and LIST. */
#ifndef IMAPD_METADATA_H
#define IMAPD_METADATA_H

#include "imapd/session.h"
#include "store/annotation.h"

/* Whose private entries are meant: annotation.h. */
struct span metadata_who(const struct session *s);

/*
 * RFC 5464, 3.3: l and one of r, s, w, i, p. To change what all others see w is asked for, too, so that who may only read
 * does not write there.
 */
bool metadata_allowed(unsigned rights, bool shared_change);

/*
 * An entry that is computed or configured and not stored; m NULL: of the server. 1 and its value (p NULL: none), 0 it is
 * stored.
 */
int metadata_computed(
    struct session *s, const struct store_mailbox *m, struct span entry, struct span *value, struct err *e);

/* "entry value" of a METADATA response. */
int out_annotation(struct session *s, const struct store_annotation *x, struct err *e);

#endif
