/*
 * dns.c - libunbound, set up so that it opens no file once the jail is closed.
 *
 * Only the iterator runs: nothing here is decided by DNSSEC yet. Names that libunbound would answer by itself
 * (RFC 6761: test., invalid. ...) are left to the servers, which have their own idea of them; and servers on
 * the loopback, where a machine's own resolver usually is, may be asked.
 */
#include "dns/dns.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <unbound.h>
#include <unistd.h>

enum { TYPE_A = 1, TYPE_MX = 15, TYPE_AAAA = 28, CLASS_IN = 1, RESOLV_MAX = 64 << 10 };

struct dns {
	struct ub_ctx *ub;
};

static const char *const options[][2] = {
	{ "module-config:", "iterator" },
	{ "do-not-query-localhost:", "no" },
	{ "qname-minimisation:", "no" },
	{ "num-queries-per-thread:", "64" },
	{ "outgoing-range:", "128" },
	{ "rrset-cache-size:", "1m" },
	{ "msg-cache-size:", "1m" },
	{ "local-zone:", "test. nodefault" },
	{ "local-zone:", "invalid. nodefault" },
	{ "local-zone:", "localhost. nodefault" },
};

static int
forward(struct dns *d, struct span server, struct err *e)
{
	char text[128];
	int rc;

	if (server.n >= sizeof text)
		return err_set(e, ERR_PERM, "dns_servers: `%.*s` is no address", SPAN_ARG(server));
	memcpy(text, server.p, server.n);
	text[server.n] = '\0';
	rc = ub_ctx_set_fwd(d->ub, text);
	if (rc != 0)
		return err_set(e, ERR_PERM, "dns_servers: `%s`: %s", text, ub_strerror(rc));
	return 0;
}

/*
 * A missing file means the root servers; a link-local address with a scope that unbound refuses is skipped.
 */
static void
forward_resolv_conf(struct dns *d)
{
	int fd = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC);
	char *text = fd >= 0 ? malloc(RESOLV_MAX) : NULL;
	ssize_t n = text != NULL ? read(fd, text, RESOLV_MAX) : -1;
	struct span rest = span_of(text, n > 0 ? (size_t)n : 0), server;

	while (dns_resolv_next(&rest, &server))
		forward(d, server, &(struct err){ 0 });
	free(text);
	if (fd >= 0)
		close(fd);
}

static int
forward_list(struct dns *d, struct span servers, struct err *e)
{
	while (servers.n > 0) {
		size_t n = 0;

		while (n < servers.n && servers.p[n] != ' ' && servers.p[n] != ',')
			n++;
		if (n > 0 && forward(d, span_head(servers, n), e) < 0)
			return -1;
		servers = span_from(servers, n + 1);
	}
	return 0;
}

struct dns *
dns_new(struct span servers, struct err *e)
{
	struct dns *d = mem_zero(1, sizeof *d);
	int rc = 0;

	d->ub = ub_ctx_create();
	if (d->ub == NULL) {
		err_set(e, ERR_PERM, "libunbound can't start");
		goto fail;
	}
	for (size_t i = 0; i < sizeof options / sizeof *options && rc == 0; i++)
		rc = ub_ctx_set_option(d->ub, options[i][0], options[i][1]);
	if (rc != 0) {
		err_set(e, ERR_PERM, "libunbound: %s", ub_strerror(rc));
		goto fail;
	}
	if (span_trim(servers).n == 0)
		forward_resolv_conf(d);
	else if (forward_list(d, servers, e) < 0)
		goto fail;
	return d;
fail:
	dns_free(d);
	return NULL;
}

void
dns_free(struct dns *d)
{
	if (d == NULL)
		return;
	if (d->ub != NULL)
		ub_ctx_delete(d->ub);
	free(d);
}

/*
 * One question. 1 there are data, 0 the name exists without them; -1. NXDOMAIN is final; every other code
 * but NOERROR means that nobody could tell.
 */
static int
ask(struct dns *d, const char *name, int type, struct ub_result **out, struct err *e)
{
	struct ub_result *r = NULL;
	int rc = ub_resolve(d->ub, name, type, CLASS_IN, &r);

	*out = NULL;
	if (rc != 0)
		return err_set(e, ERR_TEMP, "4.4.3 looking up %s: %s", name, ub_strerror(rc));
	if (r->havedata) {
		*out = r;
		return 1;
	}
	if (r->nxdomain)
		err_set(e, ERR_PERM, "5.4.4 there is no domain %s", name);
	else if (r->rcode != 0)
		err_set(e, ERR_TEMP, "4.4.3 looking up %s: no usable answer (DNS code %d)", name, r->rcode);
	rc = r->nxdomain || r->rcode != 0 ? -1 : 0;
	ub_resolve_free(r);
	return rc;
}

int
dns_mx(
    struct dns *d, const char *domain, struct span self, struct arena *a, struct dns_mx **out, struct err *e)
{
	uint32_t random[DNS_MX_MAX];
	struct ub_result *r;
	size_t n = 0, seen = 0;
	bool null = false, loop;
	int rc = ask(d, domain, TYPE_MX, &r, e);

	if (rc <= 0)
		return rc;
	*out = arena_array(a, DNS_MX_MAX, sizeof **out);
	for (; r->data[seen] != NULL; seen++) {
		struct dns_mx mx;

		if (n == DNS_MX_MAX ||
		    dns_mx_data(span_of(r->data[seen], (size_t)r->len[seen]), &mx, a, NULL) < 0)
			continue;
		null = null || mx.host.n == 0;
		random[n] = randombytes_random();
		if (mx.host.n > 0)
			(*out)[n++] = mx;
	}
	ub_resolve_free(r);
	/* RFC 7505, 3: a null MX must stand alone; beside others it means nothing. */
	if (n == 0 && null)
		return err_set(e, ERR_PERM, "5.1.10 %s takes no mail (null MX)", domain);
	if (n == 0)
		return err_set(e, ERR_PERM, "5.4.4 the MX records of %s name no host", domain);
	n = dns_mx_order(*out, random, n, self, &loop);
	if (n == 0)
		return err_set(e, ERR_PERM, "5.4.6 mail for %s loops back to us: we are its best MX", domain);
	return (int)n;
}

static void
add_addresses(const struct ub_result *r, uint16_t port, struct addr *out, int *n)
{
	for (size_t i = 0; r->data[i] != NULL && *n < DNS_ADDR_MAX; i++) {
		struct addr *a = &out[*n];

		memset(a, 0, sizeof *a);
		if (r->qtype == TYPE_A && r->len[i] == 4) {
			struct sockaddr_in *in = (struct sockaddr_in *)(void *)&a->ss;

			in->sin_family = AF_INET;
			in->sin_port = htons(port);
			memcpy(&in->sin_addr, r->data[i], 4);
			a->len = sizeof *in;
		} else if (r->qtype == TYPE_AAAA && r->len[i] == 16) {
			struct sockaddr_in6 *in = (struct sockaddr_in6 *)(void *)&a->ss;

			in->sin6_family = AF_INET6;
			in->sin6_port = htons(port);
			memcpy(&in->sin6_addr, r->data[i], 16);
			a->len = sizeof *in;
		} else {
			continue;
		}
		++*n;
	}
}

int
dns_addresses(
    struct dns *d, const char *host, uint16_t port, struct arena *a, struct addr **out, struct err *e)
{
	static const int types[] = { TYPE_AAAA, TYPE_A };
	struct err why[2] = { { 0 }, { 0 } };
	struct ub_result *r = NULL;
	int n = 0;

	*out = arena_array(a, DNS_ADDR_MAX, sizeof **out);
	for (size_t i = 0; i < 2; i++)
		if (ask(d, host, types[i], &r, &why[i]) > 0 && r != NULL) {
			add_addresses(r, port, *out, &n);
			ub_resolve_free(r);
		}
	if (n > 0)
		return n;
	for (size_t i = 0; i < 2; i++)
		if (why[i].kind == ERR_TEMP)
			return err_set(e, ERR_TEMP, "%s", why[i].text);
	if (why[0].kind != ERR_NONE)
		return err_set(e, why[0].kind, "%s", why[0].text);
	return 0;
}
