/*
 * filterd - what shall become of this message? Asked by smtpd before a message is accepted, so that what is
 * refused is refused in the session, and no report has to be sent to anyone.
 *
 * An event loop: one channel for each session of smtpd that asked. The chain (etc/filters.cf,
 * lib/cfg/filters.h) is walked in order; a filter that does not accept has the last word. What a message says
 * is bytes here: nothing is parsed, and the descriptor of the message is closed as soon as the chain is
 * through with it.
 *
 *   a channel     waits for                 then
 *   open          filterd_check             the chain is walked, filterd_verdict sent
 *                 that it breaks            it is freed; so is one whose peer broke a rule, with a warning
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "cfg/filters.h"
#include "io/link.h"
#include "io/svc.h"
#include "ipc/filterd.h"

enum { TEXT_MAX = 256 * 1024 };

/* The chain was read before; it touches nothing, asks nobody. */
static const struct jail jail = { .calls = JAIL_STDIO };

struct channel {
	struct link link;
	struct channel **at, *next;
};

/* There is one service in a process, and svc_* calls the functions below without a pointer of ours. */
static struct filterd {
	struct svc *svc;
	struct arena *a; /* holds the names of the chain */
	struct filters chain;
	struct channel *channels;
	bool draining;
} the;

/* ---- the chain */

static struct filterd_verdict
walk(const struct filterd_check *q)
{
	struct filterd_verdict v = { .verdict = FILTER_ACCEPT };

	for (size_t i = 0; i < the.chain.n; i++) {
		const struct filter_line *f = &the.chain.v[i];

		switch (f->kind) {
		case FILTER_KIND_ACCEPT:
			log_event(LOG_DEBUG, "filterd.filter", KV_S("sid", q->sid), KV_S("mid", q->mid),
			    KV_S("filter", f->name), KV_STR("verdict", "accept"));
			break;
		}
	}
	return v;
}

static int
chain_read(int fd, struct err *e)
{
	struct arena *a = arena_new(1 << 20);
	struct filters chain;
	struct buf text;
	ssize_t got = 1;
	int rc;

	buf_init(&text, TEXT_MAX + 4096);
	while (got > 0 && text.n <= TEXT_MAX) {
		char *to = buf_room(&text, NULL, 4096);

		got = pread(fd, to, 4096, (off_t)text.n);
		text.n += got > 0 ? (size_t)got : 0;
	}
	if (got < 0)
		rc = err_set(e, ERR_TEMP, "etc/filters.cf: %m");
	else
		rc = filters_parse(buf_span(&text), "etc/filters.cf", a, &chain, e);
	buf_free(&text);
	if (rc < 0) {
		arena_free(a);
		return -1;
	}
	arena_free(the.a);
	the.a = a;
	the.chain = chain;
	return 0;
}

/* ---- channels */

static void
channel_close(struct channel *c)
{
	link_close(&c->link);
	*c->at = c->next;
	if (c->next != NULL)
		c->next->at = c->at;
	free(c);
	svc_sessions(the.svc, -1);
	if (the.draining && the.channels == NULL)
		svc_end(the.svc);
}

static int
answer(struct channel *c, struct ipc_in *in, struct err *e)
{
	struct filterd_check q;
	struct filterd_verdict v;

	if (ipc_body(in, filterd_check, &q, e) < 0)
		return -1;
	v = walk(&q);
	log_event(LOG_INFO, "filterd.verdict", KV_S("sid", q.sid), KV_S("mid", q.mid),
	    KV_U("verdict", v.verdict), KV_U("filters", the.chain.n), KV_U("size", q.size));
	svc_count("filterd.checked", 1);
	if (q.file >= 0)
		close(q.file);
	link_send(&c->link, filterd_verdict, &v, in->id);
	return 0;
}

static void
gone(struct link *l, const struct err *why)
{
	if (why->kind != ERR_GONE)
		log_event(LOG_WARN, "filterd.peer", KV_ERR(why));
	channel_close(l->owner);
}

static bool
got(struct link *l, struct ipc_in *in)
{
	struct err e = { 0 };

	if (answer(l->owner, in, &e) == 0)
		return true;
	gone(l, &e);
	return false;
}

static void
dialled(struct svc *s, int fd, enum ipc_role peer)
{
	struct channel *c = mem_zero(1, sizeof *c);

	c->link = (struct link){ .owner = c, .got = got, .gone = gone };
	c->next = the.channels;
	c->at = &the.channels;
	if (c->next != NULL)
		c->next->at = &c->next;
	the.channels = c;
	svc_sessions(s, 1);
	link_open(&c->link, svc_loop_of(s), ipc_new(fd, &filterd_def, ROLE_FILTERD, peer));
}

static void
reloaded(struct svc *s)
{
	int fd = svc_file(s, "filters");
	struct err e = { 0 };

	if (fd >= 0 && chain_read(fd, &e) < 0) /* master checked it; the chain that works stays */
		log_event(LOG_ERROR, "filterd.reload", KV_ERR(&e));
}

/* Sessions of smtpd that still ask are answered; the last one to close ends us. */
static void
drain(struct svc *s, bool now)
{
	the.draining = true;
	if (now || the.channels == NULL)
		svc_end(s);
}

int
main(int argc, char **argv)
{
	static const struct svc_loop fns = { .dialled = dialled, .reloaded = reloaded, .drain = drain };
	struct err e = { 0 };
	int fd;

	the.svc = svc_start(argc, argv, ROLE_FILTERD);
	fd = svc_open(the.svc, "etc/filters.cf");
	if (chain_read(fd, &e) < 0) {
		log_event(LOG_ERROR, "filterd.start", KV_ERR(&e));
		log_flush();
		return err_exit(&e);
	}
	close(fd);
	svc_confine(the.svc, &jail);
	return svc_run(the.svc, &fns);
}
