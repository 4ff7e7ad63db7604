/*
 * programs.c - the programs, and the table of who may dial whom: it is docs/architecture.md, section 2, and
 * the kernel enforces it, for a process has no other way to another than the doors that are made from here.
 */
#include "master/master.h"

static const struct program programs[] = {
	{ "smtpd", "smtpd", ROLE_SMTPD, 0, false, SESSIONS_PHASE },
	{ "proxyd", "proxyd", ROLE_PROXYD, 0, false, SESSIONS_PHASE },
	{ "imapd", "imapd", ROLE_IMAPD, ROLE_PROXYD | ROLE_LOCAL | ROLE_POP3D | ROLE_UPKEEP | ROLE_CTL, false,
	    SESSIONS_PHASE },
	{ "pop3d", "pop3d", ROLE_POP3D, ROLE_PROXYD | ROLE_CTL, false, SESSIONS_PHASE },
	{ "upkeep", "upkeep", ROLE_UPKEEP, ROLE_LOCAL | ROLE_IMAPD | ROLE_CTL, false, SESSIONS_PHASE },
	{ "filterd", "filterd", ROLE_FILTERD, ROLE_SMTPD, false, MAIL_PHASE },
	{ "mimed", "mimed", ROLE_MIMED, ROLE_IMAPD | ROLE_UPKEEP, false, MAIL_PHASE },
	{ "queue", "queue", ROLE_QUEUE, ROLE_SMTPD | ROLE_CTL, false, MAIL_PHASE },
	{ "deliver-local", "local", ROLE_LOCAL, ROLE_QUEUE, true, DELIVERY_PHASE },
	{ "deliver-smtp", "remote", ROLE_REMOTE, ROLE_QUEUE, false, DELIVERY_PHASE },
	{ "dsn", "dsn", ROLE_DSN, ROLE_QUEUE, false, DELIVERY_PHASE },
	{ "keyd", "keyd", ROLE_KEYD, ROLE_SMTPD | ROLE_PROXYD, false, ACCOUNTS_PHASE },
	{ "authd", "authd", ROLE_AUTHD,
	    ROLE_SMTPD | ROLE_QUEUE | ROLE_PROXYD | ROLE_LOCAL | ROLE_IMAPD | ROLE_POP3D | ROLE_UPKEEP |
		ROLE_CTL,
	    false, ACCOUNTS_PHASE },
};

const struct program *
program_at(size_t i)
{
	return i < sizeof programs / sizeof programs[0] ? &programs[i] : NULL;
}

const struct program *
program_find(const char *name)
{
	for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
		if (strcmp(programs[i].name, name) == 0)
			return &programs[i];
	}
	return NULL;
}
