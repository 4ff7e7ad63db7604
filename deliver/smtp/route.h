/*
 * route.h - from a next hop to the hosts that are asked for it, in order.
 *
 *   domain            its MX records; without any, its own addresses
 *   [host]            that host, no MX looked up; [192.0.2.1] and [IPv6:2001:db8::1] are addresses
 *   [host]:port       on that port; domain:port too
 */
#ifndef DELIVER_ROUTE_H
#define DELIVER_ROUTE_H

#include "base/base.h"

struct sender;

struct hop {
	const char *host; /* a name, or an address literal with its brackets */
	uint16_t port;
	bool mx; /* named by an MX record, or by the lack of one */
};

/* The hops, in a: their number, at least 1; or -1. Errors have a status code in front. */
int route_find(
    const struct sender *me, struct span next_hop, struct arena *a, struct hop **out, struct err *e);

struct addr;
/* The addresses of a hop, of the families that smtp_families allows. */
int route_addresses(
    const struct sender *me, const struct hop *h, struct arena *a, struct addr **out, struct err *e);

#endif
