/* digest.c - one digest of the password, with a salt behind it or without: SHA, SSHA and their kin. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>

#include "pw/pw.h"
#include "pw/scheme.h"

static const EVP_MD *
md_of(enum pw_digest d)
{
	switch (d) {
	case PW_MD5:
		return EVP_md5();
	case PW_SHA1:
		return EVP_sha1();
	case PW_SHA256:
		return EVP_sha256();
	case PW_SHA512:
		return EVP_sha512();
	case PW_NO_DIGEST:
		break;
	}
	need(d != PW_NO_DIGEST); /* a scheme without a digest has none to ask for */
	return NULL;
}

size_t
pw_digest_size(enum pw_digest d)
{
	return d == PW_NO_DIGEST ? 0 : (size_t)EVP_MD_get_size(md_of(d));
}

static int
try_digest(enum pw_digest d, struct span a, struct span b, unsigned char *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok = ctx != NULL && EVP_DigestInit_ex(ctx, md_of(d), NULL) == 1 &&
		 EVP_DigestUpdate(ctx, a.p, a.n) == 1 && EVP_DigestUpdate(ctx, b.p, b.n) == 1 &&
		 EVP_DigestFinal_ex(ctx, out, NULL) == 1;

	EVP_MD_CTX_free(ctx); /* wipes */
	return ok ? 0 : -1;
}

/* That all of them work is seen by pw_digest_init(), so that later a failure is a broken promise. */
void
pw_digest_of(enum pw_digest d, struct span a, struct span b, unsigned char *out)
{
	need(try_digest(d, a, b, out) == 0);
}

void
pw_hmac(enum pw_digest d, struct span key, struct span text, unsigned char *out)
{
	need(HMAC(md_of(d), key.p, (int)key.n, (const unsigned char *)text.p, text.n, out, NULL) != NULL);
}

void
pw_pbkdf2(
    enum pw_digest d, struct span password, struct span salt, uint32_t rounds, unsigned char *out, size_t n)
{
	need(PKCS5_PBKDF2_HMAC(password.p, (int)password.n, (const unsigned char *)salt.p, (int)salt.n,
		 (int)rounds, md_of(d), (int)n, out) == 1);
}

int
pw_digest_init(struct err *e)
{
	unsigned char out[PW_DIGEST_MAX];

	if (OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL) != 1)
		return err_set(e, ERR_TEMP, "OpenSSL does not start");
	for (enum pw_digest d = PW_MD5; d <= PW_SHA512; d++)
		if (try_digest(d, SPAN("x"), SPAN(""), out) < 0)
			return err_set(e, ERR_TEMP, "OpenSSL has no %s", EVP_MD_get0_name(md_of(d)));
	pw_hmac(PW_SHA1, SPAN("k"), SPAN("x"), out);
	pw_pbkdf2(PW_SHA256, SPAN("k"), SPAN("x"), 1, out, 32);
	return 0;
}

int
pw_digest_form(const struct pw_scheme *s, struct span hash, struct err *e)
{
	size_t want = pw_digest_size(s->digest);

	if (hash.n != want)
		return err_set(e, ERR_PEER, "{%s}: %zu octets where %zu are wanted", s->name, hash.n, want);
	return 0;
}

int
pw_salted_form(const struct pw_scheme *s, struct span hash, struct err *e)
{
	size_t size = pw_digest_size(s->digest);

	if (hash.n <= size)
		return err_set(e, ERR_PEER, "{%s}: %zu octets leave no salt behind a digest of %zu", s->name,
		    hash.n, size);
	return 0;
}

/* The salt, if any, is what follows the digest. */
int
pw_digest_verify(const struct pw_scheme *s, struct span hash, struct span password, struct err *e)
{
	unsigned char out[PW_DIGEST_MAX];
	size_t size = pw_digest_size(s->digest);
	int same;

	(void)e;
	pw_digest_of(s->digest, password, span_from(hash, size), out);
	same = sodium_memcmp(out, hash.p, size) == 0;
	sodium_memzero(out, sizeof out);
	return same;
}
