/*
 * job.h - a process of upkeep that works in one owner's store.
 *
 * It is forked by the parent, enters store/OWNER and locks out all else (store_enter), and from then on is linear code: it
 * serves the requests of one channel, or makes one pass, and ends. What it may ask others for it dials itself.
 */
#ifndef UPKEEP_JOB_H
#define UPKEEP_JOB_H

#include "base/base.h"
#include "io/svc.h"
#include "store/store.h"

/* What a job may still call once it is in its owner's directory; a subset of upkeep.c's jail. */
enum { JOB_CALLS = JAIL_FILES | JAIL_SQLITE | JAIL_SYNC | JAIL_PAIR | JAIL_MEMORY };

struct ipc;
struct ipc_in;

struct job {
	struct svc *svc;
	struct span owner;
	struct ipc *ch; /* who asked; NULL: the clock */
	uint32_t id;    /* of the request that is being served */
	struct store *st;
	struct arena *a;    /* of one request */
	struct ipc *imapd;  /* NULL: not dialled yet */
	struct ipc *mimed;  /* the same */
	bool usage_changed; /* authd is to be told */
	uint64_t done;      /* what upkeep_done counts */
	struct buf text;    /* what it says */
};

/*
 * A request: it may send what its answer is made of (job_send), and gives 0, and upkeep_done follows with job->done and
 * text; or -1 with *e, which is the answer then.
 */
struct job_request {
	uint32_t number;
	int (*run)(struct job *j, struct ipc_in *in, struct err *e);
	bool bare; /* the store is not open: job_open opens it */
};

/* In the child, with the channel (blocking) and the request id of its upkeep_open. Gives the exit status. */
int job_serve(struct svc *svc, int store, struct span owner, struct ipc *ch, uint32_t id);

/* In the child: one pass (of the slow lane: see plan.h), whose outcome goes to the parent over `up`. Gives the exit status. */
int job_pass(struct svc *svc, int store, struct span owner, bool slow, struct ipc *up);

int job_open(struct job *j, struct err *e); /* job->st; no harm if it is open */
struct store_opts job_opts(const struct job *j);

#define job_send(j, name, m, e) job_send_((j), name##_no, (const struct name *)(m), (e))
int job_send_(struct job *j, uint32_t number, const void *m, struct err *e);

/* A mailbox (0: the list of them) changed: sessions of its owner hear of it, as far as imapd is there. */
void job_changed(struct job *j, uint64_t mailbox, uint64_t modseq);
void job_names_changed(struct job *j); /* of mailboxes, subscriptions, annotations, in the last transaction */

/* ---- requests, one family a file */
int do_list(struct job *j, struct ipc_in *in, struct err *e);   /* mailbox.c */
int do_change(struct job *j, struct ipc_in *in, struct err *e); /* mailbox.c */
int do_check(struct job *j, struct ipc_in *in, struct err *e);  /* check.c */
int do_fts(struct job *j, struct ipc_in *in, struct err *e);    /* fts.c */
int do_undelete(struct job *j, struct ipc_in *in, struct err *e);
int do_pass(struct job *j, struct ipc_in *in, struct err *e);
int do_acl(struct job *j, struct ipc_in *in, struct err *e);      /* acl.c */
int do_quota(struct job *j, struct ipc_in *in, struct err *e);    /* quota.c */
int do_snapshot(struct job *j, struct ipc_in *in, struct err *e); /* snapshot.c */
int do_fetch(struct job *j, struct ipc_in *in, struct err *e);    /* snapshot.c */
int do_restore(struct job *j, struct ipc_in *in, struct err *e);  /* restore.c */
int do_export(struct job *j, struct ipc_in *in, struct err *e);   /* export.c */
int do_into(struct job *j, struct ipc_in *in, struct err *e);     /* import.c */
int do_have(struct job *j, struct ipc_in *in, struct err *e);     /* import.c */
int do_take(struct job *j, struct ipc_in *in, struct err *e);     /* import.c */
int do_skip(struct job *j, struct ipc_in *in, struct err *e);     /* import.c */

/* parse.c: a structure record by mimed, which can reach nothing. `arg`: the job; for struct store_parser. */
int job_parse(void *arg, int fd, uint64_t at, uint64_t length, struct buf *out, struct err *e);

/* acl.c: if ACLs, or names of mailboxes, changed: authd hears of it. Nothing fails with that. */
void tell_shared(struct job *j);

#endif
