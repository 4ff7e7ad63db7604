/*
 * master.h - what the files of master share: the instance, its processes, doors and listening sockets.
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include <stdio.h>

#include "base/base.h"
#include "cfg/services.h"
#include "io/loop.h"
#include "ipc/master.h"

/* ---- programs.c: what can be started, and who may dial whom */

enum { SESSIONS_PHASE, MAIL_PHASE, DELIVERY_PHASE, ACCOUNTS_PHASE, PHASES };

struct program {
	const char *name, *role_name;
	enum ipc_role role;
	uint32_t dialled_by; /* or of roles */
	bool sharded;        /* as many processes as its limit, each with doors of its own */
	int phase;           /* of stopping: a program goes after all that dial it */
};

const struct program *program_find(const char *name); /* NULL if unknown */
const struct program *program_at(size_t i);           /* NULL behind the last */

/* ---- plan.c: a configuration, read and checked, before anything is done about it */

struct plan {
	unsigned refs; /* processes that run by it, and master itself */
	struct arena *a;
	struct services services;
	struct span config; /* text of etc/rookery.cf */
};

/*
 * Read etc/ below dir and check all of it, the certificate included. NULL with *e, which names file and line.
 */
struct plan *plan_read(int dir, const char *bin_dir, struct err *e);
void plan_release(struct plan *p);
/* Do both lines start the same process? */
bool plan_same(const struct service *a, const struct service *b);
/* The services whose program this is: their number, and the first of them. */
unsigned plan_count(const struct plan *p, const struct program *prog, const struct service **first);

/* ---- listen.c: sockets that strangers connect to; they live as long as a line of master.cf names them */

struct listener {
	struct listener *next;
	char *spec; /* "ADDRESS:PORT" or "unix:run/NAME" */
	int fd;
};

/* Open what the plan names and is not there. On failure closes what it opened. */
int listen_open(struct listener **list, const struct plan *p, int backlog, struct err *e);
/* Close what no service of the plan (NULL: none at all) names. */
void listen_close(struct listener **list, const struct plan *p);
int listen_find(const struct listener *list, const char *spec); /* its descriptor */

/* ---- doors.c: see lib/ipc/ipc.h */

struct door {
	struct door *next;
	const struct program *server;
	unsigned instance;
	enum ipc_role client;
	int client_end, server_end;
};

/* Make the doors of every program in the plan that has none yet; close those that no program has any more. */
void doors_make(struct door **doors, const struct plan *p);
const struct door *doors_find(
    const struct door *doors, const struct program *server, unsigned instance, enum ipc_role client);
/* May a program with this role dial differently under the two plans? */
bool doors_differ(const struct plan *a, const struct plan *b, enum ipc_role client);

/* ---- proc.c: one process of a service, over all its restarts */

enum proc_state {
	PROC_WAITING,  /* until no process of its program is stopping */
	PROC_STARTING, /* runs, but has not said ready */
	PROC_READY,
	PROC_BACKOFF,  /* died; a timer runs until it is started again */
	PROC_STOPPING, /* told to end; a timer runs until it is told harder */
	PROC_GONE,     /* to be freed */
};

struct counter {
	char *name;
	uint64_t before, now; /* of processes that ended, and of the one that runs */
};

struct proc {
	struct proc *next;
	struct master *m;
	struct plan *plan; /* owns svc */
	const struct service *svc;
	const struct program *prog;
	unsigned instance;
	char label[48]; /* "smtp", "deliver-local/2" */

	enum proc_state state;
	pid_t pid;           /* also its process group; 0 when it does not run */
	uint64_t started_ms; /* loop clock */
	unsigned failures;   /* deaths in a row soon after a start */
	bool proven;         /* has been ready once */
	bool reloading;      /* has not answered the last reload */
	int patience;        /* PROC_STOPPING: how hard it was told */
	char ended[240];     /* how the last process ended */
	char wrong[240];     /* what it said to the last reload */

	struct ipc *channel;
	struct watch channel_watch;
	int log_in, log_out; /* our end, its end */
	struct watch log_watch;
	int err_in, err_out; /* its standard error */
	struct watch err_watch;
	struct timer timer;

	uint32_t sessions, restarts;
	uint64_t total, total_before;
	struct counter *counters;
	size_t n_counters;
};

struct proc *proc_new(struct master *m, struct plan *plan, const struct service *svc, unsigned instance);
void proc_start(struct proc *p);
/* Start it when no process of its program is left that could do the same work twice. */
void proc_start_alone(struct proc *p);
/* Tell it to end: by itself, or (now) in seconds. */
void proc_stop(struct proc *p, bool now);
/* Give it the configuration of its plan. */
void proc_reload(struct proc *p);
void proc_exited(struct proc *p, int status);
void proc_free(struct proc *p);
const char *proc_state_name(enum proc_state s);

/* ---- exec.c: the process itself */
pid_t proc_exec(struct proc *p, int channel, struct err *e);
int exec_memfd(struct span text, struct err *e); /* sealed, at its start */

/* ---- logfile.c: log/rookery.log */

struct logfile {
	int dir, fd;
	uint64_t size;
	struct buf out; /* what the next write will append */
	uint64_t lost;  /* lines that could not be written */
};

int logfile_open(struct logfile *l, int dir, struct err *e);
/* Take every batch that waits in fd, a socket of `service`; pid is used when the kernel does not tell one. */
void logfile_take(struct logfile *l, int fd, const char *service, pid_t pid);
void logfile_flush(struct logfile *l);                /* one write */
int logfile_reopen(struct logfile *l, struct err *e); /* after someone moved the file away */

/* ---- admin.c: run/master.sock */

struct admin;
struct admin *admin_open(struct master *m, struct err *e);
void admin_watch(struct admin *a);
void admin_close(struct admin *a);
/* Something happened that a waiting client may have waited for. */
void admin_check(struct admin *a);

/* ---- master.c */

enum stopping { RUNNING, DRAINING, STOPPING_NOW };

struct master {
	char *dir_name; /* absolute */
	char *bin_dir;
	char boot[64];
	int dir; /* O_PATH; also the working directory */
	int pid_file;
	bool foreground;
	struct loop *loop;
	struct plan *plan;
	struct listener *listeners;
	struct door *doors;
	struct proc *procs; /* in the order of master.cf; STOPPING ones stay where they were */
	struct logfile log;
	int own_log_in, own_log_out;
	struct watch own_log_watch;
	int signals;
	struct watch signal_watch;
	struct timer sweep;
	struct admin *admin;
	uint64_t started_ms; /* wall */
	enum stopping stopping;
	int phase;
};

/* Look again at what is stopping, waited for, or gone: called after every change of a process's state. */
void master_changed(struct master *m);
int master_reload(struct master *m, struct err *e);
void master_stop(struct master *m, bool now);
/* Whatever was said until now, our own lines too, is in the file afterwards. */
void master_write_log(struct master *m);

/* ---- setup.c: what happens once, before anything else runs */
int setup_lock(struct master *m, struct err *e);
void setup_limits(void);
int setup_privileges(struct err *e);
void setup_boot_id(struct master *m);

#endif
