/* fuzz/ticket.c - tickets, signed as authd would sign them so that the parser behind the signature is reached. */
#include <sodium.h>

#include "ipc/ticket.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
sign(const unsigned char *body, size_t n, struct ticket_public *key, unsigned char *sig)
{
	static const unsigned char seed[crypto_sign_SEEDBYTES] = "fuzz";
	unsigned char secret[crypto_sign_SECRETKEYBYTES];
	crypto_sign_state st;

	crypto_sign_seed_keypair(key->key, secret, seed);
	crypto_sign_init(&st);
	crypto_sign_update(&st, (const unsigned char *)"rookery ticket 1", 16);
	crypto_sign_update(&st, body, n);
	crypto_sign_final_create(&st, sig, NULL, secret);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct ticket want = { .service = { "imap", 4 } };
	unsigned char in[TICKET_MAX];
	struct ticket_public key;
	struct ticket out;
	struct err e = { 0 };

	if (n > sizeof in - crypto_sign_BYTES)
		return 0;
	memcpy(in, p, n);
	sign(p, n, &key, in + n);
	if (ticket_verify(span_of(in, n + crypto_sign_BYTES), &key, &want, 1, &out, &e) < 0)
		need(e.kind == ERR_PEER);
	return 0;
}
