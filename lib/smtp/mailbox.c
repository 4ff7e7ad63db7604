#include "smtp/mailbox.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <stdlib.h>

#include "base/utf8.h"

enum { DOMAIN_MAX = 255, LABEL_MAX = 63, U_DOMAIN_MAX = 1024 };

int
mailbox_split(struct span address, struct span *local, struct span *domain, struct err *e)
{
	size_t i = 0;

	if (address.n > 0 && address.p[0] == '"') {
		for (i = 1; i < address.n && address.p[i] != '"'; i++)
			if (address.p[i] == '\\')
				i++;
		if (i >= address.n)
			return err_set(e, ERR_PEER, "an address has a quote that does not end");
		i++;
		if (i < address.n && address.p[i] != '@')
			return err_set(e, ERR_PEER, "not an address");
	} else {
		ssize_t at = span_chr(address, '@'); /* a literal may hold another */

		i = at < 0 ? address.n : (size_t)at;
	}
	*local = span_head(address, i);
	*domain = i < address.n ? span_from(address, i + 1) : (struct span){ NULL, 0 };
	return 0;
}

int
local_unquote(struct span local, struct buf *out, struct err *e)
{
	char *to;
	size_t n = 0;

	if (local.n < 2 || local.p[0] != '"' || local.p[local.n - 1] != '"')
		return buf_add(out, e, local);
	if ((to = buf_room(out, e, local.n)) == NULL)
		return -1;
	for (size_t i = 1; i + 1 < local.n; i++) {
		if (local.p[i] == '\\' && i + 2 < local.n)
			i++;
		to[n++] = local.p[i];
	}
	out->n += n;
	return 0;
}

static bool
is_dot_string(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '.') {
			if (i == 0 || i + 1 == s.n || s.p[i + 1] == '.')
				return false;
		} else if (!ascii_isalnum(c) && (c & 0x80) == 0 &&
			   (c == '\0' || strchr("!#$%&'*+-/=?^_`{|}~", c) == NULL))
			return false;
	}
	return s.n > 0;
}

int
local_quote(struct span local, struct buf *out, struct err *e)
{
	size_t start = out->n;

	if (is_dot_string(local))
		return buf_add(out, e, local);
	buf_byte(out, e, '"');
	for (size_t i = 0; i < local.n; i++) {
		if (local.p[i] == 0x7f || (local.p[i] >= 0 && local.p[i] < ' ')) {
			out->n = start;
			return err_set(e, ERR_PEER, "a control character in an address");
		}
		if ((local.p[i] == '"' || local.p[i] == '\\') && buf_byte(out, e, '\\') < 0)
			return -1;
		if (buf_byte(out, e, local.p[i]) < 0)
			return -1;
	}
	return buf_byte(out, e, '"');
}

bool
domain_valid(struct span domain)
{
	size_t label = 0;

	if (domain.n == 0 || domain.n > DOMAIN_MAX)
		return false;
	for (size_t i = 0; i <= domain.n; i++) {
		char c = i < domain.n ? domain.p[i] : '.';

		if (c == '.') {
			if (i == label || i - label > LABEL_MAX || domain.p[label] == '-' ||
			    domain.p[i - 1] == '-')
				return false;
			label = i + 1;
		} else if (!ascii_isalnum(c) && c != '-' && c != '_')
			return false;
	}
	return true;
}

static int
add_lower(struct span s, struct buf *out, struct err *e)
{
	char *to = buf_room(out, e, s.n);

	if (to == NULL)
		return -1;
	for (size_t i = 0; i < s.n; i++)
		to[i] = ascii_lower(s.p[i]);
	out->n += s.n;
	return 0;
}

/* U-labels to A-labels. libidn2 wants C strings, so a NUL is looked for first. */
static int
idna(struct span domain, struct buf *out, struct err *e)
{
	char *in, *ascii = NULL;
	int rc;

	if (domain.n > U_DOMAIN_MAX || !utf8_valid(domain) || span_chr(domain, '\0') >= 0)
		return err_set(e, ERR_PEER, "not a domain");
	in = strndup(domain.p, domain.n);
	need(in != NULL);
	rc = idn2_to_ascii_8z(in, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
	free(in);
	if (rc != IDN2_OK)
		return err_set(e, ERR_PEER, "not a domain: %s", idn2_strerror(rc));
	if (domain_valid(span_str(ascii)))
		rc = add_lower(span_str(ascii), out, e);
	else
		rc = err_set(e, ERR_PEER, "not a domain");
	idn2_free(ascii);
	return rc;
}

int
domain_canon(struct span domain, struct buf *out, struct err *e)
{
	struct literal l = { 0 };

	if (domain.n > 0 && domain.p[0] == '[') {
		if (literal_parse(domain, &l, e) < 0)
			return -1;
		return literal_format(&l, out, e);
	}
	if (!ascii_only(domain))
		return idna(domain, out, e);
	if (!domain_valid(domain))
		return err_set(e, ERR_PEER, "not a domain");
	return add_lower(domain, out, e);
}

int
mailbox_canon(struct span address, struct buf *out, struct err *e)
{
	struct span local = { 0 }, domain = { 0 };
	size_t start = out->n;
	struct buf plain;
	int rc;

	if (mailbox_split(address, &local, &domain, e) < 0)
		return -1;
	if (local.n == 0 || !utf8_valid(local))
		return err_set(e, ERR_PEER, "an address without a local part that can be read");
	buf_init(&plain, local.n);
	if ((rc = local_unquote(local, &plain, e)) == 0)
		rc = local_quote(buf_span(&plain), out, e);
	buf_free(&plain);
	if (rc == 0 && domain.p != NULL && (rc = buf_byte(out, e, '@')) == 0)
		rc = domain_canon(domain, out, e);
	if (rc < 0)
		out->n = start;
	return rc;
}

int
literal_parse(struct span s, struct literal *out, struct err *e)
{
	char text[INET6_ADDRSTRLEN] = { 0 }; /* checked to fit */
	struct literal l = { .family = AF_INET };
	struct span inner = s.n >= 2 ? span_of(s.p + 1, s.n - 2) : s;

	if (s.n < 2 || s.p[0] != '[' || s.p[s.n - 1] != ']')
		return err_set(e, ERR_PEER, "not an address literal");
	if (span_istarts(inner, "IPv6:")) {
		l.family = AF_INET6;
		inner = span_from(inner, 5);
	}
	if (inner.n >= sizeof text || span_chr(inner, '\0') >= 0)
		return err_set(e, ERR_PEER, "not an address literal");
	memcpy(text, inner.p, inner.n);
	if (inet_pton(l.family, text, &l.u) != 1)
		return err_set(e, ERR_PEER, "not an address literal");
	*out = l;
	return 0;
}

int
literal_format(const struct literal *l, struct buf *out, struct err *e)
{
	char text[INET6_ADDRSTRLEN];

	need(inet_ntop(l->family, &l->u, text, sizeof text) != NULL);
	return buf_printf(out, e, "[%s%s]", l->family == AF_INET6 ? "IPv6:" : "", text);
}
