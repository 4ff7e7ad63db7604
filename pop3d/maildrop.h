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
	struct maildrop_mark {
		bool deleted, read; /* by DELE; by RETR */
	} * mark;                   /* of each message */
	struct store_uidl *uidl;    /* unique ids that messages brought along, by uid */
	size_t uidls;
	struct arena *a;
	uint32_t n;         /* messages, deleted ones included */
	uint32_t left;      /* not deleted */
	uint64_t left_size; /* their octets */
	uint64_t mailbox;
};

/* Why a maildrop could not be had. */
enum maildrop_why {
	MAILDROP_BROKEN,
	MAILDROP_IN_USE,   /* another session has it; waited for, for two seconds: it may be about to end */
	MAILDROP_TOO_SOON, /* pop3_login_delay is not over */
};

/* dir is taken. 0; or -1: ERR_TEMP, with *why. */
int maildrop_open(struct maildrop *m, int dir, const char *boot_id, enum maildrop_why *why, struct err *e);
void maildrop_close(struct maildrop *m);

/* The message with this number, not deleted: its record, or NULL. */
const struct store_rec *maildrop_get(const struct maildrop *m, uint32_t number);

/* Octets of what maildrop_send() sends of it, without the dots that are doubled (RFC 1939, 11), if it is known. */
uint64_t maildrop_size(const struct maildrop *m, uint32_t number);
void maildrop_delete(struct maildrop *m, uint32_t number);
void maildrop_retrieved(struct maildrop *m, uint32_t number);
void maildrop_reset(struct maildrop *m);

/* The unique id of a message (RFC 1939, 7), in the form that pop3_uidl says. Appended. */
int maildrop_uidl(const struct maildrop *m, uint32_t number, struct buf *out, struct err *e);

/*
 * Send a message: the header and `lines` of the body (UINT64_MAX: all), behind `first`. Without `utf8` one that is
 * internationalised is sent with a surrogate of its header (RFC 6856, 2.1). ERR_PERM: it is no more, and nothing was sent.
 */
int maildrop_send(struct maildrop *m, uint32_t number, uint64_t lines, bool utf8, const char *first,
    struct conn *c, struct err *e);

/* With pop3_seen: what was retrieved becomes \Seen, in one transaction. *modseq as below. */
int maildrop_seen(struct maildrop *m, uint64_t *modseq, struct err *e);

/* The end (RFC 1939, 6): all that are deleted go in one transaction. *modseq: of the change, 0 for none. */
int maildrop_update(struct maildrop *m, uint64_t *modseq, struct err *e);

#endif
