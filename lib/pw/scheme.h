/*
 * scheme.h - what the files of lib/pw agree on: a scheme is a row of the table in pw.c, and its family is
 * a pair of functions over the decoded hash.
 *
 * form() judges the shape and the cost of a hash and computes nothing; verify() is only called with what
 * form() has accepted and with a valid password.
 */
#ifndef PW_SCHEME_H
#define PW_SCHEME_H

#include "base/base.h"

enum pw_encoding { PW_TEXT, PW_HEX, PW_BASE64 };

enum pw_digest { PW_NO_DIGEST, PW_MD5, PW_SHA1, PW_SHA256, PW_SHA512 };

enum { PW_DIGEST_MAX = 64 };

struct pw_scheme {
	const char *name;
	enum pw_encoding encoding;
	enum pw_digest digest;
	const char *prefix; /* what the hash starts with; NULL: anything form() knows */
	/* 0 cheap, 1 slow, -1 with ERR_PEER */
	int (*form)(const struct pw_scheme *s, struct span hash, struct err *e);
	/* 1 right, 0 wrong, -1 with *e */
	int (*verify)(const struct pw_scheme *s, struct span hash, struct span password, struct err *e);
};

/* plain.c */
int pw_plain_form(const struct pw_scheme *s, struct span hash, struct err *e);
int pw_plain_verify(const struct pw_scheme *s, struct span hash, struct span password, struct err *e);

/* digest.c: without and with a salt; and what the others need of OpenSSL. */
int pw_digest_form(const struct pw_scheme *s, struct span hash, struct err *e);
int pw_salted_form(const struct pw_scheme *s, struct span hash, struct err *e);
int pw_digest_verify(const struct pw_scheme *s, struct span hash, struct span password, struct err *e);
size_t pw_digest_size(enum pw_digest d);
int pw_digest_init(struct err *e);

/* The digest of a and b put together, pw_digest_size(d) octets. */
void pw_digest_of(enum pw_digest d, struct span a, struct span b, unsigned char *out);

/* RFC 2104. */
void pw_hmac(enum pw_digest d, struct span key, struct span text, unsigned char *out);

/* RFC 8018, 5.2; n octets of key. */
void pw_pbkdf2(
    enum pw_digest d, struct span password, struct span salt, uint32_t rounds, unsigned char *out, size_t n);

/* crypt.c */
int pw_crypt_form(const struct pw_scheme *s, struct span hash, struct err *e);
int pw_crypt_verify(const struct pw_scheme *s, struct span hash, struct span password, struct err *e);

/* pbkdf2.c */
int pw_pbkdf2_form(const struct pw_scheme *s, struct span hash, struct err *e);
int pw_pbkdf2_verify(const struct pw_scheme *s, struct span hash, struct span password, struct err *e);

/* scram.c */
int pw_scram_form(const struct pw_scheme *s, struct span hash, struct err *e);
int pw_scram_verify(const struct pw_scheme *s, struct span hash, struct span password, struct err *e);

/* argon.c */
int pw_argon_form(const struct pw_scheme *s, struct span hash, struct err *e);
int pw_argon_verify(const struct pw_scheme *s, struct span hash, struct span password, struct err *e);

/* Rounds of HMAC that PBKDF2 and SCRAM allow, and up to which they are cheap. */
enum { PW_ROUNDS_MAX = 10000000, PW_ROUNDS_CHEAP = 1000 };

/* In the same time whatever the octets are; lengths are no secret. */
bool pw_same(struct span a, struct span b);

/*
 * Base64 with padding (RFC 4648, 4) or hex, all of s, into room for `max` octets. Returns how many they
 * are, or -1 with ERR_PEER.
 */
ssize_t pw_decode(enum pw_encoding enc, struct span s, unsigned char *out, size_t max, struct err *e);

#endif
