/*
 * proxyd - IMAP and POP3 up to the login, TLS to its end.
 *
 * One loop for all connections of a line in master.cf. A client is greeted, may begin TLS, and says who it
 * is; authd answers with a ticket, which goes to imapd or pop3d with the connection. Without TLS that is the
 * end of it here; with TLS the octets are pumped between OpenSSL and a socket pair until one side ends.
 * Before login a stranger has at most 64 KiB of our memory, after it an idle client costs its struct session
 * and what OpenSSL and the kernel keep.
 *
 * Reading order: proxyd.h (the states), session.c (up to the login), dialogue.h, imap.c, pop3.c, sasl.c (what
 * is said: pure), pump.c (after it), client.c (reading and writing), upstream.c (authd and the back ends).
 */
#include "proxyd/proxyd.h"

#include "base/log.h"
#include "cfg/cfg.h"
#include "ipc/session.h"

/* Sockets that it is given, pairs that it makes; no file, no connection of its own, no child. */
static const struct jail jail = { .calls = JAIL_ACCEPT | JAIL_PAIR | JAIL_SHUT };

static struct proxyd proxyd;

static enum tls_mode
tls_mode(void)
{
	return strcmp(cfg.tls, "wrapped") == 0    ? TLS_WRAPPED
	       : strcmp(cfg.tls, "required") == 0 ? TLS_REQUIRED
	       : strcmp(cfg.tls, "off") == 0      ? TLS_OFF
						  : TLS_OPTIONAL;
}

static const struct protocol *
protocol(void)
{
	return strcmp(cfg.protocol, "imap") == 0   ? &imap_protocol
	       : strcmp(cfg.protocol, "pop3") == 0 ? &pop3_protocol
						   : NULL;
}

static void
client(struct svc *svc, struct client *c)
{
	(void)svc;
	session_new(&proxyd, c);
}

/*
 * Who has not logged in is sent away, whether there is time or not: it loses nothing. Sessions that are
 * logged in end when their back end ends them.
 */
static void
drain(struct svc *svc, bool now)
{
	struct session *next;

	(void)now;
	proxyd.draining = true;
	for (struct session *s = proxyd.oldest_waiting; s != NULL; s = next) {
		next = s->next;
		session_shutdown(s);
	}
	if (proxyd.sessions == 0)
		svc_end(svc);
}

int
main(int argc, char **argv)
{
	static const struct svc_loop fns = { .client = client, .drain = drain };
	struct svc *svc = svc_start(argc, argv, ROLE_PROXYD);

	proxyd.svc = svc;
	proxyd.loop = svc_loop_of(svc);
	proxyd.tls = tls_mode();
	proxyd.peers = peers_new();
	proxyd.scratch = mem_zero(1, SCRATCH);
	if ((proxyd.protocol = protocol()) == NULL) {
		log_event(LOG_ERROR, "proxyd.start",
		    KV_STR("err", "-o protocol=imap or -o protocol=pop3 is needed"));
		log_flush();
		return 69;
	}
	if (proxyd.tls != TLS_OFF)
		svc_tls(svc);
	proxyd.authd = upstream_new(&proxyd, "authd", &authd_def, session_authd);
	if (proxyd.protocol == &imap_protocol)
		(proxyd.backend = upstream_new(&proxyd, "imapd", &session_def, session_backend))->unasked =
		    again_back;
	svc_confine(svc, &jail);
	return svc_run(svc, &fns);
}
