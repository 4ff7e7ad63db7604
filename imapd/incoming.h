/*
 * incoming.h - messages on their way from the client into a store: taken from the connection, parsed by mimed.
 *
 * A message goes into the store's file as it comes and never stands in memory as a whole; mimed, which can reach
 * nothing, makes its structure from the file.
 */
#ifndef IMAPD_INCOMING_H
#define IMAPD_INCOMING_H

#include "imap/flags.h"
#include "imapd/session.h"
#include "mail/date.h"

struct incoming {
	struct store_file file;
	struct imap_flags flags;
	bool dated;
	struct date date;
	struct span structure; /* in s->a */
};

/*
 * n octets of a literal from the connection to the end of the file. What goes wrong but for the connection is in *why,
 * and the rest is read all the same. `binary`: a literal8, in which a NUL is no mistake of the client; messages with one
 * are not kept all the same (RFC 3516, 4.4). -1 with ERR_GONE in *e.
 */
int incoming_octets(
    struct session *s, uint64_t n, bool binary, struct store_file *f, struct err *why, struct err *e);

/* The structure of a message that is stored already, made anew; borrowed until mimed is asked again. */
int incoming_again(struct session *s, const struct store_msg *m, struct span *structure, struct err *e);

/* Its structure. Cannot fail: what cannot be parsed is kept as opaque text, and the log tells. */
void incoming_parse(struct session *s, struct incoming *m);

#endif
