/*
 * dns.h - the questions that sending mail asks the DNS: who takes mail for a domain, and where are they?
 *
 * A wrapper of libunbound, blocking, for linear programs. dns_new reads /etc/resolv.conf if it must, so it is
 * called before the jail closes; after that only sockets are used, and no thread and no process is started.
 * Errors carry an enhanced status code (RFC 3463) at the start of their text: "4.4.3 ...", "5.4.4 ...".
 */
#ifndef DNS_DNS_H
#define DNS_DNS_H

#include "base/base.h"
#include "io/addr.h"

enum {
	DNS_MX_MAX = 64,   /* exchangers of one domain that are looked at, the best first */
	DNS_ADDR_MAX = 32, /* addresses of one host */
};

struct dns;

/*
 * A resolver that forwards to `servers`, "ADDRESS" or "ADDRESS@PORT" with blanks or commas between; empty:
 * those of /etc/resolv.conf, and if there are none the root servers themselves. NULL with ERR_PERM.
 */
struct dns *dns_new(struct span servers, struct err *e);
void dns_free(struct dns *d);

struct dns_mx {
	uint32_t preference;
	struct span host; /* ASCII, no final dot */
};

/*
 * The mail exchangers of a domain (ASCII), in the order in which to try them: RFC 5321, 5.1. `self` is our own
 * name: where it is among them, it and all that are not better are left out. Spans are in a.
 *   > 0  the number of them in *out; a CNAME has been followed
 *   0    the domain has none, but may have an address: it is its own exchanger
 *   -1   ERR_PERM: there is no such domain (5.4.4), it takes no mail (5.1.10, the null MX of RFC 7505), or
 *        we are its best exchanger (5.4.6); ERR_TEMP: it can't be told now (4.4.3)
 */
int dns_mx(
    struct dns *d, const char *domain, struct span self, struct arena *a, struct dns_mx **out, struct err *e);

/*
 * The addresses of a host, with that port, IPv6 first. 0: it has none; -1: ERR_PERM there is no such host
 * (5.4.4), ERR_TEMP (4.4.3). If one family can't be told and the other can, that is enough.
 */
int dns_addresses(
    struct dns *d, const char *host, uint16_t port, struct arena *a, struct addr **out, struct err *e);

/*
 * ---- pure parts (t/unit-dns.c)
 *
 * Sort by preference, equal ones by `random` (one number each, drawn by the caller: RFC 5321, 5.1 wants equals
 * spread), drop what is worse than or equal to ourselves: if one of them is `self`, it and all of its
 * preference and behind would send the message back to us. Gives what is left.
 */
size_t dns_mx_order(struct dns_mx *mx, const uint32_t *random, size_t n, struct span self, bool *loop);

/* The data of an MX record. ERR_PEER if it is malformed or its host is no host name. The root gives host.n == 0. */
int dns_mx_data(struct span rdata, struct dns_mx *out, struct arena *a, struct err *e);

/* nameserver lines of resolv.conf text, one address a call; false at the end. */
bool dns_resolv_next(struct span *text, struct span *server);

#endif
