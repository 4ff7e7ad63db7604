/*
 * login.c - a login, from the request to the ticket.
 *
 *   asked ─ at its limit, or authzid differs ────────────────────────► refused: answered at
 *     │                                                                ▲ asked + login_failure_delay
 *     ├─ a cheap hash, or proven before: verified at once ─────────────┤
 *     └─ a slow hash, or no such account: a worker, then verified ─────┴► right: answered at once
 *
 * Whatever goes wrong is answered at the same time after the request and in the same words, so that neither
 * the time nor the text tells whether an account exists. A login that is not there costs a worker as much as
 * one that is. Only what is our own fault (LOGIN_TEMP) is told at once.
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "authd/address.h"
#include "authd/authd.h"
#include "base/clock.h"
#include "base/log.h"
#include "cfg/cfg.h"
#include "io/addr.h"

enum { LOGINS_MAX = 8192, MEM_MAX = 64 * 1024 };

/*
 * How long a client address that logged in is known to the account: its failures lock nobody out, nor do
 * others'.
 */
static const uint64_t KNOWN_MS = 30ull * 24 * 3600 * 1000;

struct login {
	struct pending pending;
	struct authd *a;
	struct arena *mem;
	struct hash_job job;
	struct timer late;
	uint64_t asked_ms;                      /* on the loop's clock */
	struct span name, service, client, sid; /* as asked */
	struct span key;                        /* the address in its one form; empty if it is none */
	struct account acct;                    /* when found */
	bool found, trusted;
	unsigned char client_key[16];
	struct span pair; /* account and client, for `known` */
	uint32_t result;
};

static void
login_free(struct login *l)
{
	l->a->logins--;
	loop_timer(l->a->loop, &l->late, 0);
	arena_free(l->mem);
	free(l);
}

static void
login_cancel(struct pending *w)
{
	struct login *l = (struct login *)(void *)w;

	hash_cancel(l->a->pool, &l->job);
	login_free(l);
}

/* ---- the answer */

static struct span
client_span(const struct login *l)
{
	return span_of(l->client_key, sizeof l->client_key);
}

static void
log_login(const struct login *l, enum log_level level, const char *event, const char *why)
{
	log_event(level, event, KV_S("sid", l->sid), KV_S("login", l->name), KV_S("service", l->service),
	    KV_S("client", l->client), KV_OPT("why", span_str(why)));
}

static void
send_answer(struct login *l, struct span text)
{
	struct authd_login_answer out = { .result = l->result, .text = text };
	struct buf ticket;
	struct err e = { 0 };

	buf_init(&ticket, TICKET_MAX);
	if (l->result == LOGIN_OK) {
		struct ticket t = { .owner = l->acct.owner,
			.login = l->acct.addr,
			.service = l->service,
			.node = span_str(cfg.node),
			.client = l->client,
			.sid = l->sid,
			.expiry_ms = clock_wall_ms() + cfg.ticket_lifetime };

		if (ticket_sign(&t, &l->a->key, &ticket, &e) < 0)
			out = (struct authd_login_answer){ .result = LOGIN_TEMP,
				.text = SPAN("no ticket could be made") };
		else
			out = (struct authd_login_answer){ LOGIN_OK, l->acct.owner, l->acct.addr,
				buf_span(&ticket), SPAN("") };
	}
	answer(l->pending.peer, authd_login_answer, &out, l->pending.id);
	pending_remove(&l->pending);
	login_free(l);
	buf_free(&ticket);
}

static struct span
text_of(enum login_result r)
{
	switch (r) {
	case LOGIN_OK:
		break;
	case LOGIN_BAD:
		return SPAN("wrong user name or password");
	case LOGIN_TEMP:
		return SPAN("logins cannot be verified now, try again later");
	case LOGIN_DENIED:
		return SPAN("not allowed");
	case LOGIN_LIMIT:
		return SPAN("too many failed logins, try again later");
	}
	return SPAN("");
}

static void
late_due(struct timer *t)
{
	struct login *l = t->arg;

	send_answer(l, text_of((enum login_result)l->result));
}

static void
refuse(struct login *l, enum login_result result, const char *why)
{
	l->result = result;
	log_login(l, LOG_INFO, "authd.login_failed", why);
	loop_timer(l->a->loop, &l->late, l->asked_ms + cfg.login_failure_delay);
}

static void
fault(struct login *l, const char *why)
{
	l->result = LOGIN_TEMP;
	log_login(l, LOG_ERROR, "authd.login_fault", why);
	send_answer(l, text_of(LOGIN_TEMP));
}

static void
grant(struct login *l)
{
	struct authd *a = l->a;
	uint64_t now = loop_now(a->loop);

	if (!l->acct.enabled) {
		refuse(l, LOGIN_DENIED, "disabled");
		return;
	}
	if (!limit_reached(a->known, l->pair, now, 1, KNOWN_MS))
		limit_count(a->known, l->pair, now, 1, KNOWN_MS);
	limit_forget(a->by_account, l->key);
	l->result = LOGIN_OK;
	log_login(l, LOG_INFO, "authd.login", "");
	send_answer(l, SPAN(""));
}

static void
wrong(struct login *l)
{
	struct authd *a = l->a;
	uint64_t now = loop_now(a->loop);

	if (!l->trusted)
		limit_count(
		    a->by_client, client_span(l), now, cfg.login_failures_client, cfg.login_failure_window);
	if (l->key.n > 0)
		limit_count(a->by_account, l->key, now, cfg.login_failures_account, cfg.login_failure_window);
	refuse(l, LOGIN_BAD, l->found ? "password" : "unknown");
}

static void
verified(struct login *l, int result, const char *why)
{
	if (result < 0)
		fault(l, why);
	else if (result == 1 && l->found)
		grant(l);
	else
		wrong(l);
}

static void
job_done(struct hash_job *j, int result, struct span text)
{
	struct login *l = j->arg;

	verified(l, result, arena_cstr(l->mem, text));
}

/* ---- the request */

/* v4 addresses may come mapped; what is no address (a Unix socket's "local") is counted by its text. */
static void
know_client(struct login *l)
{
	const char *text = arena_cstr(l->mem, l->client);
	struct addr at = { 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&at.ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&at.ss;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		at.len = sizeof *v4;
	} else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		at.len = sizeof *v6;
	} else {
		l->trusted = span_eq(l->client, "local");
		memcpy(l->client_key, text,
		    l->client.n < sizeof l->client_key ? l->client.n : sizeof l->client_key);
		return;
	}
	addr_key(&at, l->client_key);
	l->trusted = addr_in(&at, span_str(cfg.trusted_networks));
}

/* -1 only when the database cannot be asked. */
static int
find_account(struct login *l, struct err *e)
{
	struct address at;
	struct span home = { 0 };
	int got = 0;

	if (span_chr(l->name, '@') < 0)
		got = db_default_domain(l->a->db, l->mem, &home, e);
	if (got < 0)
		return -1;
	if (address_of(l->name, home, l->mem, &at, NULL) < 0)
		return 0;
	l->key = at.key;
	got = db_account(l->a->db, at.key, l->mem, &l->acct, e);
	l->found = got > 0;
	return got;
}

/* Account and client as one key. */
static struct span
pair_of(const struct login *l)
{
	char *p = arena_alloc(l->mem, sizeof l->client_key + l->key.n);

	memcpy(p, l->client_key, sizeof l->client_key);
	if (l->key.n > 0)
		memcpy(p + sizeof l->client_key, l->key.p, l->key.n);
	return span_of(p, sizeof l->client_key + l->key.n);
}

static bool
at_limit(struct login *l)
{
	struct authd *a = l->a;
	uint64_t now = loop_now(a->loop);

	if (!l->trusted && limit_reached(a->by_client, client_span(l), now, cfg.login_failures_client,
			       cfg.login_failure_window))
		return true;
	return l->key.n > 0 &&
	       limit_reached(
		   a->by_account, l->key, now, cfg.login_failures_account, cfg.login_failure_window) &&
	       !limit_reached(a->known, l->pair, now, 1, KNOWN_MS);
}

static struct login *
login_new(struct peer *p, uint32_t id, const struct authd_login *m)
{
	struct login *l = mem_zero(1, sizeof *l);

	l->a = p->a;
	l->a->logins++;
	l->mem = arena_new(MEM_MAX);
	l->late = (struct timer){ .due = late_due, .arg = l };
	l->job = (struct hash_job){ .done = job_done, .arg = l };
	l->asked_ms = loop_now(p->a->loop);
	l->name = arena_dup(l->mem, span_head(m->login, ADDRESS_MAX + 1));
	l->service = arena_dup(l->mem, span_head(m->service, 64));
	l->client = arena_dup(l->mem, span_head(m->client, 64));
	l->sid = arena_dup(l->mem, span_head(m->sid, 64));
	pending_add(p, &l->pending, id, login_cancel);
	return l;
}

static void
verify(struct login *l, struct span password)
{
	bool valid = pw_password_valid(password, NULL) == 0;
	struct err e = { 0 };
	int rc;

	if (l->found && valid && pw_cheap(l->acct.hash)) {
		rc = pw_verify(l->acct.hash, password, &e);
		verified(l, rc, e.text);
		return;
	}
	rc = hash_submit(l->a->pool, &l->job, l->found && valid ? HASH_VERIFY : HASH_DUMMY,
	    l->found ? l->acct.hash : SPAN(""), valid ? password : SPAN(""), false, &e);
	if (rc < 0)
		fault(l, e.text);
}

void
login_request(struct peer *p, uint32_t id, const struct authd_login *m)
{
	struct authd_login_answer busy = { .result = LOGIN_TEMP, .text = text_of(LOGIN_TEMP) };
	struct login *l;
	struct err e = { 0 };

	if (p->a->logins >= LOGINS_MAX) {
		answer(p, authd_login_answer, &busy, id);
		return;
	}
	l = login_new(p, id, m);
	know_client(l);
	if (find_account(l, &e) < 0) {
		fault(l, e.text);
		return;
	}
	l->pair = pair_of(l);
	if (at_limit(l))
		refuse(l, LOGIN_LIMIT, "limit");
	else if (m->authzid.n > 0 && !span_same(m->authzid, m->login))
		refuse(l, LOGIN_DENIED, "authzid");
	else
		verify(l, m->password);
}

/* ---- may a login send as this address? */

void
sender_request(struct peer *p, uint32_t id, const struct authd_sender *m)
{
	struct authd *a = p->a;
	struct account acct = { 0 };
	struct address at;
	struct err e = { 0 };
	int got = 0;

	if (address_of(m->login, SPAN(""), a->scratch, &at, NULL) == 0)
		got = db_account(a->db, at.key, a->scratch, &acct, &e);
	if (got > 0)
		got = acct.enabled ? resolve_sender(&a->resolver, acct.owner, m->addr, a->scratch, &e) : 0;
	if (got < 0)
		answer_refuse(p, id, &e);
	else
		answer(p, authd_sender_answer, &(struct authd_sender_answer){ .allowed = got > 0 }, id);
}
