/*
 * command.h - the command lines of POP3 (RFC 1939, 2449, 5034, 6856), and what CAPA says: for proxyd before login,
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
	POP3_LANG,
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
	POP3_UTF8,
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

/* What CAPA says beside what is always so. */
struct pop3_caps {
	bool tls;               /* STLS is possible (RFC 2595) */
	bool auth;              /* a password may be sent now */
	uint64_t login_delay_s; /* RFC 2449, 6.5: seconds between two logins; 0: none */
	uint32_t expire_days;   /* 6.7: how long messages are kept at least; UINT32_MAX: for ever */
	bool expire_differs;    /* before login: not the same for all users */
};

/* The lines of the answer to CAPA, behind its +OK, the last dot included. */
void pop3_capa(const struct pop3_caps *caps, struct buf *out);

/*
 * LANG (RFC 6856, 3): the answer to it, whole. There is one language, `en`, which any range that means it, and "*", get.
 * False: a range that is not spoken here (-ERR).
 */
bool pop3_lang(const struct pop3_cmd *c, struct buf *out);

#endif
