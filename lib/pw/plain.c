/* plain.c - {PLAIN} and {CLEARTEXT}. */
#include <sodium.h>

#include "pw/pw.h"
#include "pw/scheme.h"

int
pw_plain_form(const struct pw_scheme *s, struct span hash, struct err *e)
{
	(void)s;
	return pw_password_valid(hash, e);
}

/* Digests of a random key are compared, since the stored length is a secret here. */
int
pw_plain_verify(const struct pw_scheme *s, struct span hash, struct span password, struct err *e)
{
	unsigned char key[crypto_generichash_KEYBYTES], a[32], b[32];
	int same;

	(void)s;
	(void)e;
	randombytes_buf(key, sizeof key);
	crypto_generichash(a, sizeof a, (const unsigned char *)hash.p, hash.n, key, sizeof key);
	crypto_generichash(b, sizeof b, (const unsigned char *)password.p, password.n, key, sizeof key);
	same = sodium_memcmp(a, b, sizeof a) == 0;
	sodium_memzero(key, sizeof key);
	sodium_memzero(a, sizeof a);
	sodium_memzero(b, sizeof b);
	return same;
}
