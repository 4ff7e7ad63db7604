/*
 * deliver-local - puts spool files into mailboxes.
 *
 * Read in this order: round.c (what is delivered together), owners.c (open stores), tell.c (who hears of it), warn.c (the message that a mailbox is nearly full),
 * here (the channel from the queue, and when is synced).
 *
 * One process serves its share of all owners, so every owner has one deliverer, whose index stays open.
 *
 *   queue ──local_deliver──► a round: one transaction an owner ──► local_done (batch N)
 *                            every second, or thousand deliveries: sync ──► local_synced (batch N)
 *
 * What is answered and not synced is lost in a power cut; the queue keeps the spool file and delivers again,
 * and the store refuses what it has. A sync that fails is never told as done: the channel is closed instead,
 * so that the queue takes all that was not synced as not delivered.
 *
 * It is given owners and finished structures, checks lengths, and parses nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "cfg/cfg.h"
#include "deliver/local/local.h"
#include "ipc/authd.h"
#include "ipc/session.h"
#include "ipc/upkeep.h"

static const struct jail jail = {
	.calls = JAIL_FILES | JAIL_SQLITE | JAIL_PAIR,  /* stores; dialling imapd and authd */
	.paths = { { "spool", JAIL_READ | JAIL_WRITE }, /* to link from it: both ends need the same rights */
	    { "store", JAIL_READ | JAIL_WRITE } },
	.file_max = (uint64_t)1 << 40, /* an index grows */
};

/* A channel of the queue. */
struct peer {
	struct peer *next;
	struct deliverer *d;
	struct ipc *ch;
	struct watch watch;
	uint64_t told; /* batch of the last local_done; 0: nothing waits for a sync */
};

static struct deliverer deliverer; /* svc's functions have no argument for it; nothing below them names it */

/* ---- channels */

static void
peer_close(struct peer *p)
{
	struct deliverer *d = p->d;

	for (struct peer **at = &d->peers; *at != NULL; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	loop_watch(d->loop, &p->watch, 0);
	ipc_free(p->ch);
	free(p);
}

static void
peer_watch(struct peer *p)
{
	uint32_t events = (p->d->draining ? 0U : EPOLLIN) | (ipc_unsent(p->ch) ? EPOLLOUT : 0U);

	if (p->watch.events != events)
		loop_watch(p->d->loop, &p->watch, events);
}

static int
answer(struct peer *p, const struct request *r, struct err *e)
{
	struct buf list;
	struct local_done done = { .mid = r->d.mid, .batch = p->d->batch };
	int rc = 0;

	buf_init(&list, local_def.frame_max);
	for (size_t i = 0; i < r->n && rc == 0; i++) {
		const struct target *t = &r->targets[i];
		struct local_result res = {
			.index = t->t.index,
			.kind = t->kind,
			.status = t->kind == ERR_NONE ? SPAN("2.0.0") : span_str(t->status),
			.text = t->text,
		};

		rc = ipc_pack(&local_def, &list, local_result, &res, e);
	}
	done.results = buf_span(&list);
	if (rc == 0)
		rc = ipc_send(p->ch, local_done, &done, r->id, e);
	buf_free(&list);
	p->told = p->d->batch;
	return rc;
}

/* ---- syncing */

static void
tell_usage(struct deliverer *d)
{
	struct store_usage u;
	struct err e = { 0 };

	for (struct owner *w = d->owners.newest; w != NULL; w = w->older) {
		if (!w->usage_due)
			continue;
		w->usage_due = false;
		if (store_usage(w->st, &u, &e) == 0)
			tell(&d->authd, authd_usage, &((struct authd_usage){ w->name, u.bytes, u.messages }));
		err_clear(&e);
	}
}

static void
tell_texts(struct deliverer *d)
{
	for (struct owner *w = d->owners.newest; w != NULL; w = w->older) {
		if (w->texts_due && cfg.fts)
			tell(&d->upkeep, upkeep_texts, &((struct upkeep_texts){ w->name }));
		w->texts_due = false;
	}
}

static void
tell_synced(struct deliverer *d)
{
	struct local_synced m = { d->batch };

	for (struct peer *p = d->peers, *next; p != NULL; p = next) {
		struct err e = { 0 };

		next = p->next;
		if (p->told == 0)
			continue;
		p->told = 0;
		if (ipc_send(p->ch, local_synced, &m, 0, &e) < 0)
			peer_close(p);
		else
			peer_watch(p);
	}
}

static void
sync_now(struct deliverer *d)
{
	struct err e = { 0 };

	loop_timer(d->loop, &d->sync, 0);
	if (owners_sync(&d->owners, d->store, &e) < 0)
		while (d->peers != NULL)
			peer_close(d->peers);
	tell_synced(d);
	d->batch++;
	d->deliveries = 0;
	tell_usage(d);
	tell_texts(d);
}

static void
sync_due(struct timer *t)
{
	sync_now(t->arg);
}

static void
plan_sync(struct deliverer *d)
{
	if (d->deliveries >= cfg.local_sync_count)
		sync_now(d);
	else if (d->deliveries > 0 && d->sync.at_ms == 0)
		loop_timer(d->loop, &d->sync, loop_now(d->loop) + cfg.local_sync_wait);
}

/* ---- requests */

/* As many as have come, to share transactions. 1 there may be more, 0 no, -1 the channel is of no more use.
 */
static int
gather(struct peer *p, struct err *e)
{
	struct ipc_in in;
	int rc;

	while (!round_full(&p->d->round)) {
		if ((rc = ipc_get(p->ch, &in, e)) <= 0)
			return rc == 0 && ipc_eof(p->ch) ? err_set(e, ERR_GONE, "the queue is away") : rc;
		if (in.number != local_deliver_no)
			return err_set(e, ERR_PEER, "%s was not expected", in.msg->name);
		if (round_add(p->d, &in, e) < 0)
			return -1;
	}
	return 1;
}

/* What came before a channel broke is delivered all the same. */
static int
serve(struct peer *p, struct err *e)
{
	struct deliverer *d = p->d;
	int more = gather(p, e);

	if (d->round.first != NULL)
		round_run(d);
	for (struct request *r = d->round.first; r != NULL && more >= 0; r = r->next)
		if (answer(p, r, e) < 0)
			more = -1;
	round_clear(&d->round);
	return more;
}

static void
ready(struct watch *w, uint32_t events)
{
	struct peer *p = w->arg;
	struct deliverer *d = p->d;
	struct err e = { 0 };
	int rc = 0;

	if ((events & EPOLLOUT) != 0 && ipc_flush(p->ch, &e) < 0)
		rc = -1;
	if (rc == 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
		while ((rc = serve(p, &e)) == 1)
			;
	if (rc < 0) {
		if (e.kind != ERR_GONE)
			log_event(LOG_WARN, "local.channel", KV_ERR(&e));
		peer_close(p);
	} else
		peer_watch(p);
	plan_sync(d);
}

static void
dialled(struct svc *s, int fd, enum ipc_role peer)
{
	struct deliverer *d = &deliverer;
	struct peer *p = mem_zero(1, sizeof *p);

	(void)s;
	p->d = d;
	p->ch = ipc_new(fd, &local_def, ROLE_LOCAL, peer);
	p->watch = (struct watch){ .fd = fd, .ready = ready, .arg = p };
	p->next = d->peers;
	d->peers = p;
	loop_watch(d->loop, &p->watch, EPOLLIN);
}

/* ---- start and end */

static void
drain(struct svc *s, bool now)
{
	struct deliverer *d = &deliverer;

	(void)now;
	d->draining = true;
	sync_now(d);
	while (d->peers != NULL)
		peer_close(d->peers);
	while (d->owners.newest != NULL)
		owners_drop(&d->owners, d->owners.newest);
	svc_end(s);
}

/* Stores are opened relative to the working directory: from inside, nobody could walk to it. */
static int
enter_store(struct svc *s)
{
	int dir = svc_dir(s, "store"), fd;

	if (fchdir(dir) < 0 || (fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		log_event(LOG_ERROR, "local.start", KV_STR("err", strerror(errno)));
		log_flush();
		exit(69);
	}
	close(dir);
	return fd;
}

int
main(int argc, char **argv)
{
	struct deliverer *d = &deliverer;
	struct svc_loop fns = { .dialled = dialled, .drain = drain };

	d->svc = svc_start(argc, argv, ROLE_LOCAL);
	d->loop = svc_loop_of(d->svc);
	d->spool = svc_dir(d->svc, "spool");
	d->batch = 1;
	d->sync = (struct timer){ .due = sync_due, .arg = d };
	owners_init(&d->owners, cfg.local_stores_max, svc_boot_id(d->svc));
	tell_init(&d->imapd, d->svc, "imapd", &session_def);
	tell_init(&d->authd, d->svc, "authd", &authd_def);
	tell_init(&d->upkeep, d->svc, "upkeep", &upkeep_def);
	round_init(&d->round);
	d->store = enter_store(d->svc);
	svc_confine(d->svc, &jail);
	return svc_run(d->svc, &fns);
}
