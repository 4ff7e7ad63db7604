/* sendmail.h - the parts of the sendmail(1) face. */
#ifndef CTL_SENDMAIL_H
#define CTL_SENDMAIL_H

#include "ctl/ctl.h"

enum { RECIPIENTS_MAX = 10000 };

struct submission {
	struct arena *a;
	struct span *recipients; /* paths without brackets: local@domain */
	size_t n;
	const char *domain;    /* completes names without one */
	const char *host;      /* for Message-ID */
	struct span sender;    /* the same form as a recipient; empty for <> */
	const char *full_name; /* for a From that is missing; may be NULL */
	const char *notify;    /* -N: of every recipient; NULL: not said */
	const char *ret, *envid;
	bool from_header; /* -t: recipients are those of To, Cc and Bcc too */
	bool dot_ends;    /* without -i: a line that is one dot ends the message */
};

/* ---- sendmail_text.c: pure, but for the clock and a random id */

/*
 * Add the addresses of one argument or header value to s->recipients, completed by s->domain, no one twice.
 */
int sendmail_add(struct submission *s, struct span addresses, struct err *e);

/*
 * The message as it goes over the wire, without dots doubled: lines end in CRLF whatever they ended in, the
 * fields Bcc and Return-Path are gone, missing From, Date and Message-ID are there. With s->from_header, adds
 * recipients. The input ends early at a line of one dot if s->dot_ends.
 */
int sendmail_message(struct submission *s, struct span input, struct buf *out, struct err *e);

/* ---- sendmail_smtp.c: hand it to smtpd on fd (taken). Gives the exit status. */
int sendmail_submit(struct submission *s, int fd, struct span message);

#endif
