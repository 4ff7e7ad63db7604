/*
 * proxied.c - who the client is when it comes through a load balancer, which says so in a header before all
 * else (io/proxy.h). Not an octet is read past the header: TLS may begin behind it.
 */
#include <sys/socket.h>
#include <sys/time.h>

#include "base/clock.h"
#include "cfg/cfg.h"
#include "io/proxy.h"
#include "smtpd/smtpd.h"

/*
 * The header into *p: 0, or -1. Usually all of it is there at once: look, then take as much as it has. One
 * that comes in pieces is taken octet by octet.
 */
static int
header_read(int fd, uint64_t deadline_ms, struct proxy *p, struct err *e)
{
	char header[PROXY_HEADER_MAX];
	ssize_t got = recv(fd, header, sizeof header, MSG_PEEK), size = 0;
	size_t n = 0;

	if (got > 0)
		size = proxy_parse(span_of(header, (size_t)got), p, e);
	if (size > 0)
		return recv(fd, header, (size_t)size, 0) == size ? 0 : err_set(e, ERR_GONE, "lost: %m");
	while (size == 0 && n < sizeof header && clock_mono_ms() < deadline_ms) {
		if (recv(fd, header + n, 1, 0) != 1)
			return err_set(e, ERR_GONE, "closed within a PROXY header");
		size = proxy_parse(span_of(header, ++n), p, e);
	}
	return size > 0 ? 0 : err_set(e, ERR_PEER, "no PROXY header");
}

int
proxied_client(struct client *c, struct err *e)
{
	uint64_t ms = cfg.smtpd_wait;
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) };
	struct proxy p = { 0 };
	struct buf ip;

	if (c->uid != (uid_t)-1 || !addr_in(&c->peer, span_str(cfg.proxy_networks)))
		return 0;
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	if (header_read(c->fd, clock_mono_ms() + ms, &p, e) < 0)
		return -1;
	if (!p.known)
		return 0;
	c->peer = p.src;
	c->local = p.dst;
	buf_init(&ip, sizeof c->ip - 1);
	addr_ip(&c->peer, &ip);
	memcpy(c->ip, ip.p, ip.n);
	c->ip[ip.n] = '\0';
	buf_free(&ip);
	return 0;
}
