/*
 * command.h - one command line of SMTP or LMTP, as a server reads it.
 *
 * RFC 5321, 4.1.1; LHLO (RFC 2033), STARTTLS (RFC 3207), AUTH (RFC 4954), BDAT (RFC 3030). Pure: reads only
 * the bytes given (t/unit-command.c, fuzz/command.c). Which command may come when is the caller's to say.
 */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include "smtp/path.h"

enum smtp_verb {
	SMTP_HELO,
	SMTP_EHLO,
	SMTP_LHLO,
	SMTP_MAIL,
	SMTP_RCPT,
	SMTP_DATA,
	SMTP_BDAT,
	SMTP_RSET,
	SMTP_NOOP,
	SMTP_QUIT,
	SMTP_VRFY,
	SMTP_EXPN,
	SMTP_HELP,
	SMTP_STARTTLS,
	SMTP_AUTH,
	SMTP_UNKNOWN,
};

/* Spans point into the line. Fields that the verb has no use for are zero. */
struct smtp_command {
	enum smtp_verb verb;
	struct span arg;       /* what stands behind the verb, without blanks at its ends; HELO: the name */
	struct path path;      /* MAIL, RCPT */
	struct span params;    /* MAIL, RCPT: behind the path, for params.h */
	uint64_t chunk;        /* BDAT: octets that follow */
	bool last;             /* BDAT: of the message */
	struct span mechanism; /* AUTH */
	struct span initial;   /* AUTH: initial response, base64; p == NULL: none; "=" is an empty one */
};

/*
 * Parse a line without its CRLF. Always fills out->verb. Returns 0, or -1 with *e (ERR_PEER), whose text is
 * the whole reply, "501 5.5.4 Syntax: ...": 500 for a verb that is not known.
 *
 * More generous than the grammar in two places, as everybody is: blanks behind `FROM:` and `TO:`, and blanks
 * before the end of the line (RFC 5321, 4.1.1). A HELO name is any word of printable ASCII.
 */
int smtp_command_parse(struct span line, struct smtp_command *out, struct err *e);

#endif
