/*
 * dialogue.h - what is said before login: parse and decide, over octets in memory; no I/O.
 *
 * A protocol (imap.c, pop3.c) is given what the client has sent and appends its answers; what has to be done
 * beside answering it asks of the session (enum ask). Limits: LINE_MAX_ octets of a line, COMMAND_MAX of a
 * command with its literals, LITERAL_MAX of one; ERRORS_MAX refused commands, COMMANDS_MAX commands,
 * FAILURES_MAX failed logins.
 */
#ifndef PROXYD_DIALOGUE_H
#define PROXYD_DIALOGUE_H

#include "base/base.h"
#include "ipc/authd.h"
#include "proxyd/sasl.h"

enum {
	COMMAND_MAX = 16 * 1024, /* an initial response of AUTH may have 12288 octets (RFC 4954, 4) */
	LITERAL_MAX = 4096,      /* RFC 7888, 5 */
	ERRORS_MAX = 20,
	COMMANDS_MAX = 200,
	FAILURES_MAX = 3,
};

enum ask {
	ASK_MORE,  /* the next command is not whole yet */
	ASK_NEXT,  /* one was answered: there may be another */
	ASK_TLS,   /* send the output, then shake hands; octets behind the command are an attack */
	ASK_LOGIN, /* is it so? d->login says what; then protocol->failed, or the session is handed over */
	ASK_CLOSE, /* send the output, then close */
};

struct dialogue {
	bool tls;         /* the connection is encrypted */
	bool tls_offered; /* it can be */
	bool password_ok; /* a password may be sent now */

	bool utf8; /* pop3: UTF8 was said (RFC 6856, 2.1) */

	bool skipping;  /* the rest of a line that was too long */
	size_t line;    /* imap: where the line under way starts in the command: behind its literals */
	bool prompted;  /* imap: the literal at its end was asked for */
	struct buf tag; /* imap: of the command that logs in */
	struct sasl sasl;
	struct login login;
	unsigned errors, commands, failures;
};

void dialogue_init(struct dialogue *d);
void dialogue_done(struct dialogue *d);

/* After STARTTLS nothing that was said before counts (RFC 3501, 6.2.1; RFC 2595, 4). */
void dialogue_encrypted(struct dialogue *d);

/* Why a session is ended by us. */
enum bye { BYE_TIMEOUT, BYE_SHUTDOWN, BYE_BUSY, BYE_INJECTION };

struct protocol {
	const char *name;    /* of the service in authd_login and tickets: "imap", "pop3" */
	const char *backend; /* program that takes the session */
	void (*greet)(struct dialogue *d, struct buf *out);
	enum ask (*step)(struct dialogue *d, struct span in, size_t *used, struct buf *out);
	enum ask (*failed)(struct dialogue *d, enum login_result result, struct span text, struct buf *out);
	void (*bye)(enum bye why, struct buf *out);
};
extern const struct protocol imap_protocol, pop3_protocol;

/* The next line of `in` without its end, *used octets with it. 1, 0 it is not whole, -1 it is too long. */
int dialogue_line(struct span in, struct span *line, size_t *used);

/* What came of a response: the challenge is appended and the exchange goes on, it is over, or it was none. */
enum ask dialogue_sasl(struct dialogue *d, enum sasl_next next, struct buf *out);

/* Drop octets up to the end of a line: true when it was found. */
bool dialogue_skip(struct dialogue *d, struct span in, size_t *used);

#endif
