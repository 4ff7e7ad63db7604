#include "ctl/imapclient.h"

#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "imap/lex.h"
#include "io/tls.h"

enum { PIECE = 64 * 1024, WAIT_S = 120 };

/* ---- where */

int
imap_url_parse(struct span text, struct imap_url *out, struct arena *a, struct err *e)
{
	struct span host, port;
	ssize_t at;

	out->tls = span_starts(text, "imaps://");
	if (!out->tls && !span_starts(text, "imap://"))
		return err_set(e, ERR_PERM, "not imap://HOST[:PORT]/ or imaps://");
	text = span_from(text, out->tls ? 8 : 7);
	host = span_cut(&text, '/');
	if (text.n > 0)
		return err_set(
		    e, ERR_PERM, "behind imap://HOST[:PORT]/ nothing may stand; the user is --user");
	port = out->tls ? SPAN("993") : SPAN("143");
	if (host.n > 0 && host.p[0] == '[' && (at = span_chr(host, ']')) > 0) {
		struct span rest = span_from(host, (size_t)at + 1);

		if (rest.n > 0 && rest.p[0] == ':')
			port = span_from(rest, 1);
		host = span_from(span_head(host, (size_t)at), 1);
	} else if ((at = span_rchr(host, ':')) >= 0) {
		port = span_from(host, (size_t)at + 1);
		host = span_head(host, (size_t)at);
	}
	if (host.n == 0 || port.n == 0 || span_chr(host, '@') >= 0)
		return err_set(e, ERR_PERM, "not imap://HOST[:PORT]/ or imaps://; the user is --user");
	out->host = arena_cstr(a, host);
	out->port = arena_cstr(a, port);
	return 0;
}

int
imapc_connect(const struct imap_url *url, struct err *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all = NULL;
	struct timeval wait = { .tv_sec = WAIT_S };
	int fd = -1, rc = getaddrinfo(url->host, url->port, &hints, &all);

	if (rc != 0)
		return err_set(e, ERR_TEMP, "%s: %s", url->host, gai_strerror(rc));
	errno = 0;
	for (struct addrinfo *ai = all; ai != NULL && fd < 0; ai = ai->ai_next) {
		fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC, ai->ai_protocol);
		if (fd >= 0 && connect(fd, ai->ai_addr, ai->ai_addrlen) < 0) {
			err_set(e, ERR_TEMP, "%s:%s: %m", url->host, url->port);
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(all);
	if (fd < 0)
		return err_set(e, ERR_TEMP, "%s: %m", url->host);
	err_clear(e);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
	return fd;
}

void
imapc_init(struct imapc *c, int fd, int spool)
{
	*c = (struct imapc){ .fd = fd, .spool = spool };
	buf_init(&c->in, 2 * PIECE);
	buf_init(&c->response, IMAPC_RESPONSE_MAX);
}

void
imapc_free(struct imapc *c)
{
	SSL_free(c->ssl);
	buf_free(&c->in);
	buf_free(&c->response);
}

int
imapc_tls(struct imapc *c, const struct tls_ctx *t, char *host, bool verify, struct err *e)
{
	/* Nothing that came before may count as said under TLS. */
	if (c->in.n > 0)
		return err_set(e, ERR_PEER, "the server spoke on before TLS");
	if ((c->ssl = SSL_new(tls_ssl_ctx(t))) == NULL || SSL_set_fd(c->ssl, c->fd) != 1 ||
	    SSL_set_tlsext_host_name(c->ssl, host) != 1 || (verify && SSL_set1_host(c->ssl, host) != 1) ||
	    SSL_connect(c->ssl) != 1)
		return tls_err(e, ERR_PERM, host);
	return 0;
}

/* ---- octets */

static int
more(struct imapc *c, struct err *e)
{
	char *room = buf_room(&c->in, e, PIECE);
	ssize_t n;

	if (room == NULL)
		return -1;
	do
		n = c->ssl != NULL ? SSL_read(c->ssl, room, PIECE) : read(c->fd, room, PIECE);
	while (n < 0 && c->ssl == NULL && errno == EINTR);
	if (n <= 0)
		return err_set(e, ERR_TEMP, "the server %s",
		    n < 0 && errno == EAGAIN ? "does not answer" : "closed the connection");
	c->in.n += (size_t)n;
	return 0;
}

int
imapc_raw(struct imapc *c, struct span s, struct err *e)
{
	while (s.n > 0) {
		ssize_t n = c->ssl != NULL ? SSL_write(c->ssl, s.p, (int)s.n)
					   : send(c->fd, s.p, s.n, MSG_NOSIGNAL);

		if (n < 0 && c->ssl == NULL && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(e, ERR_TEMP, "sending to the server failed");
		s = span_from(s, (size_t)n);
	}
	return 0;
}

/* A line onto the response, without CR LF. */
static int
get_line(struct imapc *c, struct err *e)
{
	for (;;) {
		ssize_t lf = span_chr(buf_span(&c->in), '\n');
		size_t n = lf < 0 ? c->in.n : (size_t)lf;

		if (buf_add(&c->response, e, span_head(buf_span(&c->in), n)) < 0)
			return -1;
		buf_consume(&c->in, n + (lf >= 0));
		if (lf >= 0)
			break;
		if (more(c, e) < 0)
			return -1;
	}
	if (c->response.n > 0 && c->response.p[c->response.n - 1] == '\r')
		c->response.n--;
	return 0;
}

static int
put_spool(struct imapc *c, struct span s, struct err *e)
{
	while (s.n > 0) {
		ssize_t n = pwrite(c->spool, s.p, s.n, (off_t)c->spooled);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(e, ERR_TEMP, "temporary file: %m");
		c->spooled += (uint64_t)n;
		s = span_from(s, (size_t)n);
	}
	return 0;
}

static int
get_literal(struct imapc *c, uint64_t left, bool spool, struct err *e)
{
	while (left > 0) {
		struct span s = buf_span(&c->in);

		if (s.n == 0 && more(c, e) < 0)
			return -1;
		s = span_head(buf_span(&c->in), left < c->in.n ? (size_t)left : c->in.n);
		if ((spool ? put_spool(c, s, e) : buf_add(&c->response, e, s)) < 0)
			return -1;
		left -= s.n;
		buf_consume(&c->in, s.n);
	}
	return 0;
}

/* ---- responses */

/* A literal that goes to the spool is left out of the response, and its {n} stays. */
static int
get_response(struct imapc *c, struct err *e)
{
	struct imap_literal lit;
	size_t from = 0;
	int rc;

	buf_clear(&c->response);
	for (;;) {
		struct span line;
		bool spool;

		if (get_line(c, e) < 0)
			return -1;
		line = span_from(buf_span(&c->response), from);
		if ((rc = imap_line_literal(line, &lit, e)) <= 0)
			return rc;
		spool = c->spool >= 0 && span_ends(span_trim(span_head(line, lit.text)), "BODY[]");
		if ((!spool && buf_str(&c->response, e, "\r\n") < 0) ||
		    get_literal(c, lit.size, spool, e) < 0)
			return -1;
		from = c->response.n;
	}
}

int
imapc_send(struct imapc *c, const char *text, struct err *e)
{
	struct buf line;
	int rc;

	buf_init(&line, IMAPC_RESPONSE_MAX);
	rc = buf_printf(&line, e, "r%u %s\r\n", ++c->sent, text);
	if (rc == 0)
		rc = imapc_raw(c, buf_span(&line), e);
	buf_wipe(&line);
	return rc;
}

int
imapc_next(struct imapc *c, struct err *e)
{
	struct span r, tag;
	uint32_t n;

	if (get_response(c, e) < 0)
		return -1;
	r = buf_span(&c->response);
	if (span_starts(r, "* ") || span_starts(r, "+"))
		return span_istarts(r, "* BYE")
			   ? err_set(e, ERR_TEMP, "the server says: %.*s", SPAN_ARG(span_head(r, 150)))
			   : 1;
	tag = span_word(&r);
	if (tag.n < 2 || tag.p[0] != 'r' || span_u32(span_from(tag, 1), &n, NULL) < 0 || n != c->done + 1)
		return err_set(e, ERR_TEMP, "the server answers what was not asked");
	c->done = n;
	return span_istarts(r, "OK")
		   ? 0
		   : err_set(e, ERR_PERM, "the server says: %.*s", SPAN_ARG(span_head(r, 150)));
}

int
imapc_do(struct imapc *c, const char *text, int (*one)(void *arg, struct span response, struct err *e),
    void *arg, struct err *e)
{
	int rc;

	if (imapc_send(c, text, e) < 0)
		return -1;
	while ((rc = imapc_next(c, e)) == 1)
		if (one != NULL && one(arg, buf_span(&c->response), e) < 0)
			return -1;
	return rc;
}

int
imapc_quote(struct span s, struct buf *out, struct err *e)
{
	if (buf_byte(out, e, '"') < 0)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
			return err_set(e, ERR_PERM, "a control character");
		if (((s.p[i] == '"' || s.p[i] == '\\') && buf_byte(out, e, '\\') < 0) ||
		    buf_byte(out, e, s.p[i]) < 0)
			return -1;
	}
	return buf_byte(out, e, '"');
}
