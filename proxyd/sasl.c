#include "proxyd/sasl.h"

#include "mail/codec.h"

enum { NAME_MAX_ = 1024, PASSWORD_MAX = 1024 };

void
login_init(struct login *l)
{
	buf_init(&l->name, NAME_MAX_);
	buf_init(&l->authzid, NAME_MAX_);
	buf_init(&l->password, PASSWORD_MAX);
}

void
login_clear(struct login *l)
{
	buf_wipe(&l->name);
	buf_wipe(&l->authzid);
	buf_wipe(&l->password);
}

void
login_done(struct login *l)
{
	login_clear(l);
}

static int
set(struct buf *b, struct span s, const char *what, struct err *e)
{
	buf_wipe(b);
	if (s.n == 0 || memchr(s.p, '\0', s.n) != NULL)
		return err_set(e, ERR_PEER, "%s is empty or has a NUL in it", what);
	if (buf_add(b, NULL, span_head(s, b->max)) < 0 || s.n > b->max)
		return err_set(e, ERR_PEER, "%s is too long", what);
	return 0;
}

int
login_set(struct login *l, struct span name, struct span password, struct err *e)
{
	buf_wipe(&l->authzid);
	if (set(&l->name, name, "the name", e) < 0)
		return -1;
	return set(&l->password, password, "the password", e);
}

bool
sasl_begin(struct sasl *s, struct span mech)
{
	*s = (struct sasl){ 0 };
	if (span_ieq(mech, "PLAIN"))
		s->mech = SASL_PLAIN;
	else if (span_ieq(mech, "LOGIN"))
		s->mech = SASL_LOGIN;
	return s->mech != SASL_NONE;
}

const char *
sasl_challenge(const struct sasl *s)
{
	if (s->mech == SASL_PLAIN)
		return "";
	return s->step == 0 ? "VXNlcm5hbWU6" : "UGFzc3dvcmQ6"; /* "Username:", "Password:" */
}

/* message = [authzid] NUL authcid NUL passwd */
static int
plain(struct span m, struct login *l, struct err *e)
{
	ssize_t first = span_chr(m, '\0'), second;
	struct span rest;

	if (first < 0)
		return err_set(e, ERR_PEER, "not a message of PLAIN");
	rest = span_from(m, (size_t)first + 1);
	if ((second = span_chr(rest, '\0')) < 0)
		return err_set(e, ERR_PEER, "not a message of PLAIN");
	if (login_set(l, span_head(rest, (size_t)second), span_from(rest, (size_t)second + 1), e) < 0)
		return -1;
	return first > 0 ? set(&l->authzid, span_head(m, (size_t)first), "the authorisation identity", e) : 0;
}

static enum sasl_next
respond(struct sasl *s, struct span text, struct login *l, struct err *e)
{
	if (s->mech == SASL_PLAIN)
		return plain(text, l, e) < 0 ? SASL_BAD : SASL_DONE;
	if (s->step++ == 0) {
		login_clear(l);
		return set(&l->name, text, "the name", e) < 0 ? SASL_BAD : SASL_CHALLENGE;
	}
	return set(&l->password, text, "the password", e) < 0 ? SASL_BAD : SASL_DONE;
}

enum sasl_next
sasl_response(struct sasl *s, struct span base64, struct login *l, struct err *e)
{
	enum sasl_next next = SASL_BAD;
	struct buf text;

	buf_init(&text, base64.n);
	if (base64_decode(base64, &text, e) == 0)
		next = respond(s, buf_span(&text), l, e);
	buf_wipe(&text);
	if (next != SASL_CHALLENGE)
		*s = (struct sasl){ 0 };
	if (next == SASL_BAD)
		login_clear(l);
	return next;
}
