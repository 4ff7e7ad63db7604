/*
 * pop3d - POP3 after login.
 *
 * proxyd dials for each session; the parent forks a child for it and never sees a client's octet. The child
 * checks the ticket, enters the owner's directory, shuts out the rest, and answers the login.
 *
 * Reading order: session.c (the commands), maildrop.c (the mailbox), send.c (a message on its way), present.c
 * (who is here). The grammar is in lib/pop3/.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cfg/cfg.h"
#include "ipc/session.h"
#include "ipc/ticket.h"
#include "pop3d/present.h"
#include "pop3d/session.h"
#include "store/store.h"

enum {
	/* A session's: the index, message files, and pairs to tell imapd and authd. */
	SESSION_CALLS = JAIL_FILES | JAIL_SQLITE | JAIL_PAIR | JAIL_MEMORY,
	LINE_MAX_ = 512, /* RFC 2449, 4 has 255 */
};

static const struct jail jail = {
	.calls = SESSION_CALLS | JAIL_FORK |
		 JAIL_CONFINE, /* JAIL_CONFINE: a child narrows itself to its owner */
	.paths = { { "store", JAIL_READ | JAIL_WRITE } },
	.file_max = UINT64_MAX, /* an index may grow */
};

/* svc_each's functions get no argument of ours: filled before the jail closes. */
static struct {
	int store;
	struct ticket_public key;
	struct ticket_seen *seen;
} pop3d;

static int
check_ticket(const struct session_begin *m, struct ticket *t, struct err *e)
{
	struct ticket want = {
		.service = SPAN("pop3"), .node = span_str(cfg.node), .client = m->client, .sid = m->sid
	};
	uint64_t now = clock_wall_ms();

	if (ticket_verify(m->ticket, &pop3d.key, &want, now, t, e) < 0)
		return -1;
	if (ticket_use(pop3d.seen, t, now, e) < 0)
		return -1;
	ticket_seen_free(pop3d.seen); /* shared with all: not for who is a session now */
	pop3d.seen = NULL;
	return 0;
}

/* From here on the kernel lets this process open no file but this owner's. Gives the owner's directory. */
static int
enter(struct span owner, struct err *e)
{
	struct jail_fd own = { store_make(pop3d.store, owner, e), JAIL_READ | JAIL_WRITE };

	if (own.fd < 0)
		return -1;
	if (fchdir(own.fd) < 0) {
		err_set(e, ERR_TEMP, "entering the store of an owner: %m");
	} else {
		close(pop3d.store);
		if (strcmp(cfg.sandbox, "off") == 0 || jail_narrow(SESSION_CALLS, &own, 1, e) == 0)
			return own.fd;
	}
	close(own.fd);
	return -1;
}

static int
serve(struct svc *svc, const struct session_begin *m, const struct ticket *t, int dir)
{
	struct conn_opts opts = { .line_max = LINE_MAX_, .timeout_ms = cfg.pop3d_wait };
	struct session s = {
		.svc = svc, .sid = m->sid, .owner = t->owner, .client = m->client, .utf8 = m->utf8 != 0
	};
	struct err e = { 0 };
	int rc;

	fcntl(m->stream, F_SETFL, O_RDWR); /* blocking */
	ending_on_term(m->stream);
	s.c = conn_new(m->stream, &opts);
	present_add(m->sid, t->owner, m->client, m->tls != 0);
	rc = conn_push(s.c, m->input, &e) < 0 ? err_exit(&e) : session_run(&s, dir);
	conn_free(s.c);
	present_gone();
	return rc;
}

/* The one session of this process. Until session_taken a failure is answered by proxyd, after it by us. */
static int
begin(struct svc *svc, struct ipc *ch, struct ipc_in *in, struct err *e)
{
	struct session_begin m;
	struct ticket t;
	struct err why = { 0 };
	int dir = -1;

	if (ipc_body(in, session_begin, &m, e) < 0)
		return -1;
	if (m.stream < 0 || !ipc_is_stream(m.stream)) {
		if (m.stream >= 0)
			close(m.stream);
		return err_set(e, ERR_PEER, "session_begin without a stream");
	}
	if (check_ticket(&m, &t, &why) == 0)
		dir = enter(t.owner, &why);
	if (dir < 0) {
		log_event(
		    LOG_WARN, "pop3d.refused", KV_S("sid", m.sid), KV_S("client", m.client), KV_ERR(&why));
		close(m.stream);
		return ipc_send_refuse(ch, in->id, &why, e);
	}
	if (ipc_send(ch, session_taken, &(struct session_taken){}, in->id, e) < 0) {
		close(m.stream);
		return -1;
	}
	svc_count("pop3d.sessions", 1);
	return serve(svc, &m, &t, dir);
}

static int
list(struct ipc *ch, struct ipc_in *in, struct err *e)
{
	struct session_list_answer a;
	struct buf items;
	int rc;

	buf_init(&items, session_def.frame_max - 4096);
	present_list(&items);
	a.items = buf_span(&items);
	rc = ipc_send(ch, session_list_answer, &a, in->id, e);
	buf_free(&items);
	return rc;
}

static int
dialled(struct svc *svc, int fd, enum ipc_role peer)
{
	struct ipc *ch = ipc_new(fd, &session_def, ROLE_POP3D, peer);
	struct err e = { 0 };
	struct ipc_in in;
	int rc = 0;

	while (rc == 0 && ipc_get(ch, &in, &e) == 1) {
		if (in.number == session_begin_no) {
			rc = begin(svc, ch, &in, &e);
			break;
		}
		rc = in.number == session_list_no ? list(ch, &in, &e)
						  : err_set(&e, ERR_PEER, "not a request of pop3d");
	}
	if (e.kind == ERR_PEER)
		log_event(LOG_ERROR, "pop3d.caller", KV_U("role", peer), KV_ERR(&e));
	ipc_free(ch);
	return rc < 0 ? err_exit(&e) : rc;
}

static int
read_key(struct svc *svc, struct err *e)
{
	char text[256];
	int fd = svc_open(svc, "tls/ticket.pub");
	ssize_t n = read(fd, text, sizeof text);

	close(fd);
	if (n < 0)
		return err_set(e, ERR_PERM, "tls/ticket.pub: %m");
	return ticket_public_load(span_of(text, (size_t)n), &pop3d.key, e);
}

int
main(int argc, char **argv)
{
	static const struct svc_each each = { .dialled = dialled };
	struct svc *svc = svc_start(argc, argv, ROLE_POP3D);
	struct err e = { 0 };

	pop3d.store = svc_dir(svc, "store");
	present_open();
	if (read_key(svc, &e) < 0 || (pop3d.seen = ticket_seen_new(&e)) == NULL ||
	    jail_prepare(SESSION_CALLS, &e) < 0) {
		log_event(LOG_ERROR, "pop3d.start", KV_ERR(&e));
		log_flush();
		return err_exit(&e);
	}
	svc_confine(svc, &jail);
	return svc_each(svc, &each);
}
