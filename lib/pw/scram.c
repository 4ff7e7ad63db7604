/*
 * scram.c - {SCRAM-SHA-1} and {SCRAM-SHA-256}: iterations,salt,StoredKey,ServerKey in base64.
 *
 * RFC 5802, 3: SaltedPassword is PBKDF2 with the digest's own size, ClientKey its HMAC over "Client Key",
 * and StoredKey the digest of that. The ServerKey proves the server to a client and is of no use here, but
 * a hash without a whole one is refused, so that SCRAM logins can use what has been imported.
 */
#include <sodium.h>

#include "pw/pw.h"
#include "pw/scheme.h"

enum { SALT_MAX = 128 };

struct scram {
	uint32_t rounds;
	struct span salt; /* in salt_mem */
	unsigned char salt_mem[SALT_MAX], stored[PW_DIGEST_MAX], server[PW_DIGEST_MAX];
};

static int
parse(const struct pw_scheme *s, struct span hash, struct scram *out, struct err *e)
{
	ssize_t size = (ssize_t)pw_digest_size(s->digest), n;
	struct span rest = hash;

	if (span_u32(span_cut(&rest, ','), &out->rounds, NULL) < 0 || out->rounds < 1 ||
	    out->rounds > PW_ROUNDS_MAX)
		return err_set(e, ERR_PEER, "{%s}: iterations outside 1..%d", s->name, PW_ROUNDS_MAX);
	n = pw_decode(PW_BASE64, span_cut(&rest, ','), out->salt_mem, SALT_MAX, NULL);
	if (n < 1)
		return err_set(
		    e, ERR_PEER, "{%s}: the salt is not base64 of 1..%d octets", s->name, SALT_MAX);
	out->salt = span_of(out->salt_mem, (size_t)n);
	if (pw_decode(PW_BASE64, span_cut(&rest, ','), out->stored, PW_DIGEST_MAX, NULL) != size)
		return err_set(
		    e, ERR_PEER, "{%s}: the stored key is not base64 of %zd octets", s->name, size);
	if (pw_decode(PW_BASE64, rest, out->server, PW_DIGEST_MAX, NULL) != size)
		return err_set(
		    e, ERR_PEER, "{%s}: the server key is not base64 of %zd octets", s->name, size);
	return 0;
}

int
pw_scram_form(const struct pw_scheme *s, struct span hash, struct err *e)
{
	struct scram h = { 0 };

	if (parse(s, hash, &h, e) < 0)
		return -1;
	return h.rounds > PW_ROUNDS_CHEAP;
}

int
pw_scram_verify(const struct pw_scheme *s, struct span hash, struct span password, struct err *e)
{
	size_t size = pw_digest_size(s->digest);
	unsigned char salted[PW_DIGEST_MAX], key[PW_DIGEST_MAX], stored[PW_DIGEST_MAX];
	struct scram h = { 0 };
	int same;

	if (parse(s, hash, &h, e) < 0)
		return -1;
	pw_pbkdf2(s->digest, password, h.salt, h.rounds, salted, size);
	pw_hmac(s->digest, span_of(salted, size), SPAN("Client Key"), key);
	pw_digest_of(s->digest, span_of(key, size), SPAN(""), stored);
	same = sodium_memcmp(stored, h.stored, size) == 0;
	sodium_memzero(salted, sizeof salted);
	sodium_memzero(key, sizeof key);
	sodium_memzero(stored, sizeof stored);
	return same;
}
