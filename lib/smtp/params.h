/*
 * params.h - the ESMTP parameters behind the path of MAIL and RCPT (RFC 5321, 4.1.2, esmtp-param).
 *
 * SIZE (RFC 1870), BODY (RFC 6152, 3030), SMTPUTF8 (RFC 6531), AUTH (RFC 4954), RET, ENVID, NOTIFY, ORCPT
 * (RFC 3461). Pure (t/unit-params.c, fuzz/params.c).
 */
#ifndef SMTP_PARAMS_H
#define SMTP_PARAMS_H

#include "base/base.h"

/* What the server offered in its EHLO: a parameter of anything else is not recognised. */
enum {
	PARAM_SIZE = 1,
	PARAM_8BITMIME = 2,
	PARAM_BINARYMIME = 4,
	PARAM_SMTPUTF8 = 8,
	PARAM_AUTH = 16,
	PARAM_DSN = 32
};

enum mail_body { BODY_UNSAID, BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME };
enum mail_ret { RET_UNSAID, RET_FULL, RET_HDRS };

enum { NOTIFY_UNSAID = 0, NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4, NOTIFY_DELAY = 8 };

/* Decoded values are in the arena. Absent: p == NULL. */
struct mail_params {
	uint64_t size; /* octets; 0 when not said */
	bool has_size;
	bool utf8; /* SMTPUTF8 was given */
	enum mail_body body;
	enum mail_ret ret;
	struct span auth;  /* decoded mailbox; n == 0 and p != NULL for AUTH=<> */
	struct span envid; /* decoded; at most 100 octets */
};

struct rcpt_params {
	unsigned notify;        /* NOTIFY_* */
	struct span orcpt_type; /* "rfc822", "utf-8", as written */
	struct span orcpt;      /* decoded address: printable ASCII, or UTF-8 when the type is utf-8 */
};

/*
 * Parse what stands behind the path: nothing, or SP and parameters up to the end of the line. Gives 0; -1 for
 * bad syntax, a bad value or a parameter given twice ("501 5.5.4 "); -2 for a parameter that is not
 * recognised or not offered ("555 5.5.4 "). *e is ERR_PEER; its text can be sent behind those codes.
 */
int mail_params_parse(
    struct span in, unsigned offered, struct mail_params *out, struct arena *a, struct err *e);
int rcpt_params_parse(
    struct span in, unsigned offered, struct rcpt_params *out, struct arena *a, struct err *e);

/* xtext of RFC 3461, 4. Decoding gives -1 with ERR_PEER if it is not xtext. */
int xtext_decode(struct span in, struct buf *out, struct err *e);
int xtext_encode(struct span in, struct buf *out, struct err *e);

#endif
