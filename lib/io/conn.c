/*
 * conn.c - one peer, its two buffers, and what carries the octets: a socket, TLS over it, or memory; compressed or not.
 *
 * Deadlines are the socket's own (SO_RCVTIMEO, SO_SNDTIMEO), set when they change: no poll before a read.
 * A plain write first tries without waiting, so that most sessions never set the second one.
 */
#include "io/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/compress.h"
#include "io/ending.h"
#include "io/tls.h"

enum {
	READ_FIRST = 4 * 1024, /* a read that fills what was asked for is followed by a larger one */
	READ_SIZE = 64 * 1024,
	OUT_FULL = 32 * 1024, /* output goes out when there is more */
	OUT_MAX = 16 * 1024 * 1024,
	COPY_MAX = 32 * 1024, /* up to here a file region is read and leaves with what stands around it */
};

struct conn {
	int fd; /* -1: in memory */
	SSL *ssl;
	struct compress *z; /* NULL: not compressed */
	struct conn_opts o;
	uint64_t receive_ms, send_ms; /* what the socket was told; 0: nothing yet */
	bool eof, timed_out, bare;

	struct buf in;
	size_t used; /* octets of in that were given out */
	size_t read_size;
	struct buf out;
	uint64_t n_in, n_out;
	char tls[96];
	char tail[40]; /* of a line that was skipped */
	size_t tail_n;

	struct span memory; /* fd -1: what is yet to be read */
	struct buf sent;    /* fd -1: what was written */
};

static struct conn *
make(int fd, const struct conn_opts *o)
{
	struct conn *c = mem_zero(1, sizeof *c);

	c->fd = fd;
	c->o = *o;
	c->read_size = READ_FIRST;
	buf_init(&c->in, o->line_max + 2 * READ_SIZE);
	buf_init(&c->out, OUT_MAX);
	buf_init(&c->sent, SIZE_MAX);
	return c;
}

struct conn *
conn_new(int fd, const struct conn_opts *o)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* a Unix socket has no such thing */
	return make(fd, o);
}

struct conn *
conn_memory(struct span in, const struct conn_opts *o)
{
	struct conn *c = make(-1, o);

	c->memory = in;
	return c;
}

struct span
conn_sent(const struct conn *c)
{
	return buf_span(&c->sent);
}

void
conn_free(struct conn *c)
{
	if (c == NULL)
		return;
	if (c->ssl != NULL) {
		SSL_shutdown(c->ssl); /* says goodbye, does not wait for the answer */
		SSL_free(c->ssl);
	}
	if (c->fd >= 0)
		close(c->fd);
	compress_free(c->z);
	buf_wipe(&c->in); /* passwords pass through here */
	buf_wipe(&c->out);
	buf_free(&c->sent);
	free(c);
}

int
conn_fd(const struct conn *c)
{
	return c->fd;
}

void
conn_timeout(struct conn *c, uint64_t timeout_ms)
{
	c->o.timeout_ms = timeout_ms;
}

bool
conn_bare(const struct conn *c)
{
	return c->bare;
}

bool
conn_timed_out(const struct conn *c)
{
	return c->timed_out;
}

const char *
conn_tls(const struct conn *c)
{
	return c->ssl != NULL ? c->tls : NULL;
}

uint64_t
conn_in(const struct conn *c)
{
	return c->n_in;
}

uint64_t
conn_out(const struct conn *c)
{
	return c->n_out;
}

/* ---- waiting */

static void
set_deadline(struct conn *c, int option, uint64_t *told_ms)
{
	uint64_t ms = c->o.timeout_ms;
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	if (*told_ms == ms)
		return;
	setsockopt(c->fd, SOL_SOCKET, option, &tv, sizeof tv);
	*told_ms = ms;
}

static int
too_late(struct conn *c, struct err *e)
{
	c->timed_out = true;
	return err_set(e, ERR_GONE, "timed out");
}

/* What a system call's failure means: 0 to try again, or -1. */
static int
failed(struct conn *c, struct err *e)
{
	if (errno == EINTR && !svc_ending())
		return 0;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return too_late(c, e);
	return err_set(e, ERR_GONE, errno == EINTR ? "ending" : "connection lost: %m");
}

/* The same for a call of OpenSSL that returned rc <= 0; 1 is the end of input. */
static int
tls_failed(struct conn *c, int rc, struct err *e)
{
	int saved = errno;

	switch (SSL_get_error(c->ssl, rc)) {
	case SSL_ERROR_ZERO_RETURN:
		return 1;
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = saved;
		return failed(c, e);
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		errno = saved;
		return saved == 0 ? err_set(e, ERR_GONE, "connection lost") : failed(c, e);
	default:
		return tls_err(e, ERR_GONE, "TLS");
	}
}

/* ---- reading */

/* Some octets as they come: their number, 0 at the end, -1. */
static ssize_t
receive_raw(struct conn *c, char *to, size_t n, struct err *e)
{
	if (c->fd < 0) {
		n = c->memory.n < n ? c->memory.n : n;
		if (n > 0)
			memcpy(to, c->memory.p, n);
		c->memory = span_from(c->memory, n);
		return (ssize_t)n;
	}
	set_deadline(c, SO_RCVTIMEO, &c->receive_ms);
	for (;;) {
		ssize_t got = c->ssl != NULL ? SSL_read(c->ssl, to, (int)n) : recv(c->fd, to, n, 0);
		int rc;

		if (got > 0 || (got == 0 && c->ssl == NULL))
			return got;
		rc = c->ssl != NULL ? tls_failed(c, (int)got, e) : failed(c, e);
		if (rc != 0)
			return rc > 0 ? 0 : -1;
	}
}

/* The same, decompressed. */
static ssize_t
receive(struct conn *c, char *to, size_t n, struct err *e)
{
	char raw[4096];
	ssize_t got;

	if (c->z == NULL)
		return receive_raw(c, to, n, e);
	while ((got = compress_in(c->z, to, n, e)) == 0) {
		if ((got = receive_raw(c, raw, sizeof raw, e)) <= 0)
			return got;
		compress_feed(c->z, span_of(raw, (size_t)got));
	}
	return got;
}

struct span
conn_peek(const struct conn *c)
{
	return span_from(buf_span(&c->in), c->used);
}

void
conn_use(struct conn *c, size_t n)
{
	need(n <= c->in.n - c->used);
	c->used += n;
}

void
conn_forget(struct conn *c)
{
	if (c->in.p == NULL)
		return;
	explicit_bzero(c->in.p, c->used);
	explicit_bzero(c->in.p + c->in.n, c->in.cap - c->in.n);
}

int
conn_push(struct conn *c, struct span s, struct err *e)
{
	need(c->n_in == 0);
	return buf_add(&c->in, e, s);
}

int
conn_fill(struct conn *c, struct err *e)
{
	size_t room = c->read_size;
	ssize_t n;
	char *to;

	if (c->eof)
		return 0;
	if (conn_flush(c, e) < 0)
		return -1;
	if (c->used > 0) {
		buf_consume(&c->in, c->used);
		c->used = 0;
	}
	if (room > c->in.max - c->in.n)
		room = c->in.max - c->in.n;
	if (room == 0)
		return err_set(e, ERR_PEER, "more than %zu octets in one piece", c->in.max);
	to = buf_room(&c->in, e, room);
	if ((n = receive(c, to, room, e)) < 0)
		return -1;
	if ((size_t)n == c->read_size && n < READ_SIZE)
		c->read_size *= 4;
	c->in.n += (size_t)n;
	c->n_in += (uint64_t)n;
	c->eof = n == 0;
	return n > 0;
}

/* More of a line. A peer that sends it octet by octet has the time of one wait for all of it. */
static int
fill_line(struct conn *c, uint64_t *started_ms, struct err *e)
{
	int rc;

	if (*started_ms == 0)
		*started_ms = clock_mono_ms();
	rc = conn_fill(c, e);
	if (rc == 1 && c->fd >= 0 && clock_mono_ms() - *started_ms > c->o.timeout_ms)
		return too_late(c, e);
	return rc;
}

/* Keep the last octets of what was skipped so far and of this. */
static void
keep_tail(struct conn *c, struct span more)
{
	size_t keep;

	more = span_from(more, more.n > sizeof c->tail ? more.n - sizeof c->tail : 0);
	keep = c->tail_n + more.n > sizeof c->tail ? sizeof c->tail - more.n : c->tail_n;
	memmove(c->tail, c->tail + (c->tail_n - keep), keep);
	if (more.n > 0)
		memcpy(c->tail + keep, more.p, more.n);
	c->tail_n = keep + more.n;
}

struct span
conn_tail(const struct conn *c)
{
	struct span tail = span_of(c->tail, c->tail_n);

	return tail.n > 0 && tail.p[tail.n - 1] == '\r' ? span_head(tail, tail.n - 1) : tail;
}

/* The rest of a line that is too long. */
static int
skip_line(struct conn *c, uint64_t *started_ms, struct err *e)
{
	c->tail_n = 0;
	for (;;) {
		struct span have = conn_peek(c);
		ssize_t lf = span_chr(have, '\n');
		int rc;

		keep_tail(c, lf >= 0 ? span_head(have, (size_t)lf) : have);
		if (lf >= 0) {
			conn_use(c, (size_t)lf + 1);
			return err_set(e, ERR_PEER, "line longer than %zu octets", c->o.line_max);
		}
		conn_use(c, c->in.n - c->used);
		if ((rc = fill_line(c, started_ms, e)) <= 0)
			return rc < 0 ? -1 : err_set(e, ERR_GONE, "closed within a line");
	}
}

/* n octets up to LF are a line: take them. */
static int
give_line(struct conn *c, size_t n, struct span *line, struct err *e)
{
	bool cr = n >= 2 && c->in.p[c->used + n - 2] == '\r';

	*line = span_of(c->in.p + c->used, n - (cr ? 2 : 1));
	conn_use(c, n);
	if (!c->o.strict || (cr && span_chr(*line, '\r') < 0))
		return 1;
	c->bare = true;
	return err_set(e, ERR_PEER, "a line ends with CR LF, and neither stands alone");
}

int
conn_line(struct conn *c, struct span *line, struct err *e)
{
	uint64_t started_ms = 0;
	size_t scanned = 0;

	*line = (struct span){ 0 };
	for (;;) {
		struct span have = conn_peek(c);
		ssize_t lf = span_chr(span_from(have, scanned), '\n');
		int rc;

		if (lf >= 0 && scanned + (size_t)lf + 1 <= c->o.line_max)
			return give_line(c, scanned + (size_t)lf + 1, line, e);
		if (lf >= 0 || have.n >= c->o.line_max)
			return skip_line(c, &started_ms, e);
		scanned = have.n;
		if ((rc = fill_line(c, &started_ms, e)) < 0)
			return -1;
		if (rc == 0)
			return scanned == 0 ? 0 : err_set(e, ERR_GONE, "closed within a line");
	}
}

int
conn_read(struct conn *c, void *out, size_t n, struct err *e)
{
	char *to = out;

	while (n > 0) {
		struct span have = span_head(conn_peek(c), n);
		int rc;

		if (have.n > 0) {
			memcpy(to, have.p, have.n);
			conn_use(c, have.n);
			to += have.n;
			n -= have.n;
		} else if ((rc = conn_fill(c, e)) <= 0) {
			return rc;
		}
	}
	return 1;
}

/* ---- writing */

static int
send_tls(struct conn *c, struct span s, struct err *e)
{
	set_deadline(c, SO_SNDTIMEO, &c->send_ms);
	while (s.n > 0) {
		int n = SSL_write(c->ssl, s.p, s.n > INT32_MAX ? INT32_MAX : (int)s.n);
		int rc;

		if (n > 0)
			s = span_from(s, (size_t)n);
		else if ((rc = tls_failed(c, n, e)) != 0)
			return rc > 0 ? err_set(e, ERR_GONE, "TLS: closed by the peer") : -1;
	}
	return 0;
}

/* Two pieces, in one call where it can be. */
static int
send_plain(struct conn *c, struct span a, struct span b, int flags, struct err *e)
{
	int wait = MSG_DONTWAIT;

	while (a.n + b.n > 0) {
		struct iovec iov[2] = { { (void *)(uintptr_t)a.p, a.n }, { (void *)(uintptr_t)b.p, b.n } };
		struct msghdr mh = { .msg_iov = a.n > 0 ? iov : iov + 1,
			.msg_iovlen = a.n > 0 && b.n > 0 ? 2 : 1 };
		ssize_t n = sendmsg(c->fd, &mh, MSG_NOSIGNAL | flags | wait);

		if (n < 0 && errno == EAGAIN && wait != 0) {
			set_deadline(c, SO_SNDTIMEO, &c->send_ms);
			wait = 0;
		} else if (n < 0) {
			if (failed(c, e) < 0)
				return -1;
		} else {
			size_t of_a = (size_t)n < a.n ? (size_t)n : a.n;

			a = span_from(a, of_a);
			b = span_from(b, (size_t)n - of_a);
		}
	}
	return 0;
}

/* Two pieces, one after the other, as they are. */
static int
send_raw(struct conn *c, struct span out, struct span more, int flags, struct err *e)
{
	int rc;

	if (c->fd < 0)
		rc = buf_add(&c->sent, e, out) < 0 || buf_add(&c->sent, e, more) < 0 ? -1 : 0;
	else if (c->ssl != NULL)
		rc = send_tls(c, out, e) < 0 ? -1 : send_tls(c, more, e);
	else
		rc = send_plain(c, out, more, flags, e);
	return rc;
}

/* Both compressed, in pieces, so that little more than a piece is in memory. */
static int
send_compressed(struct conn *c, struct span out, struct span more, bool flush, struct err *e)
{
	struct span piece = { 0 };
	struct buf z;
	int rc = 0;

	buf_init(&z, OUT_MAX);
	while (rc == 0 && out.n + more.n > 0) {
		struct span *from = out.n > 0 ? &out : &more;

		piece = span_head(*from, OUT_FULL);
		*from = span_from(*from, piece.n);
		rc = compress_out(c->z, piece, false, &z, e);
		if (rc == 0 && z.n >= OUT_FULL / 2) {
			rc = send_raw(c, buf_span(&z), (struct span){ 0 }, 0, e);
			buf_clear(&z);
		}
	}
	if (rc == 0 && flush && compress_pending(c->z))
		rc = compress_out(c->z, (struct span){ 0 }, true, &z, e);
	if (rc == 0 && z.n > 0)
		rc = send_raw(c, buf_span(&z), (struct span){ 0 }, 0, e);
	buf_free(&z);
	return rc;
}

/* The output and then `more`, all of it. */
static int
send_out(struct conn *c, struct span more, int flags, struct err *e)
{
	struct span out = buf_span(&c->out);
	int rc;

	c->n_out += out.n + more.n;
	if (c->z != NULL)
		rc = send_compressed(c, out, more, false, e);
	else
		rc = send_raw(c, out, more, flags, e);
	buf_clear(&c->out);
	return rc;
}

int
conn_flush(struct conn *c, struct err *e)
{
	if (c->out.n > 0 && send_out(c, (struct span){ 0 }, 0, e) < 0)
		return -1;
	if (c->z == NULL || !compress_pending(c->z))
		return 0;
	return send_compressed(c, (struct span){ 0 }, (struct span){ 0 }, true, e);
}

int
conn_write(struct conn *c, struct span s, struct err *e)
{
	if (c->out.n + s.n > OUT_FULL)
		return send_out(c, s, 0, e);
	return buf_add(&c->out, e, s);
}

int
conn_printf(struct conn *c, struct err *e, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = buf_vprintf(&c->out, e, fmt, ap);
	va_end(ap);
	return rc == 0 && c->out.n > OUT_FULL ? conn_flush(c, e) : rc;
}

/* Exactly n octets of a file into the output. */
static int
copy_file(struct conn *c, int fd, uint64_t offset, size_t n, struct err *e)
{
	char *to = buf_room(&c->out, e, n);

	if (to == NULL)
		return -1;
	while (n > 0) {
		ssize_t got = pread(fd, to, n, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return err_set(
			    e, ERR_TEMP, "file: %s", got < 0 ? strerror(errno) : "shorter than it should be");
		to += got;
		c->out.n += (size_t)got;
		offset += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

static int
send_file(struct conn *c, int fd, uint64_t offset, uint64_t n, struct err *e)
{
	off_t at = (off_t)offset;

	if (send_out(c, (struct span){ 0 }, MSG_MORE, e) < 0)
		return -1;
	set_deadline(c, SO_SNDTIMEO, &c->send_ms);
	while (n > 0) {
		ssize_t got = sendfile(c->fd, fd, &at, n > 0x40000000 ? 0x40000000 : (size_t)n);

		if (got == 0)
			return err_set(e, ERR_TEMP, "file: shorter than it should be");
		if (got < 0) {
			if (failed(c, e) < 0)
				return -1;
			continue;
		}
		n -= (uint64_t)got;
		c->n_out += (uint64_t)got;
	}
	return 0;
}

int
conn_sendfile(struct conn *c, int fd, uint64_t offset, uint64_t n, struct err *e)
{
	if (c->fd >= 0 && c->ssl == NULL && c->z == NULL && n > COPY_MAX)
		return send_file(c, fd, offset, n, e);
	while (n > 0) {
		size_t piece = n > COPY_MAX ? COPY_MAX : (size_t)n;

		if (c->out.n >= OUT_FULL && send_out(c, (struct span){ 0 }, 0, e) < 0)
			return -1;
		if (copy_file(c, fd, offset, piece, e) < 0)
			return -1;
		offset += piece;
		n -= piece;
	}
	return 0;
}

/* ---- compression */

int
conn_compress(struct conn *c, struct span window, struct err *e)
{
	need(c->z == NULL && conn_peek(c).n == 0);
	if (conn_flush(c, e) < 0)
		return -1;
	c->z = compress_new(window, e);
	return c->z == NULL ? -1 : 0;
}

bool
conn_compressed(const struct conn *c)
{
	return c->z != NULL;
}

/* The output, and the end of its stream. */
static int
finish_output(struct conn *c, struct err *e)
{
	struct buf z;
	int rc;

	if (c->out.n > 0 && send_out(c, (struct span){ 0 }, 0, e) < 0)
		return -1;
	buf_init(&z, OUT_MAX);
	rc = compress_last(c->z, &z, e);
	if (rc == 0)
		rc = send_raw(c, buf_span(&z), (struct span){ 0 }, 0, e);
	buf_free(&z);
	return rc;
}

int
conn_uncompress(struct conn *c, struct err *e)
{
	char raw[4096];
	struct span rest;
	ssize_t got;
	int rc;

	need(c->z != NULL);
	if (conn_peek(c).n > 0)
		return err_set(e, ERR_PEER, "more stands in the compressed stream");
	if (finish_output(c, e) < 0)
		return -1;
	while ((rc = compress_end(c->z, &rest, e)) == 0) {
		if ((got = receive_raw(c, raw, sizeof raw, e)) <= 0)
			return got < 0 ? -1 : err_set(e, ERR_GONE, "closed within the compressed stream");
		compress_feed(c->z, span_of(raw, (size_t)got));
	}
	buf_clear(&c->in);
	c->used = 0;
	if (rc < 0 || buf_add(&c->in, e, rest) < 0)
		return -1;
	compress_free(c->z);
	c->z = NULL;
	return 0;
}

bool
conn_ready(struct conn *c)
{
	struct err e = { 0 };
	ssize_t got;
	char *to;

	if (c->z == NULL || conn_peek(c).n > 0)
		return conn_peek(c).n > 0;
	buf_clear(&c->in);
	c->used = 0;
	to = buf_room(&c->in, NULL, READ_FIRST);
	got = compress_in(c->z, to, READ_FIRST, &e);
	c->in.n += got > 0 ? (size_t)got : 0;
	c->n_in += got > 0 ? (uint64_t)got : 0;
	return got != 0; /* the next read says what is wrong */
}

int
conn_window(struct conn *c, struct buf *window, struct err *e)
{
	char *to;
	size_t n = 0;

	if (conn_flush(c, e) < 0 || (to = buf_room(window, e, COMPRESS_WINDOW)) == NULL)
		return -1;
	if (conn_ready(c) || compress_window(c->z, to, &n) == 0)
		return 0;
	window->n += n;
	return 1;
}

/* ---- TLS */

/* Shake hands; `step` is SSL_accept or SSL_connect. */
static int
handshake(struct conn *c, int (*step)(SSL *), struct err *e)
{
	uint64_t started_ms = clock_mono_ms();

	if (SSL_set_fd(c->ssl, c->fd) != 1)
		return tls_err(e, ERR_TEMP, "TLS");
	set_deadline(c, SO_RCVTIMEO, &c->receive_ms);
	set_deadline(c, SO_SNDTIMEO, &c->send_ms);
	for (;;) {
		int rc = step(c->ssl);

		if (rc == 1)
			break;
		if ((rc = tls_failed(c, rc, e)) != 0)
			return rc > 0 ? err_set(e, ERR_GONE, "TLS: closed in the handshake") : -1;
		if (clock_mono_ms() - started_ms > c->o.timeout_ms)
			return too_late(c, e);
	}
	snprintf(c->tls, sizeof c->tls, "%s %s", SSL_get_version(c->ssl), SSL_get_cipher_name(c->ssl));
	return 0;
}

static int
tls_begin(struct conn *c, const struct tls_ctx *t, struct err *e)
{
	need(c->ssl == NULL && c->fd >= 0 && conn_peek(c).n == 0);
	if (conn_flush(c, e) < 0)
		return -1;
	if ((c->ssl = SSL_new(tls_ssl_ctx(t))) == NULL)
		return tls_err(e, ERR_TEMP, "TLS");
	return 0;
}

int
conn_tls_accept(struct conn *c, const struct tls_ctx *t, struct err *e)
{
	return tls_begin(c, t, e) < 0 ? -1 : handshake(c, SSL_accept, e);
}

int
conn_tls_connect(struct conn *c, const struct tls_ctx *t, const char *name, struct err *e)
{
	if (tls_begin(c, t, e) < 0)
		return -1;
	/* SSL_set_tlsext_host_name, the macro of this, casts const away, which clang will not have. */
	if (name != NULL && (SSL_ctrl(c->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
				 (void *)(uintptr_t)name) != 1 ||
				SSL_set1_host(c->ssl, name) != 1))
		return tls_err(e, ERR_PERM, name);
	return handshake(c, SSL_connect, e);
}
