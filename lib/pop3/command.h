/*
 * command.h - the command lines of POP3 (RFC 1939, 2449, 5034), and what CAPA says: for proxyd before login,
 * for pop3d after.
 *
 * Pure; spans point into the line (t/unit-pop3.c, fuzz/pop3.c).
 */
#ifndef POP3_COMMAND_H
#define POP3_COMMAND_H

#include "base/base.h"

enum pop3_verb {
	POP3_UNKNOWN,
	POP3_AUTH,
	POP3_CAPA,
	POP3_DELE,
	POP3_LIST,
	POP3_NOOP,
	POP3_PASS,
	POP3_QUIT,
	POP3_RETR,
	POP3_RSET,
	POP3_STAT,
	POP3_STLS,
	POP3_TOP,
	POP3_UIDL,
	POP3_USER,
};

struct pop3_cmd {
	enum pop3_verb verb;
	struct span arg;     /* text behind the verb and one space, as it came (PASS) */
	struct span word[2]; /* its words */
	unsigned words;      /* how many; PASS and USER have one, whatever is in it */
};

/* A line without its end. -1 with ERR_PEER, fit for "-ERR ": unknown, or the wrong number of arguments. */
int pop3_parse(struct span line, struct pop3_cmd *out, struct err *e);

/* A message number: 1 to 2^32 - 1. */
int pop3_number(struct span word, uint32_t *out, struct err *e);

enum pop3_caps {
	POP3_CAPS_TLS = 1,  /* STLS is possible (RFC 2595) */
	POP3_CAPS_AUTH = 2, /* a password may be sent now */
};

/* The lines of the answer to CAPA, behind its +OK, the last dot included. */
void pop3_capa(unsigned state, struct buf *out);

#endif
