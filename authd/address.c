#include "authd/address.h"

#include "smtp/mailbox.h"

static struct span
lower(struct arena *a, struct span s)
{
	char *p = arena_cstr(a, s);

	for (size_t i = 0; i < s.n; i++)
		p[i] = ascii_lower(p[i]);
	return span_of(p, s.n);
}

int
address_of(struct span in, struct span home, struct arena *a, struct address *out, struct err *e)
{
	struct span local, domain;
	struct buf canon;
	int rc;

	if (in.n == 0 || in.n > ADDRESS_MAX || span_chr(in, '\0') >= 0)
		return err_set(e, ERR_PEER, "not an address");
	if (mailbox_split(in, &local, &domain, e) < 0)
		return -1;
	if (local.n == 0)
		return err_set(e, ERR_PEER, "an address without a local part");
	if (domain.n == 0)
		in = arena_printf(a, "%.*s@%.*s", SPAN_ARG(local), SPAN_ARG(home));
	if (domain.n == 0 && home.n == 0) {
		*out = (struct address){ .canon = local, .key = lower(a, local) };
		out->local = out->key;
		return 0;
	}
	buf_init(&canon, 2 * ADDRESS_MAX);
	rc = mailbox_canon(in, &canon, e);
	out->canon = arena_dup(a, buf_span(&canon));
	buf_free(&canon);
	if (rc < 0)
		return -1;
	out->key = lower(a, out->canon);
	return mailbox_split(out->key, &out->local, &out->domain, e);
}

/* A quoted local part is not split: what it has of delimiters was meant to be taken as it is. */
int
address_detail(
    const struct address *in, char delimiter, struct arena *a, struct span *key, struct span *detail)
{
	ssize_t at = delimiter != '\0' ? span_chr(in->local, delimiter) : -1;

	if (at <= 0 || (size_t)at + 1 >= in->local.n || in->local.p[0] == '"')
		return 0;
	*key = arena_printf(a, "%.*s@%.*s", (int)at, in->local.p, SPAN_ARG(in->domain));
	*detail = span_head(span_from(in->canon, (size_t)at + 1), in->local.n - (size_t)at - 1);
	return 1;
}

/* The octets before the next comma that is not within quotes. */
static size_t
item_size(struct span list)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < list.n && (quoted || list.p[i] != ','); i++) {
		if (list.p[i] == '\\' && i + 1 < list.n)
			i++;
		else if (list.p[i] == '"')
			quoted = !quoted;
	}
	return i < list.n ? i : list.n;
}

int
address_next(struct span *list, struct span *out, struct err *e)
{
	struct span item = { 0 };
	size_t n;

	while (item.n == 0) {
		if (list->n == 0)
			return 0;
		n = item_size(*list);
		item = span_trim_ws(span_head(*list, n));
		*list = span_from(*list, n + 1);
	}
	if (item.n > 1 && item.p[0] == '<' && item.p[item.n - 1] == '>')
		item = (struct span){ item.p + 1, item.n - 2 };
	if (span_starts(item, "\\"))
		item = span_from(
		    item, 1); /* sendmail's "no further alias"; nothing is expanded twice, anyway */
	if (item.n == 0 || item.p[0] == '|' || item.p[0] == '/' || item.p[0] == ':' ||
	    span_starts(item, "\"|") || span_starts(item, "\"/"))
		return err_set(e, ERR_PERM, "'%.*s' is not an address", SPAN_ARG(span_head(item, 100)));
	*out = item;
	return 1;
}

/* A quoted string without its quotes and backslashes. */
static struct span
unquoted(struct span s, struct arena *a)
{
	char *p = arena_array(a, s.n, 1);
	size_t n = 0;

	for (size_t i = 1; i + 1 < s.n; i++) {
		if (s.p[i] == '\\' && i + 2 < s.n)
			i++;
		p[n++] = s.p[i];
	}
	return span_of(p, n);
}

bool
shared_target(struct span *item, struct arena *a)
{
	struct span s = *item;

	if (s.n > 1 && s.p[0] == '"' && s.p[s.n - 1] == '"')
		s = unquoted(s, a);
	else if (span_chr(s, '@') >= 0)
		return false;
	if (!span_starts(s, SHARED_PREFIX) || s.n == strlen(SHARED_PREFIX))
		return false;
	*item = s;
	return true;
}
