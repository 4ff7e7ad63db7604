#include "io/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* The longest text of an address, "ffff:...:255.255.255.255%scope" not allowed, and its NUL. */
enum { TEXT_MAX = 64 };

static const struct sockaddr_in *
v4(const struct addr *a)
{
	return (const struct sockaddr_in *)(const void *)&a->ss;
}

static const struct sockaddr_in6 *
v6(const struct addr *a)
{
	return (const struct sockaddr_in6 *)(const void *)&a->ss;
}

/* Four or sixteen octets of an address in text form, v4 in `out[0..3]`. Gives 4, 16, or 0 if it is none. */
static size_t
parse_ip(struct span text, unsigned char out[16])
{
	char copy[TEXT_MAX];

	if (text.n == 0 || text.n >= sizeof copy || memchr(text.p, '\0', text.n) != NULL)
		return 0;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	if (inet_pton(AF_INET, copy, out) == 1)
		return 4;
	return inet_pton(AF_INET6, copy, out) == 1 ? 16 : 0;
}

static void
set_ip(struct addr *out, const unsigned char *ip, size_t n, uint16_t port)
{
	*out = (struct addr){ 0 };
	if (n == 4) {
		struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

		memcpy(&in.sin_addr, ip, 4);
		memcpy(&out->ss, &in, sizeof in);
		out->len = sizeof in;
	} else {
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

		memcpy(&in6.sin6_addr, ip, 16);
		memcpy(&out->ss, &in6, sizeof in6);
		out->len = sizeof in6;
	}
}

int
addr_parse(struct span text, struct addr *out, struct err *e)
{
	ssize_t colon = span_rchr(text, ':');
	struct span host = span_head(text, colon < 0 ? 0 : (size_t)colon);
	unsigned char ip[16] = { 0 };
	uint32_t port;
	bool brackets = host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
	size_t n;

	if (colon < 0 || span_u32(span_from(text, (size_t)colon + 1), &port, NULL) < 0 || port > 65535)
		return err_set(e, ERR_PERM, "\"%.*s\" is not address:port", SPAN_ARG(text));
	if (brackets)
		host = span_of(host.p + 1, host.n - 2);
	n = span_eq(host, "*") && !brackets ? 16 : parse_ip(host, ip); /* [::] takes both families */
	if (n == 0 || (n == 16) != (brackets || span_eq(host, "*")))
		return err_set(
		    e, ERR_PERM, "\"%.*s\" is not address:port (IPv6 in brackets)", SPAN_ARG(text));
	set_ip(out, ip, n, (uint16_t)port);
	return 0;
}

/* The octets of an address, v4-mapped v6 as v4: 4 or 16, 0 for none. */
static size_t
octets(const struct addr *a, const unsigned char **ip)
{
	if (a->len == 0)
		return 0;
	if (a->ss.ss_family == AF_INET) {
		*ip = (const unsigned char *)&v4(a)->sin_addr;
		return 4;
	}
	if (a->ss.ss_family != AF_INET6)
		return 0;
	*ip = v6(a)->sin6_addr.s6_addr;
	if (!IN6_IS_ADDR_V4MAPPED(&v6(a)->sin6_addr))
		return 16;
	*ip += 12;
	return 4;
}

void
addr_ip(const struct addr *a, struct buf *out)
{
	char text[TEXT_MAX];
	const unsigned char *ip = NULL;
	size_t n = octets(a, &ip);

	if (n == 0)
		buf_str(out, NULL, "local");
	else
		buf_str(out, NULL, inet_ntop(n == 4 ? AF_INET : AF_INET6, ip, text, sizeof text));
}

void
addr_text(const struct addr *a, struct buf *out)
{
	const unsigned char *ip = NULL;
	size_t n = octets(a, &ip);

	if (n == 16)
		buf_byte(out, NULL, '[');
	addr_ip(a, out);
	if (n == 16)
		buf_byte(out, NULL, ']');
	if (n != 0)
		buf_printf(out, NULL, ":%u", addr_port(a));
}

uint16_t
addr_port(const struct addr *a)
{
	if (a->len == 0)
		return 0;
	return a->ss.ss_family == AF_INET    ? ntohs(v4(a)->sin_port)
	       : a->ss.ss_family == AF_INET6 ? ntohs(v6(a)->sin6_port)
					     : 0;
}

struct network {
	unsigned char ip[16];
	size_t n; /* octets of ip */
	uint32_t bits;
};

static int
parse_network(struct span text, struct network *net, struct err *e)
{
	ssize_t slash = span_rchr(text, '/');
	struct span host = slash < 0 ? text : span_head(text, (size_t)slash);

	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = span_of(host.p + 1, host.n - 2);
	if ((net->n = parse_ip(host, net->ip)) == 0)
		return err_set(e, ERR_PERM, "\"%.*s\" is not a network", SPAN_ARG(text));
	net->bits = (uint32_t)net->n * 8;
	if (slash >= 0 &&
	    (span_u32(span_from(text, (size_t)slash + 1), &net->bits, NULL) < 0 || net->bits > net->n * 8))
		return err_set(e, ERR_PERM, "\"%.*s\": the number behind / is wrong", SPAN_ARG(text));
	return 0;
}

/* The next word of a list of networks, empty at its end. */
static struct span
next_network(struct span *list)
{
	size_t n = 0;

	while (list->n > 0 && strchr(" \t,", list->p[0]) != NULL)
		*list = span_from(*list, 1);
	while (n < list->n && list->p[n] != '\0' && strchr(" \t,", list->p[n]) == NULL)
		n++;
	if (n == 0 && list->n > 0)
		n = 1; /* a NUL: no network */
	*list = span_from(*list, n);
	return span_of(list->p - n, n);
}

static bool
in_network(const unsigned char *ip, size_t n, const struct network *net)
{
	size_t whole = net->bits / 8;
	unsigned rest = net->bits % 8;

	if (n != net->n || memcmp(ip, net->ip, whole) != 0)
		return false;
	return rest == 0 || (ip[whole] ^ net->ip[whole]) >> (8 - rest) == 0;
}

bool
addr_in(const struct addr *a, struct span list)
{
	const unsigned char *ip = NULL;
	size_t n = octets(a, &ip);
	struct span word;

	while (n != 0 && (word = next_network(&list)).n > 0) {
		struct network net;

		if (parse_network(word, &net, NULL) == 0 && in_network(ip, n, &net))
			return true;
	}
	return false;
}

int
addr_list_check(struct span list, struct err *e)
{
	struct span word;

	while ((word = next_network(&list)).n > 0) {
		struct network net;

		if (parse_network(word, &net, e) < 0)
			return -1;
	}
	return 0;
}

void
addr_key(const struct addr *a, unsigned char key[16])
{
	const unsigned char *ip = NULL;
	size_t n = octets(a, &ip);

	memset(key, 0, 16);
	if (n == 4) {
		key[10] = key[11] = 0xff; /* as ::ffff:1.2.3.4 */
		memcpy(key + 12, ip, 4);
	} else if (n == 16) {
		memcpy(key, ip, 8);
	}
}
