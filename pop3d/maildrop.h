/*
 * maildrop.h - an owner's INBOX as POP3 sees it: fixed at the start of the session, changed at its end.
 *
 * The process has entered the owner's directory. RFC 1939 wants the maildrop exclusively: a lock on that
 * directory, which another pop3d sees and imapd does not, since IMAP sessions beside it harm nothing: numbers
 * stay as they are, and what another session expunged meanwhile can still be read.
 */
#ifndef POP3D_MAILDROP_H
#define POP3D_MAILDROP_H

#include "io/conn.h"
#include "store/store.h"

struct maildrop {
	int lock; /* the owner's directory */
	struct store *st;
	struct store_view *view;
	bool *deleted;      /* of each message */
	uint32_t n;         /* messages, deleted ones included */
	uint32_t left;      /* not deleted */
	uint64_t left_size; /* their octets */
	uint64_t mailbox;
};

/*
 * dir is taken. 0; or -1: ERR_TEMP with *in_use when another session has it (waited for, for two seconds: it
 * may be about to end).
 */
int maildrop_open(struct maildrop *m, int dir, const char *boot_id, bool *in_use, struct err *e);
void maildrop_close(struct maildrop *m);

/* The message with this number, not deleted: its record, or NULL. */
const struct store_rec *maildrop_get(const struct maildrop *m, uint32_t number);
void maildrop_delete(struct maildrop *m, uint32_t number);
void maildrop_reset(struct maildrop *m);

/* Send a message: the header and `lines` of the body (UINT64_MAX: all), behind `first`. ERR_PERM: it is no
 * more, and nothing was sent. */
int maildrop_send(
    struct maildrop *m, uint32_t number, uint64_t lines, const char *first, struct conn *c, struct err *e);

/* The end (RFC 1939, 6): all that are deleted go in one transaction. *modseq: of the change, 0 for none. */
int maildrop_update(struct maildrop *m, uint64_t *modseq, struct err *e);

#endif
