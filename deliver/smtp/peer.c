#include "deliver/smtp/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cfg/cfg.h"
#include "deliver/smtp/route.h"
#include "io/addr.h"
#include "io/conn.h"
#include "smtp/mailbox.h"

enum {
	LINE_MAX_OCTETS = 8192, /* RFC 5321, 4.5.3.1.5 says 512; some say more */
	QUIT_MS = 2000,
	TRIES_MAX = 10, /* addresses in all */
};

void
peer_init(struct peer *p)
{
	*p = (struct peer){ 0 };
	buf_init(&p->label, 512);
}

void
peer_drop(struct peer *p)
{
	conn_free(p->c);
	p->c = NULL;
	p->used = p->dirty = false;
	p->ext = 0;
	p->size_max = 0;
}

void
peer_quit(struct peer *p)
{
	struct reply r;

	if (p->c != NULL)
		peer_command(p, SPAN("QUIT"), &r, QUIT_MS, &(struct err){ 0 });
	peer_drop(p);
}

/* ---- the dialogue */

static int
lost(struct peer *p, const struct err *why, struct err *e)
{
	return err_set(e, ERR_GONE, "4.4.2 %.*s: %s", SPAN_ARG(buf_span(&p->label)),
	    conn_timed_out(p->c)   ? "no answer in time"
	    : why->text[0] != '\0' ? why->text
				   : "closed the connection");
}

static int
next_line(struct peer *p, struct span *line, struct err *e)
{
	struct err why = { 0 };
	int rc = conn_line(p->c, line, &why);

	if (rc > 0)
		return 1;
	if (rc < 0 && why.kind == ERR_PEER)
		return err_set(e, ERR_PEER, "4.5.0 %.*s: %s", SPAN_ARG(buf_span(&p->label)), why.text);
	return lost(p, &why, e);
}

/* Each line goes to `see` too (EHLO), which may be NULL. */
static int
read_reply(
    struct peer *p, struct reply *r, void (*see)(struct peer *, struct span text, unsigned n), struct err *e)
{
	struct err why = { 0 };
	struct span line;
	int done = 0;

	reply_init(r);
	while (done == 0) {
		if (next_line(p, &line, e) < 0)
			return -1;
		if ((done = reply_line(r, line, &why)) < 0)
			return err_set(
			    e, ERR_PEER, "4.5.0 %.*s: %s", SPAN_ARG(buf_span(&p->label)), why.text);
		if (see != NULL)
			see(p, reply_line_text(line), r->lines);
	}
	return 0;
}

int
peer_reply(struct peer *p, struct reply *r, uint64_t wait_ms, struct err *e)
{
	conn_timeout(p->c, wait_ms);
	return read_reply(p, r, NULL, e);
}

static int
say(struct peer *p, struct span command, struct err *e)
{
	struct err why = { 0 };

	if (conn_write(p->c, command, &why) < 0 || conn_write(p->c, SPAN("\r\n"), &why) < 0)
		return lost(p, &why, e);
	return 0;
}

int
peer_command(struct peer *p, struct span command, struct reply *r, uint64_t wait_ms, struct err *e)
{
	conn_timeout(p->c, wait_ms);
	return say(p, command, e) < 0 ? -1 : read_reply(p, r, NULL, e);
}

/* ---- EHLO */

static void
see_size(struct peer *p, struct span arg)
{
	p->ext |= EXT_SIZE;
	if (span_u64(span_trim(arg), &p->size_max, NULL) < 0)
		p->size_max = 0;
}

/* A line of the answer to EHLO: RFC 5321, 4.1.1.1. The first one is a greeting. */
static void
see_extension(struct peer *p, struct span text, unsigned n)
{
	static const struct {
		const char *name;
		unsigned ext;
	} known[] = {
		{ "PIPELINING", EXT_PIPELINING },
		{ "8BITMIME", EXT_8BITMIME },
		{ "SMTPUTF8", EXT_SMTPUTF8 },
		{ "STARTTLS", EXT_STARTTLS },
		{ "DSN", EXT_DSN },
	};
	struct span rest = text, word = span_word(&rest);

	if (n == 1)
		return;
	if (span_ieq(word, "SIZE"))
		see_size(p, rest);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (span_ieq(word, known[i].name))
			p->ext |= known[i].ext;
}

/* Our name if it is one, else our address as a literal: RFC 5321, 4.1.4. */
static void
own_name(const struct sender *me, const struct peer *p, struct buf *out)
{
	struct addr self = { .len = sizeof self.ss };
	struct span name = span_str(me->name);

	if (domain_valid(name) && span_chr(name, '.') >= 0) {
		buf_add(out, NULL, name);
		return;
	}
	if (getsockname(conn_fd(p->c), (struct sockaddr *)&self.ss, &self.len) < 0)
		self.len = 0;
	buf_str(out, NULL, self.ss.ss_family == AF_INET6 ? "[IPv6:" : "[");
	addr_ip(&self, out);
	buf_byte(out, NULL, ']');
}

static int
refused(struct peer *p, const char *at, const struct reply *r, struct err *e)
{
	return err_set(e, ERR_TEMP, "%s %.*s answered %s with: %u %s", r->code >= 500 ? "4.3.0" : r->status,
	    SPAN_ARG(buf_span(&p->label)), at, r->code, r->text);
}

static int
hello(const struct sender *me, struct peer *p, const char *verb, struct reply *r, struct err *e)
{
	struct buf line;
	int rc;

	buf_init(&line, 512);
	buf_printf(&line, NULL, "%s ", verb);
	own_name(me, p, &line);
	p->ext = 0;
	p->size_max = 0;
	conn_timeout(p->c, cfg.smtp_command_wait);
	rc = say(p, buf_span(&line), e);
	if (rc == 0)
		rc = read_reply(p, r, strcmp(verb, "HELO") == 0 ? NULL : see_extension, e);
	buf_free(&line);
	if (rc == 0 && r->code / 100 != 2)
		p->ext = 0;
	return rc;
}

/* EHLO, and HELO for a server that does not know it (RFC 5321, 3.2). */
static int
introduce(const struct sender *me, struct peer *p, struct err *e)
{
	struct reply r;

	if (hello(me, p, p->lmtp ? "LHLO" : "EHLO", &r, e) < 0)
		return -1;
	if (r.code / 100 == 5 && !p->lmtp && hello(me, p, "HELO", &r, e) < 0)
		return -1;
	return r.code / 100 == 2 ? 0 : refused(p, "our name", &r, e);
}

/* ---- TLS */

/*
 * Nothing that was said before the handshake may be taken for something said in it: what is in the buffer
 * behind the answer to STARTTLS was put there by someone else (as CVE-2011-0411, on the client's side).
 */
static int
start_tls(const struct sender *me, struct peer *p, const struct hop *h, struct err *e)
{
	struct reply r;

	if (peer_command(p, SPAN("STARTTLS"), &r, cfg.smtp_command_wait, e) < 0)
		return -1;
	if (r.code != 220)
		return refused(p, "STARTTLS", &r, e);
	if (conn_peek(p->c).n > 0)
		return err_set(e, ERR_TEMP, "4.7.0 %.*s: octets behind the answer to STARTTLS",
		    SPAN_ARG(buf_span(&p->label)));
	if (conn_tls_connect(p->c, me->tls, h->host[0] == '[' ? NULL : h->host, e) < 0)
		return err_prefix(e, "4.7.5 %.*s: TLS: ", SPAN_ARG(buf_span(&p->label)));
	return introduce(me, p, e);
}

/* ---- connecting */

static int
wait_connected(int fd, uint64_t wait_ms)
{
	uint64_t end = clock_mono_ms() + wait_ms;
	struct pollfd pf = { .fd = fd, .events = POLLOUT };
	socklen_t n = sizeof errno;
	int rc, why = 0;

	do {
		uint64_t now = clock_mono_ms();

		rc = poll(&pf, 1, end > now ? (int)(end - now) : 0);
	} while (rc < 0 && errno == EINTR);
	if (rc == 0)
		errno = ETIMEDOUT;
	if (rc <= 0)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &n) < 0)
		return -1;
	errno = why;
	return why == 0 ? 0 : -1;
}

static int
dial(const struct addr *a)
{
	int fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), saved;

	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&a->ss, a->len) < 0 &&
	    (errno != EINPROGRESS || wait_connected(fd, cfg.smtp_connect_wait) < 0)) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	return fd;
}

static void
name_peer(struct peer *p, const struct hop *h, const struct addr *a)
{
	buf_clear(&p->label);
	if (h->host[0] != '[')
		buf_str(&p->label, NULL, h->host);
	buf_byte(&p->label, NULL, '[');
	addr_ip(a, &p->label);
	buf_printf(&p->label, NULL, "]:%u", addr_port(a));
}

static int
greet(const struct sender *me, struct peer *p, const struct hop *h, const struct addr *a, struct err *e)
{
	struct conn_opts opts = { .line_max = LINE_MAX_OCTETS, .timeout_ms = cfg.smtp_greeting_wait };
	struct reply r;
	struct span first;
	int fd;

	name_peer(p, h, a);
	if ((fd = dial(a)) < 0)
		return err_set(e, ERR_TEMP, "4.4.1 connecting to %.*s: %m", SPAN_ARG(buf_span(&p->label)));
	p->c = conn_new(fd, &opts);
	if (peer_reply(p, &r, cfg.smtp_greeting_wait, e) < 0)
		return -1;
	if (r.code != 220)
		return refused(p, "our connection", &r, e);
	/* A server of a domain that greets with our name is us: RFC 5321, 6.3. */
	first = span_str(r.text);
	if (h->mx && span_isame(span_word(&first), span_str(me->name)) && me->name[0] != '\0')
		return err_set(e, ERR_PERM, "5.4.6 mail loops back to us: %.*s greets with our name",
		    SPAN_ARG(buf_span(&p->label)));
	return introduce(me, p, e);
}

/*
 * TLS where it is offered; if it fails, once more in the clear: encryption here is for those who only listen.
 */
static int
open_one(const struct sender *me, struct peer *p, const struct hop *h, const struct addr *a, struct err *e)
{
	struct err why = { 0 };

	if (greet(me, p, h, a, e) < 0)
		return -1;
	if ((p->ext & EXT_STARTTLS) == 0 || me->tls == NULL || strcmp(cfg.smtp_tls, "none") == 0)
		return 0;
	if (start_tls(me, p, h, &why) == 0)
		return 0;
	log_event(LOG_INFO, "remote.plain", KV_S("host", buf_span(&p->label)), KV_ERR(&why));
	peer_drop(p);
	return greet(me, p, h, a, e);
}

static int
open_hop(
    const struct sender *me, struct peer *p, const struct hop *h, struct arena *a, int *tries, struct err *e)
{
	struct addr *addrs;
	int n = route_addresses(me, h, a, &addrs, e);

	for (int i = 0; i<n && * tries> 0; i++) {
		--*tries;
		err_clear(e);
		if (open_one(me, p, h, &addrs[i], e) == 0)
			return 0;
		log_event(LOG_DEBUG, "remote.next", KV_ERR(e));
		peer_drop(p);
		if (e->kind == ERR_PERM)
			break;
	}
	return -1;
}

/*
 * If no host takes us the last one's reason is told; a loop is final, a host without address only if all are.
 */
int
peer_open(const struct sender *me, struct peer *p, const struct target *to, struct err *e)
{
	struct arena *a = arena_new(8 << 20);
	struct err why = { 0 }, temp = { 0 };
	struct hop *hops;
	int n, tries = TRIES_MAX, rc = -1;

	p->lmtp = to->lmtp;
	n = route_find(me, to->domain, a, &hops, e);
	for (int i = 0; i < n && rc < 0 && tries > 0; i++) {
		err_clear(&why);
		rc = open_hop(me, p, &hops[i], a, &tries, &why);
		if (rc < 0 && why.kind == ERR_PERM && span_starts(span_str(why.text), "5.4.6"))
			break;
		if (rc < 0 && why.kind != ERR_PERM)
			temp = why;
	}
	if (rc < 0 && n > 0 && temp.kind != ERR_NONE && !span_starts(span_str(why.text), "5.4.6"))
		err_set(e, ERR_TEMP, "%s", temp.text);
	else if (rc < 0 && n > 0)
		err_set(e, why.kind == ERR_PERM ? ERR_PERM : ERR_TEMP, "%s", why.text);
	arena_free(a);
	return rc;
}
