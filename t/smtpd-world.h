/*
 * smtpd-world.h - smtpd's session in one process, with the world it talks to made up: for t/unit-smtpd.c and
 * fuzz/smtpd.c. The client is memory, the queue's files are memory, and every message that is committed is
 * read back and checked.
 */
#ifndef T_SMTPD_WORLD_H
#define T_SMTPD_WORLD_H

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cfg/cfg.h"
/* clang-format off */
#include "smtpd/auth.c"
#include "smtpd/data.c"
#include "smtpd/finish.c"
#include "smtpd/hello.c"
#include "smtpd/mail.c"
#include "smtpd/rcpt.c"
#include "smtpd/received.c"
#include "smtpd/reply.c"
#include "smtpd/session.c"
#include "smtpd/tls.c"
#include "smtpd/transaction.c"
/* clang-format on */

/* What the world is like, and what happened in it. */
static struct world {
	bool no_space, queue_dead, commit_fails;
	enum filter_verdict verdict;
	struct span verdict_reply, prefix;
	unsigned commits, drops;
	struct buf last; /* the last committed message's region */
	struct buf last_trailer;
	size_t last_rcpts;
} world;

struct peers {
	int file;
	struct id mid;
	struct buf targets;
};

void
svc_count(const char *name, uint64_t add)
{
	(void)name, (void)add;
}

struct peers *
peers_new(const struct svc *svc, struct span sid)
{
	struct peers *p = mem_zero(1, sizeof *p);

	(void)svc, (void)sid;
	p->file = -1;
	buf_init(&p->targets, 16 << 20);
	return p;
}

void
peers_free(struct peers *p)
{
	if (p->file >= 0)
		close(p->file);
	buf_free(&p->targets);
	free(p);
}

static void
local_target(struct peers *p, const char *owner)
{
	struct authd_target t = { .kind = TARGET_LOCAL, .addr = span_str(owner), .owner = span_str(owner) };

	need(ipc_pack(&authd_def, &p->targets, authd_target, &t, NULL) == 0);
}

/* bob, carol, list (both), postmaster; full, temp, gone as they say; what is not of example.org is elsewhere.
 */
int
peers_whois(struct peers *p, const struct authd_whois *q, struct authd_whois_answer *a, struct err *e)
{
	struct span local = q->addr, domain;

	*a = (struct authd_whois_answer){ .kind = WHOIS_OK };
	buf_clear(&p->targets);
	if (mailbox_split(q->addr, &local, &domain, &(struct err){ 0 }) == 0 && domain.n > 0 &&
	    !span_ieq(domain, "example.org")) {
		struct authd_target t = { .kind = TARGET_REMOTE, .addr = q->addr };

		need(ipc_pack(&authd_def, &p->targets, authd_target, &t, NULL) == 0);
		a->kind = WHOIS_RELAY;
	} else if (span_eq(local, "bob") || span_ieq(local, "postmaster")) {
		local_target(p, "bob@example.org");
	} else if (span_eq(local, "carol")) {
		local_target(p, "carol@example.org");
	} else if (span_eq(local, "list")) {
		local_target(p, "bob@example.org");
		local_target(p, "carol@example.org");
	} else if (span_eq(local, "nowhere")) {
	} else if (span_eq(local, "huge")) {
		for (int i = 0; i < 60000; i++) {
			char owner[32];

			snprintf(owner, sizeof owner, "user%d@example.org", i);
			local_target(p, owner);
		}
	} else if (span_eq(local, "full")) {
		a->full = 1;
	} else if (span_eq(local, "temp")) {
		return err_set(e, ERR_TEMP, "authd: away");
	} else {
		a->kind = span_eq(local, "gone") ? WHOIS_DISABLED : WHOIS_UNKNOWN;
	}
	a->targets = buf_span(&p->targets);
	return 0;
}

int
peers_login(struct peers *p, const struct authd_login *q, struct authd_login_answer *a, struct err *e)
{
	(void)p, (void)e;
	*a = (struct authd_login_answer){ .result = LOGIN_BAD };
	if (span_eq(q->login, "alice@example.org") && span_eq(q->password, "secret"))
		*a = (struct authd_login_answer){ .result = LOGIN_OK, .login = SPAN("alice@example.org") };
	return 0;
}

int
peers_sender(struct peers *p, const struct authd_sender *q, struct err *e)
{
	(void)p, (void)e;
	return span_eq(q->addr, "alice@example.org");
}

int
peers_filter(struct peers *p, const struct filterd_check *q, struct filterd_verdict *a, struct err *e)
{
	(void)p;
	need(lseek(q->file, 0, SEEK_END) >= (off_t)q->size); /* it is all in the file */
	if (world.verdict == 0)
		return err_set(e, ERR_TEMP, "filterd: away");
	*a = (struct filterd_verdict){
		.verdict = world.verdict, .reply = world.verdict_reply, .prefix = world.prefix
	};
	return 0;
}

int
peers_file(struct peers *p, int *file, struct id *mid, struct err *e)
{
	if (world.queue_dead)
		return err_set(e, ERR_TEMP, "queue: away");
	if (world.no_space)
		return 0;
	if (p->file < 0) {
		p->file = memfd_create("spool", 0);
		p->mid = id_new();
	}
	*file = p->file;
	*mid = p->mid;
	return 1;
}

static void
check_message(struct span m)
{
	for (size_t i = 0; i < m.n; i++) {
		need(m.p[i] != '\n' || (i > 0 && m.p[i - 1] == '\r'));
		need(m.p[i] != '\r' || (i + 1 < m.n && m.p[i + 1] == '\n'));
	}
	need(m.n > 2 && m.p[m.n - 1] == '\n' && span_starts(m, "Received: from "));
}

int
peers_commit(struct peers *p, const struct queue_commit *c, struct err *e)
{
	struct arena *a = arena_new(64 << 20);
	struct span targets = c->targets;
	struct queue_target t;
	struct spool_msg m;
	char *to;

	if (world.commit_fails) {
		arena_free(a);
		return err_set(e, ERR_TEMP, "queue: away");
	}
	need(spool_load(p->file, &m, &world.last_trailer, a, e) == 1 && spool_verify(p->file, &m, e) == 1);
	need(span_same(buf_span(&world.last_trailer), c->trailer) && m.trailer_at == c->trailer_at);
	world.last_rcpts = m.nrcpts;
	for (size_t i = 0; i < m.nrcpts; i++)
		need(ipc_unpack(&queue_def, &targets, queue_target, &t, e) == 1);
	need(targets.n == 0 && m.nrcpts > 0);
	buf_clear(&world.last);
	to = buf_room(&world.last, NULL, m.size);
	need(pread(p->file, to, m.size, 0) == (ssize_t)m.size);
	world.last.n = m.size;
	check_message(buf_span(&world.last));
	world.commits++;
	close(p->file);
	p->file = -1;
	arena_free(a);
	return 0;
}

void
peers_drop(struct peers *p)
{
	if (p->file >= 0) {
		close(p->file);
		p->file = -1;
		world.drops++;
	}
}

static struct tls_ctx *
no_tls(const struct svc *svc)
{
	(void)svc;
	return NULL;
}

/* One session; what the server said is appended to `said`. */
static int
world_session(struct span in, struct span user, struct buf *said)
{
	struct smtpd d = { .hostname = "mx.example.org", .service = "smtp", .passwd = -1, .tls = no_tls };
	struct conn_opts o = { .line_max = 12290, .timeout_ms = 1000, .strict = true };
	struct client client = {
		.fd = -1, .sid = id_new(), .ip = "127.0.0.1", .uid = user.n > 0 ? 1000 : (uid_t)-1
	};
	struct conn *c = conn_memory(in, &o);
	struct peers *p = peers_new(NULL, id_span(&client.sid));
	struct err e = { 0 };
	int rc;

	need(addr_parse(SPAN("127.0.0.1:1025"), &client.peer, &e) == 0 &&
	     addr_parse(SPAN("127.0.0.1:25"), &client.local, &e) == 0);
	if (world.last.max == 0) {
		buf_init(&world.last, 64 << 20);
		buf_init(&world.last_trailer, 64 << 20);
	}
	rc = session_run(&d, &client, c, p, user);
	buf_add(said, NULL, conn_sent(c));
	peers_free(p);
	conn_free(c);
	return rc;
}

#endif
