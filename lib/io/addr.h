/* addr.h - socket addresses as text and back. No names are looked up. */
#ifndef IO_ADDR_H
#define IO_ADDR_H

#include <sys/socket.h>

#include "base/base.h"

struct addr {
	struct sockaddr_storage ss;
	socklen_t len; /* 0: unset */
};

/* "127.0.0.1:25", "[::1]:25", "*:25" (all, both families), "unix:PATH" is not one. */
int addr_parse(struct span text, struct addr *out, struct err *e);
/* "127.0.0.1" or "::1"; v4-mapped v6 as v4; "local" for a Unix socket. Appended. */
void addr_ip(const struct addr *a, struct buf *out);
void addr_text(const struct addr *a, struct buf *out); /* with the port */
uint16_t addr_port(const struct addr *a);
/* Is it in one of the networks of `list` ("127.0.0.0/8 [::1]/128 10.0.0.1", blanks or commas between)? */
bool addr_in(const struct addr *a, struct span list);
/* Check such a list, for the config. */
int addr_list_check(struct span list, struct err *e);
/* What limits are counted by: the v4 address, or the /64 of a v6 one, as 16 octets. */
void addr_key(const struct addr *a, unsigned char key[16]);

#endif
