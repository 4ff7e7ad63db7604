#include "imapd/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "cfg/cfg.h"
#include "imapd/forker.h"
#include "io/compress.h"
#include "io/svc.h"
#include "ipc/idle.h"
#include "ipc/session.h"
#include "store/store.h"

enum {
	BUCKETS = 8192,
	DEATHS_MAX = 3, /* workers that died one after the other before they said anything: no more then */
};

/* The sessions of one owner. */
struct owner {
	struct owner *next;    /* in the bucket */
	struct held *sessions; /* that look at a mailbox of this owner, or at none and are this owner's */
	size_t refs;
	char name[];
};

/* No mailbox's id. Names of mailboxes, subscriptions, annotations: only who said NOTIFY is told of those. */
#define NAMES UINT64_MAX

/* Changes: the newest, 0 for none; in which mailbox or NAMES, 0: in several. */
struct news {
	uint64_t modseq, mailbox;
};

/* One session. Its size, and that of its texts, is what an idle client costs us: see docs/performance.md. */
struct held {
	struct holder *h;
	struct owner *owner;      /* whose store its worker has */
	struct owner *view_of;    /* whose mailbox is selected; else as owner */
	struct held *next, *prev; /* of the same view_of */
	bool link;
	struct held *asker;           /* a link: whose; NULL: that session, or its worker, has ended */
	struct held *links, *sibling; /* of its present worker */
	unsigned nlinks;
	struct watch stream;     /* watched while HELD */
	struct timer autologout; /* set while HELD */

	struct ipc *control; /* to the worker; NULL: HELD */
	struct watch from_worker;
	pid_t pid;
	unsigned deaths;

	bool kicked;   /* the administrator ended it */
	bool recorded; /* what follows is true */
	bool idling;
	uint32_t flags, bad;
	uint64_t commands, octets_in, octets_out;
	struct store_view_state view;
	char *tag;       /* of the IDLE command; NULL: none */
	char *notify;    /* what NOTIFY was given; NULL: none */
	uint64_t known;  /* up to here it was told of other mailboxes */
	char *saved;     /* the last search result, as a sequence-set; NULL: empty */
	char *window;    /* of a compressed session, window_n octets; NULL: none */
	uint32_t window_n;
	char *view_name; /* what authd calls view_of, if that is another than owner */

	struct news news; /* not in the record, as far as we know */
	bool told;        /* the worker will look (it was told, or started), and has not begun yet */
	struct news seen; /* what it will find then */

	uint64_t since;
	uint64_t from, pump; /* where it came from */
	struct id sid;
	uint16_t login_n;
	char text[]; /* login, and then client as a C string */
};

struct holder {
	struct svc *svc;
	struct loop *loop;
	int store;
	int first_fd; /* descriptors of sessions are not below this one */
	int door[2]; /* ours, and what the forker has a copy of; -1: none */
	pid_t forker; /* 0: none */
	holder_back *back;
	bool draining;
	size_t n;
	unsigned char key[crypto_shorthash_KEYBYTES];
	struct owner *bucket[BUCKETS];
};

/* Above every descriptor that the program started with: the log, doors, listeners. */
static int
line_above(void)
{
	struct rlimit r;
	int high = 2;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		r.rlim_cur = 1024;
	for (int fd = 0; (rlim_t)fd < r.rlim_cur && fd < 65536; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			high = fd;
	return high + 1;
}

struct holder *
holder_new(struct svc *svc, int store)
{
	struct holder *h = mem_zero(1, sizeof *h);

	h->svc = svc;
	h->store = store;
	randombytes_buf(h->key, sizeof h->key);
	h->first_fd = line_above();
	h->door[0] = h->door[1] = -1;
	return h;
}

void
holder_on_back(struct holder *h, holder_back *back)
{
	h->back = back;
}

/* Descriptors of sessions stand above a line, so that a worker can close all but its own at once. */
static int
above_line(const struct holder *h, int fd)
{
	int high;

	if (fd < 0 || fd >= h->first_fd)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, h->first_fd);
	close(fd);
	return high;
}

int
holder_keeps(struct holder *h, int fd, struct err *e)
{
	fd = above_line(h, fd);
	return fd >= 0 ? fd : err_set(e, ERR_TEMP, "a descriptor: %m");
}

/* ---- owners */

static struct owner **
bucket_of(struct holder *h, struct span name)
{
	uint64_t hash;

	crypto_shorthash((unsigned char *)&hash, (const unsigned char *)name.p, name.n, h->key);
	return &h->bucket[hash % BUCKETS];
}

static struct owner *
owner_find(struct holder *h, struct span name)
{
	struct owner *o = *bucket_of(h, name);

	while (o != NULL && !span_eq(name, o->name))
		o = o->next;
	return o;
}

static struct owner *
owner_get(struct holder *h, struct span name)
{
	struct owner *o = owner_find(h, name), **b = bucket_of(h, name);

	if (o != NULL)
		return o;
	o = mem_zero(1, sizeof *o + name.n + 1);
	memcpy(o->name, name.p, name.n);
	o->next = *b;
	*b = o;
	return o;
}

/* Another session of it. */
static struct owner *
owner_hold(struct holder *h, struct span name)
{
	struct owner *o = owner_get(h, name);

	o->refs++;
	return o;
}

static void
owner_drop(struct holder *h, struct owner *o)
{
	struct owner **at = bucket_of(h, span_str(o->name));

	if (--o->refs > 0)
		return;
	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
	free(o);
}

/* Into the list of those who are to hear of changes in this owner's mailboxes. `o` is held for it. */
static void
look_at(struct held *x, struct owner *o)
{
	x->view_of = o;
	x->prev = NULL;
	x->next = o->sessions;
	if (x->next != NULL)
		x->next->prev = x;
	o->sessions = x;
}

static void
look_away(struct held *x)
{
	if (x->next != NULL)
		x->next->prev = x->prev;
	if (x->prev != NULL)
		x->prev->next = x->next;
	else
		x->view_of->sessions = x->next;
	owner_drop(x->h, x->view_of);
}

/* ---- one session: coming, going */

static const char *
client_of(const struct held *x)
{
	return x->text + x->login_n;
}

static void worker_speaks(struct watch *w, uint32_t events);
static void client_speaks(struct watch *w, uint32_t events);
static void silent_too_long(struct timer *t);

static struct held *
held_new(struct holder *h, const struct holder_client *c)
{
	struct held *x = mem_zero(1, sizeof *x + c->login.n + c->client.n + 1);

	x->h = h;
	x->owner = owner_hold(h, c->owner);
	look_at(x, owner_hold(h, c->owner));
	x->stream = (struct watch){ .fd = c->stream, .ready = client_speaks, .arg = x };
	x->autologout = (struct timer){ .due = silent_too_long, .arg = x };
	x->since = clock_wall_ms();
	x->sid = id_from(c->sid);
	x->from = c->from;
	x->pump = c->pump;
	x->login_n = (uint16_t)c->login.n;
	memcpy(x->text, c->login.p, c->login.n);
	memcpy(x->text + c->login.n, c->client.p, c->client.n);
	h->n++;
	return x;
}

/* A worker's links end by themselves when it does. */
static void
drop_links(struct held *x)
{
	for (struct held *l = x->links; l != NULL; l = l->sibling)
		l->asker = NULL;
	x->links = NULL;
	x->nlinks = 0;
}

/* Of the links that its asker's worker has, this is one no more. */
static void
unlink_from(struct held *asker, struct held *x)
{
	struct held **at = &asker->links;

	while (*at != x)
		at = &(*at)->sibling;
	*at = x->sibling;
	asker->nlinks--;
}

static void
drop_control(struct held *x)
{
	drop_links(x);
	if (x->control == NULL)
		return;
	loop_watch(x->h->loop, &x->from_worker, 0);
	ipc_free(x->control);
	x->control = NULL;
	x->pid = 0;
}

static void
forget(struct held *x)
{
	struct holder *h = x->h;

	if (x->asker != NULL)
		unlink_from(x->asker, x);
	if (!x->link)
		svc_sessions(h->svc, -1);
	if (x->stream.fd >= 0) {
		loop_watch(h->loop, &x->stream, 0);
		close(x->stream.fd);
	}
	loop_timer(h->loop, &x->autologout, 0);
	drop_control(x);
	look_away(x);
	owner_drop(h, x->owner);
	free(x->view_name);
	free(x->notify);
	free(x->window);
	free(x->tag);
	free(x->saved);
	free(x);
	h->n--;
	if (h->draining && h->n == 0)
		svc_end(h->svc);
}

/* To a client that is held: as a block of its own if the session is compressed (RFC 4978). */
static void
say(struct held *x, struct span text)
{
	struct buf block;

	buf_init(&block, text.n + 16);
	if ((x->flags & IDLE_COMPRESSED) != 0)
		compress_stored(text, &block, NULL);
	else
		buf_add(&block, NULL, text);
	send(x->stream.fd, block.p, block.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	buf_free(&block);
}

/* A session that ends in here, with no worker: its last words, and the line in the log. */
static void
end_held(struct held *x, const char *bye, const char *why)
{
	if (bye != NULL)
		say(x, span_str(bye));
	log_event(LOG_INFO, "imapd.end", KV_STR("sid", x->sid.s), KV_STR("owner", x->owner->name),
	    KV_U("commands", x->commands), KV_U("bad", x->bad), KV_U("in", x->octets_in),
	    KV_U("out", x->octets_out), KV_U("seconds", (clock_wall_ms() - x->since) / 1000),
	    KV_STR("err", why));
	forget(x);
}

/* ---- workers */

/* NULL for an empty one. */
static void
keep_text(char **at, struct span text)
{
	if (*at != NULL && span_eq(text, *at))
		return;
	free(*at);
	*at = text.n > 0 ? mem_zero(1, text.n + 1) : NULL;
	if (*at != NULL)
		memcpy(*at, text.p, text.n);
}

static struct idle_record
record_of(const struct held *x)
{
	return (struct idle_record){
		.version = IDLE_VERSION,
		.idling = x->idling,
		.tag = span_str(x->tag),
		.flags = x->flags,
		.bad = x->bad,
		.commands = x->commands,
		.octets_in = x->octets_in,
		.octets_out = x->octets_out,
		.mailbox = x->view.mailbox,
		.modseq = x->view.modseq,
		.uidvalidity = x->view.uidvalidity,
		.uidnext = x->view.uidnext,
		.recent = span_of(x->view.recent_uid, sizeof x->view.recent_uid),
		.owner = x->view_of != x->owner ? span_str(x->view_of->name) : (struct span){ 0 },
		.name = span_str(x->view_name),
		.saved = span_str(x->saved),
		.notify = span_str(x->notify),
		.known = x->known,
		.window = span_of(x->window, x->window_n),
	};
}

/* Its door is made once: what was dialled while one is replaced is found by the next. */
static int
ready_forker(struct holder *h, struct err *e)
{
	if (h->door[0] < 0) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, h->door) < 0)
			return err_set(e, ERR_TEMP, "the door of the workers: %m");
		for (int i = 0; i < 2; i++)
			h->door[i] = above_line(h, h->door[i]);
	}
	if (h->forker == 0)
		h->forker = forker_start(h->svc, h->store, h->door[1], h->first_fd, e);
	if (h->forker > 0)
		return 0;
	h->forker = 0;
	return -1;
}

/* The first words on its channel. */
static int
tell_start(struct held *x, const struct holder_client *fresh, struct err *e)
{
	struct idle_record r = record_of(x);
	struct idle_start m = {
		.stream = x->stream.fd,
		.owner = span_str(x->owner->name),
		.login = span_of(x->text, x->login_n),
		.client = span_str(client_of(x)),
		.sid = id_span(&x->sid),
		.since = x->since,
		.link = x->link,
		.guest = x->link && x->owner != x->asker->owner,
		.began = fresh != NULL,
	};
	struct buf record;
	int rc = 0;

	buf_init(&record, idle_def.frame_max);
	if (fresh != NULL) {
		m.tag = fresh->tag;
		m.input = fresh->input;
		m.addr = fresh->addr;
	} else
		rc = ipc_pack(&idle_def, &record, idle_record, &r, e);
	m.record = buf_span(&record);
	if (rc == 0)
		rc = ipc_send(x->control, idle_start, &m, 0, e);
	buf_free(&record);
	return rc;
}

static void
watch_worker(struct held *x)
{
	loop_watch(x->h->loop, &x->from_worker, EPOLLIN | (ipc_unsent(x->control) ? EPOLLOUT : 0U));
}

static int
start_worker(struct held *x, const struct holder_client *fresh, struct err *e)
{
	struct holder *h = x->h;
	int fd;

	if (ready_forker(h, e) < 0 || (fd = ipc_dial(h->door[0], e)) < 0)
		return -1;
	if ((fd = above_line(h, fd)) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return err_set(e, ERR_TEMP, "a worker's channel: %m");
	x->control = ipc_new(fd, &idle_def, ROLE_IMAPD, ROLE_IMAPD);
	x->from_worker = (struct watch){ .fd = fd, .ready = worker_speaks, .arg = x };
	x->pid = 0;
	if (tell_start(x, fresh, e) < 0) {
		ipc_free(x->control);
		x->control = NULL;
		return -1;
	}
	loop_watch(h->loop, &x->stream, 0);
	loop_timer(h->loop, &x->autologout, 0);
	watch_worker(x);
	return 0;
}

/* ---- news */

static void
add_news(struct news *n, struct news more)
{
	if (more.modseq == 0)
		return;
	n->mailbox = n->modseq == 0 || n->mailbox == more.mailbox ? more.mailbox : 0;
	n->modseq = more.modseq > n->modseq ? more.modseq : n->modseq;
}

/* News of the selected mailbox are told in IDLE, unless NOTIFY forbids it, and at any time if NOTIFY asks for it. */
static bool
tells_selected(const struct held *x)
{
	if (x->view.mailbox == 0)
		return false;
	return x->idling ? (x->flags & IDLE_MUTE) == 0 : (x->flags & IDLE_AT_ONCE) != 0;
}

/* Would it interest the client, as far as the record tells? */
static bool
concerns(const struct held *x, struct news n)
{
	bool selected = n.mailbox == x->view.mailbox && n.mailbox != 0;

	if (tells_selected(x) && (n.mailbox == 0 || selected) && n.modseq > x->view.modseq)
		return true;
	/* Of other mailboxes only its own are watched: not those of the owner at whose mailbox it looks. */
	return (x->flags & IDLE_OTHERS) != 0 && x->view_of == x->owner && !selected && n.modseq > x->known;
}

/* The worker will look at the mailbox: what is news now it will find. */
static void
will_look(struct held *x)
{
	x->told = true;
	x->seen = x->news;
	x->news = (struct news){ 0 };
}

/* Another record, or none any more, and it had not begun to look. */
static void
has_not_looked(struct held *x)
{
	if (x->told)
		add_news(&x->news, x->seen);
	x->told = false;
}

/* The client spoke, or there is news for it. */
static void
wake(struct held *x)
{
	struct err e = { 0 };

	will_look(x);
	if (start_worker(x, NULL, &e) == 0)
		return;
	log_event(LOG_ERROR, "imapd.worker", KV_STR("sid", x->sid.s), KV_ERR(&e));
	end_held(x, "* BYE [UNAVAILABLE] The server is too busy, try again later\r\n", e.text);
}

/* If the worker is gone, its channel will say so. */
static void
tell_worker(struct held *x)
{
	struct idle_changed m = { .mailbox = x->news.mailbox, .modseq = x->news.modseq };
	struct err e = { 0 };

	if (x->told)
		return;
	will_look(x);
	ipc_send(x->control, idle_changed, &m, 0, &e);
}

/* Without a record nobody knows yet whether it is news: the next one will tell. */
static void
news(struct held *x, struct news n)
{
	if (x->recorded && !concerns(x, n))
		return;
	add_news(&x->news, n);
	if (!x->recorded)
		return;
	if (x->control != NULL)
		tell_worker(x);
	else
		wake(x);
}

static void
changed(struct owner *o, const struct held *except, uint64_t mailbox, uint64_t modseq)
{
	struct held *next;

	if (mailbox == 0)
		mailbox = NAMES;
	for (struct held *x = o->sessions; x != NULL; x = next) {
		next = x->next;
		if (x != except)
			news(x, (struct news){ modseq, mailbox });
	}
}

void
holder_changed(struct holder *h, struct span owner, uint64_t mailbox, uint64_t modseq)
{
	struct owner *o = owner_find(h, owner);

	if (o != NULL)
		changed(o, NULL, mailbox, modseq);
}

/* ---- what a worker says */

static void
keep_window(struct held *x, struct span window)
{
	free(x->window);
	x->window = window.n > 0 ? mem_zero(1, window.n) : NULL;
	x->window_n = (uint32_t)window.n;
	if (window.n > 0)
		memcpy(x->window, window.p, window.n);
}

static void
keep_record(struct held *x, const struct idle_record *r)
{
	x->recorded = true;
	x->idling = r->idling;
	x->flags = r->flags;
	x->bad = r->bad;
	x->commands = r->commands;
	x->octets_in = r->octets_in;
	x->octets_out = r->octets_out;
	x->view = (struct store_view_state){
		.mailbox = r->mailbox,
		.modseq = r->modseq,
		.uidvalidity = r->uidvalidity,
		.uidnext = r->uidnext,
		.read_only = (r->flags & IDLE_READ_ONLY) != 0,
	};
	if (r->recent.n == sizeof x->view.recent_uid)
		memcpy(x->view.recent_uid, r->recent.p, r->recent.n);
	keep_text(&x->tag, r->tag);
	keep_text(&x->saved, r->saved);
	keep_text(&x->notify, r->notify);
	x->known = r->known;
	keep_window(x, r->window);
}

static const char kicked_bye[] = "* BYE Ended by the administrator\r\n";

/* From SERVED to HELD; and back at once, when there is news. x may be gone after. */
static void
hold(struct held *x)
{
	struct loop *l = x->h->loop;

	drop_control(x);
	if (x->kicked) {
		end_held(x, kicked_bye, "ended by the administrator");
	} else if (x->h->draining) {
		end_held(x, "* BYE The server is going down, try again in a moment\r\n", "drained");
	} else if (concerns(x, x->news)) {
		wake(x);
	} else {
		loop_watch(l, &x->stream, EPOLLIN | EPOLLRDHUP);
		loop_timer(l, &x->autologout, loop_now(l) + cfg.imap_wait);
	}
}

/* A record came. What it holds already is no news any more. */
static void
recorded(struct held *x, const struct idle_record *r)
{
	keep_record(x, r);
	has_not_looked(x);
	if (!concerns(x, x->news))
		x->news = (struct news){ 0 };
	if (r->leave)
		hold(x);
	else if (x->news.modseq > 0)
		tell_worker(x);
}

/* ---- links */

/* A worker for another owner's store, whose client is x's worker: gives that one's end of the stream, or -1. */
static int
start_link(struct held *x, const struct idle_link *m, struct err *e)
{
	struct holder *h = x->h;
	struct holder_client c = {
		.owner = m->owner,
		.addr = m->addr,
		.login = span_of(x->text, x->login_n),
		.client = span_str(client_of(x)),
		.sid = id_span(&x->sid),
	};
	struct held *l;
	int pair[2];

	/* A worker keeps to the limit. Those that it has closed may not have ended yet. */
	if (x->link || x->nlinks >= 2 * cfg.imap_links_max)
		return err_set(e, ERR_TEMP, "no more than %u links", 2 * (unsigned)cfg.imap_links_max);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(e, ERR_TEMP, "a link: %m");
	c.stream = above_line(h, pair[1]);
	if (c.stream < 0) {
		close(pair[0]);
		return err_set(e, ERR_TEMP, "a link: %m");
	}
	l = held_new(h, &c);
	l->link = true;
	l->asker = x;
	l->sibling = x->links;
	x->links = l;
	x->nlinks++;
	pair[0] = above_line(h, pair[0]);
	if (pair[0] >= 0 && start_worker(l, &c, e) == 0) {
		close(l->stream.fd); /* its worker's alone */
		l->stream.fd = -1;
		return pair[0];
	}
	if (pair[0] >= 0)
		close(pair[0]);
	forget(l);
	return err_set(e, ERR_TEMP, "a link: %m");
}

static int
link_asked(struct held *x, struct ipc_in *in, struct err *e)
{
	struct idle_linked answer;
	struct idle_link m;
	struct err why = { 0 };
	int rc;

	if (ipc_body(in, idle_link, &m, e) < 0)
		return -1;
	answer.stream = start_link(x, &m, &why);
	if (answer.stream < 0)
		return ipc_send_refuse(x->control, in->id, &why, e);
	rc = ipc_send(x->control, idle_linked, &answer, in->id, e);
	close(answer.stream);
	return rc;
}

/* What was news to the mailbox before is none to the next. */
static int
view_changed(struct held *x, struct ipc_in *in, struct err *e)
{
	struct idle_view_of m;

	if (ipc_body(in, idle_view_of, &m, e) < 0)
		return -1;
	if (x->recorded || x->link)
		return err_set(e, ERR_PEER, "not now");
	look_away(x);
	look_at(x, owner_hold(x->h, m.owner.n > 0 ? m.owner : span_str(x->owner->name)));
	x->news = x->seen = (struct news){ 0 };
	keep_text(&x->view_name, m.name);
	return 0;
}

/* The client is to log in anew. Where it came from may not be there any more. */
static int
give_back(struct held *x, struct ipc_in *in, struct err *e)
{
	static const char bye[] = "* BYE [UNAVAILABLE] The connection cannot be used again\r\n";
	struct idle_unauthenticated m;
	struct session_back back;
	struct err why = { 0 };

	if (ipc_body(in, idle_unauthenticated, &m, e) < 0)
		return -1;
	if (x->link)
		return err_set(e, ERR_PEER, "a link does not log in");
	back = (struct session_back){
		.stream = x->stream.fd,
		.pump = x->pump,
		.sid = id_span(&x->sid),
		.client = span_str(client_of(x)),
		.input = m.input,
	};
	if (x->kicked || x->h->draining || x->h->back == NULL || x->h->back(x->from, &back, &why) < 0)
		send(x->stream.fd, bye, sizeof bye - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (why.kind != ERR_NONE)
		log_event(LOG_WARN, "imapd.back", KV_STR("sid", x->sid.s), KV_ERR(&why));
	forget(x);
	return 0;
}

enum frame {
	FRAME_NEXT,
	FRAME_LAST, /* this channel is closed, and x may be gone */
	FRAME_BAD,  /* *e tells why */
};

static enum frame
begun(struct held *x, struct ipc_in *in, struct err *e)
{
	struct idle_begun m;

	if (ipc_body(in, idle_begun, &m, e) < 0)
		return FRAME_BAD;
	x->pid = (pid_t)m.pid;
	return FRAME_NEXT;
}

static enum frame
frame(struct held *x, struct ipc_in *in, struct err *e)
{
	struct idle_record r;
	struct idle_changed c;

	if (in->number == idle_begun_no)
		return begun(x, in, e);
	x->deaths = 0;
	switch (in->number) {
	case idle_busy_no:
		x->recorded = x->told = false;
		return FRAME_NEXT;
	case idle_record_no:
		if (ipc_body(in, idle_record, &r, e) < 0)
			return FRAME_BAD;
		if (x->link) {
			err_set(e, ERR_PEER, "a link leaves no record");
			return FRAME_BAD;
		}
		recorded(x, &r);
		return r.leave ? FRAME_LAST : FRAME_NEXT;
	case idle_link_no:
		return link_asked(x, in, e) < 0 ? FRAME_BAD : FRAME_NEXT;
	case idle_view_of_no:
		return view_changed(x, in, e) < 0 ? FRAME_BAD : FRAME_NEXT;
	case idle_changed_no:
		if (ipc_body(in, idle_changed, &c, e) < 0)
			return FRAME_BAD;
		changed(x->owner, x, c.mailbox, c.modseq);
		return FRAME_NEXT;
	case idle_end_no:
		forget(x);
		return FRAME_LAST;
	case idle_unauthenticated_no:
		return give_back(x, in, e) < 0 ? FRAME_BAD : FRAME_LAST;
	}
	err_set(e, ERR_PEER, "not for a worker to say");
	return FRAME_BAD;
}

/* Its channel is closed and it did not say good-bye. */
static void
worker_lost(struct held *x, const struct err *why)
{
	log_event(LOG_ERROR, "imapd.lost", KV_STR("sid", x->sid.s), KV_STR("owner", x->owner->name),
	    KV_U("pid", x->pid), KV_U("recorded", x->recorded), KV_ERR(why));
	if (x->link) {
		forget(x);
		return;
	}
	if (!x->recorded) {
		end_held(x, NULL, "its worker died");
		return;
	}
	if (++x->deaths >= DEATHS_MAX) {
		end_held(x, "* BYE [SERVERBUG] The session cannot go on\r\n", "its workers die");
		return;
	}
	has_not_looked(x);
	hold(x);
}

static void
worker_speaks(struct watch *w, uint32_t events)
{
	struct held *x = w->arg;
	struct err e = { 0 };
	struct ipc_in in;

	if ((events & EPOLLOUT) != 0) {
		ipc_flush(x->control, &e);
		watch_worker(x);
	}
	while (e.kind == ERR_NONE && ipc_get(x->control, &in, &e) > 0) {
		enum frame then = frame(x, &in, &e);

		if (then == FRAME_LAST)
			return;
		if (then == FRAME_BAD)
			break;
	}
	if (e.kind != ERR_NONE || ipc_eof(x->control))
		worker_lost(x, &e);
}

/* Workers that it started go on; what was dialled is for its successor, which starts at once. */
void
holder_child_ended(struct holder *h, int pid, int status)
{
	struct err e = { 0 };

	if (pid != h->forker)
		return;
	log_event(LOG_ERROR, "imapd.forker", KV_U("pid", pid), KV_U("status", status));
	h->forker = 0;
	if (!h->draining && ready_forker(h, &e) < 0)
		log_event(LOG_ERROR, "imapd.worker", KV_ERR(&e));
}

void
holder_reloaded(struct holder *h)
{
	for (int i = 0; i < 2; i++) {
		if (h->door[i] >= 0)
			close(h->door[i]);
		h->door[i] = -1;
	}
	h->forker = 0;
}

/* ---- what a client does while it is held */

static void
client_speaks(struct watch *w, uint32_t events)
{
	struct held *x = w->arg;
	char c;
	ssize_t n = recv(w->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

	(void)events;
	if (n > 0)
		wake(x);
	else if (n == 0)
		end_held(x, NULL, "closed by the client");
	else if (errno != EAGAIN && errno != EINTR)
		end_held(x, NULL, "connection lost");
}

static void
silent_too_long(struct timer *t)
{
	end_held(t->arg, "* BYE Nothing was heard from you for too long\r\n", "timed out");
}

/* ---- from outside */

int
holder_begin(struct holder *h, const struct holder_client *c, struct err *e)
{
	struct holder_client mine = *c;
	struct held *x;
	int mode;

	if (h->draining) {
		close(c->stream);
		return err_set(e, ERR_TEMP, "The server is going down, try again in a moment");
	}
	h->loop = svc_loop_of(h->svc);
	mine.stream = above_line(h, c->stream);
	if (mine.stream < 0 || (mode = fcntl(mine.stream, F_GETFL)) < 0 ||
	    fcntl(mine.stream, F_SETFL, mode & ~O_NONBLOCK) < 0) {
		err_set(e, ERR_TEMP, "the client's stream: %m");
		if (mine.stream >= 0)
			close(mine.stream);
		return -1;
	}
	x = held_new(h, &mine);
	svc_sessions(h->svc, 1);
	if (start_worker(x, &mine, e) == 0)
		return 0;
	forget(x);
	return -1;
}

int
holder_list(struct holder *h, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct owner *o = h->bucket[i]; o != NULL; o = o->next)
			for (struct held *x = o->sessions; x != NULL; x = x->next) {
				struct session_item item = {
					.sid = id_span(&x->sid),
					.owner = span_str(x->owner->name),
					.client = span_str(client_of(x)),
					.pid = (uint32_t)x->pid,
					.since = x->since,
				};

				if (!x->link && ipc_pack(&session_def, out, session_item, &item, e) < 0)
					return -1;
			}
	return 0;
}

static void
kick(struct held *x)
{
	struct err e = { 0 };

	x->kicked = true; /* should it be handed over just now */
	if (x->control != NULL)
		ipc_send(x->control, idle_drain, &(struct idle_drain){ .kicked = 1 }, 0, &e);
	else
		end_held(x, kicked_bye, "ended by the administrator");
}

/* An owner may go with its last session, so each round begins anew; who was told to end is not told again. */
static struct held *
next_to_kick(struct holder *h, struct span owner, struct span sid)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct owner *o = h->bucket[i]; o != NULL; o = o->next)
			for (struct held *x = o->sessions; x != NULL; x = x->next)
				if (!x->link && !x->kicked &&
				    (sid.n > 0 ? span_same(sid, id_span(&x->sid)) : span_eq(owner, x->owner->name)))
					return x;
	return NULL;
}

uint32_t
holder_kick(struct holder *h, struct span owner, struct span sid)
{
	struct held *x;
	uint32_t n = 0;

	for (; (x = next_to_kick(h, owner, sid)) != NULL; n++)
		kick(x);
	return n;
}

/* Links end with the sessions that have them. */
static void
drain_owner(struct owner *o)
{
	struct held *next;
	struct err e = { 0 };

	for (struct held *x = o->sessions; x != NULL; x = next) {
		next = x->next;
		if (x->link)
			continue;
		if (x->control != NULL)
			ipc_send(x->control, idle_drain, &(struct idle_drain){}, 0, &e);
		else
			end_held(x, "* BYE The server is going down, try again in a moment\r\n", "drained");
		err_clear(&e);
	}
}

void
holder_drain(struct holder *h)
{
	struct owner *next;

	h->draining = true;
	h->loop = svc_loop_of(h->svc);
	if (h->n == 0) {
		svc_end(h->svc);
		return;
	}
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct owner *o = h->bucket[i]; o != NULL; o = next) {
			o->refs++;
			drain_owner(o); /* which may drop others of this bucket */
			next = o->next;
			owner_drop(h, o);
		}
}
