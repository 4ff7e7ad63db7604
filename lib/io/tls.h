/*
 * tls.h - OpenSSL contexts made the one way we want them: TLS 1.2 and up, no renegotiation, no compression,
 * release buffers when idle (SSL_MODE_RELEASE_BUFFERS), server ciphers by our preference, stateless tickets.
 */
#ifndef IO_TLS_H
#define IO_TLS_H

#include <openssl/ssl.h>

#include "base/base.h"

struct tls_ctx;

/*
 * A server's context from PEM files that are open already. The descriptors are read, and remain the caller's.
 */
struct tls_ctx *tls_server(int cert_fd, int key_fd, struct err *e);
/* The same with a key that is made of the certificate: one that is held elsewhere (io/remotekey.h). */
struct tls_ctx *tls_server_key(
    int cert_fd, EVP_PKEY *(*key)(X509 *cert, void *arg, struct err *e), void *arg, struct err *e);
/* A client's context; `verify`: the peer needs a certificate that the system's roots vouch for. */
struct tls_ctx *tls_client(bool verify, struct err *e);
void tls_free(struct tls_ctx *t);
SSL_CTX *tls_ssl_ctx(const struct tls_ctx *t);

/* When the certificate ends, seconds since 1970; for the log and `rookery check`. */
int64_t tls_cert_end(const struct tls_ctx *t);

/* The oldest error in OpenSSL's queue as *e, the queue emptied. */
int tls_err(struct err *e, enum err_kind kind, const char *what);

#endif
