/* proxyd.h - the program, a session, and what its files share. */
#ifndef PROXYD_PROXYD_H
#define PROXYD_PROXYD_H

#include <openssl/ssl.h>

#include "base/id.h"
#include "io/peers.h"
#include "io/svc.h"
#include "proxyd/dialogue.h"

struct session;

/*
 * A channel to a service, and the sessions that wait for its answers. It is dialled when needed and again
 * after it broke. `answer` is called once for each request: with the frame, or with in == NULL and why when
 * none will come.
 */
struct upstream {
	struct proxyd *p;
	const char *program;
	const struct ipc_def *def;
	void (*answer)(struct session *s, struct ipc_in *in, const struct err *why);
	/* A frame that answers nothing; NULL: dropped. */
	void (*unasked)(struct proxyd *p, struct ipc_in *in);
	struct ipc *ch;
	struct watch w;
	struct session **waiting; /* by the low half of the request id */
	uint32_t slots, used;
	uint32_t turn;   /* high half: an answer that comes late finds another turn */
	bool busy, dead; /* in its handler; to be freed when it returns */
};

struct upstream *upstream_new(struct proxyd *p, const char *program, const struct ipc_def *def,
    void (*answer)(struct session *s, struct ipc_in *in, const struct err *why));
void upstream_free(struct upstream *l); /* nobody is told; NULL is allowed */

/* Ask on behalf of s. The request's id, or 0 with *e. */
#define upstream_ask(l, name, m, s, e) upstream_ask_((l), name##_no, (const struct name *)(m), (s), (e))
uint32_t upstream_ask_(struct upstream *l, uint32_t number, const void *m, struct session *s, struct err *e);
/* The session does not wait any more. */
void upstream_forget(struct upstream *l, uint32_t id);

enum tls_mode { TLS_OFF, TLS_OPTIONAL, TLS_REQUIRED, TLS_WRAPPED };

enum { PUMP_BUCKETS = 1024 };

struct proxyd {
	struct svc *svc;
	struct loop *loop;
	const struct protocol *protocol;
	enum tls_mode tls;
	struct upstream *authd;
	struct upstream *backend; /* imapd: one channel for all; pop3d: NULL, one a session */
	struct peers *peers;
	uint32_t waiting, sessions; /* before login; in all */
	struct session *oldest_waiting, *newest_waiting;
	struct session *pumps[PUMP_BUCKETS]; /* by session.pump */
	uint64_t pumped;                     /* the last number that was given */
	bool draining;
	char *scratch; /* SCRATCH octets, for what passes through and does not stay */
};
enum { SCRATCH = 64 * 1024 };

/*
 *   state        waits for                                      then
 *   S_PROXY      the load balancer's header                     S_HANDSHAKE or S_TALK
 *   S_HANDSHAKE  TLS                                            S_TALK, with a greeting if TLS came first
 *   S_TALK       a command; or that the client reads            S_TLS_NEXT, S_AUTH, S_CLOSING
 *   S_TLS_NEXT   that the client reads the OK of STARTTLS       S_HANDSHAKE
 *   S_AUTH       authd's answer                                 S_BACKEND; S_TALK or S_CLOSING when refused
 *   S_BACKEND    imapd's or pop3d's answer                      S_PUMP; gone, without TLS; S_TALK when refused
 *   S_PUMP       octets from either side                        gone; S_TALK by UNAUTHENTICATE (again.c)
 *   S_CLOSING    that the client reads our last words           S_LINGER
 *   S_LINGER     that the client closes                         gone
 *
 * Each state has a deadline, S_PUMP from the time that one side has ended. A client that breaks the
 * connection ends the session in each of them.
 */
enum state { S_PROXY, S_HANDSHAKE, S_TALK, S_TLS_NEXT, S_AUTH, S_BACKEND, S_PUMP, S_CLOSING, S_LINGER };

/* What a session needs before login, and no longer. */
struct before {
	struct dialogue d;
	struct buf in, out;
	struct client client;
	struct upstream *asked; /* whose answer it waits for */
	uint32_t request;
	struct upstream *backend; /* pop3d: of this session */
	bool greeted;
};

struct session {
	struct proxyd *p;
	enum state state;
	bool counted; /* in p->peers, under key */
	unsigned char key[16];
	struct id sid;
	SSL *ssl; /* NULL: plain */
	struct watch client;
	struct timer deadline;
	/* Among those who have not logged in, by age; then of the same bucket of pumps. */
	struct session *next, *prev;
	struct before *before; /* NULL after login */
	uint64_t n_in, n_out;

	/* S_PUMP (pump.c) */
	uint64_t pump; /* its number; 0: none */
	struct watch back;
	struct buf to_back, to_client; /* what did not fit; empty nearly always */
	bool client_ended, back_ended;
	bool again; /* the deadline is not one: there is more to read */
};

/* session.c */
void session_new(struct proxyd *p, struct client *c);
void session_end(struct session *s, const char *why); /* logs, closes, frees */
void session_drop_oldest(struct proxyd *p);
void session_shutdown(struct session *s); /* of one that has not logged in: tell it and close */
void session_authd(struct session *s, struct ipc_in *in, const struct err *why);
void session_backend(struct session *s, struct ipc_in *in, const struct err *why);
void session_deadline(struct session *s, uint64_t ms);
struct session *session_make(struct proxyd *p, const struct client *c); /* not watched, in no state yet */
void session_before(struct session *s, const struct client *c);         /* it is one that has not logged in */
/* From its first command on, without a greeting; `in` has been read of it, `out` is to be sent first. */
void session_talk(struct session *s, struct span in, struct span out);

/* client.c: the client's side, plain or TLS. Octets; 0 nothing now; -1 the end, or broken (*broken). */
ssize_t client_read(struct session *s, char *to, size_t n, bool *broken);
ssize_t client_write(struct session *s, struct span out, bool *broken);
/* 1 done, 0 wait for *events, -1. */
int client_handshake(struct session *s, uint32_t *events, struct err *e);

/* pump.c */
void pump_begin(struct session *s, int back);
void pump_again(struct session *s);
void pump_end(struct session *s); /* the back end's side is closed, what was kept is dropped */

/* again.c: session_back, the only frame of imapd that answers nothing (RFC 8437) */
void again_back(struct proxyd *p, struct ipc_in *in);
void again_add(struct session *s);    /* a pump: by its number it is found */
void again_remove(struct session *s); /* if it was added */

#endif
