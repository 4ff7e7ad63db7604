/*
 * pw.c - the table of schemes, and what stands around a hash: braces, scheme, encoding.
 *
 * The families are in files of their own, behind scheme.h.
 */
#include "pw/pw.h"

#include <sodium.h>

#include "pw/scheme.h"

static int md5_form(const struct pw_scheme *s, struct span hash, struct err *e);
static int md5_verify(const struct pw_scheme *s, struct span hash, struct span password, struct err *e);

static const struct pw_scheme schemes[] = {
	{ "PLAIN", PW_TEXT, PW_NO_DIGEST, NULL, pw_plain_form, pw_plain_verify },
	{ "CLEARTEXT", PW_TEXT, PW_NO_DIGEST, NULL, pw_plain_form, pw_plain_verify },
	{ "PLAIN-MD5", PW_HEX, PW_MD5, NULL, pw_digest_form, pw_digest_verify },
	{ "LDAP-MD5", PW_BASE64, PW_MD5, NULL, pw_digest_form, pw_digest_verify },
	{ "SHA", PW_BASE64, PW_SHA1, NULL, pw_digest_form, pw_digest_verify },
	{ "SHA1", PW_BASE64, PW_SHA1, NULL, pw_digest_form, pw_digest_verify },
	{ "SHA256", PW_BASE64, PW_SHA256, NULL, pw_digest_form, pw_digest_verify },
	{ "SHA512", PW_BASE64, PW_SHA512, NULL, pw_digest_form, pw_digest_verify },
	{ "SMD5", PW_BASE64, PW_MD5, NULL, pw_salted_form, pw_digest_verify },
	{ "SSHA", PW_BASE64, PW_SHA1, NULL, pw_salted_form, pw_digest_verify },
	{ "SSHA256", PW_BASE64, PW_SHA256, NULL, pw_salted_form, pw_digest_verify },
	{ "SSHA512", PW_BASE64, PW_SHA512, NULL, pw_salted_form, pw_digest_verify },
	{ "CRYPT", PW_TEXT, PW_NO_DIGEST, NULL, pw_crypt_form, pw_crypt_verify },
	{ "DES-CRYPT", PW_TEXT, PW_NO_DIGEST, "", pw_crypt_form, pw_crypt_verify },
	{ "MD5-CRYPT", PW_TEXT, PW_NO_DIGEST, "$1$", pw_crypt_form, pw_crypt_verify },
	{ "BLF-CRYPT", PW_TEXT, PW_NO_DIGEST, "$2", pw_crypt_form, pw_crypt_verify },
	{ "SHA256-CRYPT", PW_TEXT, PW_NO_DIGEST, "$5$", pw_crypt_form, pw_crypt_verify },
	{ "SHA512-CRYPT", PW_TEXT, PW_NO_DIGEST, "$6$", pw_crypt_form, pw_crypt_verify },
	{ "MD5", PW_TEXT, PW_MD5, NULL, md5_form, md5_verify },
	{ "PBKDF2", PW_TEXT, PW_SHA1, NULL, pw_pbkdf2_form, pw_pbkdf2_verify },
	{ "SCRAM-SHA-1", PW_TEXT, PW_SHA1, NULL, pw_scram_form, pw_scram_verify },
	{ "SCRAM-SHA-256", PW_TEXT, PW_SHA256, NULL, pw_scram_form, pw_scram_verify },
	{ "ARGON2I", PW_TEXT, PW_NO_DIGEST, "$argon2i$v=19$", pw_argon_form, pw_argon_verify },
	{ "ARGON2ID", PW_TEXT, PW_NO_DIGEST, "$argon2id$v=19$", pw_argon_form, pw_argon_verify },
};

bool
pw_same(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || sodium_memcmp(a.p, b.p, a.n) == 0);
}

ssize_t
pw_decode(enum pw_encoding enc, struct span s, unsigned char *out, size_t max, struct err *e)
{
	size_t n;

	switch (enc) {
	case PW_TEXT:
		need(s.n <= max);
		memcpy(out, s.p, s.n);
		return (ssize_t)s.n;
	case PW_HEX:
		if (sodium_hex2bin(out, max, s.p, s.n, NULL, &n, NULL) != 0)
			return err_set(e, ERR_PEER, "not hex, or too long");
		return (ssize_t)n;
	case PW_BASE64:
		if (sodium_base642bin(out, max, s.p, s.n, NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL) !=
		    0)
			return err_set(e, ERR_PEER, "not base64, or too long");
		return (ssize_t)n;
	}
	return -1;
}

/* {MD5} is what old tools called three things: see pw.h. */
static const struct pw_scheme *
md5_kind(struct span hash)
{
	static const struct pw_scheme as_crypt = { "MD5", PW_TEXT, PW_NO_DIGEST, "$1$", pw_crypt_form,
		pw_crypt_verify },
				      as_hex = { "MD5", PW_HEX, PW_MD5, NULL, pw_digest_form,
					      pw_digest_verify },
				      as_base64 = { "MD5", PW_BASE64, PW_MD5, NULL, pw_digest_form,
					      pw_digest_verify };

	if (span_starts(hash, "$"))
		return &as_crypt;
	return hash.n == 32 ? &as_hex : &as_base64;
}

static int
md5_form(const struct pw_scheme *s, struct span hash, struct err *e)
{
	unsigned char raw[PW_HASH_MAX];
	ssize_t n;

	s = md5_kind(hash);
	n = pw_decode(s->encoding, hash, raw, sizeof raw, e);
	return n < 0 ? err_prefix(e, "{MD5}: ") : s->form(s, span_of(raw, (size_t)n), e);
}

static int
md5_verify(const struct pw_scheme *s, struct span hash, struct span password, struct err *e)
{
	unsigned char raw[PW_HASH_MAX];
	ssize_t n;

	s = md5_kind(hash);
	n = pw_decode(s->encoding, hash, raw, sizeof raw, e);
	return n < 0 ? -1 : s->verify(s, span_of(raw, (size_t)n), password, e);
}

static const struct pw_scheme *
scheme_named(struct span name)
{
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
		if (span_ieq(name, schemes[i].name))
			return &schemes[i];
	return NULL;
}

static int
encoding_named(struct span name, enum pw_encoding *out)
{
	if (span_ieq(name, "HEX"))
		*out = PW_HEX;
	else if (span_ieq(name, "B64") || span_ieq(name, "BASE64"))
		*out = PW_BASE64;
	else
		return -1;
	return 0;
}

/* A digest of known size tells by its length whether it is in hex, as it does in Dovecot. */
static enum pw_encoding
encoding_seen(const struct pw_scheme *s, size_t n)
{
	if (s->form != pw_digest_form)
		return s->encoding;
	return n == 2 * pw_digest_size(s->digest) ? PW_HEX : PW_BASE64;
}

/* The octets of a hash behind its scheme and encoding. */
struct octets {
	struct span s; /* in mem */
	unsigned char mem[PW_HASH_MAX];
};

/* Take {SCHEME.ENCODING}hash apart: the scheme, or NULL with *e. */
static const struct pw_scheme *
parse(struct span in, struct octets *out, struct err *e)
{
	const struct pw_scheme *scheme;
	struct span name, dotted;
	enum pw_encoding enc;
	ssize_t end = span_chr(in, '}'), n;

	out->s = SPAN("");
	if (in.n > PW_HASH_MAX) {
		err_set(e, ERR_PEER, "a hash of more than %d octets", PW_HASH_MAX);
		return NULL;
	}
	if (in.n < 2 || in.p[0] != '{' || end < 2) {
		err_set(e, ERR_PEER, "no {SCHEME} before the hash");
		return NULL;
	}
	dotted = (struct span){ in.p + 1, (size_t)end - 1 };
	name = span_cut(&dotted, '.'); /* leaves the encoding */
	in = span_from(in, (size_t)end + 1);
	scheme = scheme_named(name);
	if (scheme == NULL) {
		err_set(e, ERR_PEER, "{%.*s} is not a supported password scheme", SPAN_ARG(name));
		return NULL;
	}
	enc = encoding_seen(scheme, in.n);
	if (dotted.n > 0 && encoding_named(dotted, &enc) < 0) {
		err_set(e, ERR_PEER, "{%s}: unknown encoding .%.*s", scheme->name, SPAN_ARG(dotted));
		return NULL;
	}
	n = pw_decode(enc, in, out->mem, sizeof out->mem, e);
	if (n < 0) {
		err_prefix(e, "{%s}: ", scheme->name);
		return NULL;
	}
	out->s = span_of(out->mem, (size_t)n);
	return scheme;
}

/* 0 cheap, 1 slow, -1 with *e: no hash. */
static int
judge(struct span hash, struct err *e)
{
	struct octets h;
	const struct pw_scheme *scheme = parse(hash, &h, e);
	int cost = scheme != NULL ? scheme->form(scheme, h.s, e) : -1;

	sodium_memzero(h.mem, sizeof h.mem);
	return cost;
}

int
pw_init(struct err *e)
{
	if (sodium_init() < 0)
		return err_set(e, ERR_TEMP, "libsodium does not start");
	return pw_digest_init(e);
}

int
pw_scheme_valid(struct span hash, struct err *e)
{
	return judge(hash, e) < 0 ? -1 : 0;
}

bool
pw_cheap(struct span hash)
{
	return judge(hash, NULL) == 0;
}

int
pw_password_valid(struct span password, struct err *e)
{
	if (password.n == 0)
		return err_set(e, ERR_PEER, "an empty password");
	if (password.n > PW_MAX)
		return err_set(e, ERR_PEER, "a password of more than %d octets", PW_MAX);
	if (span_chr(password, '\0') >= 0)
		return err_set(e, ERR_PEER, "a password with a NUL in it");
	return 0;
}

int
pw_verify(struct span hash, struct span password, struct err *e)
{
	const struct pw_scheme *scheme;
	struct octets h;
	int rc;

	if (pw_password_valid(password, NULL) < 0)
		return 0;
	scheme = parse(hash, &h, e);
	if (scheme != NULL && scheme->form(scheme, h.s, e) >= 0) {
		rc = scheme->verify(scheme, h.s, password, e);
	} else {
		rc = -1;
		if (e != NULL)
			e->kind = ERR_PERM;
	}
	sodium_memzero(h.mem, sizeof h.mem);
	return rc;
}
