/* init.h - the parts of `rookery init`. */
#ifndef CTL_INIT_H
#define CTL_INIT_H

#include "ctl/ctl.h"

enum { LISTENS_MAX = 64 };

struct init {
	const char *domain, *hostname;
	uint32_t port_base;
	struct {
		struct span service, address; /* "smtp", "127.0.0.1:2525"; address `off`: no such service */
	} listens[LISTENS_MAX];
	size_t n_listens;
	int dir; /* of the instance, opened for reading */
};

/* ---- init_config.c: pure. The text of master.cf or rookery.cf for this instance, from the template. */
int init_master_cf(const struct init *in, struct span template, struct buf *out, struct err *e);
int init_rookery_cf(const struct init *in, struct span template, struct buf *out, struct err *e);

/* ---- init_cert.c: an ECDSA P-256 key, and a certificate for the host's names that it signs itself; PEM. */
int init_certificate(const struct init *in, struct buf *cert, struct buf *key, struct err *e);

/* ---- init_users.c: as root, make the users and the group that services run as, where they are missing */
int init_users(struct err *e);

#endif
