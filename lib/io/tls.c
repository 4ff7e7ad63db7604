#include "io/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { PEM_MAX = 1024 * 1024 };

/* AEAD first, then what clients of ten years ago have; all with forward secrecy. TLS 1.3 has its own. */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:ECDHE+AES:!aNULL:!eNULL";

struct tls_ctx {
	SSL_CTX *ssl;
	int64_t cert_end;
};

int
tls_err(struct err *e, enum err_kind kind, const char *what)
{
	unsigned long code = ERR_get_error();
	char text[160] = "no reason given";

	if (code != 0)
		ERR_error_string_n(code, text, sizeof text);
	ERR_clear_error();
	return err_set(e, kind, "%s: %s", what, text);
}

static struct tls_ctx *
ctx_new(const SSL_METHOD *method, struct err *e)
{
	struct tls_ctx *t = mem_zero(1, sizeof *t);

	if ((t->ssl = SSL_CTX_new(method)) == NULL) {
		tls_err(e, ERR_TEMP, "TLS context");
		free(t);
		return NULL;
	}
	SSL_CTX_set_min_proto_version(t->ssl, TLS1_2_VERSION);
	SSL_CTX_set_options(
	    t->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT |
			SSL_OP_CIPHER_SERVER_PREFERENCE |
			SSL_OP_IGNORE_UNEXPECTED_EOF); /* mail protocols say themselves where they end */
	/* read_ahead: one read for a record and its head, not two. */
	SSL_CTX_set_mode(t->ssl,
	    SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(t->ssl, 1);
	return t;
}

void
tls_free(struct tls_ctx *t)
{
	if (t == NULL)
		return;
	SSL_CTX_free(t->ssl);
	free(t);
}

SSL_CTX *
tls_ssl_ctx(const struct tls_ctx *t)
{
	return t->ssl;
}

int64_t
tls_cert_end(const struct tls_ctx *t)
{
	return t->cert_end;
}

/* A whole PEM file, wiped by who frees it. */
static int
read_pem(int fd, struct buf *b, struct err *e)
{
	for (;;) {
		char *to = buf_room(b, e, 4096);
		ssize_t n;

		if (to == NULL)
			return -1;
		if ((n = pread(fd, to, 4096, (off_t)b->n)) < 0)
			return err_set(e, ERR_TEMP, "read: %m");
		if (n == 0)
			return 0;
		b->n += (size_t)n;
	}
}

/* A key with a pass phrase is refused, not asked for at a terminal. */
static int
no_password(char *out, int size, int writing, void *arg)
{
	(void)out, (void)size, (void)writing, (void)arg;
	return -1;
}

static int64_t
not_after(X509 *cert)
{
	struct tm tm = { 0 };

	return ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1 ? timegm(&tm) : 0;
}

/* The certificate, then those that sign it. */
static int
use_chain(struct tls_ctx *t, struct span pem, struct err *e)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	X509 *cert = PEM_read_bio_X509_AUX(bio, NULL, no_password, NULL);
	int rc = -1;

	if (cert == NULL || SSL_CTX_use_certificate(t->ssl, cert) != 1) {
		tls_err(e, ERR_PERM, "certificate");
		goto out;
	}
	t->cert_end = not_after(cert);
	for (;;) {
		X509 *next = PEM_read_bio_X509(bio, NULL, no_password, NULL);

		if (next == NULL)
			break;
		if (SSL_CTX_add0_chain_cert(t->ssl, next) != 1) {
			X509_free(next);
			tls_err(e, ERR_PERM, "certificate chain");
			goto out;
		}
	}
	ERR_clear_error(); /* the end of the file */
	rc = 0;
out:
	X509_free(cert);
	BIO_free(bio);
	return rc;
}

/* Takes the key, which may be NULL with *e set. */
static int
use_key(struct tls_ctx *t, EVP_PKEY *key, struct err *e)
{
	int rc = -1;

	if (key != NULL &&
	    (SSL_CTX_use_PrivateKey(t->ssl, key) != 1 || SSL_CTX_check_private_key(t->ssl) != 1))
		tls_err(e, ERR_PERM, "private key and certificate");
	else if (key != NULL)
		rc = 0;
	EVP_PKEY_free(key);
	return rc;
}

static EVP_PKEY *
read_key(int fd, struct err *e)
{
	EVP_PKEY *key = NULL;
	struct buf pem;
	BIO *bio;

	buf_init(&pem, PEM_MAX);
	if (read_pem(fd, &pem, e) == 0) {
		bio = BIO_new_mem_buf(pem.p, (int)pem.n);
		if ((key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL)) == NULL)
			tls_err(e, ERR_PERM, "private key");
		BIO_free(bio);
	}
	buf_wipe(&pem);
	return key;
}

/* A server's context with its certificates, and no key yet. */
static struct tls_ctx *
server_new(int cert_fd, struct err *e)
{
	struct tls_ctx *t = ctx_new(TLS_server_method(), e);
	struct buf pem;

	if (t == NULL)
		return NULL;
	SSL_CTX_set_cipher_list(t->ssl, ciphers);
	SSL_CTX_set_dh_auto(t->ssl, 1);
	SSL_CTX_set_session_cache_mode(t->ssl, SSL_SESS_CACHE_OFF); /* tickets are kept by the client */
	SSL_CTX_set_session_id_context(t->ssl, (const unsigned char *)"rookery", 7);
	SSL_CTX_set_num_tickets(t->ssl, 1);
	buf_init(&pem, PEM_MAX);
	if (read_pem(cert_fd, &pem, e) < 0 || use_chain(t, buf_span(&pem), e) < 0) {
		tls_free(t);
		t = NULL;
	}
	buf_free(&pem);
	return t;
}

struct tls_ctx *
tls_server(int cert_fd, int key_fd, struct err *e)
{
	struct tls_ctx *t = server_new(cert_fd, e);

	if (t == NULL || use_key(t, read_key(key_fd, e), e) == 0)
		return t;
	tls_free(t);
	return NULL;
}

struct tls_ctx *
tls_server_key(int cert_fd, EVP_PKEY *(*key)(X509 *cert, void *arg, struct err *e), void *arg, struct err *e)
{
	struct tls_ctx *t = server_new(cert_fd, e);

	if (t == NULL || use_key(t, key(SSL_CTX_get0_certificate(t->ssl), arg, e), e) == 0)
		return t;
	tls_free(t);
	return NULL;
}

struct tls_ctx *
tls_client(bool verify, struct err *e)
{
	struct tls_ctx *t = ctx_new(TLS_client_method(), e);

	if (t == NULL || !verify)
		return t;
	SSL_CTX_set_verify(t->ssl, SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_set_default_verify_paths(t->ssl) != 1) {
		tls_err(e, ERR_PERM, "the system's certificates");
		tls_free(t);
		return NULL;
	}
	return t;
}
