/*
 * conn.h - a peer, for linear programs: buffered reading and writing with deadlines, over TCP, TLS, a Unix
 * socket or two buffers in memory.
 *
 * Output is buffered and goes out when it grows past 32 KiB, at conn_flush, and before a read has to wait:
 * so the answers to pipelined commands leave in one write (RFC 2920), and no answer is ever held back while
 * we wait for the client. TCP_NODELAY is set. Every wait has a deadline (conn_timeout); when it passes the
 * call fails with ERR_GONE and conn_timed_out tells.
 */
#ifndef IO_CONN_H
#define IO_CONN_H

#include "base/base.h"

struct conn;
struct tls_ctx;

struct conn_opts {
	size_t line_max;     /* octets of a line with its end; a longer one is ERR_PEER, and skipped */
	uint64_t timeout_ms; /* for each wait */
	bool strict;         /* only CR LF ends a line: a bare CR or LF is ERR_PEER (conn_bare tells) */
};

/* On fd, which is taken. */
struct conn *conn_new(int fd, const struct conn_opts *o);
/* In memory, for tests: reads come from `in` (borrowed), then end of file; writes are kept for conn_sent. */
struct conn *conn_memory(struct span in, const struct conn_opts *o);
struct span conn_sent(const struct conn *c);
void conn_free(struct conn *c); /* closes; output not flushed is dropped */
int conn_fd(const struct conn *c);
void conn_timeout(struct conn *c, uint64_t timeout_ms);

/*
 * One line without its end. Returns 1; 0 at a clean end of file; -1: ERR_PEER the line is too long (it has
 * been read to its end) or, if strict, holds a bare CR or LF (conn_bare is then true; the caller should
 * answer and close); ERR_GONE broken or too late. The line is valid until the next read.
 */
int conn_line(struct conn *c, struct span *line, struct err *e);
bool conn_bare(const struct conn *c);

/* The end of the last line that was too long, some 40 octets: an IMAP client may have a literal behind it. */
struct span conn_tail(const struct conn *c);
bool conn_timed_out(const struct conn *c);

/*
 * What has been read and not used. conn_fill reads more (waits if nothing is there; 1, 0 at the end, -1);
 * conn_use drops n octets of it. For bodies: look, use, fill, without a copy.
 */
struct span conn_peek(const struct conn *c);
int conn_fill(struct conn *c, struct err *e);
void conn_use(struct conn *c, size_t n);

/* Overwrite what was used: after a password. Lines that were given out are gone with it. */
void conn_forget(struct conn *c);

/*
 * Octets that came from the peer another way (with a hand-over): they are read before all that is still to
 * come.
 */
int conn_push(struct conn *c, struct span s, struct err *e);

/* Exactly n octets into out. 1, 0 if the end came before, -1. */
int conn_read(struct conn *c, void *out, size_t n, struct err *e);

/* Append to the output. Fails (ERR_GONE) when the peer is away or does not read in time. */
int conn_write(struct conn *c, struct span s, struct err *e);
int conn_printf(struct conn *c, struct err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int conn_flush(struct conn *c, struct err *e);

/* Octets of a file region to the output, after what is buffered; by sendfile where the peer is not TLS. */
int conn_sendfile(struct conn *c, int fd, uint64_t offset, uint64_t n, struct err *e);

/*
 * Become the server (or client, with the name to send as SNI, may be NULL) of TLS on this connection. What
 * was buffered from the peer must be empty: the caller checks conn_peek first and refuses (STARTTLS
 * injection). On failure e says why, and the connection is of no more use.
 */
int conn_tls_accept(struct conn *c, const struct tls_ctx *t, struct err *e);
int conn_tls_connect(struct conn *c, const struct tls_ctx *t, const char *name, struct err *e);

/*
 * From here on both directions are compressed (RFC 4978; io/compress.h). What was buffered from the peer must be empty, and
 * all that goes uncompressed is flushed first. `window`: of a connection that was compressed already, elsewhere.
 */
int conn_compress(struct conn *c, struct span window, struct err *e);
bool conn_compressed(const struct conn *c);

/*
 * Both directions end being compressed: ours behind what was written, the peer's behind what was used, which is all that it
 * said compressed (else ERR_PEER). What it said behind that is to be read.
 */
int conn_uncompress(struct conn *c, struct err *e);

/*
 * To go on elsewhere: all is flushed, and the window (appended) is what conn_compress there wants. 1; 0 it cannot be left now.
 */
int conn_window(struct conn *c, struct buf *window, struct err *e);

/* Is there something to be read without waiting? (Of a compressed connection more than conn_peek shows.) */
bool conn_ready(struct conn *c);

/* "TLSv1.3 TLS_AES_256_GCM_SHA384", or NULL without TLS. */
const char *conn_tls(const struct conn *c);

/* Octets in and out so far, for the log. */
uint64_t conn_in(const struct conn *c);
uint64_t conn_out(const struct conn *c);

#endif
