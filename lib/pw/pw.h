/*
 * pw.h - password hashes, written as Dovecot writes them: {SCHEME}hash or {SCHEME.ENCODING}hash.
 *
 *   PLAIN CLEARTEXT               the password itself
 *   PLAIN-MD5 LDAP-MD5            MD5; hex and base64
 *   SHA SHA1 SHA256 SHA512        plain digests, base64
 *   SMD5 SSHA SSHA256 SSHA512     digest of password and salt, then the salt (at least 1 octet), base64
 *   CRYPT                         crypt(3): DES, $1$, $2a$ $2b$ $2x$ $2y$, $5$, $6$, $y$
 *   DES-CRYPT MD5-CRYPT BLF-CRYPT SHA256-CRYPT SHA512-CRYPT    the same, one method alone
 *   MD5                           $1$ of crypt(3), or what PLAIN-MD5 or LDAP-MD5 takes
 *   PBKDF2                        $1$salt$rounds$hex, PBKDF2-HMAC-SHA1 (RFC 8018, 5.2)
 *   SCRAM-SHA-1 SCRAM-SHA-256     iterations,salt,StoredKey,ServerKey (RFC 5802, RFC 7677), base64
 *   ARGON2I ARGON2ID              the encoded string of the reference implementation, v=19 (RFC 9106)
 *
 * Scheme and encoding ignore case. The encodings are HEX, B64 and BASE64; a digest without a salt may be
 * hex where base64 is usual, and the other way round: its length tells. A hash whose cost is beyond reason
 * (seconds of work, more than 1 GiB) is refused as if it were malformed, so that no row of a database can
 * stall a login service.
 *
 * Passwords are 1..PW_MAX octets with no NUL, taken as they are: no SASLprep, as in Dovecot, so that
 * hashes move between the two. Comparisons take the same time wherever the first difference stands; what
 * is derived from a password on the way is wiped.
 */
#ifndef PW_PW_H
#define PW_PW_H

#include "base/base.h"

enum { PW_MAX = 1024, PW_HASH_MAX = 2048 }; /* octets: of a password, of a hash with its scheme */

/* What a new hash shall cost (Argon2id). */
struct pw_cost {
	uint32_t passes;     /* over the memory; 1..64 */
	uint32_t memory_kib; /* 8..1048576 */
};

/* Two passes over 64 MiB: libsodium's "interactive", some 50 ms. */
#define PW_COST_USUAL ((struct pw_cost){ .passes = 2, .memory_kib = 65536 })

/*
 * Load what the libraries load on first use. Call once, before the jail closes: a confined process cannot
 * open the files that OpenSSL looks for. Returns 0, or -1 with ERR_TEMP.
 */
int pw_init(struct err *e);

/* Is this a hash that pw_verify() could ever accept? 0, or -1 with ERR_PEER and a text that says why not. */
int pw_scheme_valid(struct span hash, struct err *e);

/* May this be a password? 0, or -1 with ERR_PEER: empty, too long, a NUL in it. */
int pw_password_valid(struct span password, struct err *e);

/* Does a verification take less than a millisecond, so that it may run within an event loop? */
bool pw_cheap(struct span hash);

/*
 * 1 if the password is right, 0 if it is wrong (which includes every string that is no password), -1 with
 * *e when that cannot be said: ERR_PERM a hash that pw_scheme_valid() refuses, ERR_TEMP no memory.
 */
int pw_verify(struct span hash, struct span password, struct err *e);

/* Append "{ARGON2ID}..." for a new password: 0, or -1 with ERR_PEER (no password), ERR_TEMP (no memory). */
int pw_hash(struct span password, const struct pw_cost *cost, struct buf *out, struct err *e);

/* As long as the verification of a hash of this cost: for logins that do not exist. */
void pw_dummy_verify(struct span password, const struct pw_cost *cost);

#endif
