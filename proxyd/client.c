#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include "io/tls.h"
#include "proxyd/proxyd.h"

/* What a failure of OpenSSL means: 0 try later, -1. */
static ssize_t
tls_failed(struct session *s, int rc, bool *broken)
{
	int why = SSL_get_error(s->ssl, rc);

	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return 0;
	*broken = why != SSL_ERROR_ZERO_RETURN;
	ERR_clear_error();
	return -1;
}

ssize_t
client_read(struct session *s, char *to, size_t n, bool *broken)
{
	ssize_t got;

	*broken = false;
	if (s->ssl != NULL) {
		ERR_clear_error();
		got = SSL_read(s->ssl, to, (int)n);
		if (got <= 0)
			return tls_failed(s, (int)got, broken);
	} else if ((got = recv(s->client.fd, to, n, MSG_DONTWAIT)) <= 0) {
		*broken = got < 0;
		return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
	}
	s->n_in += (uint64_t)got;
	return got;
}

ssize_t
client_write(struct session *s, struct span out, bool *broken)
{
	ssize_t sent;

	*broken = false;
	if (s->ssl != NULL) {
		ERR_clear_error();
		sent = SSL_write(s->ssl, out.p, (int)out.n);
		if (sent <= 0)
			return tls_failed(s, (int)sent, broken);
	} else if ((sent = send(s->client.fd, out.p, out.n, MSG_DONTWAIT | MSG_NOSIGNAL)) < 0) {
		*broken = true;
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	}
	s->n_out += (uint64_t)sent;
	return sent;
}

int
client_handshake(struct session *s, uint32_t *events, struct err *e)
{
	int rc, why;

	ERR_clear_error();
	if ((rc = SSL_accept(s->ssl)) == 1)
		return 1;
	why = SSL_get_error(s->ssl, rc);
	*events = why == SSL_ERROR_WANT_WRITE ? EPOLLOUT : EPOLLIN;
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return 0;
	if (why == SSL_ERROR_SYSCALL || why == SSL_ERROR_ZERO_RETURN)
		return err_set(e, ERR_GONE, "closed in the handshake");
	return tls_err(e, ERR_GONE, "handshake");
}
