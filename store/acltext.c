/* acltext.c - rights and identifiers as text (RFC 4314, 2 and 2.1). */
#include "base/utf8.h"
#include "store/acl.h"

/* In the order of RFC 4314, 2.1: bit i has letter i. */
static const char letters[] = "lrswipkxtea";

enum {
	/* 2.1.1: the virtual rights of RFC 2086. */
	CREATE = STORE_MAY_CREATE | STORE_MAY_DELETE_MAILBOX,
	DELETE = STORE_MAY_DELETE | STORE_MAY_EXPUNGE,
};

_Static_assert(sizeof letters - 1 == 11 && STORE_MAY_ALL == (1 << 11) - 1, "a letter for each right");

static int
letter(char c, unsigned *rights, struct err *e)
{
	const char *at = c != '\0' ? strchr(letters, c) : NULL;

	if (at != NULL)
		*rights |= 1U << (at - letters);
	else if (c == 'c')
		*rights |= CREATE;
	else if (c == 'd')
		*rights |= DELETE;
	else if (c >= 'A' && c <= 'Z')
		return err_set(e, ERR_PEER, "Uppercase rights are not allowed");
	else if (c > ' ' && c < 0x7f && c != ']' && c != '"' && c != '\\')
		return err_set(e, ERR_PEER, "The %c right is not supported", c);
	else
		return err_set(e, ERR_PEER, "That is no right");
	return 0;
}

int
rights_parse(struct span text, unsigned *rights, struct err *e)
{
	unsigned all = 0;

	for (size_t i = 0; i < text.n; i++)
		if (letter(text.p[i], &all, e) < 0)
			return -1;
	*rights = all;
	return 0;
}

int
rights_parse_change(struct span text, enum acl_op *op, unsigned *rights, struct err *e)
{
	char c = text.n > 0 ? text.p[0] : '\0';

	*op = c == '+' ? ACL_ADD : c == '-' ? ACL_REMOVE : ACL_SET;
	return rights_parse(span_from(text, *op != ACL_SET), rights, e);
}

int
rights_put(unsigned rights, bool obsolete, struct buf *out, struct err *e)
{
	int rc = 0;

	for (unsigned i = 0; i < sizeof letters - 1 && rc == 0; i++)
		if ((rights & (1U << i)) != 0)
			rc = buf_byte(out, e, letters[i]);
	if (rc == 0 && obsolete && (rights & CREATE) != 0)
		rc = buf_byte(out, e, 'c');
	if (rc == 0 && obsolete && (rights & DELETE) != 0)
		rc = buf_byte(out, e, 'd');
	return rc;
}

int
rights_of_role(struct span text, unsigned *rights, struct err *e)
{
	static const struct {
		const char *name, *letters;
	} roles[] = {
		{ "reader", "lrs" },
		{ "poster", "lrsp" },
		{ "editor", "lrswipkxte" },
		{ "owner", "lrswipkxtea" },
		{ "none", "" },
	};

	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
		if (span_ieq(text, roles[i].name))
			return rights_parse(span_str(roles[i].letters), rights, e);
	if (rights_parse(text, rights, e) == 0)
		return 0;
	return err_set(e, ERR_PEER,
	    "\"%.*s\" is neither reader, poster, editor, owner or none, nor rights of lrswipkxtea",
	    SPAN_ARG(span_head(text, 40)));
}

static bool
plain(struct span s)
{
	if (!utf8_valid(s) || span_trim_ws(s).n != s.n)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

int
acl_who_parse(struct span text, bool *negative, struct span *name, struct arena *a, struct err *e)
{
	struct span rest = span_from(text, text.n > 0 && text.p[0] == '-');

	if (text.n > STORE_WHO_MAX || rest.n == 0 || !plain(rest) || span_eq(rest, "$"))
		return err_set(e, ERR_PEER, "That is no identifier");
	*negative = rest.n != text.n;
	*name = rest;
	if (rest.p[0] == '$')
		*name = arena_printf(a, "group:%.*s", SPAN_ARG(span_from(rest, 1)));
	return 0;
}
