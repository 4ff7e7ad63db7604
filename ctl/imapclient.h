/*
 * imapclient.h - an IMAP client for reading another server: one connection, blocking, one command after the
 * other.
 *
 * What a server says is never trusted: a response is bounded, and parsed by lib/imap. Octets of messages go
 * to a file.
 */
#ifndef CTL_IMAPCLIENT_H
#define CTL_IMAPCLIENT_H

#include <openssl/ssl.h>

#include "base/base.h"

struct tls_ctx;

enum { IMAPC_RESPONSE_MAX = 1 << 20 };

struct imapc {
	int fd;
	SSL *ssl; /* NULL: without TLS */
	struct buf in;
	struct buf response; /* the last: its lines, with literals, without the last CR LF */
	unsigned sent, done; /* tags of commands: the last that was sent, and that was answered */

	/* Literals behind BODY[] go here, one behind the other. */
	int spool;
	uint64_t spooled;
};

/* imap://host[:port]/, imaps://. -1: it is something else. *host is in the arena. */
struct imap_url {
	char *host, *port;
	bool tls; /* from the start */
};
int imap_url_parse(struct span text, struct imap_url *out, struct arena *a, struct err *e);

/* A socket that is connected; -1. */
int imapc_connect(const struct imap_url *url, struct err *e);

void imapc_init(struct imapc *c, int fd, int spool);
void imapc_free(struct imapc *c);
int imapc_tls(struct imapc *c, const struct tls_ctx *t, char *host, bool verify, struct err *e);

/* Send "TAG text"; imapc_next gives what comes. */
int imapc_send(struct imapc *c, const char *text, struct err *e);
int imapc_raw(struct imapc *c, struct span octets, struct err *e);

/*
 * The next response is in c->response. 1: an untagged one, or "+"; 0: that of the oldest command not
 * answered yet: OK; -1. NO and BAD are ERR_PERM, with the server's text; the connection can be used on.
 */
int imapc_next(struct imapc *c, struct err *e);

/* A command to its end: each untagged response is given to `one`, which may be NULL. */
int imapc_do(struct imapc *c, const char *text, int (*one)(void *arg, struct span response, struct err *e),
    void *arg, struct err *e);

/* Append a name as a quoted string. -1: it has octets that can't be in one. */
int imapc_quote(struct span text, struct buf *out, struct err *e);

#endif
