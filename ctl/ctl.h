/*
 * ctl.h - what the subcommands of `rookery` share.
 *
 * A subcommand is one function in one file, with a row in the table of rookery.c. It prints for people, or
 * one JSON value when c->json is set, to standard output; complaints go to standard error. Exit statuses are
 * those of sysexits.h (rookery(8) lists them).
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <sysexits.h>

#include "ipc/ipc.h"

struct ctl {
	const char *dir_name; /* the instance's directory, as given */
	int dir;              /* the same, opened (O_PATH); -1 if it can't be */
	bool json;            /* --json */
	const char *self;     /* directory of our own executable: the other programs are there */
};

struct command {
	const char *name;
	int (*run)(struct ctl *c, int argc, char **argv); /* argv[0] is the name; gives the exit status */
	const char *args, *help;
};

/* Each subcommand; main shows the usage of one that gives EX_USAGE. */
int ctl_alias(struct ctl *c, int argc, char **argv);
int ctl_backup(struct ctl *c, int argc, char **argv);
int ctl_check(struct ctl *c, int argc, char **argv);
int ctl_config(struct ctl *c, int argc, char **argv);
int ctl_domain(struct ctl *c, int argc, char **argv);
int ctl_export(struct ctl *c, int argc, char **argv);
int ctl_group(struct ctl *c, int argc, char **argv);
int ctl_import(struct ctl *c, int argc, char **argv);
int ctl_init(struct ctl *c, int argc, char **argv);
int ctl_fts(struct ctl *c, int argc, char **argv);
int ctl_kick(struct ctl *c, int argc, char **argv);
int ctl_mailbox(struct ctl *c, int argc, char **argv);
int ctl_pids(struct ctl *c, int argc, char **argv);
int ctl_purge(struct ctl *c, int argc, char **argv);
int ctl_queue(struct ctl *c, int argc, char **argv);
int ctl_quota(struct ctl *c, int argc, char **argv);
int ctl_reload(struct ctl *c, int argc, char **argv);
int ctl_reopen(struct ctl *c, int argc, char **argv);
int ctl_restore(struct ctl *c, int argc, char **argv);
int ctl_restart(struct ctl *c, int argc, char **argv);
int ctl_share(struct ctl *c, int argc, char **argv);
int ctl_start(struct ctl *c, int argc, char **argv);
int ctl_status(struct ctl *c, int argc, char **argv);
int ctl_store(struct ctl *c, int argc, char **argv);
int ctl_stop(struct ctl *c, int argc, char **argv);
int ctl_trace(struct ctl *c, int argc, char **argv);
int ctl_undelete(struct ctl *c, int argc, char **argv);
int ctl_user(struct ctl *c, int argc, char **argv);
int ctl_who(struct ctl *c, int argc, char **argv);

/* The sendmail(1) face of the same executable. */
int sendmail_main(int argc, char **argv);

/* "rookery: TEXT" to standard error; gives the exit status for the kind of the error. */
int ctl_fail(const struct err *e);
/* The same for a wrong use of a command; gives EX_USAGE. */
int ctl_misuse(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * A blocking channel to master, of master_def; or through master to a program ("authd", "queue", "imapd",
 * "pop3d"), of its def. NULL with *e: ERR_TEMP if the instance is not running, ERR_PERM if we may not ask.
 */
struct ipc *ctl_master(struct ctl *c, struct err *e);
struct ipc *ctl_dial(struct ctl *c, const char *program, const struct ipc_def *def, struct err *e);

/* All of DIR/path, at most `max` octets, into *out (initialised here). 0 or -1. */
int ctl_read(struct ctl *c, const char *path, size_t max, struct buf *out, struct err *e);

/*
 * What there is to say about the end of a certificate, as text: -1 it has ended, 1 it ends in two weeks, 0
 * nothing.
 */
struct tls_ctx;
int ctl_cert_end(const struct tls_ctx *t, char *text, size_t size);

/* Text for people from octets of others: control characters and what is not ASCII or UTF-8 shown as `?`. */
void ctl_put(struct span s);

#endif
