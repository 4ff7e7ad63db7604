/* service.h - what svc.c, each.c and run.c share. Only for lib/io. */
#ifndef IO_SERVICE_H
#define IO_SERVICE_H

#include <signal.h>

#include "io/svc.h"
#include "ipc/master.h"

/* A socket that master opened. */
struct listener {
	struct svc *s;
	int fd;
	struct addr addr; /* what it is bound to */
	bool any;         /* to all addresses: which one, only the connection tells */
	struct watch w;
};

/* The client end of a door: whom we may dial. */
struct door {
	const char *program; /* "queue", "local/0" */
	int fd;
};

/* The service end of a door: who may dial us. */
struct serve {
	struct svc *s;
	enum ipc_role role;
	int fd;
	struct watch w;
};

struct child {
	struct svc *s;
	pid_t pid;
	unsigned char key[16]; /* addr_key of its client; all zero when dialled, or idle */
	int control;      /* SOCK_SEQPACKET: it says when it is idle, we send the next client; -1: none */
	struct watch w;   /* on control */
	uint64_t idle_ms; /* since when, on the loop's clock; 0: it has a session */
	bool stale;       /* from before a reload: no next client */
};

struct svc {
	enum ipc_role self;
	const char *name, *dir_name, *program;
	const char *user, *group, *boot;
	char host[256]; /* the system's name */
	uint32_t limit, instance;
	int dir, config;
	const char **overrides;
	size_t overrides_n;

	struct listener *listeners;
	size_t listeners_n;
	struct door *doors;
	size_t doors_n;
	struct serve *serves;
	size_t serves_n;

	struct ipc *master;
	struct watch master_w, signal_w;
	struct loop *loop;
	sigset_t signals;
	struct timer log_due, counters_due, accept_again;
	uint32_t sessions;
	uint64_t total;
	bool changed; /* master has not heard of the last change of the counters */

	struct tls_ctx *tls;    /* NULL: the program does not speak it */
	uint64_t keyd_again_ms; /* not before: it did not answer */
	struct ipc *keyd;       /* sign.c; this process's own, NULL until it is needed */
	uint32_t files_due;     /* master_file messages that are still to come */
	int reload_config, reload_cert, reload_key, reload_filters; /* -1: not come */

	bool serving, draining, linear; /* linear: a child that runs one session */
	const struct svc_each *each;
	const struct svc_loop *fns;
	void (*on_exit)(struct svc *s, pid_t pid, int status);
	struct child **children;
	size_t children_n, children_cap, idle_n;
	struct timer idle_due; /* children that are idle too long */
};

/* Ends the process with a log line, exit 69. */
_Noreturn void service_failed(const char *what, const struct err *e);

/* A master_reload or master_file. */
int service_reload(struct svc *s, struct ipc_in *in, struct err *e);

/* A context of the certificate in this file, whose key is keyd's (sign.c). */
struct tls_ctx *service_tls(struct svc *s, int cert_fd, struct err *e);

/* Watch listeners, doors, master and signals; tell master that we are ready. */
void service_begin(struct svc *s);

/* Take no new sessions from now on. */
void service_close(struct svc *s);

/* In a child: shed what is the parent's, and take signals as a session does; `fd`: see ending.h. */
void service_child(struct svc *s, int fd);

/* What each.c does; run.c calls the functions of fns itself. */
void each_client(struct svc *s, struct client *c);
void each_dialled(struct svc *s, int fd, enum ipc_role peer);
void each_exit(struct svc *s, pid_t pid);
void each_drain(struct svc *s, bool now);
void each_reloaded(struct svc *s);

/* How a child gets its next client (reuse.c): the client travels as its struct and its descriptor. */
int reuse_send(int control, const struct client *c); /* 0, or -1: that child is gone */
void reuse_begin(int control);                       /* in the child, once */
/* In the child: say that we are idle, wait. True with *c filled; false when there will be no more. */
bool reuse_wait(int control, struct client *c);

/* Counters (count.c): shared with children. counters_text gives `name value` lines. */
void counters_open(void);
void counters_text(struct buf *out);

#endif
