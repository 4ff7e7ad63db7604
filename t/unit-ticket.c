/* unit-ticket - a ticket that is forged, expired, re-addressed or replayed opens nothing. */
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/ticket.h"
#include "t/tap.h"

static const struct ticket good = {
	.owner = { "ada", 3 },
	.login = { "ada@example.com", 15 },
	.service = { "imap", 4 },
	.node = { "local", 5 },
	.client = { "192.0.2.1", 9 },
	.sid = { "0123456789abcdef", 16 },
	.expiry_ms = 1000000,
};

struct keys {
	struct ticket_secret secret;
	struct ticket_public public;
};

static struct keys
new_keys(void)
{
	struct keys k;
	struct buf s, p;
	struct err e = { 0 };

	buf_init(&s, 1024);
	buf_init(&p, 1024);
	ticket_keys_make(&s, &p);
	tap_ok(ticket_secret_load(buf_span(&s), &k.secret, &e) == 0 &&
		   ticket_public_load(buf_span(&p), &k.public, &e) == 0,
	    "a pair of keys is made and read %s", e.text);
	tap_ok(ticket_public_load(buf_span(&s), &k.public, &e) < 0,
	    "the secret file is not taken for the public one");
	err_clear(&e);
	ticket_public_load(buf_span(&p), &k.public, &e);
	tap_ok(ticket_public_load(span_head(buf_span(&p), p.n - 5), &(struct ticket_public){ 0 }, &e) < 0,
	    "a key that is cut is refused");
	buf_wipe(&s);
	buf_free(&p);
	return k;
}

static bool
refused(struct span in, const struct keys *k, const struct ticket *want, uint64_t now, const char *says)
{
	struct ticket out = { 0 };
	struct err e = { 0 };
	int rc = ticket_verify(in, &k->public, want, now, &out, &e);

	return rc < 0 && e.kind == ERR_PEER && strstr(e.text, says) != NULL && out.owner.n == 0;
}

static void
addressed(struct span in, const struct keys *k)
{
	struct ticket w = good, out;
	struct err e = { 0 };

	tap_ok(
	    ticket_verify(in, &k->public, &good, 999999, &out, &e) == 0, "a good ticket is taken %s", e.text);
	tap_ok(
	    span_eq(out.owner, "ada") && span_eq(out.login, "ada@example.com"), "it tells owner and login");
	tap_ok(refused(in, k, &good, 1000000, "expired"), "expired at its millisecond");
	w.service = SPAN("pop3");
	tap_ok(refused(in, k, &w, 1, "another service"), "refused by another service");
	w = good;
	w.node = SPAN("b2");
	tap_ok(refused(in, k, &w, 1, "another node"), "refused by another node");
	w = good;
	w.client = SPAN("192.0.2.2");
	tap_ok(refused(in, k, &w, 1, "another client"), "refused for another client");
	w = good;
	w.sid = SPAN("0123456789abcdeg");
	tap_ok(refused(in, k, &w, 1, "another session"), "refused in another session");
}

/* No octet can be changed, none left away, none added. */
static void
forged(struct span in, const struct keys *k)
{
	struct keys other = new_keys();
	char copy[TICKET_MAX + 1];
	size_t taken = 0;

	tap_ok(refused(in, &other, &good, 1, "not signed"), "refused under another key");
	for (size_t i = 0; i < in.n; i++) {
		memcpy(copy, in.p, in.n);
		copy[i] ^= 1;
		taken += !refused(span_of(copy, in.n), k, &good, 1, "not signed");
		taken += !refused(span_head(in, i), k, &good, 1, "");
	}
	tap_ok(taken == 0, "refused with any octet changed, and cut anywhere");
	memcpy(copy, in.p, in.n);
	copy[in.n] = 0;
	tap_ok(refused(span_of(copy, in.n + 1), k, &good, 1, "not signed"), "refused with an octet added");
	tap_ok(refused(span_of(copy, sizeof copy), k, &good, 1, "not a ticket"), "refused when too large");
}

static void
replayed(struct span in, const struct keys *k)
{
	struct err e = { 0 };
	struct ticket_seen *s = ticket_seen_new(&e);
	struct ticket t, many = good;
	int full = 0, status;
	pid_t pid;

	ticket_verify(in, &k->public, &good, 1, &t, &e);
	tap_ok(ticket_use(s, &t, 1000, &e) == 0, "used once");
	tap_ok(ticket_use(s, &t, 1000, &e) < 0 && e.kind == ERR_PEER, "not twice: %s", e.text);
	err_clear(&e);
	tap_ok(ticket_use(s, &t, 999999, &e) < 0 && e.kind == ERR_PEER, "not in its last millisecond");
	err_clear(&e);
	many.nonce[0] = 1;
	pid = fork();
	if (pid == 0)
		_exit(ticket_use(s, &many, 1000, &e) == 0 ? 0 : 1);
	need(pid > 0 && waitpid(pid, &status, 0) == pid);
	tap_ok(status == 0 && ticket_use(s, &many, 1000, &e) < 0, "what a child used is used for all");
	err_clear(&e);
	for (int i = 0; i < 40; i++) {
		many.nonce[7] = (unsigned char)(i + 1);
		full += ticket_use(s, &many, 1000, &e) < 0 && e.kind == ERR_TEMP;
		err_clear(&e);
	}
	tap_ok(full >= 25, "a ticket that cannot be remembered is refused: %d of 40", full);
	many.nonce[7] = 200;
	many.expiry_ms = 1002000 + 10000;
	tap_ok(ticket_use(s, &many, 1002000, &e) == 0, "what has expired makes room %s", e.text);
	ticket_seen_free(s);
}

int
main(void)
{
	struct keys k = new_keys();
	struct buf one, two;
	struct err e = { 0 };
	struct ticket huge = good;
	char big[600] = { 0 };

	buf_init(&one, TICKET_MAX);
	buf_init(&two, TICKET_MAX);
	tap_ok(ticket_sign(&good, &k.secret, &one, &e) == 0 && ticket_sign(&good, &k.secret, &two, &e) == 0,
	    "signed");
	tap_ok(!span_same(buf_span(&one), buf_span(&two)), "no two tickets are the same");
	addressed(buf_span(&one), &k);
	forged(buf_span(&one), &k);
	replayed(buf_span(&one), &k);
	huge.owner = span_of(big, sizeof big);
	tap_ok(ticket_sign(&huge, &k.secret, &two, &e) < 0, "a field beyond reason is refused: %s", e.text);
	buf_free(&one);
	buf_free(&two);
	return tap_done();
}
