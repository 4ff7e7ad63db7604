/*
 * peer.h - a connection to a mail server: found, opened, greeted, encrypted if it may be.
 *
 * Servers are tried in the order of their MX records and each at all its addresses (RFC 5321, 5.1): one that
 * can't be reached, does not greet or will not talk to us leads to the next. Errors carry an enhanced status
 * code in front of their text. What a server says is believed only for this connection, and only what it says
 * behind TLS when there is TLS.
 */
#ifndef DELIVER_PEER_H
#define DELIVER_PEER_H

#include "base/base.h"
#include "smtp/reply.h"

struct conn;
struct dns;
struct tls_ctx;

enum {
	EXT_PIPELINING = 1,
	EXT_SIZE = 2,
	EXT_8BITMIME = 4,
	EXT_SMTPUTF8 = 8,
	EXT_STARTTLS = 16,
	EXT_DSN = 32,
};

/* Who sends: what a process has from its start. */
struct sender {
	struct dns *dns;
	struct tls_ctx *tls;
	const char *name; /* our own, for EHLO and to find ourselves among MX records; may be no domain */
};

/* Where to: as in remote_connect. */
struct target {
	struct span domain;
	bool lmtp;
};

struct peer {
	struct conn *c;    /* NULL: not connected */
	struct buf label;  /* "mx.peer.test[192.0.2.1]:25" */
	unsigned ext;      /* or of EXT_* */
	uint64_t size_max; /* EXT_SIZE: 0: it does not say */
	bool lmtp;
	bool used;  /* a message was tried on it: it may have been closed while it was idle */
	bool dirty; /* a transaction was left open: RSET first */
	unsigned messages;
};

void peer_init(struct peer *p);
int peer_open(const struct sender *me, struct peer *p, const struct target *to, struct err *e);
/* QUIT, if it can still be said, and close. */
void peer_quit(struct peer *p);
/* Close without a word: it is broken, or in the middle of something. */
void peer_drop(struct peer *p);

/*
 * One reply. 0, or -1: ERR_GONE it is away or too slow (4.4.2), ERR_PEER what came is no reply (4.5.0); with
 * 421 it is a reply, and the connection is of no more use after it.
 */
int peer_reply(struct peer *p, struct reply *r, uint64_t wait_ms, struct err *e);
/* One command (without CRLF) and its reply. */
int peer_command(struct peer *p, struct span command, struct reply *r, uint64_t wait_ms, struct err *e);

#endif
