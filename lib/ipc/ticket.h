/*
 * ticket.h - what proves to a back end that someone has logged in: signed by authd, checked by imapd, pop3d.
 *
 * A ticket is
 *
 *   u8 version (1), u64 expiry in milliseconds since 1970, 16 octets nonce,
 *   owner, login, service, node, client, sid: each a u16 length and its octets,
 *   64 octets Ed25519 signature (RFC 8032) over "rookery ticket 1" and all that stands before it
 *
 * numbers little endian. It is good once, at one node, for one service, session and client address, until it
 * expires. So a proxy that is taken over can open no mailbox but those whose owners log in through it
 * at that time, and what it has recorded is of no use.
 *
 * The keys are lines of text in tls/ticket.key and tls/ticket.pub, made by `rookery init`; only authd reads
 * the first.
 */
#ifndef IPC_TICKET_H
#define IPC_TICKET_H

#include "base/base.h"

enum { TICKET_NONCE = 16, TICKET_MAX = 4096, TICKET_SECRET_SIZE = 64, TICKET_PUBLIC_SIZE = 32 };

struct ticket_secret {
	unsigned char key[TICKET_SECRET_SIZE];
};

struct ticket_public {
	unsigned char key[TICKET_PUBLIC_SIZE];
};

struct ticket {
	struct span owner, login;  /* whose store; the canonical address */
	struct span service, node; /* what and where it is good for: "imap", cfg.node */
	struct span client, sid;   /* text form without port; the session's id */
	uint64_t expiry_ms;        /* clock_wall_ms() */
	unsigned char nonce[TICKET_NONCE];
};

/* A new pair, as the text of the two files. Wipe `secret` after writing it (buf_wipe). */
void ticket_keys_make(struct buf *secret, struct buf *public);

/* From the text of the files. -1 with ERR_PERM. */
int ticket_secret_load(struct span text, struct ticket_secret *out, struct err *e);
int ticket_public_load(struct span text, struct ticket_public *out, struct err *e);

/* Append the signed ticket; the nonce is made here. -1 with ERR_PEER if a field is beyond reason. */
int ticket_sign(const struct ticket *t, const struct ticket_secret *key, struct buf *out, struct err *e);

/*
 * Is `in` a ticket that is good here: of this key, for exactly want->service, node, client and sid, and
 * now_ms before its expiry? 0 and *out (spans point into `in`), or -1 with ERR_PEER and why. Whether it was
 * used before is asked of ticket_use().
 */
int ticket_verify(struct span in, const struct ticket_public *key, const struct ticket *want, uint64_t now_ms,
    struct ticket *out, struct err *e);

/*
 * The memory of tickets that have been used. It is shared with the children of a fork: what one of them has
 * used is used for all. Made before svc_confine; 512 KiB, touched as needed. A child that is killed at any
 * point leaves it usable. What is in it is forgotten once expired.
 */
struct ticket_seen;

struct ticket_seen *ticket_seen_new(struct err *e);
void ticket_seen_own(struct ticket_seen *s); /* children to come do not share it after all */
void ticket_seen_free(struct ticket_seen *s);

/*
 * Use the (verified) ticket: 0 the first time, -1 with ERR_PEER ever after, -1 with ERR_TEMP when there is no
 * room left to remember it (some 2000 logins a second with tickets of 30 s).
 */
int ticket_use(struct ticket_seen *s, const struct ticket *t, uint64_t now_ms, struct err *e);

#endif
