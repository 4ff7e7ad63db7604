/*
 * session.c - a client from its first octet until it is logged in; the table of states is in proxyd.h.
 *
 * One function a state and event; each is the last thing its handler does, since the session may be gone when
 * it returns.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "cfg/cfg.h"
#include "io/proxy.h"
#include "io/tls.h"
#include "ipc/session.h"
#include "proxyd/proxyd.h"

enum {
	HEADER_MS = 10 * 1000,
	HANDSHAKE_MS = 30 * 1000,
	ANSWER_MS = 35 * 1000, /* authd delays what it refuses; clients have a minute of patience */
	CLOSING_MS = 10 * 1000,
	LINGER_MS = 2 * 1000,
	LINGER_ENDING_MS = 200,
	IN_MAX = 2 * COMMAND_MAX,
	OUT_MAX = 1024 * 1024, /* answers to what IN_MAX can hold */
};

static void client_ready(struct watch *w, uint32_t events);
static void too_late(struct timer *t);
static void talk(struct session *s);

/* ---- the list of those who are not logged in, by age */

static void
waiting_add(struct session *s)
{
	struct proxyd *p = s->p;

	s->prev = p->newest_waiting;
	s->next = NULL;
	*(s->prev != NULL ? &s->prev->next : &p->oldest_waiting) = s;
	p->newest_waiting = s;
	p->waiting++;
}

static void
waiting_remove(struct session *s)
{
	struct proxyd *p = s->p;

	*(s->prev != NULL ? &s->prev->next : &p->oldest_waiting) = s->next;
	*(s->next != NULL ? &s->next->prev : &p->newest_waiting) = s->prev;
	s->next = s->prev = NULL;
	p->waiting--;
}

/* ---- birth and end */

void
session_deadline(struct session *s, uint64_t ms)
{
	loop_timer(s->p->loop, &s->deadline, loop_now(s->p->loop) + ms);
}

static void
enter(struct session *s, enum state state, uint64_t ms, uint32_t events)
{
	s->state = state;
	session_deadline(s, ms);
	loop_watch(s->p->loop, &s->client, events);
}

/* All that was needed to log in. */
static void
before_free(struct session *s)
{
	struct before *b = s->before;

	if (b == NULL)
		return;
	if (b->asked != NULL)
		upstream_forget(b->asked, b->request);
	upstream_free(b->backend);
	dialogue_done(&b->d);
	buf_wipe(&b->in);
	buf_free(&b->out);
	free(b);
	s->before = NULL;
	waiting_remove(s);
}

/* Without a word to the client, whose connection may be another's by now. */
static void
session_free(struct session *s)
{
	struct proxyd *p = s->p;

	before_free(s);
	again_remove(s);
	loop_timer(p->loop, &s->deadline, 0);
	loop_watch(p->loop, &s->client, 0);
	loop_watch(p->loop, &s->back, 0);
	if (s->state == S_PUMP)
		close(s->back.fd);
	SSL_free(s->ssl);
	close(s->client.fd);
	buf_wipe(&s->to_back);
	buf_wipe(&s->to_client);
	if (s->counted)
		peers_drop(p->peers, s->key);
	free(s);
	p->sessions--;
	svc_sessions(p->svc, -1);
	if (p->draining && p->sessions == 0)
		svc_end(p->svc);
}

void
session_end(struct session *s, const char *why)
{
	log_event(LOG_INFO, "proxyd.end", KV_S("sid", id_span(&s->sid)), KV_U("in", s->n_in),
	    KV_U("out", s->n_out), KV_OPT("why", span_str(why)));
	if (s->ssl != NULL) {
		SSL_shutdown(s->ssl); /* says that it ends; does not wait */
		ERR_clear_error();
	}
	session_free(s);
}

/* ---- output before login */

/* 1 all of it is sent, 0 the client does not read, -1 it is gone. */
static int
flush(struct session *s)
{
	struct buf *out = &s->before->out;
	size_t sent = 0;

	while (sent < out->n) {
		bool broken;
		ssize_t n = client_write(s, span_from(buf_span(out), sent), &broken);

		if (n < 0)
			return -1;
		if (n == 0)
			break;
		sent += (size_t)n;
	}
	buf_consume(out, sent);
	if (out->n > 0)
		return 0;
	buf_free(out);
	return 1;
}

/* Our last words are sent: no more from us, and what the client still says is not read as an error of its. */
static void
linger(struct session *s)
{
	if (s->ssl != NULL) {
		SSL_shutdown(s->ssl);
		ERR_clear_error();
	}
	shutdown(s->client.fd, SHUT_WR);
	enter(s, S_LINGER, s->p->draining ? LINGER_ENDING_MS : LINGER_MS, EPOLLIN);
}

static void
closing(struct session *s)
{
	int rc = flush(s);

	if (rc < 0)
		session_end(s, "connection lost");
	else if (rc > 0)
		linger(s);
	else
		enter(s, S_CLOSING, CLOSING_MS, EPOLLOUT);
}

static void
lingering(struct session *s)
{
	ssize_t n = recv(s->client.fd, s->p->scratch, SCRATCH, MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		session_end(s, NULL);
}

static void
say_bye(struct session *s, enum bye why)
{
	s->p->protocol->bye(why, &s->before->out);
	closing(s);
}

/* ---- input before login */

/* 1 something came, 0 nothing, -1 the end. */
static int
fill(struct session *s)
{
	struct buf *in = &s->before->in;
	size_t room = in->max - in->n;
	bool broken;
	ssize_t n = client_read(s, s->p->scratch, room < SCRATCH ? room : SCRATCH, &broken);

	if (n > 0) {
		buf_add(in, NULL, span_of(s->p->scratch, (size_t)n));
		explicit_bzero(s->p->scratch, (size_t)n); /* a password may be in it */
	}
	return n > 0 ? 1 : (int)n;
}

/* OpenSSL reads ahead: what it holds, from the handshake on, the kernel does not tell of. */
static bool
fill_held(struct session *s)
{
	return s->ssl != NULL && s->before->out.n < OUT_MAX / 2 && SSL_has_pending(s->ssl) && fill(s) > 0;
}

/* ---- logging in */

static void
login_failed(struct session *s, enum login_result result, struct span text)
{
	struct before *b = s->before;
	enum ask ask = s->p->protocol->failed(&b->d, result, text, &b->out);

	if (ask == ASK_CLOSE)
		closing(s);
	else
		talk(s);
}

/* The dialogue has a name and a password. */
static void
ask_authd(struct session *s)
{
	struct before *b = s->before;
	struct authd_login m = {
		.login = buf_span(&b->d.login.name),
		.authzid = buf_span(&b->d.login.authzid),
		.password = buf_span(&b->d.login.password),
		.service = span_str(s->p->protocol->name),
		.client = span_str(b->client.ip),
		.sid = id_span(&s->sid),
		.tls = s->ssl != NULL,
	};
	struct err e = { 0 };
	uint32_t id = upstream_ask(s->p->authd, authd_login, &m, s, &e);

	buf_wipe(&b->d.login.password);
	if (id != 0) {
		enter(s, S_AUTH, ANSWER_MS, 0);
		return;
	}
	log_event(LOG_WARN, "proxyd.authd", KV_S("sid", id_span(&s->sid)), KV_ERR(&e));
	login_failed(s, LOGIN_TEMP, SPAN("Logins can't be checked now"));
}

/* The stream for the back end: the client itself, or one end of a pair; *ours is the other, or -1. */
static int
make_stream(struct session *s, int *ours, struct err *e)
{
	int pair[2];

	*ours = -1;
	if (s->ssl == NULL) {
		fcntl(s->client.fd, F_SETFL, O_RDWR); /* the worker reads it linearly */
		return s->client.fd;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(e, ERR_TEMP, "socketpair: %m");
	fcntl(pair[0], F_SETFL, O_RDWR | O_NONBLOCK);
	*ours = pair[0];
	return pair[1];
}

static int
ask_backend(struct session *s, struct span ticket, struct err *e)
{
	struct before *b = s->before;
	struct session_begin m = {
		.ticket = ticket,
		.sid = id_span(&s->sid),
		.client = span_str(b->client.ip),
		.tag = buf_span(&b->d.tag),
		.input = buf_span(&b->in),
		.tls = s->ssl != NULL,
		.utf8 = b->d.utf8,
	};
	struct upstream *l = s->p->backend;
	struct buf local;
	int ours;
	uint32_t id;

	if (s->ssl != NULL)
		m.pump = s->pump = ++s->p->pumped;
	if ((m.stream = make_stream(s, &ours, e)) < 0)
		return -1;
	buf_init(&local, 128);
	addr_text(&b->client.local, &local);
	m.local = buf_span(&local);
	if (l == NULL)
		l = b->backend = upstream_new(s->p, s->p->protocol->backend, &session_def, session_backend);
	id = upstream_ask(l, session_begin, &m, s, e);
	if (s->ssl != NULL)
		close(m.stream);
	if (id == 0 && ours >= 0)
		close(ours);
	if (id == 0)
		return -1;
	s->back.fd = ours;
	enter(s, S_BACKEND, ANSWER_MS, 0);
	return 0;
}

/* The back end did not take the session: the client may try again. */
static void
backend_failed(struct session *s, const struct err *why)
{
	struct before *b = s->before;

	log_event(LOG_WARN, "proxyd.refused", KV_S("sid", id_span(&s->sid)),
	    KV_STR("program", s->p->protocol->backend), KV_ERR(why));
	if (s->ssl == NULL)
		fcntl(s->client.fd, F_SETFL, O_RDWR | O_NONBLOCK);
	upstream_free(b->backend);
	b->backend = NULL;
	login_failed(s, LOGIN_OK, SPAN("The mailbox can't be opened now, try again later"));
}

static void
log_login(const struct session *s, const struct authd_login_answer *a)
{
	const struct before *b = s->before;

	if (a->result == LOGIN_OK)
		log_event(LOG_INFO, "proxyd.login", KV_S("sid", id_span(&s->sid)),
		    KV_STR("protocol", s->p->protocol->name), KV_STR("client", b->client.ip),
		    KV_S("login", a->login), KV_S("owner", a->owner),
		    KV_OPT("tls", span_str(s->ssl != NULL ? SSL_get_version(s->ssl) : NULL)));
	else
		log_event(LOG_INFO, "proxyd.login_failed", KV_S("sid", id_span(&s->sid)),
		    KV_STR("protocol", s->p->protocol->name), KV_STR("client", b->client.ip),
		    KV_S("login", buf_span(&b->d.login.name)), KV_U("result", a->result));
}

void
session_authd(struct session *s, struct ipc_in *in, const struct err *why)
{
	struct authd_login_answer a;
	struct err e = { 0 };

	if (in == NULL || ipc_body(in, authd_login_answer, &a, &e) < 0) {
		log_event(
		    LOG_WARN, "proxyd.authd", KV_S("sid", id_span(&s->sid)), KV_ERR(in == NULL ? why : &e));
		login_failed(s, LOGIN_TEMP, SPAN("Logins can't be checked now"));
		return;
	}
	log_login(s, &a);
	svc_count(a.result == LOGIN_OK ? "proxyd.logins" : "proxyd.failed_logins", 1);
	if (a.result != LOGIN_OK) {
		login_failed(s, a.result <= LOGIN_LIMIT ? (enum login_result)a.result : LOGIN_TEMP, a.text);
		return;
	}
	if (s->before->out.n > 0) { /* it has not read the answers to what it said before */
		session_end(s, "client does not read");
		return;
	}
	if (ask_backend(s, a.ticket, &e) < 0)
		backend_failed(s, &e);
}

/* authd has not answered in time; what it may still say is for nobody. */
static void
authd_silent(struct session *s)
{
	struct before *b = s->before;

	log_event(LOG_WARN, "proxyd.authd", KV_S("sid", id_span(&s->sid)), KV_STR("err", "no answer"));
	upstream_forget(b->asked, b->request);
	b->asked = NULL;
	b->request = 0;
	login_failed(s, LOGIN_TEMP, SPAN("Logins can't be checked now"));
}

void
session_backend(struct session *s, struct ipc_in *in, const struct err *why)
{
	struct session_taken taken;
	struct ipc_refuse no;
	struct err e = { 0 };
	int back = s->back.fd;

	s->back.fd = -1;
	if (in != NULL && in->number == ipc_refuse_no && ipc_body(in, ipc_refuse, &no, &e) == 0)
		err_set(&e, ERR_TEMP, "%.*s", SPAN_ARG(no.text));
	if (in == NULL || e.kind != ERR_NONE || ipc_body(in, session_taken, &taken, &e) < 0) {
		if (back >= 0)
			close(back);
		backend_failed(s, in == NULL ? why : &e);
		return;
	}
	if (s->ssl == NULL) { /* we are out of it */
		session_free(s);
		return;
	}
	before_free(s);
	again_add(s);
	loop_timer(s->p->loop, &s->deadline, 0);
	s->state = S_PUMP;
	pump_begin(s, back);
}

/* ---- talking */

static void
next_tls(struct session *s)
{
	int rc = flush(s);
	struct tls_ctx *ctx = svc_tls_now(s->p->svc);

	if (rc == 0) {
		enter(s, S_TLS_NEXT, CLOSING_MS, EPOLLOUT);
		return;
	}
	if (rc < 0 || ctx == NULL || (s->ssl = SSL_new(tls_ssl_ctx(ctx))) == NULL ||
	    SSL_set_fd(s->ssl, s->client.fd) != 1) {
		session_end(s, rc < 0 ? "connection lost" : "no TLS");
		return;
	}
	enter(s, S_HANDSHAKE, HANDSHAKE_MS, EPOLLIN);
}

/* What is behind STARTTLS came in the clear, and anyone may have put it there. */
static void
begin_tls(struct session *s)
{
	struct before *b = s->before;

	if (b->in.n > 0) {
		log_event(LOG_WARN, "proxyd.injection", KV_S("sid", id_span(&s->sid)),
		    KV_STR("client", b->client.ip));
		buf_clear(&b->out);
		say_bye(s, BYE_INJECTION);
		return;
	}
	next_tls(s);
}

/* All whole commands that are there (*any: there was one). ASK_MORE when they are done. */
static enum ask
run_commands(struct session *s, bool *any)
{
	struct before *b = s->before;

	for (;;) {
		size_t used = 0;
		enum ask ask = s->p->protocol->step(&b->d, buf_span(&b->in), &used, &b->out);

		buf_consume(&b->in, used);
		if (ask != ASK_NEXT)
			return ask;
		*any = true;
	}
}

/* For the next command. Its time begins when the last was answered; parts of it do not prolong it. */
static void
wait_for_command(struct session *s, bool answered)
{
	int all;
	uint32_t events;

	if (s->p->draining) {
		say_bye(s, BYE_SHUTDOWN);
		return;
	}
	all = flush(s);
	events = all > 0 ? EPOLLIN : EPOLLOUT; /* what it asks next has to wait until it reads */

	if (s->before->in.n == 0)
		buf_wipe(&s->before->in);
	if (all < 0)
		session_end(s, "connection lost");
	else if (answered || s->state != S_TALK)
		enter(s, S_TALK, cfg.proxyd_wait, events);
	else
		loop_watch(s->p->loop, &s->client, events);
}

static void
talk(struct session *s)
{
	bool any = false;
	enum ask ask;

	do
		ask = run_commands(s, &any);
	while (ask == ASK_MORE && fill_held(s));
	switch (ask) {
	case ASK_TLS:
		begin_tls(s);
		return;
	case ASK_CLOSE:
		closing(s);
		return;
	case ASK_LOGIN:
		if (flush(s) < 0)
			session_end(s, "connection lost");
		else
			ask_authd(s);
		return;
	case ASK_MORE:
	case ASK_NEXT:
		wait_for_command(s, any);
		return;
	}
}

static void
talking(struct session *s)
{
	struct before *b = s->before;
	int rc, all;

	if (b->out.n > 0) {
		if ((all = flush(s)) < 0)
			session_end(s, "connection lost");
		else if (all > 0)
			talk(s);
		return;
	}
	if ((rc = fill(s)) < 0)
		session_end(s, NULL);
	else if (rc > 0)
		talk(s);
}

static void
greet(struct session *s)
{
	struct before *b = s->before;

	if (!b->greeted)
		s->p->protocol->greet(&b->d, &b->out);
	b->greeted = true;
	talk(s);
}

static void
handshake(struct session *s)
{
	struct err e = { 0 };
	uint32_t events = EPOLLIN;
	int rc = client_handshake(s, &events, &e);

	if (rc < 0) {
		log_event(LOG_INFO, "proxyd.tls_failed", KV_S("sid", id_span(&s->sid)),
		    KV_STR("client", s->before->client.ip), KV_ERR(&e));
		session_end(s, "no TLS");
		return;
	}
	if (rc == 0) {
		loop_watch(s->p->loop, &s->client, events);
		return;
	}
	dialogue_encrypted(&s->before->d);
	greet(s);
}

/* What may be said to it, as far as that depends on where it comes from. */
static void
set_dialogue(struct session *s)
{
	struct before *b = s->before;
	enum tls_mode tls = s->p->tls;
	bool trusted = addr_in(&b->client.peer, span_str(cfg.trusted_networks));

	b->d.tls = s->ssl != NULL;
	b->d.tls_offered = s->ssl == NULL && (tls == TLS_OPTIONAL || tls == TLS_REQUIRED);
	b->d.password_ok = s->ssl != NULL || (tls != TLS_REQUIRED && tls != TLS_WRAPPED &&
						 (strcmp(cfg.plain_auth, "always") == 0 ||
						     (strcmp(cfg.plain_auth, "trusted") == 0 && trusted)));
}

/* The client's address is known: may it come in? */
static void
admit(struct session *s)
{
	struct before *b = s->before;
	struct proxyd *p = s->p;

	addr_key(&b->client.peer, s->key);
	s->counted = true;
	if (peers_add(p->peers, s->key) > cfg.client_connections_max) {
		log_event(LOG_WARN, "proxyd.busy", KV_STR("client", b->client.ip),
		    KV_STR("limit", "client_connections_max"));
		peers_drop(p->peers, s->key); /* who is turned away does not keep others out */
		s->counted = false;
		if (p->tls == TLS_WRAPPED)
			session_end(s, "too many connections");
		else
			say_bye(s, BYE_BUSY);
		return;
	}
	set_dialogue(s);
	if (p->tls == TLS_WRAPPED)
		next_tls(s);
	else
		greet(s);
}

/* The load balancer's header: only its own octets are taken, what follows may be TLS. */
static void
read_header(struct session *s)
{
	struct before *b = s->before;
	struct proxy header;
	struct err e = { 0 };
	ssize_t have = recv(s->client.fd, s->p->scratch, PROXY_HEADER_MAX, MSG_DONTWAIT | MSG_PEEK), used;

	if (have < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	used = have > 0 ? proxy_parse(span_of(s->p->scratch, (size_t)have), &header, &e) : -1;
	if (used == 0)
		return;
	if (used < 0 || recv(s->client.fd, s->p->scratch, (size_t)used, MSG_DONTWAIT) != used) {
		if (have > 0)
			log_event(LOG_WARN, "proxyd.header", KV_STR("client", b->client.ip), KV_ERR(&e));
		session_end(s, "no PROXY header");
		return;
	}
	if (header.known) {
		struct buf ip;

		b->client.peer = header.src;
		b->client.local = header.dst;
		buf_init(&ip, sizeof b->client.ip - 1);
		addr_ip(&header.src, &ip);
		memcpy(b->client.ip, ip.p, ip.n);
		b->client.ip[ip.n] = '\0';
		buf_free(&ip);
	}
	admit(s);
}

/* ---- events */

static void
client_ready(struct watch *w, uint32_t events)
{
	struct session *s = w->arg;

	if ((events & EPOLLERR) != 0) {
		session_end(s, "connection lost");
		return;
	}
	switch (s->state) {
	case S_PROXY:
		read_header(s);
		return;
	case S_HANDSHAKE:
		handshake(s);
		return;
	case S_TALK:
		talking(s);
		return;
	case S_TLS_NEXT:
		next_tls(s);
		return;
	case S_CLOSING:
		closing(s);
		return;
	case S_LINGER:
		lingering(s);
		return;
	case S_AUTH:
	case S_BACKEND:
	case S_PUMP: /* has its own handler */
		return;
	}
}

static void
too_late(struct timer *t)
{
	struct session *s = t->arg;

	switch (s->state) {
	case S_TALK:
		if (s->before->out.n > 0) {
			session_end(s, "client does not read");
			return;
		}
		say_bye(s, BYE_TIMEOUT);
		return;
	case S_AUTH:
		authd_silent(s);
		return;
	case S_BACKEND: /* it has the client's descriptor, or will: the connection ends for both of us */
		shutdown(s->client.fd, SHUT_RDWR);
		session_end(s, "no answer");
		return;
	case S_PUMP:
		if (s->again)
			pump_again(s);
		else
			session_end(s, "too late");
		return;
	case S_PROXY:
	case S_HANDSHAKE:
	case S_TLS_NEXT:
	case S_CLOSING:
		session_end(s, "too late");
		return;
	case S_LINGER:
		session_end(s, NULL);
		return;
	}
}

/* ---- from the program */

struct session *
session_make(struct proxyd *p, const struct client *c)
{
	struct session *s = mem_zero(1, sizeof *s);
	int one = 1;

	s->p = p;
	s->sid = c->sid;
	s->client.fd = c->fd;
	s->back.fd = -1;
	s->deadline = (struct timer){ .due = too_late, .arg = s };
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	p->sessions++;
	svc_sessions(p->svc, 1);
	return s;
}

void
session_before(struct session *s, const struct client *c)
{
	struct before *b = mem_zero(1, sizeof *b);

	s->before = b;
	b->client = *c;
	dialogue_init(&b->d);
	buf_init(&b->in, IN_MAX);
	buf_init(&b->out, OUT_MAX);
	s->client = (struct watch){ .fd = s->client.fd, .ready = client_ready, .arg = s };
	waiting_add(s);
}

void
session_talk(struct session *s, struct span in, struct span out)
{
	struct before *b = s->before;

	b->greeted = true;
	set_dialogue(s);
	b->in.max += in.n;
	b->out.max += out.n;
	buf_add(&b->in, NULL, in);
	buf_add(&b->out, NULL, out);
	s->state = S_TALK;
	if (s->p->waiting > cfg.proxyd_waiting_max && s->p->oldest_waiting != s)
		session_drop_oldest(s->p);
	session_deadline(s, cfg.proxyd_wait);
	talk(s);
}

void
session_new(struct proxyd *p, struct client *c)
{
	struct session *s = session_make(p, c);

	session_before(s, c);
	if (p->waiting > cfg.proxyd_waiting_max)
		session_drop_oldest(p);
	if (addr_in(&c->peer, span_str(cfg.proxy_networks)))
		enter(s, S_PROXY, HEADER_MS, EPOLLIN);
	else
		admit(s);
}

/* Make room: whoever has not logged in for the longest time. */
void
session_drop_oldest(struct proxyd *p)
{
	struct session *s = p->oldest_waiting;

	log_event(LOG_WARN, "proxyd.dropped", KV_S("sid", id_span(&s->sid)),
	    KV_STR("client", s->before->client.ip), KV_STR("limit", "proxyd_waiting_max"));
	if (s->state == S_TALK && s->before->out.n == 0) {
		p->protocol->bye(BYE_BUSY, &s->before->out);
		flush(s);
	}
	session_end(s, "dropped for another");
}

void
session_shutdown(struct session *s)
{
	switch (s->state) {
	case S_TALK:
		say_bye(s, BYE_SHUTDOWN);
		return;
	case S_PROXY:
	case S_HANDSHAKE:
	case S_TLS_NEXT:
		session_end(s, "shutting down");
		return;
	case S_AUTH: /* it may be a session in a moment, and the back end's */
	case S_BACKEND:
	case S_PUMP:
	case S_CLOSING:
	case S_LINGER:
		return;
	}
}
