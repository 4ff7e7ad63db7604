/*
 * remotekey.h - a private key that is somewhere else: what OpenSSL needs of it goes to keyd.
 *
 * The programs that speak TLS hold certificates only. A memory error in one of them can make keyd sign
 * while it lasts, but can never give the key away. RSA and EC keys; a handshake costs one round trip on a
 * Unix socket (about 30 us) beside the signature itself.
 */
#ifndef IO_REMOTEKEY_H
#define IO_REMOTEKEY_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/base.h"

/*
 * Signs `input` with the key whose id is given (keyd.h), into out[0..*n), *n the room at first. Returns 0, or
 * -1 after logging why; the handshake then fails.
 */
typedef int remotekey_sign(
    void *arg, const unsigned char id[32], uint32_t how, struct span input, unsigned char *out, size_t *n);

/*
 * The private key that belongs to the certificate, for SSL_CTX_use_PrivateKey. `sign` and `arg` are used at
 * each handshake and must outlive the key. NULL with *e (ERR_PERM) for a kind of key that can't be remote.
 */
EVP_PKEY *remotekey_new(X509 *cert, remotekey_sign *sign, void *arg, struct err *e);

/* The id of a key: SHA-256 of its SubjectPublicKeyInfo (DER). -1 with *e when it has none. */
int remotekey_id(EVP_PKEY *key, unsigned char id[32], struct err *e);

#endif
