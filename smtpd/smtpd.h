/*
 * smtpd.h - one session: its state, and what its files call in each other.
 *
 * A command is parsed by lib/smtp, looked up in the table of session.c, and run by a function of the file
 * that its subject names. Such a function answers by reply() and returns 0, or -1 when the session is over
 * (s->err says why, or nothing when all went as it should).
 */
#ifndef SMTPD_SMTPD_H
#define SMTPD_SMTPD_H

#include "io/conn.h"
#include "io/svc.h"
#include "smtp/command.h"
#include "smtpd/peers.h"
#include "smtpd/transaction.h"

/* What does not change from session to session. */
struct smtpd {
	struct svc *svc;
	const char *hostname, *service; /* service: the line of master.cf */
	int passwd; /* /etc/passwd, for the names of those who use sendmail(1); -1: unknown */
	struct tls_ctx *(*tls)(const struct svc *svc); /* the context for the next handshake, or NULL */
};

struct session {
	const struct smtpd *d;
	const struct client *client;
	struct span sid, ip;
	struct conn *c;
	struct peers *peers;
	struct err err; /* why it ends */

	bool lmtp, esmtp;  /* the protocol; EHLO or LHLO was said */
	struct buf helo;   /* n == 0: nothing was said yet */
	struct span login; /* canonical address, or the system user of a local client; n == 0: none */
	struct arena *a;   /* of login */
	bool local;        /* came over the Unix socket: the kernel told who it is */
	bool secret;       /* a password was taken: this process serves no one else after this session */
	bool relay;        /* local, or of relay_networks: may send anywhere without logging in */
	bool log_due;      /* a line was logged that should not wait for the end of the session */
	uint64_t started_ms;
	unsigned errors, messages, rejected, logins_failed;

	struct transaction t;
};

/* session.c */
/* The whole session; `user`: who came over the Unix socket, else empty. Gives SVC_AGAIN or an exit status. */
int session_run(
    const struct smtpd *d, struct client *client, struct conn *c, struct peers *peers, struct span user);

/* user.c */
struct span local_user(int passwd, uid_t uid, struct arena *a); /* name, or "uid:1000" */

/*
 * reply.c. `fmt` is a whole line, code included. close_session answers and ends: -1; close_error also gives
 * the client time to read that, though it may still be sending.
 */
int reply(struct session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int close_session(struct session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int reply_err(struct session *s, const struct err *e); /* by its kind: 451, 554, 501 */
void log_reject(struct session *s, const char *command, struct span to, const char *text);
int close_error(struct session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int close_gone(struct session *s); /* nothing more comes; if by us (ending, too late), say so. -1 */
int close_bare(struct session *s); /* a CR or LF stood alone: the answer, and the end */

/* proxied.c: behind a load balancer of proxy_networks, *c becomes what its header says */
int proxied_client(struct client *c, struct err *e);

/* hello.c */
int cmd_hello(struct session *s, const struct smtp_command *cmd);
bool may_auth(const struct session *s);

/* tls.c, auth.c */
int cmd_starttls(struct session *s, const struct smtp_command *cmd);
int tls_wrapped(struct session *s);
int cmd_auth(struct session *s, const struct smtp_command *cmd);

/* mail.c, rcpt.c, data.c */
bool may_relay(const struct session *s); /* may it send anywhere: is it submission (RFC 6409)? */
int cmd_mail(struct session *s, const struct smtp_command *cmd);
int cmd_rcpt(struct session *s, const struct smtp_command *cmd);
int cmd_data(struct session *s, const struct smtp_command *cmd);
int cmd_bdat(struct session *s, const struct smtp_command *cmd);
struct span path_address(const struct path *p);
struct span param_raw(struct span params, const char *key); /* the value of "ENVID=" ... as received */
void transaction_reset(struct session *s);                  /* RSET, and whatever has its effect */

/* finish.c: the text is complete; filter, make durable, hand over, answer */
int message_finish(struct session *s);
/* The answer to the whole message, with LMTP one for each recipient (RFC 2033, 4.2). Ends the transaction. */
int message_answer(struct session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* received.c */
struct span received_literal(struct arena *a, const struct addr *addr); /* "[192.0.2.1]", "[IPv6:::1]" */
void received_format(const struct session *s, uint64_t now_ms, struct buf *out);

#endif
