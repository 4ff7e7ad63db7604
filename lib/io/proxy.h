/*
 * proxy.h - the PROXY protocol's header, by which a load balancer says who the client is:
 * www.haproxy.org/download/2.9/doc/proxy-protocol.txt, versions 1 (text) and 2 (binary).
 *
 * Pure; safe on any input (t/unit-proxy.c, fuzz/proxy.c). Only addresses in proxy_networks are believed, and
 * from them the header must come: the caller's affair.
 */
#ifndef IO_PROXY_H
#define IO_PROXY_H

#include "io/addr.h"

enum { PROXY_HEADER_MAX = 4096 };

struct proxy {
	bool known; /* false: LOCAL or UNKNOWN; the connection's own addresses hold */
	struct addr src, dst;
};

/* Octets that the header takes, 0 if more are needed, -1 with ERR_PEER if it is none. */
ssize_t proxy_parse(struct span in, struct proxy *out, struct err *e);

#endif
