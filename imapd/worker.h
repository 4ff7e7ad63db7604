/*
 * worker.h - one session, served by a process of its own that can reach one owner's store and nothing else.
 */
#ifndef IMAPD_WORKER_H
#define IMAPD_WORKER_H

#include "base/base.h"
#include "jail/jail.h"

struct idle_record;
struct ipc;
struct svc;

/* What a worker may still call once it is in its owner's directory; a subset of imapd.c's jail. */
enum { WORKER_CALLS = JAIL_FILES | JAIL_SQLITE | JAIL_SYNC | JAIL_PAIR | JAIL_MEMORY };

struct worker_start {
	struct svc *svc;
	struct ipc *up; /* to the holder, non-blocking; taken */
	int stream;     /* of the client, blocking; taken */
	int store;      /* the directory of all owners; taken */
	struct span owner, login, client, sid;
	struct span account; /* the name of the reader's own store */
	uint64_t since;         /* milliseconds since 1970 */
	bool link, guest;       /* the client is the worker of `login`: link.h; who is not the owner */
	struct span addr;       /* of a link: the owner's address */
	struct span tag, input; /* a new session: of the login, to be answered; what came behind it */
	const struct idle_record *record; /* a session that goes on; NULL: a new one */
};

/* In the child: serve until the session ends or is handed back. Gives the exit status. */
int worker_run(const struct worker_start *w);

/*
 * Enter the directory of an owner below `store` (which is closed), and lock out everything else: from here
 * on the kernel lets this process open no file but this owner's. It is made if it is missing and `make`.
 */
int worker_enter(int store, struct span owner, bool make, struct err *e);

struct cmd;
struct session;

/*
 * Open the store for the first command that needs it: who logs in and out, or waits with a connection at
 * hand, costs no index. -1: why is in the log, and *e and cmd->code are for the client.
 */
int worker_open(struct session *s, struct cmd *cmd, struct err *e);

#endif
