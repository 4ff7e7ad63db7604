/* unit-remotekey - a TLS handshake in memory whose server has no private key, only someone who signs. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>

#include "io/remotekey.h"
#include "ipc/keyd.h"
#include "t/tap.h"

struct holder {
	EVP_PKEY *key;
	unsigned char id[32];
	int signs;
	bool refuse;
};

static int
sign(void *arg, const unsigned char id[32], uint32_t how, struct span in, unsigned char *out, size_t *n)
{
	struct holder *h = arg;
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(h->key, NULL);
	bool ok = !h->refuse && memcmp(id, h->id, 32) == 0 && EVP_PKEY_sign_init(c) > 0;

	h->signs++;
	if (ok && how != KEYD_EC)
		ok = EVP_PKEY_CTX_set_rsa_padding(
			 c, how == KEYD_RSA_RAW ? RSA_NO_PADDING : RSA_PKCS1_PADDING) > 0;
	ok = ok && EVP_PKEY_sign(c, out, n, (const unsigned char *)in.p, in.n) > 0;
	EVP_PKEY_CTX_free(c);
	return ok ? 0 : -1;
}

static X509 *
certificate(EVP_PKEY *key)
{
	X509 *x = X509_new();

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_sign(x, key, EVP_sha256());
	return x;
}

static bool
handshake(SSL_CTX *server, int version)
{
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());
	SSL *a = SSL_new(server), *b;
	BIO *x, *y;
	bool ok;

	SSL_CTX_set_max_proto_version(client, version);
	b = SSL_new(client);
	BIO_new_bio_pair(&x, 0, &y, 0);
	SSL_set_bio(a, x, x);
	SSL_set_bio(b, y, y);
	SSL_set_accept_state(a);
	SSL_set_connect_state(b);
	for (int i = 0; i < 10; i++) {
		SSL_do_handshake(b);
		SSL_do_handshake(a);
	}
	ok = SSL_is_init_finished(a) && SSL_is_init_finished(b);
	SSL_free(a);
	SSL_free(b);
	SSL_CTX_free(client);
	return ok;
}

static void
try(const char *name, EVP_PKEY *key)
{
	struct holder h = { .key = key };
	struct err e = { 0 };
	X509 *cert = certificate(key);
	SSL_CTX *server = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *remote = remotekey_new(cert, sign, &h, &e);

	tap_ok(remote != NULL && remotekey_id(key, h.id, &e) == 0, "%s: a remote key is made (%s)", name,
	    e.text);
	tap_ok(SSL_CTX_use_certificate(server, cert) == 1 && SSL_CTX_use_PrivateKey(server, remote) == 1,
	    "%s: OpenSSL takes it for the certificate's", name);
	tap_ok(handshake(server, TLS1_3_VERSION) && h.signs == 1,
	    "%s: a TLS 1.3 handshake asks for one signature", name);
	tap_ok(handshake(server, TLS1_2_VERSION) && h.signs == 2, "%s: so does one of TLS 1.2", name);
	h.refuse = true;
	tap_ok(!handshake(server, TLS1_3_VERSION), "%s: no signature, no handshake", name);
	EVP_PKEY_free(remote);
	SSL_CTX_free(server);
	X509_free(cert);
	EVP_PKEY_free(key);
}

int
main(void)
{
	EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	X509 *cert = X509_new();
	struct err e = { 0 };

	try("EC", EVP_EC_gen("P-256"));
	try("RSA", EVP_RSA_gen(2048));
	X509_set_pubkey(cert, ed);
	tap_ok(remotekey_new(cert, sign, NULL, &e) == NULL && e.kind == ERR_PERM,
	    "another kind of key is refused: %s", e.text);
	X509_free(cert);
	EVP_PKEY_free(ed);
	return tap_done();
}
