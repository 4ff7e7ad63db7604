/* crypt.c - the hashes of crypt(3), by libxcrypt. */
#include <crypt.h>
#include <sodium.h>
#include <stdlib.h>

#include "pw/pw.h"
#include "pw/scheme.h"

/* The slowest that is worked on: 2^16 of bcrypt and five million of SHA-crypt take some seconds. */
enum { BLOWFISH_COST_MIN = 4, BLOWFISH_COST_MAX = 16, SHA_ROUNDS_MAX = 5000000 };

static const char itoa64[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static int
itoa64_value(char c)
{
	const char *at = c != '\0' ? strchr(itoa64, c) : NULL;

	return at != NULL ? (int)(at - itoa64) : -1;
}

static bool
all_itoa64(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (itoa64_value(s.p[i]) < 0)
			return false;
	return true;
}

static int
bad_digest(struct span got, size_t want, const char *what, struct err *e)
{
	if (got.n != want)
		return err_set(
		    e, ERR_PEER, "%s hash of %zu characters where %zu are wanted", what, got.n, want);
	if (!all_itoa64(got))
		return err_set(e, ERR_PEER, "%s hash with a character that is not of ./0-9A-Za-z", what);
	return 0;
}

/* salt '$' digest, at the end of MD5-, SHA256- and SHA512-crypt. */
static int
salt_and_digest(struct span s, size_t salt_max, size_t digest, const char *what, struct err *e)
{
	ssize_t end = span_rchr(s, '$');

	if (end < 0 || (size_t)end > salt_max)
		return err_set(
		    e, ERR_PEER, "%s hash without a salt of at most %zu characters", what, salt_max);
	for (ssize_t i = 0; i < end; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] > '~' || strchr("$:;*!\\", s.p[i]))
			return err_set(e, ERR_PEER, "%s hash with a salt that crypt(3) refuses", what);
	return bad_digest(span_from(s, (size_t)end + 1), digest, what, e);
}

/* 1000 rounds of MD5, a quarter of a millisecond. */
static int
md5_form(struct span s, struct err *e)
{
	return salt_and_digest(span_from(s, 3), 8, 22, "MD5-crypt", e);
}

/* Akkadia's "Unix crypt using SHA-256 and SHA-512": rounds are 5000 when not given. */
static int
sha_form(struct span s, struct err *e)
{
	bool big = s.p[1] == '6';
	const char *what = big ? "SHA512-crypt" : "SHA256-crypt";
	struct span rest = span_from(s, 3);
	uint32_t rounds;

	if (span_starts(rest, "rounds=")) {
		struct span n = span_cut(&rest, '$');

		if (span_u32(span_from(n, 7), &rounds, NULL) < 0 || rounds < 1000 || rounds > SHA_ROUNDS_MAX)
			return err_set(
			    e, ERR_PEER, "%s hash with rounds outside 1000..%d", what, SHA_ROUNDS_MAX);
	}
	return salt_and_digest(rest, 16, big ? 86 : 43, what, e) < 0 ? -1 : 1;
}

/* $2y$NN$ and 22 characters of salt, 31 of hash. */
static int
blowfish_form(struct span s, struct err *e)
{
	uint32_t cost;

	if (s.n < 7 || s.p[3] != '$' || s.p[6] != '$' ||
	    span_u32(span_head(span_from(s, 4), 2), &cost, NULL) < 0)
		return err_set(e, ERR_PEER, "bcrypt hash without a cost of two digits");
	if (cost < BLOWFISH_COST_MIN || cost > BLOWFISH_COST_MAX)
		return err_set(e, ERR_PEER, "bcrypt hash with a cost outside %d..%d", BLOWFISH_COST_MIN,
		    BLOWFISH_COST_MAX);
	return bad_digest(span_from(s, 7), 53, "bcrypt", e) < 0 ? -1 : 1;
}

/*
 * yescrypt: $y$ flavour N r $ salt $ hash. The flavour is j, which crypt(5) alone makes; N is 2 to the
 * power of (value + 1) and r is value + 1, in one character each; the memory is 128 * N * r octets.
 */
static int
yescrypt_form(struct span s, struct err *e)
{
	struct span rest = span_from(s, 3), param = span_cut(&rest, '$');
	int n_log2, r;

	if (param.n != 3 || param.p[0] != 'j')
		return err_set(e, ERR_PEER, "yescrypt hash with other parameters than crypt(5) makes");
	n_log2 = itoa64_value(param.p[1]) + 1;
	r = itoa64_value(param.p[2]) + 1;
	if (n_log2 < 2 || n_log2 > 18 || r < 1 || r > 32)
		return err_set(e, ERR_PEER, "yescrypt hash with a cost that is out of range");
	if (!all_itoa64(span_cut(&rest, '$')))
		return err_set(e, ERR_PEER, "yescrypt hash with a salt that is not of ./0-9A-Za-z");
	return bad_digest(rest, 43, "yescrypt", e) < 0 ? -1 : 1;
}

static int
des_form(struct span s, struct err *e)
{
	return bad_digest(s, 13, "DES-crypt", e);
}

static const struct {
	const char *prefix;
	int (*form)(struct span s, struct err *e);
} methods[] = {
	{ "$1$", md5_form },
	{ "$5$", sha_form },
	{ "$6$", sha_form },
	{ "$2a$", blowfish_form },
	{ "$2b$", blowfish_form },
	{ "$2x$", blowfish_form },
	{ "$2y$", blowfish_form },
	{ "$y$", yescrypt_form },
};

int
pw_crypt_form(const struct pw_scheme *s, struct span hash, struct err *e)
{
	if (s->prefix != NULL && !span_starts(hash, s->prefix))
		return err_set(e, ERR_PEER, "{%s}: the hash does not start with %s", s->name, s->prefix);
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
		if (span_starts(hash, methods[i].prefix))
			return methods[i].form(hash, e);
	if (span_starts(hash, "$") || span_starts(hash, "_"))
		return err_set(e, ERR_PEER, "{%s}: a method of crypt(3) that is not supported", s->name);
	return des_form(hash, e);
}

int
pw_crypt_verify(const struct pw_scheme *s, struct span hash, struct span password, struct err *e)
{
	struct crypt_data *work;
	char *text;
	const char *got;
	int same;

	(void)s;
	if (password.n >= CRYPT_MAX_PASSPHRASE_SIZE)
		return 0; /* crypt(3) takes no such password, so none has this hash */
	work = mem_zero(1, sizeof *work);
	text = mem_zero(1, hash.n + password.n + 2);
	memcpy(text, hash.p, hash.n);
	memcpy(text + hash.n + 1, password.p, password.n);
	got = crypt_r(text + hash.n + 1, text, work);
	if (got == NULL || got[0] == '*')
		same = err_set(e, ERR_TEMP, "crypt: %m");
	else
		same = pw_same(span_str(got), hash);
	sodium_memzero(text, hash.n + password.n + 2);
	sodium_memzero(work, sizeof *work);
	free(text);
	free(work);
	return same;
}
