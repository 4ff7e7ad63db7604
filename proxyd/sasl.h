/*
 * sasl.h - PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login), the same for every protocol. Pure.
 */
#ifndef PROXYD_SASL_H
#define PROXYD_SASL_H

#include "base/base.h"

/* Who wants to log in. Secrets: wiped by login_done and login_clear. */
struct login {
	struct buf name, authzid, password;
};

void login_init(struct login *l);
void login_done(struct login *l);
void login_clear(struct login *l);
/* Set name and password. -1 ERR_PEER: empty, too long, or a NUL in it. */
int login_set(struct login *l, struct span name, struct span password, struct err *e);

enum sasl_mech { SASL_NONE, SASL_PLAIN, SASL_LOGIN };

struct sasl {
	enum sasl_mech mech; /* SASL_NONE: no exchange is under way */
	unsigned step;
};

enum sasl_next { SASL_CHALLENGE, SASL_DONE, SASL_BAD };

/* Begin with this mechanism: false if there is none of that name. */
bool sasl_begin(struct sasl *s, struct span mech);

/* The challenge that the client is to answer now, as base64; may be empty. */
const char *sasl_challenge(const struct sasl *s);

/*
 * The client's answer to the challenge, or its initial response, as base64. SASL_DONE: *l is filled; SASL_BAD
 * with *e (ERR_PEER). After these two no exchange is under way.
 */
enum sasl_next sasl_response(struct sasl *s, struct span base64, struct login *l, struct err *e);

#endif
