/*
 * smtpd - mail in: from other servers (25), from users (587, 465), from sendmail(1) (run/submit), by LMTP.
 *
 * One session at a time in a process: svc_each() gives a client a child, which narrows its jail to what a
 * session needs: its connection, the doors to authd, queue and filterd, and the descriptor of the file that
 * is being written. It can open no file. A process may serve the next client (session_reuse), but never after
 * one from which it took a password. In reading order: session.c (the conversation), hello.c, tls.c, auth.c,
 * mail.c, rcpt.c, data.c (a transaction), finish.c (from text to 250), received.c; peers.c asks the other
 * services; transaction.c holds what was said; reply.c answers; proxied.c and user.c say who the client is.
 */
#include <unistd.h>

#include "base/log.h"
#include "cfg/cfg.h"
#include "mail/charset.h"
#include "smtpd/smtpd.h"

/* RFC 4954, 4: the longest line of AUTH; the limit of the others is smtpd_line_max. */
enum { AUTH_LINE_MAX = 12288 + 2 };

static const struct jail jail = {
	.calls = JAIL_ACCEPT      /* clients */
		 | JAIL_FORK      /* a child for each */
		 | JAIL_PAIR      /* dialling authd, queue, filterd */
		 | JAIL_SYNC      /* the spool file: given, written, synced */
		 | JAIL_SHUT      /* a client hears the last word before the connection goes */
		 | JAIL_CONFINE,  /* the child's own, narrower jail */
	.memory_max = 8ull << 30, /* a message is mapped to be parsed; all else is a few MiB */
	.file_max = UINT64_MAX,   /* a message; message_size_max is the limit that is answered */
};
enum { CHILD_CALLS = JAIL_PAIR | JAIL_SYNC | JAIL_SHUT };

/* Filled before the jail closes, and only read after. */
static struct smtpd smtpd;
/* Of a session's process, kept from one session to its next. */
static struct peers *peers;

static void
reloaded(struct svc *svc)
{
	smtpd.hostname = svc_hostname(svc);
}

static unsigned
reuse(void)
{
	return (unsigned)cfg.session_reuse;
}

/* What a process does once, in its first session. */
static int
settle(struct svc *svc, const struct client *client)
{
	struct err e = { 0 };

	if (jail_narrow(CHILD_CALLS, NULL, 0, &e) < 0) {
		log_event(LOG_ERROR, "smtpd.jail", KV_ERR(&e));
		return err_exit(&e);
	}
	peers = peers_new(svc, id_span(&client->sid));
	return 0;
}

static int
session(struct svc *svc, struct client *client)
{
	struct conn_opts o = { .timeout_ms = cfg.smtpd_wait, .strict = true };
	struct span user = { 0 };
	struct err e = { 0 };
	struct arena *a;
	struct conn *c;
	int rc = peers == NULL ? settle(svc, client) : 0;

	if (rc != 0)
		return rc;
	peers_again(peers, id_span(&client->sid));
	if (proxied_client(client, &e) < 0) {
		log_event(LOG_WARN, "smtpd.proxy", KV_STR("sid", client->sid.s), KV_STR("client", client->ip),
		    KV_ERR(&e));
		close(client->fd);
		return err_exit(&e);
	}
	a = arena_new(1 << 16);
	if (client->uid != (uid_t)-1)
		user = local_user(smtpd.passwd, client->uid, a);
	o.line_max = cfg.smtpd_line_max > AUTH_LINE_MAX ? cfg.smtpd_line_max : AUTH_LINE_MAX;
	c = conn_new(client->fd, &o);
	rc = session_run(&smtpd, client, c, peers, user);
	conn_free(c);
	arena_free(a);
	return rc;
}

int
main(int argc, char **argv)
{
	static const struct svc_each each = {
		.client = session,
		.reuse = reuse,
		.busy = "421 4.7.0 Too many connections, try again later\r\n",
		.reloaded = reloaded,
	};
	struct svc *svc = svc_start(argc, argv, ROLE_SMTPD);
	struct err e = { 0 };

	smtpd = (struct smtpd){ .svc = svc, .service = svc_name(svc), .tls = svc_tls_now };
	smtpd.hostname = svc_hostname(svc);
	smtpd.passwd = svc_local(svc) ? svc_open(svc, "/etc/passwd") : -1;
	svc_tls(svc);
	charset_preload();
	if (jail_prepare(CHILD_CALLS, &e) < 0) {
		log_event(LOG_ERROR, "smtpd.jail", KV_ERR(&e));
		log_flush();
		return err_exit(&e);
	}
	svc_confine(svc, &jail);
	return svc_each(svc, &each);
}
