/* authd.h - the messages of authd, and what their numbers mean. */
#ifndef IPC_AUTHD_H
#define IPC_AUTHD_H

#include "ipc/ipc.h"

enum whois_kind {
	WHOIS_OK,       /* targets are filled */
	WHOIS_UNKNOWN,  /* our domain, nobody there: 550 5.1.1 */
	WHOIS_RELAY,    /* not our domain: only for those who may relay; one remote target */
	WHOIS_TEMP,     /* can't be told now: 451 4.3.0 */
	WHOIS_DISABLED, /* ours, not receiving: 550 5.2.1 */
};

enum target_kind { TARGET_LOCAL = 1, TARGET_REMOTE = 2 };

enum login_result {
	LOGIN_OK,
	LOGIN_BAD,    /* wrong name or password; never says which */
	LOGIN_TEMP,   /* try again later */
	LOGIN_DENIED, /* right, but this account or service is switched off, or the authzid is not allowed */
	LOGIN_LIMIT,  /* too many failures from there; the password was not looked at */
};

enum account_op {
	OP_ADD = 1, /* refused if it is there */
	OP_DELETE,
	OP_CHANGE,
	OP_SHOW,
	OP_PUT,  /* add, or change what is there */
	OP_JOIN, /* a group: its members get more, or fewer */
	OP_LEAVE,
};
enum {
	USER_SET_PASSWORD = 1,
	USER_SET_NAME = 2,
	USER_SET_QUOTA = 4,
	USER_SET_ENABLED = 8,
};
enum list_what { LIST_USERS = 1, LIST_ALIASES, LIST_DOMAINS, LIST_GROUPS, LIST_TREES };

#define IPC_DEF "ipc/authd.def"
#include "ipc/declare.h"

extern const struct ipc_def authd_def;

#endif
