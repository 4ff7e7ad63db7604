#include "deliver/smtp/route.h"

#include <stdio.h>

#include "cfg/cfg.h"
#include "deliver/smtp/peer.h"
#include "dns/dns.h"
#include "smtp/mailbox.h"

/* "name", "[name]", either with ":port". False: it is neither. */
static bool
split(struct span hop, struct span *name, bool *bracketed, uint16_t *port)
{
	ssize_t end = span_rchr(hop, ']'), colon = span_rchr(hop, ':');
	uint32_t v;

	*port = (uint16_t)cfg.smtp_port;
	*bracketed = hop.n > 0 && hop.p[0] == '[';
	if (*bracketed && end < 0)
		return false;
	if (colon > end) {
		if (span_u32(span_from(hop, (size_t)colon + 1), &v, NULL) < 0 || v == 0 || v > 65535)
			return false;
		*port = (uint16_t)v;
		hop = span_head(hop, (size_t)colon);
	}
	if (*bracketed && (size_t)end != hop.n - 1)
		return false;
	*name = hop;
	return hop.n > 0;
}

/* [IPv4], [IPv6:...], and [::1] as people write it in a relayhost. */
static bool
literal_of(struct span name, struct literal *l)
{
	char text[80];
	int n;

	if (literal_parse(name, l, NULL) == 0)
		return true;
	n = snprintf(text, sizeof text, "[IPv6:%.*s]", (int)(name.n - 2), name.p + 1);
	return n > 0 && (size_t)n < sizeof text && literal_parse(span_of(text, (size_t)n), l, NULL) == 0;
}

/* The name without brackets, in the form in which the DNS is asked. */
static const char *
ascii_name(struct span name, struct arena *a)
{
	struct buf out;
	const char *text = NULL;

	buf_init(&out, 1024);
	if (domain_canon(name, &out, NULL) == 0 && out.n <= 253)
		text = arena_cstr(a, buf_span(&out));
	buf_free(&out);
	return text;
}

static int
by_mx(const struct sender *me, const char *domain, uint16_t port, struct arena *a, struct hop **out,
    struct err *e)
{
	struct dns_mx *mx;
	int n = dns_mx(me->dns, domain, span_str(me->name), a, &mx, e);

	if (n < 0)
		return -1;
	*out = arena_array(a, n > 0 ? (size_t)n : 1, sizeof **out);
	if (n == 0)
		(*out)[0] = (struct hop){ domain, port, true };
	for (int i = 0; i < n; i++)
		(*out)[i] = (struct hop){ arena_cstr(a, mx[i].host), port, true };
	return n > 0 ? n : 1;
}

int
route_find(const struct sender *me, struct span next_hop, struct arena *a, struct hop **out, struct err *e)
{
	struct literal literal;
	struct span name;
	const char *text;
	bool bracketed;
	uint16_t port;

	if (!split(next_hop, &name, &bracketed, &port))
		return err_set(e, ERR_PERM, "5.1.2 `%.*s` is no destination", SPAN_ARG(next_hop));
	if (bracketed && literal_of(name, &literal)) {
		*out = arena_array(a, 1, sizeof **out);
		(*out)[0] = (struct hop){ arena_cstr(a, name), port, false };
		return 1;
	}
	if (bracketed)
		name = span_head(span_from(name, 1), name.n - 2);
	if ((text = ascii_name(name, a)) == NULL)
		return err_set(e, ERR_PERM, "5.1.2 `%.*s` is no domain", SPAN_ARG(next_hop));
	if (!bracketed)
		return by_mx(me, text, port, a, out, e);
	*out = arena_array(a, 1, sizeof **out);
	(*out)[0] = (struct hop){ text, port, false };
	return 1;
}

static struct addr
literal_addr(const struct literal *l, uint16_t port)
{
	struct addr a = { .len = 0 };

	if (l->family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)(void *)&a.ss;

		*in = (struct sockaddr_in){
			.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = l->u.v4
		};
		a.len = sizeof *in;
	} else {
		struct sockaddr_in6 *in = (struct sockaddr_in6 *)(void *)&a.ss;

		*in = (struct sockaddr_in6){
			.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = l->u.v6
		};
		a.len = sizeof *in;
	}
	return a;
}

static bool
allowed(const struct addr *a)
{
	if (strcmp(cfg.smtp_families, "ipv4") == 0)
		return a->ss.ss_family == AF_INET;
	return strcmp(cfg.smtp_families, "ipv6") != 0 || a->ss.ss_family == AF_INET6;
}

int
route_addresses(
    const struct sender *me, const struct hop *h, struct arena *a, struct addr **out, struct err *e)
{
	struct literal literal;
	struct addr *all;
	int n, kept = 0;

	if (h->host[0] == '[' && literal_of(span_str(h->host), &literal)) {
		*out = arena_array(a, 1, sizeof **out);
		(*out)[0] = literal_addr(&literal, h->port);
		return 1;
	}
	if ((n = dns_addresses(me->dns, h->host, h->port, a, &all, e)) < 0)
		return -1;
	for (int i = 0; i < n; i++)
		if (allowed(&all[i]))
			all[kept++] = all[i];
	*out = all;
	return kept > 0 ? kept : err_set(e, ERR_PERM, "5.4.4 %s has no address", h->host);
}
