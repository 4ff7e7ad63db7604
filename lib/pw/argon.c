/*
 * argon.c - {ARGON2I} and {ARGON2ID} (RFC 9106) by libsodium: $argon2id$v=19$m=KIB,t=PASSES,p=LANES$salt$key,
 * salt and key in base64 without padding.
 */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#include "pw/pw.h"
#include "pw/scheme.h"

enum { KIB_MAX = 1024 * 1024, PASSES_MAX = 64, LANES_MAX = 16 };

/* Memory times passes: 4 GiB to fill take some two seconds. */
static const uint64_t WORK_MAX = 4ull * 1024 * 1024;

/* name=NUMBER of 1..max, the next field of a list with commas. */
static int
number(struct span *rest, const char *name, uint32_t max, uint32_t *out)
{
	struct span f = span_cut(rest, ',');
	size_t n = strlen(name);

	if (!span_starts(f, name) || f.n <= n || f.p[n] == '0' || span_u32(span_from(f, n), out, NULL) < 0)
		return -1;
	return *out <= max ? 0 : -1;
}

static bool
base64_of(struct span s, size_t min, size_t max)
{
	unsigned char out[128];
	size_t n;

	if (sodium_base642bin(
		out, sizeof out, s.p, s.n, NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0)
		return false;
	return n >= min && n <= max;
}

int
pw_argon_form(const struct pw_scheme *s, struct span hash, struct err *e)
{
	struct span rest, costs;
	uint32_t kib, passes, lanes;

	if (!span_starts(hash, s->prefix))
		return err_set(e, ERR_PEER, "{%s}: the hash does not start with %s", s->name, s->prefix);
	rest = span_from(hash, strlen(s->prefix));
	costs = span_cut(&rest, '$');
	if (number(&costs, "m=", KIB_MAX, &kib) < 0 || number(&costs, "t=", PASSES_MAX, &passes) < 0 ||
	    number(&costs, "p=", LANES_MAX, &lanes) < 0 || costs.n > 0 || kib < 8 * lanes ||
	    (uint64_t)kib * passes > WORK_MAX)
		return err_set(e, ERR_PEER, "{%s}: costs that are no m=,t=,p= or beyond 1 GiB or %d passes",
		    s->name, PASSES_MAX);
	if (!base64_of(span_cut(&rest, '$'), 8, 64))
		return err_set(e, ERR_PEER, "{%s}: the salt is not base64 of 8..64 octets", s->name);
	if (!base64_of(rest, 16, 128))
		return err_set(e, ERR_PEER, "{%s}: the key is not base64 of 16..128 octets", s->name);
	return 1;
}

int
pw_argon_verify(const struct pw_scheme *s, struct span hash, struct span password, struct err *e)
{
	char *text = mem_zero(1, hash.n + 1);
	int same;

	memcpy(text, hash.p, hash.n);
	errno = 0;
	same = crypto_pwhash_str_verify(text, password.p, password.n) == 0;
	if (!same && errno == ENOMEM)
		same = err_set(e, ERR_TEMP, "{%s}: %m", s->name);
	free(text);
	return same;
}

int
pw_hash(struct span password, const struct pw_cost *cost, struct buf *out, struct err *e)
{
	char text[crypto_pwhash_STRBYTES];

	if (pw_password_valid(password, e) < 0)
		return -1;
	if (crypto_pwhash_str_alg(text, password.p, password.n, cost->passes, (size_t)cost->memory_kib * 1024,
		crypto_pwhash_ALG_ARGON2ID13) != 0)
		return err_set(e, ERR_TEMP, "no memory to hash a password: %u KiB", cost->memory_kib);
	return buf_printf(out, e, "{ARGON2ID}%s", text);
}

void
pw_dummy_verify(struct span password, const struct pw_cost *cost)
{
	static const unsigned char salt[crypto_pwhash_SALTBYTES] = "nobody is here";
	unsigned char key[32];

	/* Whether it succeeds does not matter: only the time it takes does. */
	(void)!crypto_pwhash(key, sizeof key, password.p, password.n < PW_MAX ? password.n : PW_MAX, salt,
	    cost->passes, (size_t)cost->memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13);
	sodium_memzero(key, sizeof key);
}
