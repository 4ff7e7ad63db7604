/*
 * svc.h - how every service starts, serves, reloads and ends.
 *
 * master starts a service with everything it will ever get from outside: listening sockets, doors, the log
 * socket, its channel to master. main() has always this order:
 *
 *   1. svc_start    options, config, log, the inherited descriptors (environment ROOKERY_FDS, see svc.c)
 *   2. open what will be needed: certificates, keys, directories (svc_dir)
 *   3. svc_confine  uid and groups, no_new_privs, limits, Landlock, seccomp; refused steps are fatal
 *   4. svc_each (a child per client or dialled channel) or svc_run (an event loop)
 *
 * Reload, drain, counters and log flushing are done in here, for all alike.
 */
#ifndef IO_SVC_H
#define IO_SVC_H

#include "base/base.h"
#include "base/id.h"
#include "io/addr.h"
#include "io/loop.h"
#include "ipc/ipc.h"
#include "jail/jail.h"

struct svc;
struct tls_ctx;

/* A client that connected to one of our listeners. */
struct client {
	int fd; /* blocking, taken by who gets the struct */
	struct addr peer, local;
	struct id sid; /* minted at accept */
	char ip[64];   /* peer as text, without the port; "local" for a Unix socket */
	uid_t uid;     /* Unix socket: who it is; else (uid_t)-1 */
};

struct svc *svc_start(int argc, char **argv, enum ipc_role self);

/* From here on: before svc_confine only. Each ends the process with one log line and exit 69 if it fails. */
int svc_dir(struct svc *s, const char *name);  /* O_PATH of DIR/name, e.g. "spool" */
int svc_open(struct svc *s, const char *path); /* read only; relative to DIR unless absolute */
/*
 * A context of tls_cert; its key stays in keyd (io/remotekey.h), which is asked through our door to it at
 * each handshake (JAIL_PAIR). Kept fresh over reloads.
 */
struct tls_ctx *svc_tls(struct svc *s);

/* Is one of our listeners a Unix socket: do clients come whose uid the kernel tells? */
bool svc_local(const struct svc *s);

/* The door to a service's program ("queue", "authd", "local/0"), or -1 if master.cf has no such service. */
int svc_door(const struct svc *s, const char *program);
/* Which of the instances of a sharded program (deliver-local) we are. */
unsigned svc_instance(const struct svc *s);
const char *svc_name(const struct svc *s); /* the line of master.cf: "smtp", "submission" ... */
/* `hostname`, or the system's name; stays until the configuration is read anew. */
const char *svc_hostname(const struct svc *s);
const char *svc_boot_id(const struct svc *s); /* changes when the machine (or a test of it) starts anew */
int svc_file(const struct svc *s,
    const char
	*key); /* while `reloaded` runs: the file of that config key ("filters": etc/filters.cf), or -1 */
struct tls_ctx *svc_tls_now(const struct svc *s); /* the context to use for the next handshake; may be NULL */

/* Dial a door and make the channel of it. NULL with *e (ERR_TEMP) when there is no such service. */
struct ipc *svc_dial(const struct svc *s, const char *program, const struct ipc_def *def, struct err *e);

/*
 * Step 3. Lists the jail in the log at debug level. With `sandbox = off` only the uid is dropped, with a
 * warning.
 */
void svc_confine(struct svc *s, const struct jail *jail);

/*
 * Step 4, one process a session: for each client (or each dialled channel) forks a child that calls the
 * function and exits with what it returns. The parent counts: at most `limit` children (master.cf), at most
 * client_connections_max of one client address; who comes too much is told by `busy` (a line to send, e.g.
 * "421 4.7.0 ...\r\n"; may be NULL) and closed. The child has already forgotten the parent's listeners.
 *
 * A fork, its jail and its end cost more than a short session. So a child whose `client` returns SVC_AGAIN,
 * and says with it that nothing of that session is left and nothing in it was worth protecting from the next,
 * waits for another client of the same service, `reuse` sessions in all; when none comes for a while, or
 * after a reload, it ends.
 */
enum { SVC_AGAIN = -1 };
struct svc_each {
	int (*client)(struct svc *s, struct client *c);
	unsigned (*reuse)(void); /* NULL: every session has a process of its own */
	int (*dialled)(struct svc *s, int fd, enum ipc_role peer);
	const char *busy;
	void (*reloaded)(struct svc *s); /* in the parent, after cfg is read anew; may be NULL */
};
int svc_each(struct svc *s, const struct svc_each *each);
/*
 * For a session child: has master asked that sessions end? Looked at between commands, and when conn_line
 * says that input is at its end: reading from the client ends with the signal, so that no wait misses it,
 * while what the child still writes goes out. A child whose client comes by descriptor calls ending_on_term
 * for it.
 */
#include "io/ending.h"

/* Step 4, an event loop. Functions may be NULL where a service has no such thing. */
struct svc_loop {
	void (*client)(struct svc *s, struct client *c);            /* fd is non-blocking */
	void (*dialled)(struct svc *s, int fd, enum ipc_role peer); /* fd is non-blocking */
	void (*reloaded)(struct svc *s);
	void (*drain)(
	    struct svc *s, bool now); /* take nothing new; call svc_end when the last session is gone */
};
struct loop *svc_loop_of(struct svc *s); /* for watches and timers */
int svc_run(struct svc *s, const struct svc_loop *fns);
void svc_end(struct svc *s);
void svc_sessions(struct svc *s, int delta); /* loop programs tell how many sessions are open */

/*
 * A child of a loop program (imapd's workers): the loop, signals and pending log lines of the parent are
 * shed.
 */
pid_t svc_fork(struct svc *s);                                                     /* as fork */
void svc_on_exit(struct svc *s, void (*fn)(struct svc *s, pid_t pid, int status)); /* a child ended */

/* Counters for monitoring: names are literals, "smtpd.accepted"; sent to master now and then. */
void svc_count(const char *name, uint64_t add);

#endif
