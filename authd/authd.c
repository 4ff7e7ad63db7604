/*
 * authd - who exists, who may log in, where does an address lead.
 *
 * The only program that sees passwords and the only one that opens accounts.db. An event loop; nobody it
 * talks to is a stranger, but what they ask about is strangers' text.
 *
 * Read resolve.h (addresses), login.c (passwords to tickets), admin.c,
 * change.c and list.c (what `rookery` asks), then db.h, hash.h (slow
 * hashes in processes of their own), limit.h, set.h, serve.c (channels).
 */
#include "authd/authd.h"

#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cfg/cfg.h"
#include "io/svc.h"

static const struct jail jail = {
	.calls = JAIL_FILES | JAIL_SQLITE | JAIL_SYNC /* accounts.db, tables */
	    | JAIL_FORK | JAIL_PAIR | JAIL_CONFINE    /* the hash workers, which give all of it up */
	    | JAIL_SHUT,			      /* a worker or an asker is told to end */
	.paths = {
		{ "accounts", JAIL_READ | JAIL_WRITE },
		{ "etc", JAIL_READ },		      /* alias_maps = file:etc/aliases */
	},
	.file_max = 64ull * 1024 * 1024 * 1024,
};

struct service {
	struct authd a;
	struct svc *svc;
};

/* svc_* hands its own pointer to the functions below, and there is one service in a process. */
static struct service the;

static pid_t
fork_worker(void *arg)
{
	return svc_fork(arg);
}

/* A worker has no use for the key, nor for any descriptor but its socket (closed by hash.c). */
static int
confine_worker(void *arg, struct err *e)
{
	(void)arg;
	sodium_memzero(&the.a.key, sizeof the.a.key);
	return jail_narrow(JAIL_STDIO, NULL, 0, e);
}

static void
die(const struct err *e)
{
	log_event(LOG_ERROR, "authd.start", KV_ERR(e));
	log_flush();
	_exit(err_exit(e));
}

static void
load_key(struct svc *s)
{
	char text[512];
	struct err e = { 0 };
	int fd = svc_open(s, "tls/ticket.key");
	ssize_t n = read(fd, text, sizeof text);

	close(fd);
	if (n < 0 || ticket_secret_load(span_of(text, (size_t)n), &the.a.key, &e) < 0) {
		err_set(&e, ERR_TEMP, "%m");
		err_prefix(&e, "tls/ticket.key: ");
		die(&e);
	}
	sodium_memzero(text, sizeof text);
}

static void
on_dialled(struct svc *s, int fd, enum ipc_role role)
{
	(void)s;
	authd_peer(&the.a, fd, role);
}

static void
on_reloaded(struct svc *s)
{
	struct err e = { 0 };

	(void)s;
	if (authd_configure(&the.a, &e) < 0)
		log_event(LOG_ERROR, "authd.reload", KV_ERR(&e));
}

static void
end(void *arg)
{
	svc_end(arg);
}

static void
on_drain(struct svc *s, bool now)
{
	the.a.draining = true;
	the.a.idle = end;
	the.a.idle_arg = s;
	if (now || the.a.peers == NULL)
		svc_end(s);
}

int
main(int argc, char **argv)
{
	static const struct svc_loop fns = {
		.dialled = on_dialled, .reloaded = on_reloaded, .drain = on_drain
	};
	struct svc *s = svc_start(argc, argv, ROLE_AUTHD);
	struct hash_start how = { .fork = fork_worker, .confine = confine_worker, .arg = s };
	struct err e = { 0 };
	int rc, dir;

	if (pw_init(&e) < 0)
		die(&e);
	load_key(s);
	dir = svc_dir(s, ".");
	if (fchdir(dir) < 0)
		err_set(&e, ERR_TEMP, "the instance's directory: %m");
	close(dir);
	svc_confine(s, &jail);
	the.a.pool = hash_pool_new(svc_loop_of(s), (unsigned)cfg.hash_workers, &how);
	umask(0077); /* hashes of passwords: nobody else reads them, whatever the modes above */
	if (e.kind != ERR_NONE || (the.a.db = db_open("accounts/accounts.db", &e)) == NULL)
		die(&e);
	authd_init(&the.a, svc_loop_of(s));
	if (authd_configure(&the.a, &e) < 0)
		die(&e);
	rc = svc_run(s, &fns);
	authd_done_(&the.a);
	return rc;
}
