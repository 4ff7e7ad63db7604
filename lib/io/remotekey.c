/*
 * OpenSSL 3 has no stable way to put a private key elsewhere short of a provider; the methods of RSA and EC
 * keys, deprecated as they are, work in every 3.x and are three functions.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "io/remotekey.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "ipc/keyd.h"

/* Hangs off the RSA or EC_KEY object; freed with it. */
struct remote {
	remotekey_sign *sign;
	void *arg;
	unsigned char id[KEYD_ID];
};

static void
remote_gone(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
	(void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
	free(ptr);
}

static int
rsa_slot(void)
{
	static int slot = -1; /* OpenSSL's registry of slots is global as well */

	if (slot < 0)
		slot = RSA_get_ex_new_index(0, NULL, NULL, NULL, remote_gone);
	return slot;
}

static int
ec_slot(void)
{
	static int slot = -1;

	if (slot < 0)
		slot = EC_KEY_get_ex_new_index(0, NULL, NULL, NULL, remote_gone);
	return slot;
}

/* For RSA_METHOD: the signature's length, or -1. */
static int
rsa_private(int n, const unsigned char *from, unsigned char *to, RSA *rsa, int padding)
{
	const struct remote *r = RSA_get_ex_data(rsa, rsa_slot());
	size_t out = (size_t)RSA_size(rsa);
	uint32_t how;

	if (padding == RSA_NO_PADDING)
		how = KEYD_RSA_RAW;
	else if (padding == RSA_PKCS1_PADDING)
		how = KEYD_RSA_PKCS1;
	else
		return -1;
	if (n < 0 || r->sign(r->arg, r->id, how, span_of(from, (size_t)n), to, &out) < 0)
		return -1;
	return (int)out;
}

/* Key exchange by RSA decryption is not offered; should OpenSSL ask, it is refused. */
static int
rsa_no_decrypt(int n, const unsigned char *from, unsigned char *to, RSA *rsa, int padding)
{
	(void)n, (void)from, (void)to, (void)rsa, (void)padding;
	return -1;
}

/* For EC_KEY_METHOD: 1 or 0. */
static int
ec_sign(int type, const unsigned char *digest, int n, unsigned char *sig, unsigned int *siglen,
    const BIGNUM *kinv, const BIGNUM *rp, EC_KEY *key)
{
	const struct remote *r = EC_KEY_get_ex_data(key, ec_slot());
	size_t out = (size_t)ECDSA_size(key);

	(void)type, (void)kinv, (void)rp;
	if (n < 0 || r->sign(r->arg, r->id, KEYD_EC, span_of(digest, (size_t)n), sig, &out) < 0)
		return 0;
	*siglen = (unsigned int)out;
	return 1;
}

static const RSA_METHOD *
rsa_method(void)
{
	static RSA_METHOD *m; /* made once, never changed */

	if (m == NULL) {
		m = RSA_meth_dup(RSA_get_default_method());
		need(m != NULL);
		RSA_meth_set_priv_enc(m, rsa_private);
		RSA_meth_set_priv_dec(m, rsa_no_decrypt);
	}
	return m;
}

static const EC_KEY_METHOD *
ec_method(void)
{
	static EC_KEY_METHOD *m;

	if (m == NULL) {
		m = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
		need(m != NULL);
		EC_KEY_METHOD_set_sign(m, ec_sign, NULL, NULL);
	}
	return m;
}

int
remotekey_id(EVP_PKEY *key, unsigned char id[32], struct err *e)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der);

	if (n <= 0)
		return err_set(e, ERR_PERM, "the key has no public half");
	SHA256(der, (size_t)n, id);
	OPENSSL_free(der);
	return 0;
}

/* A key object that has *r takes it: it is freed with it. */
static bool
wrap_rsa(EVP_PKEY *public, EVP_PKEY *private, struct remote *r)
{
	RSA *rsa = EVP_PKEY_get1_RSA(public);

	if (rsa != NULL && RSA_set_method(rsa, rsa_method()) && EVP_PKEY_assign_RSA(private, rsa))
		return RSA_set_ex_data(rsa, rsa_slot(), r);
	RSA_free(rsa);
	return false;
}

static bool
wrap_ec(EVP_PKEY *public, EVP_PKEY *private, struct remote *r)
{
	EC_KEY *ec = EVP_PKEY_get1_EC_KEY(public);

	if (ec != NULL && EC_KEY_set_method(ec, ec_method()) && EVP_PKEY_assign_EC_KEY(private, ec))
		return EC_KEY_set_ex_data(ec, ec_slot(), r);
	EC_KEY_free(ec);
	return false;
}

EVP_PKEY *
remotekey_new(X509 *cert, remotekey_sign *sign, void *arg, struct err *e)
{
	EVP_PKEY *public = X509_get_pubkey(cert), *private = EVP_PKEY_new();
	struct remote *r = mem_zero(1, sizeof *r);
	bool ok = false;

	r->sign = sign;
	r->arg = arg;
	if (public == NULL || private == NULL || remotekey_id(public, r->id, e) < 0)
		err_set(e, ERR_PERM, "the certificate's key can't be read");
	else if (EVP_PKEY_base_id(public) == EVP_PKEY_RSA)
		ok = wrap_rsa(public, private, r);
	else if (EVP_PKEY_base_id(public) == EVP_PKEY_EC)
		ok = wrap_ec(public, private, r);
	else
		err_set(e, ERR_PERM, "neither an RSA nor an EC key: make one of these kinds");
	EVP_PKEY_free(public);
	if (ok)
		return private;
	err_set(e, ERR_PERM, "OpenSSL does not take the key");
	EVP_PKEY_free(private);
	free(r);
	return NULL;
}
