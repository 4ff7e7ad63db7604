/* data.c - what needs no network: records, their order, resolv.conf. */
#include "dns/dns.h"

static bool
host_octet(char c)
{
	return ascii_isalnum(c) || c == '-' || c == '_';
}

/*
 * A name in wire form (RFC 1035, 3.1), not compressed. Only octets of host names: nothing else gets into
 * logs.
 */
static int
name_text(struct span wire, struct arena *a, struct span *out, struct err *e)
{
	char *text = arena_alloc(a, wire.n + 1);
	size_t n = 0, i = 0;

	while (i < wire.n && wire.p[i] != 0) {
		size_t label = (unsigned char)wire.p[i++];

		if (label > 63 || label > wire.n - i)
			return err_set(e, ERR_PEER, "malformed name in a DNS record");
		if (n > 0)
			text[n++] = '.';
		for (; label > 0; label--, i++) {
			if (!host_octet(wire.p[i]))
				return err_set(e, ERR_PEER, "a DNS record names no host");
			text[n++] = ascii_lower(wire.p[i]);
		}
	}
	if (i + 1 != wire.n || n > 253)
		return err_set(e, ERR_PEER, "malformed name in a DNS record");
	*out = span_of(text, n);
	return 0;
}

int
dns_mx_data(struct span rdata, struct dns_mx *out, struct arena *a, struct err *e)
{
	if (rdata.n < 3)
		return err_set(e, ERR_PEER, "malformed MX record");
	out->preference = (uint32_t)(unsigned char)rdata.p[0] << 8 | (unsigned char)rdata.p[1];
	return name_text(span_from(rdata, 2), a, &out->host, e);
}

/* Insertion: there are few, and the order in which equals came must not matter. */
static void
mx_sort(struct dns_mx *mx, const uint32_t *random, size_t n)
{
	uint32_t key[DNS_MX_MAX];

	for (size_t i = 0; i < n; i++) {
		struct dns_mx m = mx[i];
		uint32_t k = random[i];
		size_t j = i;

		for (; j > 0; j--) {
			if (mx[j - 1].preference < m.preference ||
			    (mx[j - 1].preference == m.preference && key[j - 1] <= k))
				break;
			mx[j] = mx[j - 1];
			key[j] = key[j - 1];
		}
		mx[j] = m;
		key[j] = k;
	}
}

size_t
dns_mx_order(struct dns_mx *mx, const uint32_t *random, size_t n, struct span self, bool *loop)
{
	uint32_t limit = UINT32_MAX;
	size_t left = 0;

	need(n <= DNS_MX_MAX);
	mx_sort(mx, random, n);
	*loop = false;
	for (size_t i = 0; i < n && !*loop; i++)
		if (self.n > 0 && span_isame(mx[i].host, self)) {
			limit = mx[i].preference;
			*loop = true;
		}
	while (left < n && (!*loop || mx[left].preference < limit))
		left++;
	return left;
}

bool
dns_resolv_next(struct span *text, struct span *server)
{
	while (text->n > 0) {
		struct span line = span_cut(text, '\n');
		struct span rest = span_trim_ws(line);
		size_t n = 0;

		if (!span_starts(rest, "nameserver") || rest.n < 12 ||
		    (rest.p[10] != ' ' && rest.p[10] != '\t'))
			continue;
		rest = span_trim(span_from(rest, 10));
		while (n < rest.n && rest.p[n] != ' ' && rest.p[n] != '\t' && rest.p[n] != '#' &&
		       rest.p[n] != ';')
			n++;
		*server = span_head(rest, n);
		if (n > 0)
			return true;
	}
	return false;
}
