/* unit-authd-login - authd over socket pairs: logins, delays, limits, tickets, workers, changes and lists. */
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "authd/authd.h"
#include "base/clock.h"
#include "cfg/cfg.h"
#include "t/tap.h"

static struct authd a;
static struct ticket_public public;
static pid_t last_worker;

static pid_t
fork_it(void *arg)
{
	(void)arg;
	fflush(stdout);
	last_worker = fork();
	return last_worker;
}

static int
confine_not(void *arg, struct err *e)
{
	(void)arg;
	(void)e;
	return 0;
}

/* ---- driving the loop until something has come */

struct client {
	struct ipc *ch;
	struct watch w;
	bool ready;
};

static struct timer deadline;

static void
came(struct watch *w, uint32_t events)
{
	struct client *c = w->arg;

	(void)events;
	c->ready = true;
	loop_stop(a.loop);
}

static void
too_late(struct timer *t)
{
	(void)t;
	loop_stop(a.loop);
}

static struct client *
dial(enum ipc_role role)
{
	struct client *c = mem_zero(1, sizeof *c);
	int pair[2];

	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	authd_peer(&a, pair[1], role);
	c->ch = ipc_new(pair[0], &authd_def, role, ROLE_AUTHD);
	c->w = (struct watch){ .fd = pair[0], .ready = came, .arg = c };
	loop_watch(a.loop, &c->w, EPOLLIN);
	return c;
}

static void
hang_up(struct client *c)
{
	loop_watch(a.loop, &c->w, 0);
	ipc_free(c->ch);
	free(c);
}

/* The next frame within ms of the loop's clock (which runs: real); false when none came. */
static bool
next(struct client *c, struct ipc_in *in, uint64_t ms)
{
	struct err e = { 0 };
	int got = ipc_get(c->ch, in, &e);

	deadline = (struct timer){ .due = too_late };
	loop_timer(a.loop, &deadline, loop_now(a.loop) + ms);
	while (got == 0 && !ipc_eof(c->ch)) {
		c->ready = false;
		loop_run(a.loop);
		got = ipc_get(c->ch, in, &e);
		if (got == 0 && !c->ready)
			break;
	}
	loop_timer(a.loop, &deadline, 0);
	return got > 0;
}

struct result {
	int kind; /* login_result; -1 refused; -2 nothing came */
	uint64_t count;
	char text[300];
};

static struct result
result_of(struct client *c, uint64_t ms)
{
	struct result r = { .kind = -2 };
	struct err e = { 0 };
	struct ipc_in in;

	if (!next(c, &in, ms))
		return r;
	if (in.number == authd_login_answer_no) {
		struct authd_login_answer m;

		need(ipc_body(&in, authd_login_answer, &m, &e) == 0);
		r.kind = (int)m.result;
		snprintf(r.text, sizeof r.text, "%.*s", SPAN_ARG(m.text));
	} else if (in.number == authd_done_no) {
		struct authd_done m;

		need(ipc_body(&in, authd_done, &m, &e) == 0);
		r.kind = 0;
		r.count = m.count;
	} else {
		struct ipc_refuse m;

		need(in.number == ipc_refuse_no && ipc_body_(&in, ipc_refuse_no, &m, &e) == 0);
		r.kind = -1;
		snprintf(r.text, sizeof r.text, "%.*s", SPAN_ARG(m.text));
	}
	return r;
}

static void
ask_login(struct client *c, const char *login, const char *password, const char *client)
{
	struct authd_login m = { .login = span_str(login),
		.password = span_str(password),
		.service = SPAN("imap"),
		.client = span_str(client),
		.sid = SPAN("0123456789abcdef") };
	struct err e = { 0 };

	need(ipc_send(c->ch, authd_login, &m, 7, &e) == 0);
}

static struct result
login(struct client *c, const char *name, const char *password, const char *client)
{
	ask_login(c, name, password, client);
	return result_of(c, 10000);
}

static struct result
user(struct client *c, struct authd_user m)
{
	struct err e = { 0 };

	need(ipc_send(c->ch, authd_user, &m, 1, &e) == 0);
	return result_of(c, 10000);
}

/* ---- the tests */

static void
changes(struct client *ctl)
{
	struct result r;

	r = user(ctl, (struct authd_user){ .addr = SPAN("Ada@example.com"),
			  .password = SPAN("secret"),
			  .op = OP_ADD,
			  .enabled = 1,
			  .name = SPAN("Ada"),
			  .aliases = SPAN("countess@example.com, @example.com") });
	tap_ok(
	    r.kind == 0 && r.count == 1, "an account is added, its password hashed by a worker %s", r.text);
	r = user(
	    ctl, (struct authd_user){
		     .addr = SPAN("ada@example.com"), .password = SPAN("x"), .op = OP_ADD, .enabled = 1 });
	tap_ok(r.kind == -1 && strstr(r.text, "exists already") != NULL, "not twice: %s", r.text);
	r = user(ctl,
	    (struct authd_user){
		.addr = SPAN("bob@example.com"), .hash = SPAN("{PLAIN}bobs"), .op = OP_ADD, .enabled = 1 });
	tap_ok(r.kind == 0, "an account is added with its hash %s", r.text);
	r = user(
	    ctl, (struct authd_user){
		     .addr = SPAN("x@example.com"), .hash = SPAN("{SHA}nope"), .op = OP_ADD, .enabled = 1 });
	tap_ok(r.kind == -1 && strstr(r.text, "x@example.com: {SHA}") != NULL,
	    "a hash that is none is refused: %s", r.text);
	r = user(ctl, (struct authd_user){
			  .addr = SPAN("x@example.net"), .password = SPAN("x"), .op = OP_ADD, .enabled = 1 });
	tap_ok(r.kind == -1 && strstr(r.text, "not a domain of this system") != NULL,
	    "an address elsewhere: %s", r.text);
	r = user(
	    ctl, (struct authd_user){ .addr = SPAN("x"), .password = SPAN("x"), .op = OP_ADD, .enabled = 1 });
	tap_ok(r.kind == -1, "an address without a domain: %s", r.text);
	r = user(ctl, (struct authd_user){ .addr = SPAN("x@example.com"), .op = OP_ADD, .enabled = 1 });
	tap_ok(r.kind == -1 && strstr(r.text, "no password") != NULL, "no password: %s", r.text);
	r = user(ctl,
	    (struct authd_user){ .addr = SPAN("off@example.com"), .hash = SPAN("{PLAIN}off"), .op = OP_ADD });
	tap_ok(r.kind == 0, "a disabled account");
	r = user(ctl, (struct authd_user){
			  .addr = SPAN("ada@example.com"), .op = OP_CHANGE, .set = USER_SET_PASSWORD });
	tap_ok(r.kind == -1, "no password is changed for none: %s", r.text);
	r = user(
	    ctl, (struct authd_user){ .addr = SPAN("x@example.com"), .op = OP_CHANGE, .set = USER_SET_NAME });
	tap_ok(r.kind == -1 && strstr(r.text, "no such account") != NULL, "an account that is not there: %s",
	    r.text);
}

static void
tickets(struct client *c)
{
	struct ticket want = { .service = SPAN("imap"),
		.node = SPAN("local"),
		.client = SPAN("192.0.2.1"),
		.sid = SPAN("0123456789abcdef") },
		      out;
	struct authd_login_answer m;
	struct err e = { 0 };
	struct ipc_in in;

	ask_login(c, "ADA", "secret", "192.0.2.1");
	need(next(c, &in, 10000) && ipc_body(&in, authd_login_answer, &m, &e) == 0);
	tap_ok(m.result == LOGIN_OK && span_eq(m.login, "ada@example.com") &&
		   span_eq(m.owner, "ada@example.com"),
	    "a login is granted, by a bare name in any case %.*s", SPAN_ARG(m.text));
	tap_ok(in.id == 7, "under the id of its request");
	tap_ok(ticket_verify(m.ticket, &public, &want, clock_wall_ms(), &out, &e) == 0 &&
		   span_eq(out.owner, "ada@example.com"),
	    "with a ticket that a back end takes %s", e.text);
}

/* What does not depend on the delay; the loop's clock is the real one, and the delay short. */
static void
logins(struct client *c)
{
	static const struct {
		const char *name, *password;
		int want;
		const char *says;
	} rows[] = {
		{ "ada@example.com", "secret", LOGIN_OK, "" },
		{ "bob@example.com", "bobs", LOGIN_OK, "" },
		{ "bob@example.com", "bobS", LOGIN_BAD, "wrong user name or password" },
		{ "ada@example.com", "Secret", LOGIN_BAD, "wrong user name or password" },
		{ "nobody@example.com", "secret", LOGIN_BAD, "wrong user name or password" },
		{ "ada@example.net", "secret", LOGIN_BAD, "wrong user name or password" },
		{ "countess@example.com", "secret", LOGIN_BAD, "wrong user name or password" },
		{ "bob@example.com", "", LOGIN_BAD, "wrong user name or password" },
		{ "", "", LOGIN_BAD, "wrong user name or password" },
		{ "a@b@c", "x", LOGIN_BAD, "wrong user name or password" },
		{ "off@example.com", "off", LOGIN_DENIED, "not allowed" },
		{ "off@example.com", "on", LOGIN_BAD, "wrong user name or password" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct result r = login(c, rows[i].name, rows[i].password, "192.0.2.9");

		tap_ok(r.kind == rows[i].want && strcmp(r.text, rows[i].says) == 0,
		    "login %s with '%s' is %d: %s", rows[i].name, rows[i].password, r.kind, r.text);
	}
	struct authd_login m = { .login = SPAN("bob@example.com"),
		.authzid = SPAN("ada@example.com"),
		.password = SPAN("bobs"),
		.client = SPAN("192.0.2.1"),
		.service = SPAN("imap"),
		.sid = SPAN("x") };
	struct err e = { 0 };

	need(ipc_send(c->ch, authd_login, &m, 7, &e) == 0);
	tap_ok(result_of(c, 10000).kind == LOGIN_DENIED, "no one logs in as someone else");
	m.authzid = m.login;
	need(ipc_send(c->ch, authd_login, &m, 7, &e) == 0);
	tap_ok(result_of(c, 10000).kind == LOGIN_OK, "but as himself");
}

/* Another's delay and another's slow hash hold nobody up. */
static void
no_stall(struct client *c)
{
	struct client *d = dial(ROLE_SMTPD);
	uint64_t start;
	struct result r;

	cfg.login_failure_delay = 600;
	start = clock_mono_ms();
	ask_login(c, "bob@example.com", "wrong", "192.0.2.9");
	r = login(d, "bob@example.com", "bobs", "192.0.2.9");
	tap_ok(
	    r.kind == LOGIN_OK && clock_mono_ms() - start < 300, "a login goes on while a failed one waits");
	r = result_of(c, 10000);
	tap_ok(r.kind == LOGIN_BAD && clock_mono_ms() - start >= 599,
	    "which is answered after its delay: %llu ms", (unsigned long long)(clock_mono_ms() - start));
	start = clock_mono_ms();
	r = login(c, "nobody@example.com", "x", "192.0.2.9");
	tap_ok(r.kind == LOGIN_BAD && clock_mono_ms() - start >= 599 && clock_mono_ms() - start < 800,
	    "for an account that does not exist at the same time: %llu ms",
	    (unsigned long long)(clock_mono_ms() - start));
	cfg.login_failure_delay = 1;
	ask_login(c, "ada@example.com", "secret", "192.0.2.9");
	ask_login(c, "ada@example.com", "wrong", "192.0.2.9");
	hang_up(d);
	d = dial(ROLE_SMTPD);
	ask_login(d, "ada@example.com", "wrong", "192.0.2.9");
	hang_up(d);
	tap_ok(result_of(c, 10000).kind == LOGIN_OK && result_of(c, 10000).kind == LOGIN_BAD,
	    "a peer that hangs up takes only its own logins along");
}

static void
limits(struct client *c)
{
	struct result r = { 0 };

	cfg.login_failures_client = 5;
	cfg.login_failures_account = 3;
	for (int i = 0; i < 5; i++)
		r = login(c, "stranger@example.com", "x", "2001:db8:0:1::1");
	tap_ok(r.kind == LOGIN_LIMIT, "an account has a limit, also one that does not exist: %s", r.text);
	r = login(c, "bob@example.com", "wrong", "2001:db8:0:1::2");
	r = login(c, "bob@example.com", "wrong", "2001:db8:0:1::3");
	r = login(c, "ada@example.com", "secret", "2001:db8:0:1:ffff::4");
	tap_ok(r.kind == LOGIN_LIMIT, "a network (/64) has a limit: %s", r.text);
	r = login(c, "ada@example.com", "secret", "2001:db8:0:2::4");
	tap_ok(r.kind == LOGIN_OK, "another network has its own");
	for (int i = 0; i < 4; i++)
		r = login(c, "bob@example.com", "wrong", "127.0.0.1");
	tap_ok(r.kind == LOGIN_LIMIT, "trusted networks are limited by account");
	r = login(c, "bob@example.com", "bobs", "198.51.100.1");
	tap_ok(r.kind == LOGIN_LIMIT, "an account at its limit is closed for who is new");
	r = login(c, "bob@example.com", "bobs", "192.0.2.1");
	tap_ok(r.kind == LOGIN_OK, "but not for a client that it knows");
	cfg.login_failures_client = 30;
	cfg.login_failures_account = 10;
}

static void
forgetting(void)
{
	struct limits *l = limits_new();

	for (int i = 0; i < 3; i++)
		limit_count(l, SPAN("k"), 1000, 3, 60000);
	tap_ok(limit_reached(l, SPAN("k"), 1000, 3, 60000), "three failures are three");
	tap_ok(!limit_reached(l, SPAN("j"), 1000, 3, 60000), "of one key alone");
	tap_ok(limit_reached(l, SPAN("k"), 2000, 3, 60000), "a second later still");
	tap_ok(!limit_reached(l, SPAN("k"), 22000, 3, 60000), "after a third of the window one is forgotten");
	limit_count(l, SPAN("k"), 22000, 3, 60000);
	tap_ok(limit_reached(l, SPAN("k"), 22000, 3, 60000), "and may be made again");
	tap_ok(!limit_reached(l, SPAN("k"), 100000, 3, 60000), "after the window all are");
	limits_free(l);
}

static void
worker_death(struct client *c)
{
	struct result r;

	ask_login(c, "ada@example.com", "secret", "192.0.2.9");
	kill(last_worker, SIGSTOP);
	deadline = (struct timer){ .due = too_late };
	loop_timer(
	    a.loop, &deadline, loop_now(a.loop) + 1); /* the request reaches the worker, which stands still */
	loop_run(a.loop);
	kill(last_worker, SIGKILL);
	r = result_of(c, 10000);
	tap_ok(r.kind == LOGIN_TEMP || r.kind == LOGIN_OK, "a worker that dies fails its login for now: %s",
	    r.text);
	r = login(c, "bob@example.com", "bobs", "192.0.2.9");
	tap_ok(r.kind == LOGIN_OK, "logins with cheap hashes do not notice");
	r = login(c, "ada@example.com", "secret", "192.0.2.9");
	tap_ok(r.kind == LOGIN_OK, "it is replaced");
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static struct result
import(struct client *ctl, int from, int n, bool more, const char *bad)
{
	struct authd_import m = { .more = more };
	struct buf list;
	struct err e = { 0 };

	buf_init(&list, 4 << 20);
	for (int i = from; i < from + n; i++) {
		char addr[64], alias[64];
		struct authd_user u = { .op = OP_PUT,
			.enabled = 1,
			.quota_bytes = 1 << 30,
			.name = SPAN("Some Body"),
			.hash = SPAN("{SSHA256}ZH+FHOUh3wRbqavw2ODbEkbGXnwqL1YX8IropkU4LAJzYWx0c2FsdA==") };

		snprintf(addr, sizeof addr, "user%d@example.com", i);
		snprintf(alias, sizeof alias, "alias%d@example.com", i);
		u.addr = bad != NULL && i == from + n - 1 ? span_str(bad) : span_str(addr);
		u.aliases = span_str(alias);
		need(ipc_pack(&authd_def, &list, authd_user, &u, &e) == 0);
	}
	m.users = buf_span(&list);
	need(ipc_send(ctl->ch, authd_import, &m, 1, &e) == 0);
	buf_free(&list);
	return result_of(ctl, 20000);
}

static uint64_t
list_all(struct client *ctl, uint32_t what, const char *match)
{
	struct authd_list m = { .what = what, .match = span_str(match) };
	struct authd_list_answer out;
	struct err e = { 0 };
	char after[256] = "";
	uint64_t n = 0, page;
	struct ipc_in in;

	do {
		m.after = span_str(after);
		need(ipc_send(ctl->ch, authd_list, &m, 1, &e) == 0);
		need(next(ctl, &in, 10000) && ipc_body(&in, authd_list_answer, &out, &e) == 0);
		for (page = 0; out.items.n > 0; page++) {
			struct authd_user u = { 0 };
			struct authd_alias al = { 0 };
			struct authd_domain d = { 0 };
			struct span at;

			if (what == LIST_USERS)
				need(ipc_unpack(&authd_def, &out.items, authd_user, &u, &e) == 1);
			else if (what == LIST_ALIASES)
				need(ipc_unpack(&authd_def, &out.items, authd_alias, &al, &e) == 1);
			else
				need(ipc_unpack(&authd_def, &out.items, authd_domain, &d, &e) == 1);
			at = what == LIST_USERS ? u.addr : what == LIST_ALIASES ? al.addr : d.name;
			need(span_cmp(at, span_str(after)) > 0);
			need(!span_starts(u.hash, "{") || u.hash.p[u.hash.n - 1] == '}');
			snprintf(after, sizeof after, "%.*s", SPAN_ARG(at));
		}
		n += page;
	} while (page > 0);
	return n;
}

static void
imports(struct client *ctl)
{
	uint64_t start = clock_mono_ms();
	struct result r;

	for (int i = 0; i < 26; i++)
		need(import(ctl, i * 1000, 1000, true, NULL).kind == 0);
	tap_ok(
	    list_all(ctl, LIST_USERS, "user5@example.com") == 0, "nothing is stored before the last batch");
	r = import(ctl, 26000, 516, false, NULL);
	tap_ok(r.kind == 0 && r.count == 26516, "26516 accounts with hashes are imported in %llu ms %s",
	    (unsigned long long)(clock_mono_ms() - start), r.text);
	tap_ok(list_all(ctl, LIST_USERS, "") == 26516 + 3, "and listed, page by page");
	tap_ok(list_all(ctl, LIST_USERS, "example.com") == 26516 + 3 &&
		   list_all(ctl, LIST_USERS, "example.net") == 0,
	    "by domain");
	tap_ok(list_all(ctl, LIST_USERS, "User7@example.com") == 1, "by address");
	tap_ok(list_all(ctl, LIST_ALIASES, "") == 26516 + 2, "their aliases too");
	tap_ok(list_all(ctl, LIST_DOMAINS, "") == 1, "and domains");
	r = import(ctl, 0, 10, false, NULL);
	tap_ok(r.kind == 0 && r.count == 10, "an import again changes what is there %s", r.text);
	need(import(ctl, 30000, 10, true, NULL).kind == 0);
	r = import(ctl, 30010, 10, false, "bad@example.net");
	tap_ok(r.kind == -1 && strstr(r.text, "bad@example.net") != NULL, "one bad address refuses all: %s",
	    r.text);
	tap_ok(list_all(ctl, LIST_USERS, "user30000@example.com") == 0, "nothing of it is stored");
}

static void
domains(struct client *ctl)
{
	struct authd_domain m = { .name = SPAN("B\xc3\xbc"
					       "cher.example"),
		.op = OP_ADD };
	struct authd_alias al = {
		.addr = SPAN("x@xn--bcher-kva.example"), .targets = SPAN("ada@example.com, y"), .op = OP_ADD
	};
	struct err e = { 0 };
	struct result r;

	need(ipc_send(ctl->ch, authd_domain, &m, 1, &e) == 0);
	r = result_of(ctl, 1000);
	tap_ok(r.kind == 0 && r.count == 1, "a domain is added %s", r.text);
	need(ipc_send(ctl->ch, authd_alias, &al, 1, &e) == 0);
	r = result_of(ctl, 1000);
	tap_ok(r.kind == 0, "an alias in it, by its other name %s", r.text);
	need(ipc_send(ctl->ch, authd_alias, &al, 1, &e) == 0);
	r = result_of(ctl, 1000);
	tap_ok(r.kind == -1, "not twice: %s", r.text);
	m.op = OP_DELETE;
	need(ipc_send(ctl->ch, authd_domain, &m, 1, &e) == 0);
	r = result_of(ctl, 1000);
	tap_ok(r.kind == -1 && strstr(r.text, "1 accounts and aliases") != NULL, "a domain in use stays: %s",
	    r.text);
	al.op = OP_DELETE;
	need(ipc_send(ctl->ch, authd_alias, &al, 1, &e) == 0 && result_of(ctl, 1000).kind == 0);
	need(ipc_send(ctl->ch, authd_domain, &m, 1, &e) == 0);
	tap_ok(result_of(ctl, 1000).kind == 0, "an empty one goes");
	m.name = SPAN("example.com");
	need(ipc_send(ctl->ch, authd_domain, &m, 1, &e) == 0);
	r = result_of(ctl, 1000);
	tap_ok(r.kind == -1 && strstr(r.text, "rookery.cf") != NULL, "one of the configuration does not: %s",
	    r.text);
}

/* A role that may not say something is not heard. */
static void
roles(void)
{
	struct client *c = dial(ROLE_PROXYD);
	struct ipc_in in;

	/* authd_usage by hand, since our own encoder would not. */
	need(write(ipc_fd(c->ch), "\x08\0\0\0\x14\0\0\0\1\0\0\0", 12) == 12);
	tap_ok(!next(c, &in, 5000) && ipc_eof(c->ch), "a proxy that reports usage is dropped");
	hang_up(c);
}

int
main(void)
{
	static const char *const over[] = { "domains=example.com", "hash_memory=64K", "hash_passes=1",
		"hash_workers=1", "login_failure_delay=0s", "login_failures_client=100",
		"login_failures_account=100" };
	char dir[] = "/tmp/rk-authd-XXXXXX";
	struct hash_start how = { .fork = fork_it, .confine = confine_not };
	struct client *ctl, *c;
	struct buf secret, pub;
	struct err e = { 0 };

	need(freopen("/dev/null", "w", stderr) != NULL); /* the log */
	need(mkdtemp(dir) != NULL && chdir(dir) == 0 && pw_init(&e) == 0);
	if (!tap_ok(cfg_load(SPAN(""), "none", over, sizeof over / sizeof over[0], &e) == 0,
		"configuration %s", e.text))
		return tap_done();
	buf_init(&secret, 1000);
	buf_init(&pub, 1000);
	ticket_keys_make(&secret, &pub);
	need(ticket_secret_load(buf_span(&secret), &a.key, &e) == 0 &&
	     ticket_public_load(buf_span(&pub), &public, &e) == 0);
	a.loop = loop_new();
	a.pool = hash_pool_new(a.loop, 1, &how);
	a.db = db_open("accounts.db", &e);
	need(a.db != NULL);
	authd_init(&a, a.loop);
	tap_ok(authd_configure(&a, &e) == 0, "configured %s", e.text);
	ctl = dial(ROLE_CTL);
	c = dial(ROLE_PROXYD);
	changes(ctl);
	tickets(c);
	logins(c);
	no_stall(c);
	limits(c);
	forgetting();
	worker_death(c);
	imports(ctl);
	domains(ctl);
	roles();
	hang_up(ctl);
	hang_up(c);
	authd_done_(&a);
	loop_free(a.loop);
	buf_wipe(&secret);
	buf_free(&pub);
	unlink("accounts.db");
	rmdir(dir);
	return tap_done();
}
