#include "smtp/params.h"

#include "base/utf8.h"

enum { ENVID_MAX = 100, ORCPT_MAX = 500, AUTH_MAX = 500 };

static int
hex_upper(char c)
{
	if (ascii_isdigit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* xchar: printable ASCII but + and = (RFC 3461, 4). */
static bool
is_xchar(char c)
{
	return c >= '!' && c <= '~' && c != '+' && c != '=';
}

int
xtext_decode(struct span in, struct buf *out, struct err *e)
{
	char *to = buf_room(out, e, in.n), *start = to;
	int high, low;

	if (to == NULL)
		return -1;
	for (size_t i = 0; i < in.n; i++) {
		if (is_xchar(in.p[i])) {
			*to++ = in.p[i];
			continue;
		}
		if (in.p[i] != '+' || in.n - i < 3 || (high = hex_upper(in.p[i + 1])) < 0 ||
		    (low = hex_upper(in.p[i + 2])) < 0)
			return err_set(e, ERR_PEER, "not xtext");
		*to++ = (char)(high << 4 | low);
		i += 2;
	}
	out->n += (size_t)(to - start);
	return 0;
}

int
xtext_encode(struct span in, struct buf *out, struct err *e)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < in.n; i++) {
		uint8_t c = (uint8_t)in.p[i];
		char escape[3] = { '+', digits[c >> 4], digits[c & 15] };

		if ((is_xchar(in.p[i]) ? buf_byte(out, e, in.p[i]) : buf_add(out, e, span_of(escape, 3))) < 0)
			return -1;
	}
	return 0;
}

struct param {
	struct span key, value;
	bool has_value;
};

/*
 * The next parameter (RFC 5321, 4.1.2: esmtp-param); 0 when there is none. *rest starts at the SP before it.
 * More than one SP is taken, as trailing ones are (RFC 5321, 4.1.1).
 */
static int
next_param(struct span *rest, struct param *p, struct err *e)
{
	size_t n = 0;

	if (rest->n > 0 && rest->p[0] != ' ')
		return err_set(e, ERR_PEER, "a space is missing behind the address");
	while (rest->n > 0 && rest->p[0] == ' ')
		*rest = span_from(*rest, 1);
	if (rest->n == 0)
		return 0;
	while (n < rest->n && (ascii_isalnum(rest->p[n]) || (n > 0 && rest->p[n] == '-')))
		n++;
	p->key = span_head(*rest, n);
	p->has_value = n < rest->n && rest->p[n] == '=';
	*rest = span_from(*rest, n + p->has_value);
	for (n = 0; n < rest->n && rest->p[n] != ' '; n++)
		if (!p->has_value || rest->p[n] == '=' || (rest->p[n] & 0x80) != 0 || rest->p[n] < '!' ||
		    rest->p[n] > '~') {
			/* UTF-8 is a value of ORCPT (RFC 6533, 3); that it is valid is checked there. */
			if (!p->has_value || (rest->p[n] & 0x80) == 0)
				return err_set(e, ERR_PEER, "bad parameter");
		}
	p->value = span_head(*rest, n);
	*rest = span_from(*rest, n);
	if (p->key.n == 0 || (p->has_value && n == 0))
		return err_set(e, ERR_PEER, "bad parameter");
	return 1;
}

/* Decode xtext into the arena; at most max octets. */
static int
xtext_param(struct span value, size_t max, struct span *out, struct arena *a, struct err *e)
{
	struct buf b;
	int rc = -1;

	buf_init(&b, value.n);
	if (xtext_decode(value, &b, e) < 0)
		goto out;
	if (b.n > max) {
		err_set(e, ERR_PEER, "a parameter is too long");
		goto out;
	}
	*out = arena_dup(a, buf_span(&b));
	rc = 0;
out:
	buf_free(&b);
	return rc;
}

static bool
printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return true;
}

static int
size_param(struct span value, struct mail_params *m, struct err *e)
{
	/* RFC 1870, 4: 1*20DIGIT; a larger number than 64 bits hold is larger than any limit as well. */
	if (value.n > 20 || span_u64(value, &m->size, NULL) < 0) {
		for (size_t i = 0; i < value.n; i++)
			if (!ascii_isdigit(value.p[i]))
				return err_set(e, ERR_PEER, "SIZE is not a number");
		if (value.n == 0 || value.n > 20)
			return err_set(e, ERR_PEER, "SIZE is not a number of 1 to 20 digits");
		m->size = UINT64_MAX;
	}
	m->has_size = true;
	return 0;
}

static int
body_param(struct span value, unsigned offered, struct mail_params *m, struct err *e)
{
	if (span_ieq(value, "7BIT") && (offered & (PARAM_8BITMIME | PARAM_BINARYMIME)) != 0)
		m->body = BODY_7BIT;
	else if (span_ieq(value, "8BITMIME") && (offered & PARAM_8BITMIME) != 0)
		m->body = BODY_8BITMIME;
	else if (span_ieq(value, "BINARYMIME") && (offered & PARAM_BINARYMIME) != 0)
		m->body = BODY_BINARYMIME;
	else
		return err_set(e, ERR_PEER, "BODY is of no type that is offered");
	return 0;
}

static int
ret_param(struct span value, struct mail_params *m, struct err *e)
{
	if (span_ieq(value, "FULL"))
		m->ret = RET_FULL;
	else if (span_ieq(value, "HDRS"))
		m->ret = RET_HDRS;
	else
		return err_set(e, ERR_PEER, "RET must be FULL or HDRS");
	return 0;
}

/* RFC 4954, 5: xtext of a mailbox, or of <>, which says that nobody is known to have sent it. */
static int
auth_param(struct span value, struct mail_params *m, struct arena *a, struct err *e)
{
	if (xtext_param(value, AUTH_MAX, &m->auth, a, e) < 0)
		return -1;
	if (span_eq(m->auth, "<>"))
		m->auth.n = 0;
	else if (!utf8_valid(m->auth))
		return err_set(e, ERR_PEER, "AUTH is not valid");
	return 0;
}

/* RFC 3461, 4.4: at most 100 octets, all printable. */
static int
envid_param(struct span value, struct mail_params *m, struct arena *a, struct err *e)
{
	if (value.n > ENVID_MAX)
		return err_set(e, ERR_PEER, "ENVID is too long");
	if (xtext_param(value, ENVID_MAX, &m->envid, a, e) < 0)
		return -1;
	if (!printable(m->envid))
		return err_set(e, ERR_PEER, "ENVID is not printable");
	return 0;
}

/* Each parameter may be given once, and is known by one bit of `seen`. */
static int
once(unsigned *seen, unsigned bit, const struct param *p, struct err *e)
{
	if ((*seen & bit) != 0)
		return err_set(e, ERR_PEER, "%.*s is given twice", SPAN_ARG(p->key));
	*seen |= bit;
	if (!p->has_value)
		return err_set(e, ERR_PEER, "%.*s needs a value", SPAN_ARG(p->key));
	return 0;
}

static int
unknown(struct err *e)
{
	err_set(e, ERR_PEER, "parameter not recognized");
	return -2;
}

static int
mail_param(const struct param *p, unsigned offered, unsigned *seen, struct mail_params *m, struct arena *a,
    struct err *e)
{
	if (span_ieq(p->key, "SIZE") && (offered & PARAM_SIZE) != 0)
		return once(seen, 1, p, e) < 0 ? -1 : size_param(p->value, m, e);
	if (span_ieq(p->key, "BODY") && (offered & (PARAM_8BITMIME | PARAM_BINARYMIME)) != 0)
		return once(seen, 2, p, e) < 0 ? -1 : body_param(p->value, offered, m, e);
	if (span_ieq(p->key, "AUTH") && (offered & PARAM_AUTH) != 0)
		return once(seen, 4, p, e) < 0 ? -1 : auth_param(p->value, m, a, e);
	if (span_ieq(p->key, "RET") && (offered & PARAM_DSN) != 0)
		return once(seen, 8, p, e) < 0 ? -1 : ret_param(p->value, m, e);
	if (span_ieq(p->key, "ENVID") && (offered & PARAM_DSN) != 0)
		return once(seen, 16, p, e) < 0 ? -1 : envid_param(p->value, m, a, e);
	if (span_ieq(p->key, "SMTPUTF8") && (offered & PARAM_SMTPUTF8) != 0) {
		if (p->has_value || m->utf8)
			return err_set(e, ERR_PEER,
			    p->has_value ? "SMTPUTF8 takes no value" : "SMTPUTF8 is given twice");
		m->utf8 = true;
		return 0;
	}
	return unknown(e);
}

int
mail_params_parse(struct span in, unsigned offered, struct mail_params *out, struct arena *a, struct err *e)
{
	struct mail_params m = { 0 };
	struct param p = { 0 };
	unsigned seen = 0;
	int rc;

	while ((rc = next_param(&in, &p, e)) > 0)
		if ((rc = mail_param(&p, offered, &seen, &m, a, e)) < 0)
			return rc;
	if (rc == 0)
		*out = m;
	return rc;
}

/* NOTIFY=NEVER, or a list of the others (RFC 3461, 4.1). */
static int
notify_param(struct span value, struct rcpt_params *r, struct err *e)
{
	unsigned set = 0;
	bool more = true;

	if (span_ieq(value, "NEVER")) {
		r->notify = NOTIFY_NEVER;
		return 0;
	}
	while (more) {
		struct span word;

		more = span_chr(value, ',') >= 0;
		word = span_cut(&value, ',');
		if (span_ieq(word, "SUCCESS"))
			set |= NOTIFY_SUCCESS;
		else if (span_ieq(word, "FAILURE"))
			set |= NOTIFY_FAILURE;
		else if (span_ieq(word, "DELAY"))
			set |= NOTIFY_DELAY;
		else
			return err_set(
			    e, ERR_PEER, "NOTIFY must be NEVER or a list of SUCCESS, FAILURE, DELAY");
	}
	r->notify = set;
	return 0;
}

/* \x{HEX} of utf-8-addr-xtext and utf-8-addr-unitext (RFC 6533, 3); gives octets used, 0 if it is none. */
static size_t
embedded(struct span s, struct buf *out)
{
	uint32_t cp = 0;
	size_t i = 3;

	if (!span_starts(s, "\\x{"))
		return 0;
	for (; i < s.n && i < 9 && hex_upper(s.p[i]) >= 0; i++)
		cp = cp << 4 | (uint32_t)hex_upper(s.p[i]);
	if (i == 3 || i == s.n || s.p[i] != '}' || cp < 0x10 || cp > 0x10ffff || (cp & ~0x7ffU) == 0xd800)
		return 0;
	utf8_put(cp, out, NULL);
	return i + 1;
}

/* The address of type utf-8: its characters as they are, and embedded as \x{HEX}. */
static int
utf8_address(struct span value, struct span *out, struct arena *a, struct err *e)
{
	struct buf b;
	size_t used = 1;
	int rc = -1;

	buf_init(&b, value.n + 8);
	if (!utf8_valid(value)) {
		err_set(e, ERR_PEER, "ORCPT is not valid UTF-8");
		goto out;
	}
	for (; value.n > 0; value = span_from(value, used)) {
		used = 1;
		if (value.p[0] == '\\' && (used = embedded(value, &b)) == 0) {
			err_set(e, ERR_PEER, "bad character in ORCPT");
			goto out;
		}
		if (value.p[0] != '\\')
			buf_byte(&b, NULL, value.p[0]);
	}
	*out = arena_dup(a, buf_span(&b));
	rc = 0;
out:
	buf_free(&b);
	return rc;
}

/* addr-type ";" xtext (RFC 3461, 4.2): the type an atom. */
static int
orcpt_param(struct span value, struct rcpt_params *r, struct arena *a, struct err *e)
{
	ssize_t semi = span_chr(value, ';');

	if (semi <= 0 || value.n > ORCPT_MAX)
		return err_set(e, ERR_PEER, "bad ORCPT");
	r->orcpt_type = arena_dup(a, span_head(value, (size_t)semi));
	value = span_from(value, (size_t)semi + 1);
	for (size_t i = 0; i < r->orcpt_type.n; i++)
		if (!ascii_isalnum(r->orcpt_type.p[i]) && r->orcpt_type.p[i] != '-')
			return err_set(e, ERR_PEER, "bad ORCPT");
	if (span_ieq(r->orcpt_type, "utf-8") && (!ascii_only(value) || span_chr(value, '\\') >= 0))
		return utf8_address(value, &r->orcpt, a, e);
	if (xtext_param(value, ORCPT_MAX, &r->orcpt, a, e) < 0)
		return -1;
	if (span_ieq(r->orcpt_type, "utf-8") ? !utf8_valid(r->orcpt) : !printable(r->orcpt))
		return err_set(e, ERR_PEER, "ORCPT is not printable");
	return 0;
}

int
rcpt_params_parse(struct span in, unsigned offered, struct rcpt_params *out, struct arena *a, struct err *e)
{
	struct rcpt_params r = { 0 };
	struct param p = { 0 };
	unsigned seen = 0;
	int rc;

	while ((rc = next_param(&in, &p, e)) > 0) {
		if (span_ieq(p.key, "NOTIFY") && (offered & PARAM_DSN) != 0)
			rc = once(&seen, 1, &p, e) < 0 ? -1 : notify_param(p.value, &r, e);
		else if (span_ieq(p.key, "ORCPT") && (offered & PARAM_DSN) != 0)
			rc = once(&seen, 2, &p, e) < 0 ? -1 : orcpt_param(p.value, &r, a, e);
		else
			rc = unknown(e);
		if (rc < 0)
			return rc;
	}
	if (rc == 0)
		*out = r;
	return rc;
}
