/*
 * mailbox.h - addresses taken apart and brought to one form, so that equal ones are equal octets.
 *
 * Local parts are compared as they are after unquoting (RFC 5321, 2.4: only the host that owns them knows
 * more); domains in lower case as A-labels (RFC 5890). Pure (t/unit-mailbox.c, fuzz/mailbox.c).
 */
#ifndef SMTP_MAILBOX_H
#define SMTP_MAILBOX_H

#include <netinet/in.h>

#include "base/base.h"

/*
 * Split at the @ that is not within quotes. 0, or -1 with ERR_PEER. Without an @ domain is empty
 * with p == NULL.
 */
int mailbox_split(struct span address, struct span *local, struct span *domain, struct err *e);

/* Append a local part without its quotes and backslashes, if it is a quoted string; else as it is. */
int local_unquote(struct span local, struct buf *out, struct err *e);

/*
 * Append an unquoted local part as it goes on the wire: quoted when it is no Dot-string (RFC 5321, 4.1.2).
 * ERR_PEER for control characters, which cannot be quoted either.
 */
int local_quote(struct span local, struct buf *out, struct err *e);

/*
 * True for a domain in ASCII as RFC 5321, 4.1.2 has it: labels of letters, digits and inner hyphens, 1..63
 * octets each, 255 in all. One final dot is not taken. Underscores are (RFC 5321 has none, mail does).
 */
bool domain_valid(struct span domain);

/*
 * Append the domain in its one form: lower case, U-labels as A-labels (IDNA2008, UTS 46 non-transitional); an
 * address literal as literal_format() writes it. ERR_PEER if it is neither.
 */
int domain_canon(struct span domain, struct buf *out, struct err *e);

/* local@domain in one form: the local part quoted only where it must be, the domain as domain_canon(). */
int mailbox_canon(struct span address, struct buf *out, struct err *e);

/* An address literal: "[192.0.2.1]" or "[IPv6:2001:db8::1]". */
struct literal {
	int family; /* AF_INET or AF_INET6 */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	} u;
};

/* 0, or -1 with ERR_PEER: also for a General-address-literal, which names no host that we know. */
int literal_parse(struct span s, struct literal *out, struct err *e);
int literal_format(const struct literal *l, struct buf *out, struct err *e);

#endif
