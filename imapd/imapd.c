/*
 * imapd - IMAP after login.
 *
 * One process, the holder, is an event loop that has every session; for each that does something it has a
 * worker forked. Read on in this order:
 *
 *   holder.c   all sessions, idle ones as records; starts and follows workers (held.h names its parts)
 *   forker.c   the process that forks them
 *   worker.c   a session's process: enters the owner's store, locks out the rest, serves
 *   command.c  the command table; a command is read, parsed, run, answered
 *   reply.c    what goes to the client; news of the mailbox; failures as response codes
 *   wait.c     waiting for the client, and handing the session back; idle.c: IDLE
 *
 * The commands, a family a file:
 *
 *   session.c  ENABLE, ID ...; compress.c; unauthenticate.c
 *   select.c   with view-state.c, resync.c; mailbox.c; list.c with listing.c, listmore.c; metadata.c; notify.c
 *   rights.c   what a reader may, which all others ask; acl.c; sharing.c: what authd is asked and told of it
 *   quota.c    the owner's limits; quotaroot.c: the commands
 *   fetch.c    with body.c, binary.c; store.c; copy.c; append.c with incoming.c, catenate.c
 *   search.c   with search-*.c (search.h has their order); sort.c thread.c context.c multisearch.c
 *   flags.c messages.c progress.c workaround.c   what several of them share
 *
 *   relay.c    mailboxes of other owners: names.c link.c linked.c relay-*.c; docs/architecture.md tells how
 *
 * The grammar is in lib/imap/, the mailboxes are in store/. The holder parses nothing that a client sent.
 * What is said to it by other programs is checked by lib/ipc; a session begins only with a ticket of authd
 * (lib/ipc/ticket.h).
 */
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cfg/cfg.h"
#include "imapd/holder.h"
#include "imapd/workaround.h"
#include "imapd/worker.h"
#include "io/svc.h"
#include "ipc/session.h"
#include "ipc/ticket.h"
#include "mail/charset.h"
#include "store/store.h"

/*
 * The holder itself opens nothing: files and SQLite are for its workers, which cannot have more than it has,
 * and which keep of the store their owner's directory only.
 */
static const struct jail jail = {
	.calls = WORKER_CALLS | JAIL_FORK | JAIL_CONFINE,
	.paths = { { "store", JAIL_READ | JAIL_WRITE } },
	.file_max = UINT64_MAX, /* an index may grow; messages are limited by message_size_max */
};

struct imapd {
	struct svc *svc;
	struct holder *holder;
	struct ticket_public key;
	struct ticket_seen *seen;
	struct caller *callers;
	uint64_t called; /* callers so far */
};

/* A program that dialled: proxyd, deliver-local, pop3d, rookery. */
struct caller {
	struct imapd *d;
	struct caller *next;
	uint64_t number;
	struct ipc *ch;
	struct watch watch;
};

/* svc.h's functions get no argument of ours: the one instance of this program. */
static struct imapd imapd;

static void
caller_gone(struct caller *c)
{
	struct caller **at = &c->d->callers;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	loop_watch(svc_loop_of(c->d->svc), &c->watch, 0);
	ipc_free(c->ch);
	free(c);
}

/* ---- requests */

static int
check_ticket(struct imapd *d, const struct session_begin *m, struct ticket *t, struct err *e)
{
	struct ticket want = {
		.service = SPAN("imap"),
		.node = span_str(cfg.node),
		.client = m->client,
		.sid = m->sid,
	};
	uint64_t now = clock_wall_ms();

	if (ticket_verify(m->ticket, &d->key, &want, now, t, e) < 0)
		return -1;
	return ticket_use(d->seen, t, now, e);
}

static int
begin(struct caller *c, struct ipc_in *in, struct err *e)
{
	struct session_begin m;
	struct ticket t;
	struct err why = { 0 };

	if (ipc_body(in, session_begin, &m, e) < 0)
		return -1;
	if (m.stream < 0 || !ipc_is_stream(m.stream)) {
		if (m.stream >= 0)
			close(m.stream);
		return err_set(e, ERR_PEER, "session_begin without a stream");
	}
	if (check_ticket(c->d, &m, &t, &why) < 0) {
		log_event(
		    LOG_WARN, "imapd.ticket", KV_S("sid", m.sid), KV_S("client", m.client), KV_ERR(&why));
		close(m.stream);
	} else {
		struct holder_client client = {
			.stream = m.stream,
			.owner = t.owner,
			.login = t.login,
			.sid = m.sid,
			.client = m.client,
			.tag = m.tag,
			.input = m.input,
			.tls = m.tls != 0,
			.from = c->number,
			.pump = m.pump,
		};

		holder_begin(c->d->holder, &client, &why);
	}
	if (why.kind != ERR_NONE)
		return ipc_send_refuse(c->ch, in->id, &why, e);
	return ipc_send(c->ch, session_taken, &(struct session_taken){}, in->id, e);
}

static int
changed(struct caller *c, struct ipc_in *in, struct err *e)
{
	struct mailbox_changed m;

	if (ipc_body(in, mailbox_changed, &m, e) < 0)
		return -1;
	holder_changed(c->d->holder, m.owner, m.mailbox, m.modseq);
	return 0;
}

static int
list(struct caller *c, struct ipc_in *in, struct err *e)
{
	struct session_list_answer answer;
	struct buf items;
	struct err full = { 0 };
	int rc;

	buf_init(&items, session_def.frame_max - 4096);
	holder_list(c->d->holder, &items, &full); /* what does not fit into an answer is left out */
	answer.items = buf_span(&items);
	rc = ipc_send(c->ch, session_list_answer, &answer, in->id, e);
	buf_free(&items);
	return rc;
}

static int
kick(struct caller *c, struct ipc_in *in, struct err *e)
{
	struct session_kick m;
	struct session_kicked answer;

	if (ipc_body(in, session_kick, &m, e) < 0)
		return -1;
	if (m.owner.n == 0 && m.sid.n == 0)
		return err_set(e, ERR_PEER, "session_kick of nobody");
	answer.count = holder_kick(c->d->holder, m.owner, m.sid);
	return ipc_send(c->ch, session_kicked, &answer, in->id, e);
}

static int
request(struct caller *c, struct ipc_in *in, struct err *e)
{
	switch (in->number) {
	case session_begin_no:
		return begin(c, in, e);
	case mailbox_changed_no:
		return changed(c, in, e);
	case session_list_no:
		return list(c, in, e);
	case session_kick_no:
		return kick(c, in, e);
	}
	return err_set(e, ERR_PEER, "not a request of imapd");
}

static void
caller_speaks(struct watch *w, uint32_t events)
{
	struct caller *c = w->arg;
	struct err e = { 0 };
	struct ipc_in in;

	if ((events & EPOLLOUT) != 0)
		ipc_flush(c->ch, &e);
	while (e.kind == ERR_NONE && ipc_get(c->ch, &in, &e) > 0)
		if (request(c, &in, &e) < 0)
			break;
	if (e.kind == ERR_PEER)
		log_event(LOG_ERROR, "imapd.caller", KV_U("role", ipc_peer(c->ch)), KV_ERR(&e));
	if (e.kind != ERR_NONE || ipc_eof(c->ch))
		caller_gone(c);
	else
		loop_watch(svc_loop_of(c->d->svc), w, EPOLLIN | (ipc_unsent(c->ch) ? EPOLLOUT : 0U));
}

/* A client that is to log in anew (RFC 8437), to the proxyd that had it. */
static int
back(uint64_t from, const struct session_back *m, struct err *e)
{
	struct caller *c = imapd.callers;

	while (c != NULL && c->number != from)
		c = c->next;
	if (c == NULL)
		return err_set(e, ERR_GONE, "the proxyd of before is gone");
	if (ipc_send(c->ch, session_back, m, 0, e) < 0)
		return -1;
	loop_watch(svc_loop_of(imapd.svc), &c->watch, EPOLLIN | (ipc_unsent(c->ch) ? EPOLLOUT : 0U));
	return 0;
}

static void
dialled(struct svc *s, int fd, enum ipc_role peer)
{
	struct err e = { 0 };
	struct caller *c;

	if ((fd = holder_keeps(imapd.holder, fd, &e)) < 0) {
		log_event(LOG_ERROR, "imapd.caller", KV_U("role", peer), KV_ERR(&e));
		return;
	}
	c = mem_zero(1, sizeof *c);
	c->d = &imapd;
	c->number = ++imapd.called;
	c->next = imapd.callers;
	imapd.callers = c;
	c->ch = ipc_new(fd, &session_def, ROLE_IMAPD, peer);
	c->watch = (struct watch){ .fd = fd, .ready = caller_speaks, .arg = c };
	loop_watch(svc_loop_of(s), &c->watch, EPOLLIN);
}

static void
drain(struct svc *s, bool now)
{
	(void)s, (void)now; /* BYE either way: a client of ours may always be told to come again */
	holder_drain(imapd.holder);
}

static void
reloaded(struct svc *s)
{
	(void)s;
	holder_reloaded(imapd.holder);
}

static void
child_ended(struct svc *s, pid_t pid, int status)
{
	(void)s;
	holder_child_ended(imapd.holder, pid, status);
}

/* ---- start */

static int
read_key(struct svc *s, struct ticket_public *key, struct err *e)
{
	char text[256];
	int fd = svc_open(s, "tls/ticket.pub");
	ssize_t n = read(fd, text, sizeof text);

	close(fd);
	if (n < 0)
		return err_set(e, ERR_PERM, "tls/ticket.pub: %m");
	return ticket_public_load(span_of(text, (size_t)n), key, e);
}

/* A descriptor a client: as many as the system allows. */
static void
more_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static int
prepare(struct imapd *d, struct svc *s, struct err *e)
{
	d->svc = s;
	more_descriptors();
	workarounds_check();
	store_prepare();
	charset_preload(); /* for SEARCH, and before iconv's files are out of reach */
	if (read_key(s, &d->key, e) < 0 || (d->seen = ticket_seen_new(e)) == NULL ||
	    jail_prepare(WORKER_CALLS, e) < 0)
		return -1;
	ticket_seen_own(d->seen); /* workers are in their users' hands */
	d->holder = holder_new(s, svc_dir(s, "store"));
	holder_on_back(d->holder, back);
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct svc_loop fns = { .dialled = dialled, .reloaded = reloaded, .drain = drain };
	struct svc *s = svc_start(argc, argv, ROLE_IMAPD);
	struct err e = { 0 };

	if (prepare(&imapd, s, &e) < 0) {
		log_event(LOG_ERROR, "imapd.start", KV_ERR(&e));
		log_flush();
		return err_exit(&e);
	}
	svc_on_exit(s, child_ended);
	svc_confine(s, &jail);
	return svc_run(s, &fns);
}
