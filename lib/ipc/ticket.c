#include "ipc/ticket.h"

#include <sodium.h>

enum { VERSION = 1, FIELDS = 6, FIELD_MAX = 512 };

static const char purpose[] = "rookery ticket 1";
static const char secret_mark[] = "rookery-ticket-key-1 ";
static const char public_mark[] = "rookery-ticket-pub-1 ";

_Static_assert(TICKET_SECRET_SIZE == crypto_sign_SECRETKEYBYTES, "libsodium's secret key");
_Static_assert(TICKET_PUBLIC_SIZE == crypto_sign_PUBLICKEYBYTES, "libsodium's public key");

/* ---- the files */

static void
key_text(struct buf *out, const char *mark, const unsigned char *key, size_t n)
{
	char text[256];

	need(sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL) <= sizeof text);
	sodium_bin2base64(text, sizeof text, key, n, sodium_base64_VARIANT_ORIGINAL);
	buf_str(out, NULL, mark);
	buf_str(out, NULL, text);
	buf_byte(out, NULL, '\n');
	sodium_memzero(text, sizeof text);
}

void
ticket_keys_make(struct buf *secret, struct buf *public)
{
	unsigned char sk[TICKET_SECRET_SIZE], pk[TICKET_PUBLIC_SIZE];

	need(sodium_init() >= 0);
	crypto_sign_keypair(pk, sk);
	key_text(secret, secret_mark, sk, sizeof sk);
	key_text(public, public_mark, pk, sizeof pk);
	sodium_memzero(sk, sizeof sk);
}

static int
key_load(struct span text, const char *mark, unsigned char *out, size_t n, struct err *e)
{
	size_t got = 0;

	if (sodium_init() < 0)
		return err_set(e, ERR_TEMP, "libsodium does not start");
	text = span_trim_ws(text);
	if (!span_starts(text, mark))
		return err_set(e, ERR_PERM, "not a ticket key: it does not start with %s", mark);
	text = span_from(text, strlen(mark));
	if (sodium_base642bin(out, n, text.p, text.n, NULL, &got, NULL, sodium_base64_VARIANT_ORIGINAL) !=
		0 ||
	    got != n)
		return err_set(e, ERR_PERM, "not a ticket key: it is not base64 of %zu octets", n);
	return 0;
}

int
ticket_secret_load(struct span text, struct ticket_secret *out, struct err *e)
{
	return key_load(text, secret_mark, out->key, sizeof out->key, e);
}

int
ticket_public_load(struct span text, struct ticket_public *out, struct err *e)
{
	return key_load(text, public_mark, out->key, sizeof out->key, e);
}

/* ---- signing */

static void
put_number(struct buf *out, uint64_t v, size_t octets)
{
	for (size_t i = 0; i < octets; i++)
		buf_byte(out, NULL, (char)(v >> 8 * i & 0xff));
}

/* What is signed starts with what it is for, so that a signature is of no use elsewhere. */
static void
signature(const struct ticket_secret *key, struct span body, unsigned char *sig)
{
	crypto_sign_state st;

	crypto_sign_init(&st);
	crypto_sign_update(&st, (const unsigned char *)purpose, sizeof purpose - 1);
	crypto_sign_update(&st, (const unsigned char *)body.p, body.n);
	crypto_sign_final_create(&st, sig, NULL, key->key);
}

static bool
signed_by(const struct ticket_public *key, struct span body, const unsigned char *sig)
{
	crypto_sign_state st;

	crypto_sign_init(&st);
	crypto_sign_update(&st, (const unsigned char *)purpose, sizeof purpose - 1);
	crypto_sign_update(&st, (const unsigned char *)body.p, body.n);
	return crypto_sign_final_verify(&st, sig, key->key) == 0;
}

int
ticket_sign(const struct ticket *t, const struct ticket_secret *key, struct buf *out, struct err *e)
{
	const struct span f[FIELDS] = { t->owner, t->login, t->service, t->node, t->client, t->sid };
	unsigned char nonce[TICKET_NONCE], sig[crypto_sign_BYTES];
	struct buf body;

	for (size_t i = 0; i < FIELDS; i++)
		if (f[i].n > FIELD_MAX)
			return err_set(e, ERR_PEER, "a ticket's field of %zu octets", f[i].n);
	buf_init(&body, TICKET_MAX);
	randombytes_buf(nonce, sizeof nonce);
	put_number(&body, VERSION, 1);
	put_number(&body, t->expiry_ms, 8);
	buf_add(&body, NULL, span_of(nonce, sizeof nonce));
	for (size_t i = 0; i < FIELDS; i++) {
		put_number(&body, f[i].n, 2);
		buf_add(&body, NULL, f[i]);
	}
	signature(key, buf_span(&body), sig);
	buf_add(&body, NULL, span_of(sig, sizeof sig));
	buf_add(out, e, buf_span(&body));
	buf_free(&body);
	return e != NULL && e->kind != ERR_NONE ? -1 : 0;
}

/* ---- verifying */

static uint64_t
take_number(struct span *in, size_t octets)
{
	uint64_t v = 0;

	for (size_t i = 0; i < octets; i++)
		v |= (uint64_t)(unsigned char)in->p[i] << 8 * i;
	*in = span_from(*in, octets);
	return v;
}

/* The body is of our own making once its signature holds; it is checked all the same. */
static int
parse(struct span in, struct ticket *out, struct err *e)
{
	struct span *const f[FIELDS] = { &out->owner, &out->login, &out->service, &out->node, &out->client,
		&out->sid };

	if (in.n < 1 + 8 + TICKET_NONCE || take_number(&in, 1) != VERSION)
		return err_set(e, ERR_PEER, "a ticket of another version");
	out->expiry_ms = take_number(&in, 8);
	memcpy(out->nonce, in.p, TICKET_NONCE);
	in = span_from(in, TICKET_NONCE);
	for (size_t i = 0; i < FIELDS; i++) {
		size_t n;

		if (in.n < 2 || (n = (size_t)take_number(&in, 2)) > in.n)
			return err_set(e, ERR_PEER, "a ticket that is cut");
		*f[i] = span_head(in, n);
		in = span_from(in, n);
	}
	return in.n == 0 ? 0 : err_set(e, ERR_PEER, "a ticket with something behind it");
}

int
ticket_verify(struct span in, const struct ticket_public *key, const struct ticket *want, uint64_t now_ms,
    struct ticket *out, struct err *e)
{
	struct ticket t = { 0 };
	struct span body;

	if (in.n <= crypto_sign_BYTES || in.n > TICKET_MAX)
		return err_set(e, ERR_PEER, "not a ticket");
	body = span_head(in, in.n - crypto_sign_BYTES);
	if (!signed_by(key, body, (const unsigned char *)in.p + body.n))
		return err_set(e, ERR_PEER, "a ticket that is not signed by this system's authd");
	if (parse(body, &t, e) < 0)
		return -1;
	if (now_ms >= t.expiry_ms)
		return err_set(e, ERR_PEER, "a ticket that has expired");
	if (!span_same(t.service, want->service))
		return err_set(e, ERR_PEER, "a ticket for another service");
	if (!span_same(t.node, want->node))
		return err_set(e, ERR_PEER, "a ticket for another node");
	if (!span_same(t.client, want->client))
		return err_set(e, ERR_PEER, "a ticket for another client");
	if (!span_same(t.sid, want->sid))
		return err_set(e, ERR_PEER, "a ticket for another session");
	*out = t;
	return 0;
}
