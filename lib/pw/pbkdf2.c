/* pbkdf2.c - {PBKDF2}: $1$salt$rounds$hex, the salt as its characters stand, PBKDF2-HMAC-SHA1, 20 octets. */
#include <sodium.h>

#include "pw/pw.h"
#include "pw/scheme.h"

enum { KEY = 20 };

struct pbkdf2 {
	struct span salt;
	uint32_t rounds;
	unsigned char key[KEY];
};

static int
parse(struct span hash, struct pbkdf2 *out, struct err *e)
{
	struct span rest = hash;

	if (!span_starts(hash, "$1$"))
		return err_set(e, ERR_PEER, "{PBKDF2}: the hash does not start with $1$");
	rest = span_from(hash, 3);
	out->salt = span_cut(&rest, '$');
	if (span_u32(span_cut(&rest, '$'), &out->rounds, NULL) < 0 || out->rounds < 1 ||
	    out->rounds > PW_ROUNDS_MAX)
		return err_set(e, ERR_PEER, "{PBKDF2}: rounds outside 1..%d", PW_ROUNDS_MAX);
	if (pw_decode(PW_HEX, rest, out->key, KEY, NULL) != KEY)
		return err_set(e, ERR_PEER, "{PBKDF2}: the last field is not %d hex digits", 2 * KEY);
	return 0;
}

int
pw_pbkdf2_form(const struct pw_scheme *s, struct span hash, struct err *e)
{
	struct pbkdf2 h = { 0 };

	(void)s;
	if (parse(hash, &h, e) < 0)
		return -1;
	return h.rounds > PW_ROUNDS_CHEAP;
}

int
pw_pbkdf2_verify(const struct pw_scheme *s, struct span hash, struct span password, struct err *e)
{
	struct pbkdf2 h = { 0 };
	unsigned char got[KEY];
	int same;

	if (parse(hash, &h, e) < 0)
		return -1;
	pw_pbkdf2(s->digest, password, h.salt, h.rounds, got, KEY);
	same = sodium_memcmp(got, h.key, KEY) == 0;
	sodium_memzero(got, sizeof got);
	return same;
}
